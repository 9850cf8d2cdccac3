"""Every error that the toolkit raises on purpose.

PersonaMemError
├── DataFormatError    a file, row or column is not what the layout says
├── ProviderError      a model endpoint or a local model failed
├── JudgeError         a verdict could not be had
├── HubError           the Hub refused or could not be reached
├── BoundaryError      a write would have crossed a rule of the memory's owner
├── StoreError         the store of memories is broken, or cannot be read or written
│   └── ConflictError  somebody else changed the memory first; nothing was written
└── SubmissionError    a leaderboard submission is not acceptable
"""

from __future__ import annotations


class PersonaMemError(Exception):
    """Base of all errors; its message says what went wrong and what to do."""


class DataFormatError(PersonaMemError):
    """A file is not in the published layout.

    `file` is relative to the dataset's folder where there is one, `row` counts data rows from 1,
    `column` is the CSV column or JSON field.
    """

    def __init__(
        self, message: str, *, file: str | None = None, row: int | None = None, column: str | None = None
    ) -> None:
        self.message, self.file, self.row, self.column = message, file, row, column
        place = ", ".join(
            part
            for part in (file, f"row {row}" if row is not None else None, f"column {column}" if column else None)
            if part
        )
        super().__init__(f"{place}: {message}" if place else message)


class ProviderError(PersonaMemError):
    """A model could not answer. `kind`: refused, timeout, rate_limit, server, auth, bad_request, bad_reply, missing."""

    def __init__(self, message: str, *, kind: str = "server") -> None:
        self.kind = kind
        super().__init__(message)


class JudgeError(PersonaMemError):
    """A judge's verdict could not be had."""


class HubError(PersonaMemError):
    """The Hub refused or could not be reached."""


class BoundaryError(PersonaMemError):
    """A write would have crossed a rule of the memory's owner."""


class StoreError(PersonaMemError):
    """The store of memories is broken, or cannot be read or written."""


class ConflictError(StoreError):
    """Somebody else changed the memory first; nothing was written."""


class SubmissionError(PersonaMemError):
    """A submission to the leaderboard is not acceptable."""


__all__ = [
    "BoundaryError",
    "ConflictError",
    "DataFormatError",
    "HubError",
    "JudgeError",
    "PersonaMemError",
    "ProviderError",
    "StoreError",
    "SubmissionError",
]
