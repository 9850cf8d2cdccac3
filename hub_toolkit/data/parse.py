"""PersonaMem-v2's published layout: CSV rows, each column in its own serialisation, to samples."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any, cast

from hub_toolkit.data import fields
from hub_toolkit.data.fields import FieldError
from hub_toolkit.data.schema import CONTEXT_SIZES, ContextSize, Modality, Persona, Sample, Split
from hub_toolkit.data.table import Record, iter_records
from hub_toolkit.errors import DataFormatError

MINI = Path(__file__).parent / "mini"

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

Parser = Callable[[str], Any]
_PERSONAS_KEPT = 256
_LARGE_CELL_CHARS = 64_000


def once_a_persona(parse: Parser) -> Parser:
    """Return a parser that remembers what it made of a persona's cell, unless the cell is large."""
    kept = lru_cache(maxsize=_PERSONAS_KEPT)(parse)
    return lambda text: kept(text) if len(text) <= _LARGE_CELL_CHARS else parse(text)


PARSERS: dict[str, Parser] = {
    "persona_id": fields.parse_int,
    # A persona's rows hold the same cells, and stand in any order: they are read once.
    "chat_history_32k_link": lru_cache(maxsize=_PERSONAS_KEPT)(fields.parse_link),
    "chat_history_128k_link": lru_cache(maxsize=_PERSONAS_KEPT)(fields.parse_link),
    "raw_persona_file": lru_cache(maxsize=_PERSONAS_KEPT)(fields.parse_link),
    "short_persona": once_a_persona(fields.parse_short_persona),
    "expanded_persona": once_a_persona(fields.parse_object),
    "user_query": fields.parse_user_query,
    "correct_answer": fields.parse_text,
    "incorrect_answers": fields.parse_incorrect_answers,
    "related_conversation_snippet": fields.parse_snippet,
    "preference": str,  # rows on sensitive strings may have none
    "prev_pref": fields.parse_optional_text,
    "pref_type": fields.parse_pref_type,
    "topic_preference": fields.parse_topic,
    "topic_query": fields.parse_topic,
    "conversation_scenario": fields.parse_text,
    "who": fields.parse_who,
    "updated": fields.parse_bool,
    "sensitive_info": fields.parse_bool,
    **dict.fromkeys(COUNT_COLUMNS, fields.parse_int),
}
"""The 27 published columns. Source: PersonaMem-v2, benchmark/*/*.csv."""
OUR_PARSERS: dict[str, Parser] = {
    "group_id": fields.parse_optional_text,
    "twin_of": lambda text: fields.parse_int(text) if text.strip() else None,
}
"""Columns of our own datasets, which the published one does not have."""
_ALL_PARSERS = PARSERS | OUR_PARSERS
_encode_persona = once_a_persona(encode_basestring)


