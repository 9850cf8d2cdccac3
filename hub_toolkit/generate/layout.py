"""Stage 7: files in upstream's layout: a persona's own files first, the splits' CSV at the end."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub_toolkit.data.parse import split_path
from hub_toolkit.data.schema import SPLITS, Modality, Split
from hub_toolkit.errors import DataFormatError
from hub_toolkit.evaluate.journal import encode_json, write_atomically
from hub_toolkit.generate.histories import AssembledHistory
from hub_toolkit.generate.records import Block, SimPersona
from hub_toolkit.generate.rows import Row, history_link, raw_link

SYSTEM = "You are an AI assistant helping a user with the following persona:\n\n"
CONFIG_FILE = "generate_config.json"
REPORT_FILE = "generate_report.json"
WORK_FOLDER = ".generate"
"""Rows of finished personas wait here for the splits' CSV; the folder goes when all is written."""

_NUM_WRITERS = 16


def claim_folder(out: Path, config: Mapping[str, Any], *, compared: Iterable[str] = ()) -> None:
    """Write the configuration into a new folder, or see that a begun one has the same, in these keys or in all.

    Raises: DataFormatError: the folder holds something else, or was begun with another configuration.
    """
    path = out / CONFIG_FILE
    if not path.is_file():
        if any(entry.name not in (".lock", path.name + ".part") for entry in out.iterdir()):
            raise DataFormatError("the folder holds something else; name a new one", file=str(out))
        write_atomically(path, encode_json(config, indent=1) + b"\n")
        return
    try:
        found = dict(json.loads(path.read_bytes()))
    except (ValueError, TypeError):
        raise DataFormatError("is no configuration of a dataset; name a new folder", file=str(path)) from None
    if any(found.get(name) != config.get(name) for name in compared or {*found, *config}):
        raise DataFormatError("begun with another configuration or model; name a new folder", file=str(path))


def rows_path(out: Path, persona: SimPersona, modality: Modality = "text") -> Path:
    """Return the file whose presence says that a persona is finished."""
    return out / WORK_FOLDER / ("rows" if modality == "text" else f"rows_{modality}") / f"{persona.persona_id}.json"


@dataclass(frozen=True)
class PersonaFiles:
    """A persona's own files with their contents, and the rows that say that it is finished."""

    contents: dict[Path, bytes]
    rows: dict[Path, bytes]


def render_files(
    out: Path, persona: SimPersona, blocks: tuple[Block, ...], histories: list[AssembledHistory], rows: list[Row]
) -> PersonaFiles:
    """Return what is to be written for a persona."""
    contents = {out / history_link(persona, h.size, h.modality): encode_history(persona, h) for h in histories}
    modality = histories[0].modality
    if modality == "text":  # both modalities share the raw file
        contents[out / raw_link(persona)] = encode_raw(persona, blocks, histories[0])
    return PersonaFiles(contents, {rows_path(out, persona, modality): _encode(rows)})


def write_personas(files: Sequence[PersonaFiles]) -> None:
    """Write some personas' files, all rows after all else; several at once, since each waits for the disk."""
    with ThreadPoolExecutor(_NUM_WRITERS) as pool:
        for batch in ([f.contents for f in files], [f.rows for f in files]):
            list(pool.map(lambda item: write_atomically(*item), [item for part in batch for item in part.items()]))


def encode_history(persona: SimPersona, history: AssembledHistory) -> bytes:
    """Return a history file as the published ones are: metadata, and the persona's system message first."""
    system = {"role": "system", "content": SYSTEM + json.dumps(persona.expanded, ensure_ascii=False, indent=2)}
    messages = [message.as_dict() for message in history.messages]
    metadata = {
        "total_messages": len(messages) + 1,
        "final_token_count": history.tokens,
        "persona_id": persona.persona_id,
        "input_filename": raw_link(persona),
    }
    return _encode({"metadata": metadata, "chat_history": [system, *messages]})


def encode_raw(persona: SimPersona, blocks: tuple[Block, ...], history: AssembledHistory) -> bytes:
    """Return a persona's raw file: the description, and what each block of the history shows about whom."""
    conversations: dict[str, list[dict[str, Any]]] = {}
    for block in blocks:
        if block.block_id in history.ends:
            conversations.setdefault(block.scenario, []).append(
                {
                    "id": block.block_id,
                    "topic": block.topic,
                    "role": block.role,
                    "who": block.who,
                    "preference": block.preference,
                    "messages": list(history.ends[block.block_id][:2]),
                }
            )
    return _encode({**persona.expanded, "conversations": conversations})


def write_splits(
    out: Path, personas: Iterable[SimPersona], *, modality: Modality = "text"
) -> dict[str, dict[str, int]]:
    """Write the splits' CSV from the waiting rows, row by row; return what each holds."""
    counts: dict[str, dict[str, int]] = {}
    ordered = sorted(personas, key=lambda persona: persona.persona_id)
    for split in SPLITS:
        mine = [persona for persona in ordered if persona.split == split]
        if not mine:
            continue
        num_rows = _write_split(out, split, mine, modality)
        counts[split] = {"personas": len(mine), "rows": num_rows}
    return counts


def _write_split(out: Path, split: Split, personas: list[SimPersona], modality: Modality) -> int:
    num_rows = 0

    def rows() -> Iterator[Row]:
        nonlocal num_rows
        for persona in personas:
            mine: list[Row] = json.loads(rows_path(out, persona, modality).read_bytes())
            num_rows += len(mine)
            yield from mine

    write_atomically(split_path(out, split, modality), encode_rows(rows()))
    return num_rows


def encode_rows(rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield the records of a split's CSV: its head, then one a row."""
    head: list[str] = []
    for row in rows:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, fieldnames=head or sorted(row), lineterminator="\n")
        if not head:
            head = sorted(row)
            writer.writeheader()
            yield text.getvalue().encode("utf-8")
            text.seek(0)
            text.truncate()
        writer.writerow(row)
        yield text.getvalue().encode("utf-8")


def _encode(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False) + "\n").encode("utf-8")
