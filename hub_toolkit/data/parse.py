"""PersonaMem-v2's published layout: CSV rows, each column in its own serialisation, to samples."""

from __future__ import annotations

import ast
import csv
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hub_toolkit.data.history import parse_content
from hub_toolkit.data.schema import (
    CONTEXT_SIZES,
    NUM_INCORRECT,
    PREF_TYPES,
    ContextSize,
    Modality,
    Persona,
    Sample,
    Split,
)
from hub_toolkit.errors import DataFormatError
from hub_toolkit.types import ROLES, Message

MINI = Path(__file__).parent / "mini"
MAX_LINE_BYTES = 16 * 1024 * 1024
"""No published row comes near; a longer line is a broken file and is refused before it fills the memory."""

COUNT_COLUMNS = tuple(
    f"{name}_{size}"
    for size in CONTEXT_SIZES
    for name in (
        "total_tokens_in_chat_history",
        "distance_from_related_snippet_to_query",
        "num_persona_relevant_tokens",
        "num_persona_irrelevant_tokens",
    )
)
COLUMNS = (
    "persona_id",
    "chat_history_32k_link",
    "chat_history_128k_link",
    "raw_persona_file",
    "short_persona",
    "expanded_persona",
    "user_query",
    "correct_answer",
    "incorrect_answers",
    "related_conversation_snippet",
    "preference",
    "prev_pref",
    "pref_type",
    "topic_preference",
    "topic_query",
    "conversation_scenario",
    "who",
    "updated",
    "sensitive_info",
    *COUNT_COLUMNS,
)
"""Source: PersonaMem-v2, the 27 columns of benchmark/*/*.csv."""
WHO = ("self", "others")
MAX_JSON_CHARACTERS = 8 * 1024 * 1024


class _Cell:
    """One cell with its place, so that every error can name it."""

    def __init__(self, text: str, file: str, row: int, column: str) -> None:
        self.text, self.file, self.row, self.column = text, file, row, column

    def error(self, message: str) -> DataFormatError:
        return DataFormatError(message, file=self.file, row=self.row, column=self.column)


def resolve_dataset(path: str | Path) -> Path:
    """Return a dataset's folder; `mini` is the one that ships in the package.

    Raises: DataFormatError: there is no such folder.
    """
    folder = MINI if str(path) == "mini" else Path(path)
    if not folder.is_dir():
        raise DataFormatError("is no folder; give a dataset's folder, or mini", file=str(path))
    return folder


def split_path(folder: Path, split: Split, modality: Modality = "text") -> Path:
    """Return where a split's CSV stands."""
    return folder / "benchmark" / modality / f"{split}.csv"


def link_path(folder: Path, link: str) -> Path:
    """Return the file behind a link of the CSV, which must stay inside the folder.

    Raises: ValueError: the link is absolute, goes up, or a symbolic link leads out of the folder.
    """
    parts = re.split(r"[/\\]", link)
    if not link.strip() or "\x00" in link:
        raise ValueError("the link is empty; name the history's path inside the folder")
    if link.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", link) or "://" in link:
        raise ValueError(f"the link {link!r} is absolute; use a path inside the dataset's folder")
    if ".." in parts:
        raise ValueError(f"the link {link!r} leads out of the folder; use a path inside the dataset's folder")
    path = folder.joinpath(*parts)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"the link {link!r} leads out of the folder through a symbolic link")
    return path


def history_path(folder: Path, link: str) -> Path:
    """Return the history behind a link.

    Raises: DataFormatError: the link leaves the folder, or there is no such file.
    """
    try:
        path = link_path(folder, link)
    except ValueError as error:
        raise DataFormatError(str(error), file=str(folder), column="chat_history_link") from error
    if not path.is_file():
        raise DataFormatError("the history that a row links to is missing; download the folder again", file=link)
    return path


def _lines(path: Path, file: str) -> Iterator[str]:
    """Yield the lines of a UTF-8 file, each of bounded length."""
    try:
        with path.open("rb") as handle:
            number = 0
            while line := handle.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(line) > MAX_LINE_BYTES:
                    raise DataFormatError(
                        f"line {number} is longer than {MAX_LINE_BYTES:,} bytes; the file is broken, get it again",
                        file=file,
                    )
                try:
                    yield line.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    raise DataFormatError(
                        f"line {number} is not valid UTF-8 (byte {error.start}); save the file as UTF-8", file=file
                    ) from error
    except OSError as error:
        raise DataFormatError(f"cannot be read ({error.strerror}); check the path", file=file) from error