@lru_cache(maxsize=8)
def _encode_names(columns: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return the columns in the alphabet's order, each with its JSON: they are a file's, not a row's."""
    return tuple((column, encode_basestring(column)) for column in sorted(columns))


@dataclass(frozen=True)
class Row:
    """A CSV record by column; `number` counts data rows from 1."""

    number: int
    cells: dict[str, str]

    @cached_property
    def content_hash(self) -> str:
        """A hash of the row's content, whatever the order of its columns."""
        # As json.dumps writes an object; a persona's cell, the longest by far, is encoded once.
        encoded = (
            f"{name}: {(_encode_persona if key == 'expanded_persona' else encode_basestring)(self.cells[key])}"
            for key, name in _encode_names(tuple(self.cells))
        )
        text = "{" + ", ".join(encoded) + "}"
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def resolve_dataset(path: str | Path) -> Path:
    """Return a dataset's folder; `mini` is the one that ships in the package.

    Raises: DataFormatError: there is no such folder.
    """
    folder = MINI if str(path) == "mini" else Path(path)
    if not folder.is_dir():
        raise DataFormatError("is not a folder; give a dataset's folder, or mini", file=str(path))
    return folder


def split_path(folder: Path, split: Split, modality: Modality = "text") -> Path:
    """Return where a split's CSV stands."""
    return folder / "benchmark" / modality / f"{split}.csv"


def is_within(path: Path, folder: Path) -> bool:
    """Whether a file really lies in the folder, or in the blobs to which a snapshot in the Hub's cache points.

    Raises: FieldError: its symbolic links lead nowhere, as in a loop.
    """
    try:
        target = path.resolve()
    except (OSError, RuntimeError) as error:
        raise FieldError(f"{fields.excerpt(path.name)} cannot be followed ({error}); replace the link") from None
    roots = [folder.resolve()]
    if roots[0].parent.name == "snapshots":
        roots.append(roots[0].parents[1] / "blobs")
    return any(target.is_relative_to(root) for root in roots)


def link_path(folder: Path, link: str) -> Path:
    """Return the file behind a link of the CSV, which must stay inside the folder.

    Raises: FieldError: the link is absolute, goes up, leads out by a symbolic link, or to no file.
    """
    path = folder / fields.parse_link(link)
    if not is_within(path, folder):
        raise FieldError(f"the link {fields.excerpt(link)} leaves the dataset's folder through a symbolic link")
    if not path.is_file():
        raise FieldError(f"the file {fields.excerpt(link)} is missing from the dataset's folder; download it again")
    return path


def history_path(folder: Path, link: str) -> Path:
    """Return the history behind a link.

    Raises: DataFormatError: the link leaves the folder, or there is no such file.
    """
    try:
        return link_path(folder, link)
    except FieldError as error:
        raise DataFormatError(error.message, file=str(folder), column="chat_history_link") from None


def iter_rows(path: Path, *, file: str) -> Iterator[Row | DataFormatError]:
    """Yield every data row of a CSV, or what is wrong with it in its place; a file without rows yields one error."""
    try:
        if not path.is_file():  # opening a pipe would wait for its writer
            yield DataFormatError("is not a regular file; put the CSV in its place", file=file)
            return
        with path.open("rb") as stream:
            yield from _iter_rows(iter_records(stream, file=file), file=file)
    except OSError as error:
        yield DataFormatError(f"cannot be read ({error.strerror}); check the file", file=file)


def _iter_rows(records: Iterator[Record | DataFormatError], *, file: str) -> Iterator[Row | DataFormatError]:
    head = next(records, None)
    if not isinstance(head, Record):
        yield head or DataFormatError("the file is empty; get it again", file=file)
        return
    missing = [column for column in PARSERS if column not in head.cells]
    repeated = {column for column in head.cells if head.cells.count(column) > 1}
    for column in missing:
        yield DataFormatError("the column is missing; use the file as published", file=file, column=column)
    for column in sorted(repeated):
        yield DataFormatError("the column stands twice; remove one", file=file, column=column)
    if repeated:
        return
    for record in records:
        if isinstance(record, DataFormatError):
            yield record
        elif len(record.cells) != len(head.cells):
            message = f"{len(record.cells)} cells, but the header has {len(head.cells)}; check the quotation marks"
            yield DataFormatError(message, file=file, row=record.row)
        else:
            yield Row(record.row, dict(zip(head.cells, record.cells, strict=True)))


def parse_row(row: Row, *, split: Split, file: str) -> tuple[Sample | None, list[DataFormatError]]:
    """Turn a row into a sample, or into everything that is wrong with it.

    A column that the whole file lacks is the header's problem, not each row's: the row only yields no sample.
    """
    absent = PARSERS.keys() - row.cells.keys()
    values: dict[str, Any] = {}
    problems = []
    for column, parse in _ALL_PARSERS.items():
        if column in absent:
            continue
        try:
            values[column] = parse(fields.check_decoded(row.cells.get(column, "")))
        except FieldError as error:
            problems.append(DataFormatError(error.message, file=file, row=row.number, column=column))
    return (None if problems or absent else _sample(row, values, split)), problems


def _sample(row: Row, values: dict[str, Any], split: Split) -> Sample:
    links = {size: values[f"chat_history_{size}_link"] for size in CONTEXT_SIZES}
    return Sample(
        sample_id=f"{split}-{row.number - 1}-{row.content_hash}",
        split=split,
        row=row.number - 1,
        persona_id=values["persona_id"],
        user_query=values["user_query"],
        correct_answer=values["correct_answer"],
        incorrect_answers=values["incorrect_answers"],
        related_snippet=values["related_conversation_snippet"],
        history_links=cast(dict[ContextSize, str], links),
        short_persona=values["short_persona"],
        expanded_persona=values["expanded_persona"],
        raw_persona_file=values["raw_persona_file"],
        preference=values["preference"],
        prev_pref=values["prev_pref"],
        pref_type=values["pref_type"],
        topic_preference=values["topic_preference"],
        topic_query=values["topic_query"],
        conversation_scenario=values["conversation_scenario"],
        who=values["who"],
        is_updated=values["updated"],
        is_sensitive=values["sensitive_info"],
        counts={column: values[column] for column in COUNT_COLUMNS},
        group_id=values["group_id"],
        twin_of=values["twin_of"],
    )


def find_duplicate(row: Row, seen: dict[str, int], *, file: str) -> DataFormatError | None:
    """Remember a row's content; return the problem where an earlier row has the same."""
    earlier = seen.setdefault(row.content_hash, row.number)
    if earlier == row.number:
        return None
    return DataFormatError(f"the sample repeats row {earlier}; remove one of the two", file=file, row=row.number)


def load_samples(folder: str | Path, split: Split = "benchmark", *, modality: Modality = "text") -> list[Sample]:
    """Read one split.

    Raises: DataFormatError: the first thing in the file that is not as published.
    """
    root = resolve_dataset(folder)
    path = split_path(root, split, modality)
    file = path.relative_to(root).as_posix()
    if not path.is_file():
        raise DataFormatError("the split's file is missing; check the folder and the split's name", file=file)
    samples: list[Sample] = []
    seen: dict[str, int] = {}
    for row in iter_rows(path, file=file):
        if isinstance(row, DataFormatError):
            raise row
        sample, problems = parse_row(row, split=split, file=file)
        duplicate = find_duplicate(row, seen, file=file)
        for problem in (*problems, *([duplicate] if duplicate else [])):
            raise problem
        samples += [sample] if sample else []
    return samples


def group_personas(samples: Sequence[Sample]) -> list[Persona]:
    """Gather samples by persona, in the order of the ids."""
    by_id: dict[int, list[Sample]] = {}
    for sample in samples:
        by_id.setdefault(sample.persona_id, []).append(sample)
    return [
        Persona(persona_id, rows[0].short_persona, rows[0].expanded_persona, tuple(rows))
        for persona_id, rows in sorted(by_id.items())
    ]


def load_personas(folder: str | Path, split: Split = "benchmark", *, modality: Modality = "text") -> list[Persona]:
    """Read one split by persona.

    Raises: DataFormatError: as `load_samples`.
    """
    return group_personas(load_samples(folder, split, modality=modality))
