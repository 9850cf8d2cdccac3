"""A small dataset of swap groups in the published layout: four owners, each with a pastime of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.dataset_factory import make_row, write_history, write_rows

PASTIMES = ("pottery", "rowing", "chess", "baking")
OPTIONS = tuple(f"Go for {word} tonight." for word in PASTIMES)
SPLITS = {"train": 8, "val": 2, "benchmark": 2}


def write_swap_dataset(folder: Path, groups: Mapping[str, int] = SPLITS, *, alone: int = 0) -> Path:
    """Write `groups` of four owners a split, each split with people of its own, and rows outside of groups."""
    first = 1
    for split, num_groups in groups.items():
        rows = [_owner_row(first + owner, owner, number) for number in range(num_groups) for owner in range(4)]
        rows += [_lone_row(first + owner, owner, number) for number in range(alone) for owner in range(4)]
        write_rows(folder / "benchmark" / "text" / f"{split}.csv", rows)
        for owner, pastime in enumerate(PASTIMES):
            write_history(_history(folder, first + owner), _messages(pastime))
        first += 4
    (folder / "data" / "raw_data").mkdir(parents=True, exist_ok=True)
    (folder / "data" / "raw_data" / "raw_data_persona7.json").write_text("{}")
    return folder


def spell_words(folder: Path) -> Iterator[str]:
    """Yield the texts whose words a tokenizer must know to train on the dataset."""
    yield from OPTIONS
    yield from (f"\\boxed{{{letter}}}" for letter in "ABCD")
    for path in sorted(folder.glob("data/chat_history_32k/*.json")):
        yield from (message["content"] for message in json.loads(path.read_text())["chat_history"])


def owner_changes(persona_id: int, owner: int) -> dict[str, str]:
    """Return the cells that make a row one of this person."""
    link = f"data/chat_history_32k/persona{persona_id}.json"
    return {
        "persona_id": str(persona_id),
        "chat_history_32k_link": link,
        "chat_history_128k_link": link,
        "expanded_persona": json.dumps({"name": f"Person {persona_id}", "occupation": "clerk"}),
        "preference": f"Likes {PASTIMES[owner]}",
        "twin_of": "",
        "group_id": "",
    }


def _owner_row(persona_id: int, owner: int, number: int) -> dict[str, str]:
    others = [text for text in OPTIONS if text != OPTIONS[owner]]
    changes = {"correct_answer": OPTIONS[owner], "incorrect_answers": json.dumps(others)}
    return make_row(number, **owner_changes(persona_id, owner), **changes) | {
        "group_id": f"g{(persona_id - 1) // 4}-{number}"
    }


def _lone_row(persona_id: int, owner: int, number: int) -> dict[str, str]:
    place = 100 + 4 * number + owner
    changes = {"correct_answer": f"Plan {place} right.", "user_query": json.dumps(_query(place))}
    others = json.dumps([f"Plan {place} {word}." for word in ("wrong", "odd", "stale")])
    return make_row(place, **(owner_changes(persona_id, owner) | changes), incorrect_answers=others)


def _query(number: int) -> dict[str, str]:
    return {"role": "user", "content": f"What now, number {number}?"}


def _history(folder: Path, persona_id: int) -> Path:
    return folder / "data" / "chat_history_32k" / f"persona{persona_id}.json"


def _messages(pastime: str) -> list[dict[str, Any]]:
    return [
        {"role": "system", "content": "You help this person."},
        {"role": "user", "content": f"I am off to {pastime} again."},
        {"role": "assistant", "content": "Enjoy it."},
    ]
