"""Write PersonaMem-mini in upstream's layout from the sources beside this file.

`python dataset_cards/personamem_mini/build.py` writes `hub_toolkit/data/mini`; the same sources give the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import random
import shutil
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from source_text import SOURCE, Block, check_persona, load_groups, load_persona, parse_blocks

from hub_toolkit.data.tokens import EstimateCounter

OUT = Path(__file__).parents[2] / "hub_toolkit" / "data" / "mini"
PERSONAS = range(1, 9)
TWIN_OFFSET = {"forget": 10, "friend": 20, "update": 30}
LONG_PERSONAS = (1, 2, 3, 4)
"""Owners whose 128k link is a padded history; they form groups with each other only, so lengths stay alike."""
LONG_TOKENS = 36_000
SYSTEM = "You are an AI assistant helping a user with the following persona:\n\n"
counter = EstimateCounter()
Messages = list[dict[str, str]]


def owner_blocks(blocks: list[Block], twin: str | None) -> list[Block]:
    """Return a base persona's blocks, or a twin's: one block replaced at its place."""
    replacing = {b.replaces: b for b in blocks if twin and b.twin == twin}
    return [replacing.get(b.block_id, b) for b in blocks if not b.twin]


def tokens_of(messages: Messages) -> int:
    return sum(counter.count(m["content"]) for m in messages)


def padded(blocks: list[Block], *, number: int) -> list[Block]:
    """Insert maths and code dialogues between blocks until the history has LONG_TOKENS."""
    pool = [
        b for name in ("padding_maths.md", "padding_code.md") for b in parse_blocks((SOURCE / name).read_text("utf-8"))
    ]
    rng = random.Random(hashlib.sha256(f"padding:{number}".encode()).hexdigest())
    rng.shuffle(pool)
    total, out = sum(tokens_of(b.messages) for b in blocks), list(blocks)
    for block in pool:
        if total >= LONG_TOKENS:
            break
        out.insert(rng.randint(0, len(out)), block)
        total += tokens_of(block.messages)
    return out


def write_history(path: Path, persona: dict[str, Any], blocks: list[Block], persona_id: int) -> Messages:
    system = {
        "role": "system",
        "content": SYSTEM + json.dumps(persona["expanded_persona"], ensure_ascii=False, indent=2),
    }
    messages = [m for b in blocks for m in b.messages]
    metadata = {
        "total_messages": len(messages) + 1,
        "final_token_count": tokens_of(messages),
        "persona_id": persona_id,
        "input_filename": f"data/raw_data/raw_data_persona{persona_id}.json",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"metadata": metadata, "chat_history": [system, *messages]}, ensure_ascii=False, indent=1)
    path.write_text(text + "\n", "utf-8")
    return messages


class Owner:
    """A persona or a twin with its two histories on disk."""

    def __init__(self, number: int, twin: str | None, out: Path) -> None:
        self.out = out
        self.persona, blocks = load_persona(number)
        self.name = f"p{number}" + (f".{twin}" if twin else "")
        self.persona_id = number + (TWIN_OFFSET[twin] if twin else 0)
        self.twin_of = number if twin else None
        self.blocks = {"32k": owner_blocks(blocks, twin)}
        if number in LONG_PERSONAS:
            self.blocks["128k"] = padded(self.blocks["32k"], number=number)
        self.links: dict[str, str] = {}
        self.messages: dict[str, Messages] = {}
        for size, parts in self.blocks.items():
            self.links[size] = f"data/chat_history_{size}/chat_history_persona{self.persona_id}.json"
            self.messages[size] = write_history(out / self.links[size], self.persona, parts, self.persona_id)
        self.links.setdefault("128k", self.links["32k"])
        self.messages.setdefault("128k", self.messages["32k"])
        self.blocks.setdefault("128k", self.blocks["32k"])
        self.raw_file = f"data/raw_data/raw_data_persona{self.persona_id}.json"

    def evidence(self, group_id: str) -> list[Block]:
        return [b for b in self.blocks["32k"] if group_id in b.groups]

    def context(self, size: str, block: Block) -> dict[str, int]:
        messages = self.messages[size]
        end = next(i for i in range(len(messages)) if messages[i] == block.messages[-1]) + 1
        total = tokens_of(messages)
        neutral = sum(tokens_of(b.messages) for b in self.blocks[size] if b.block_id.startswith(("maths.", "code.")))
        return {
            f"total_tokens_in_chat_history_{size}": total,
            f"distance_from_related_snippet_to_query_{size}": tokens_of(messages[end:]),
            f"num_persona_relevant_tokens_{size}": total - neutral,
            f"num_persona_irrelevant_tokens_{size}": neutral,
        }

    def row(self, blocks: list[Block], fields: dict[str, Any]) -> dict[str, Any]:
        snippet = [m for b in blocks for m in b.messages]
        row: dict[str, Any] = {
            "persona_id": self.persona_id,
            "chat_history_32k_link": self.links["32k"],
            "chat_history_128k_link": self.links["128k"],
            "raw_persona_file": self.raw_file,
            "short_persona": self.persona["short_persona"],
            "expanded_persona": json.dumps(self.persona["expanded_persona"], ensure_ascii=False, indent=2),
            "user_query": repr({"role": "user", "content": fields.pop("query")}),
            "correct_answer": fields.pop("correct"),
            "incorrect_answers": json.dumps(fields.pop("incorrect"), ensure_ascii=False),
            "related_conversation_snippet": json.dumps(snippet, ensure_ascii=False),
            "conversation_scenario": blocks[-1].scenario,
            "twin_of": self.twin_of or "",
        }
        for size in ("32k", "128k"):
            row |= self.context(size, blocks[-1])
        return row | fields


def prev_pref(group: dict[str, Any], owner: str) -> str:
    base, _, twin = owner.partition(".")
    if twin == "forget":
        return str(group["options"][owner]["preference"]).split("'")[1]
    return str(group["options"][base]["preference"]) if twin == "update" else ""


def group_rows(owners: dict[str, Owner]) -> list[dict[str, Any]]:
    rows = []
    for group in load_groups():
        for name, option in group["options"].items():
            owner, twin = owners[name], name.partition(".")[2]
            fields = {
                "query": group["query"],
                "correct": option["text"],
                "incorrect": [o["text"] for n, o in group["options"].items() if n != name],
                "preference": option["preference"],
                "prev_pref": prev_pref(group, name),
                "pref_type": option["type"],
                "topic_preference": group["topic"],
                "topic_query": group["topic"],
                "who": "others" if twin == "friend" else "self",
                "updated": str(twin in ("forget", "update")),
                "sensitive_info": "False",
                "group_id": group["id"],
            }
            rows.append(owner.row(owner.evidence(group["id"]), fields))
    return rows


def sensitive_rows(owners: dict[str, Owner]) -> list[dict[str, Any]]:
    rows = []
    for number in PERSONAS:
        owner = owners[f"p{number}"]
        for item in owner.persona["sensitive"]:
            block = next(b for b in owner.blocks["32k"] if b.block_id == item["block"])
            fields = {k: item[k] for k in ("query", "correct", "incorrect")} | {
                "preference": f"{item['label']}: {item['secret']}",
                "prev_pref": "",
                "pref_type": "sensitive_info",
                "topic_preference": item["topic"],
                "topic_query": item["topic"],
                "who": "self",
                "updated": "False",
                "sensitive_info": "True",
                "group_id": "",
            }
            rows.append(owner.row([block], fields))
    return rows


def write_raw(owner: Owner) -> None:
    """Write the persona's blocks as upstream's raw file does: conversations by scenario."""
    conversations: dict[str, list[dict[str, Any]]] = {}
    for block in owner.blocks["32k"]:
        conversations.setdefault(block.scenario, []).append({"id": block.block_id, "conversations": block.messages})
    path = owner.out / owner.raw_file
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(
        {**owner.persona["expanded_persona"], "block_ids": {k: [c["id"] for c in v] for k, v in conversations.items()}},
        ensure_ascii=False,
        indent=1,
    )
    path.write_text(text + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT, help="folder to write to")
    out_folder = parser.parse_args().out
    faults = {n: f for n in PERSONAS if (f := check_persona(n))}
    if faults:
        raise SystemExit(json.dumps(faults, indent=1))
    for folder in ("benchmark", "data"):
        shutil.rmtree(out_folder / folder, ignore_errors=True)
    owners = {o.name: o for n in PERSONAS for o in [Owner(n, None, out_folder)]}
    owners |= {o.name: o for n in range(5, 9) for twin in TWIN_OFFSET for o in [Owner(n, twin, out_folder)]}
    for owner in owners.values():
        write_raw(owner)
    rows = group_rows(owners) + sensitive_rows(owners)
    rows.sort(key=lambda r: (int(r["persona_id"]), str(r["group_id"] or "z")))
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, fieldnames=sorted(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path = out_folder / "benchmark" / "text" / "benchmark.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(out.getvalue(), "utf-8", newline="")
    sizes = {o.name: (tokens_of(o.messages["32k"]), tokens_of(o.messages["128k"])) for o in owners.values()}
    print(f"{len(rows)} questions, {len(owners)} histories; tokens 32k/128k by owner: {sizes}")


if __name__ == "__main__":
    main()
