"""Errors as the callers of a served memory see them: one shape, `{error: {type, message, remedy}}`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from hub_toolkit.errors import (
    BoundaryError,
    ConflictError,
    DataFormatError,
    PersonaMemError,
    ProviderError,
    StoreError,
)
from hub_toolkit.serve.functions import NotFoundError, NotPossibleError

ERROR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {name: {"type": "string"} for name in ("type", "message", "remedy")},
            "required": ["type", "message", "remedy"],
        }
    },
    "required": ["error"],
}


@dataclass(frozen=True)
class Failure:
    """Why a call failed. `status` is HTTP's; `type` is for programs, `message` and `remedy` for people."""

    status: int
    type: str
    message: str
    remedy: str = ""

    def as_dict(self) -> dict[str, Any]:
        fields = asdict(self)
        del fields["status"]
        return {"error": fields}


class RequestError(PersonaMemError):
    """A call that was refused before any memory was touched."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.message)


# The first that fits counts: a ConflictError is a StoreError too.
_KINDS: tuple[tuple[type[PersonaMemError], int, str], ...] = (
    (NotFoundError, 404, "not_found"),
    (NotPossibleError, 409, "not_possible"),
    (ConflictError, 409, "conflict"),
    (BoundaryError, 422, "boundary"),
    (DataFormatError, 400, "bad_arguments"),
    (ProviderError, 502, "model"),
    (StoreError, 503, "store"),
)

INTERNAL = Failure(500, "internal", "the server failed", "look into its log, and report it")


def describe_failure(error: PersonaMemError) -> Failure:
    """Return what a caller is told of an error; the toolkit's messages end in what to do."""
    if isinstance(error, RequestError):
        return error.failure
    status, name = next(((status, name) for kind, status, name in _KINDS if isinstance(error, kind)), (500, "internal"))
    message = " ".join(str(error).split())
    what, _, remedy = message.partition("; ")
    return Failure(status, name, what, remedy)