def iter_rows(path: Path, file: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield a CSV's data rows with their numbers, counted from 1.

    Raises: DataFormatError: unreadable, not UTF-8, a column missing, a row of another width, a line too long.
    """
    csv.field_size_limit(MAX_LINE_BYTES)
    reader = csv.reader(_lines(path, file), strict=True)
    row = 0
    try:
        header = next(reader, [])
        for column in COLUMNS:
            if column not in header:
                raise DataFormatError(
                    "the column is missing; use the file as published", file=file, row=0, column=column
                )
        for row, cells in enumerate(reader, start=1):
            if len(cells) != len(header):
                raise DataFormatError(
                    f"has {len(cells)} cells, but the header has {len(header)}; check the quotes", file=file, row=row
                )
            yield row, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise DataFormatError(f"is no valid CSV ({error}); check the quotes", file=file, row=row + 1) from error


def load_samples(folder: str | Path, split: Split = "benchmark", *, modality: Modality = "text") -> list[Sample]:
    """Read one split.

    Raises: DataFormatError: the first thing in the file that is not as published.
    """
    root = resolve_dataset(folder)
    path = split_path(root, split, modality)
    file = path.relative_to(root).as_posix()
    if not path.is_file():
        raise DataFormatError("the split's file is missing; check the folder and the split's name", file=file)
    samples, seen = [], dict[str, int]()
    for row, cells in iter_rows(path, file):
        sample = parse_row(cells, split=split, row=row, file=file)
        check_duplicate(sample, row, seen, file)
        samples.append(sample)
    return samples


def load_personas(folder: str | Path, split: Split = "benchmark", *, modality: Modality = "text") -> list[Persona]:
    """Read one split and gather its samples by persona, in the order of the ids."""
    by_id: dict[int, list[Sample]] = {}
    for sample in load_samples(folder, split, modality=modality):
        by_id.setdefault(sample.persona_id, []).append(sample)
    return [
        Persona(persona_id, samples[0].short_persona, samples[0].expanded_persona, tuple(samples))
        for persona_id, samples in sorted(by_id.items())
    ]


def check_duplicate(sample: Sample, row: int, seen: dict[str, int], file: str) -> None:
    """Remember a sample's content.

    Raises: DataFormatError: an earlier row has the same content.
    """
    content = sample.sample_id.rpartition("-")[2]
    if content in seen:
        raise DataFormatError(f"repeats row {seen[content]}; remove one of the two", file=file, row=row)
    seen[content] = row


def content_hash(cells: dict[str, str]) -> str:
    """Return a hash of a row's content, independent of the order of the columns."""
    text = json.dumps({k: cells[k] for k in sorted(cells)}, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def parse_row(cells: dict[str, str], *, split: Split, row: int, file: str) -> Sample:
    """Turn one CSV row (`row` counts from 1) into a sample.

    Raises: DataFormatError: names the column.
    """

    def cell(column: str) -> _Cell:
        return _Cell(cells.get(column) or "", file, row, column)

    links: dict[ContextSize, str] = {size: _text(cell(f"chat_history_{size}_link")) for size in CONTEXT_SIZES}
    twin = cell("twin_of")
    return Sample(
        sample_id=f"{split}-{row - 1}-{content_hash(cells)}",
        split=split,
        row=row - 1,
        persona_id=_integer(cell("persona_id")),
        user_query=_query(cell("user_query")),
        correct_answer=_text(cell("correct_answer")),
        incorrect_answers=_incorrect(cell("incorrect_answers")),
        related_snippet=_snippet(cell("related_conversation_snippet")),
        history_links=links,
        short_persona=_short_persona(cell("short_persona")),
        expanded_persona=_expanded_persona(cell("expanded_persona")),
        raw_persona_file=cells.get("raw_persona_file") or "",
        preference=cells.get("preference") or "",
        prev_pref=cells.get("prev_pref") or None,
        pref_type=_one_of(cell("pref_type"), PREF_TYPES),
        topic_preference=_topic(cells.get("topic_preference") or ""),
        topic_query=_topic(cells.get("topic_query") or ""),
        conversation_scenario=cells.get("conversation_scenario") or "",
        who=_one_of(cell("who"), WHO),
        is_updated=_boolean(cell("updated")),
        is_sensitive=_boolean(cell("sensitive_info")),
        counts={column: _integer(cell(column)) for column in COUNT_COLUMNS},
        group_id=cells.get("group_id") or None,
        twin_of=_integer(twin) if twin.text else None,
    )


def _text(cell: _Cell) -> str:
    if not cell.text.strip():
        raise cell.error("is empty")
    return cell.text


def _integer(cell: _Cell) -> int:
    if not re.fullmatch(r"-?\d{1,12}(?:\.0)?", cell.text.strip()):
        raise cell.error(f"{cell.text[:40]!r} is not a whole number")
    return int(cell.text.strip().removesuffix(".0"))


def _boolean(cell: _Cell) -> bool:
    value = {"true": True, "false": False}.get(cell.text.strip().lower())
    if value is None:
        raise cell.error(f'{cell.text[:40]!r} is neither "True" nor "False"')
    return value


def _one_of(cell: _Cell, allowed: tuple[str, ...]) -> str:
    value = cell.text.strip()
    if value not in allowed:
        raise cell.error(f"{value[:40]!r} is unknown; use one of {', '.join(allowed)}")
    return value


def _topic(text: str) -> str:
    """Clean the artefacts of the published topics (`": travel"`, mixed case)."""
    return text.strip(" :\"'").lower()


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


def _json(cell: _Cell) -> Any:
    if len(cell.text) > MAX_JSON_CHARACTERS:
        raise cell.error(f"has more than {MAX_JSON_CHARACTERS:,} characters")
    try:
        return json.loads(cell.text, parse_constant=_no_constant)
    except RecursionError as error:
        raise cell.error("the JSON is nested too deeply") from error
    except ValueError as error:
        raise cell.error(f"is no valid JSON ({error}); use the row as published") from error


def _literal(cell: _Cell) -> Any:
    """Read JSON, else a Python literal; None where the text is neither."""
    try:
        return json.loads(cell.text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(cell.text)
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return None


def _query(cell: _Cell) -> Message:
    """Parse as JSON, then as a Python literal, then as raw text (PROTOCOL §1)."""
    _text(cell)
    value = _literal(cell)
    if isinstance(value, dict) and "content" in value:
        role = value.get("role", "user")
        if role not in ROLES:
            raise cell.error(f"unknown role {role!r}; use one of {', '.join(ROLES)}")
        return Message(role, parse_content(value["content"], file=cell.file, column=cell.column))
    if cell.text.lstrip().startswith(("{'role'", '{"role"', "{'content'", '{"content"')):
        raise cell.error("is a broken {'role', 'content'} object; use the row as published")
    return Message("user", cell.text)


def _incorrect(cell: _Cell) -> tuple[str, ...]:
    values = _json(cell)
    if not isinstance(values, list) or not all(isinstance(v, str) and v.strip() for v in values):
        raise cell.error("is no JSON list of texts")
    if len(values) != NUM_INCORRECT:
        raise cell.error(f"has {len(values)} distractors, not {NUM_INCORRECT}")
    return tuple(values)


def _snippet(cell: _Cell) -> tuple[Message, ...]:
    values = _json(cell)
    if not isinstance(values, list):
        raise cell.error("is no JSON list of messages")
    messages = []
    for value in values:
        role = value.get("role") if isinstance(value, dict) else None
        if role not in ROLES:
            raise cell.error(f"unknown role {role!r}; use one of {', '.join(ROLES)}")
        messages.append(Message(role, parse_content(value.get("content"), file=cell.file, column=cell.column)))
    return tuple(messages)


def _short_persona(cell: _Cell) -> str:
    """Plain text, or a dict printed as text with the persona inside."""
    if not cell.text.lstrip().startswith("{"):
        return cell.text
    value = _literal(cell)
    if not isinstance(value, dict) or not isinstance(value.get("persona"), str):
        raise cell.error("is a broken {'persona': …} object; use the row as published")
    return str(value["persona"])


def _expanded_persona(cell: _Cell) -> dict[str, Any]:
    value = _json(cell)
    if not isinstance(value, dict):
        raise cell.error("is no JSON object")
    return value
