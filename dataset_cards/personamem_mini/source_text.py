"""Read PersonaMem-mini's sources: one file a persona, blocks of messages, swap groups in YAML.

Run as a script it checks one persona's file against the groups: `python source_text.py 5`.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

SOURCE = Path(__file__).parent / "source"
SCENARIOS = (
    "personal_email",
    "professional_email",
    "creative_writing",
    "professional_writing",
    "chat_message",
    "translation",
    "trouble_consult",
    "social_media_post",
    "knowledge_query",
)
_STATED = re.compile(r"\b(I (really |absolutely )?(love|prefer|enjoy)|I'm a (big )?fan|my favou?rite)\b", re.I)


@dataclass
class Block:
    """A run of messages that stands together; `groups` are those it is evidence for, `traps` those it baits."""

    block_id: str
    attributes: dict[str, str]
    messages: list[dict[str, str]] = field(default_factory=list)

    @property
    def scenario(self) -> str:
        return self.attributes.get("scenario", "knowledge_query")

    @property
    def groups(self) -> list[str]:
        return self.attributes.get("for", "").split()

    @property
    def traps(self) -> list[str]:
        return self.attributes.get("trap", "").split()

    @property
    def twin(self) -> str | None:
        return self.attributes.get("twin")

    @property
    def replaces(self) -> str | None:
        return self.attributes.get("replaces")

    def user_text(self) -> str:
        return "\n".join(m["content"] for m in self.messages if m["role"] == "user")


def parse_blocks(text: str) -> list[Block]:
    """Parse `@@ id | key: value` headers and `>> role` messages."""
    blocks: list[Block] = []
    for part in re.split(r"^@@ ", text, flags=re.M)[1:]:
        head, _, body = part.partition("\n")
        block_id, *pairs = [piece.strip() for piece in head.split("|")]
        attributes = {key.strip(): value.strip() for key, _, value in (pair.partition(":") for pair in pairs)}
        block = Block(block_id, attributes)
        for message in re.split(r"^>> ", body, flags=re.M)[1:]:
            role, _, content = message.partition("\n")
            block.messages.append({"role": role.strip(), "content": content.strip()})
        blocks.append(block)
    return blocks


def load_groups() -> list[dict[str, Any]]:
    return list(yaml.safe_load((SOURCE / "groups.yaml").read_text("utf-8"))["groups"])


def load_persona(number: int) -> tuple[dict[str, Any], list[Block]]:
    """Return a persona's front matter and all its blocks, twin blocks included."""
    text = (SOURCE / f"persona_{number}.md").read_text("utf-8")
    _, front, body = text.split("---\n", 2)
    return yaml.safe_load(front), parse_blocks(body)


def _has(text: str, anchor: str) -> bool:
    return re.search(rf"\b{re.escape(anchor.lower()[: max(4, len(anchor) - 2)])}", text.lower()) is not None


def _check_evidence(number: int, blocks: list[Block]) -> list[str]:
    faults = []
    for group in load_groups():
        for owner, option in group["options"].items():
            persona, _, twin = owner.partition(".")
            if persona != f"p{number}":
                continue
            replaced = {b.replaces for b in blocks if b.twin == twin and twin}
            mine = [
                b for b in blocks if group["id"] in b.groups and b.twin in (None, twin) and b.block_id not in replaced
            ]
            text = "\n".join(b.user_text() for b in mine)
            found = [a for a in option["anchors"] if _has(text, a)]
            if len(found) < min(3, len(option["anchors"])):
                faults.append(f"{group['id']} {owner}: user text has only anchors {found} of {option['anchors']}")
            others = {a for o, x in group["options"].items() if not o.startswith(persona) for a in x["anchors"]}
            own = {a for o, x in group["options"].items() if o.startswith(persona) for a in x["anchors"]}
            for block in blocks:
                if group["id"] in block.traps:
                    continue
                leaked = sorted(a for a in others - own if len(a) > 5 and _has(block.user_text(), a))
                if leaked and (group["id"] in block.groups or len(leaked) > 1):
                    faults.append(
                        f"{block.block_id}: has {group['id']} anchors of other owners {leaked}; mark it trap or reword"
                    )
    return faults


def check_persona(number: int) -> list[str]:
    """Return what is wrong with one persona's source file, empty when nothing is."""
    front, blocks = load_persona(number)
    ids = [b.block_id for b in blocks]
    faults = [f"duplicate block {i}" for i in ids if ids.count(i) > 1]
    faults += [
        f"missing key {k}" for k in ("persona_id", "short_persona", "expanded_persona", "sensitive") if k not in front
    ]
    for block in blocks:
        if block.scenario not in SCENARIOS:
            faults.append(f"{block.block_id}: unknown scenario {block.scenario}")
        if block.replaces and block.replaces not in ids:
            faults.append(f"{block.block_id}: replaces unknown block")
        if [m["role"] for m in block.messages][:2] != ["user", "assistant"]:
            faults.append(f"{block.block_id}: must start user, assistant")
        if block.groups and (hit := _STATED.search(block.user_text())):
            faults.append(f"{block.block_id}: stated outright: {hit[0]!r}; show it, do not say it")
    missing = set(SCENARIOS) - {b.scenario for b in blocks}
    faults += [f"scenarios missing: {sorted(missing)}"] if missing else []
    for row in front.get("sensitive", []):
        text = "\n".join(b.user_text() for b in blocks if b.block_id == row["block"])
        if row["secret"] not in text:
            faults.append(f"secret {row['secret']} is not in block {row['block']}")
        if row["secret"] in row["correct"] or row["secret"] not in row["incorrect"][0]:
            faults.append(f"{row['block']}: correct must mask the secret, incorrect[0] must leak it")
    words = sum(len(m["content"].split()) for b in blocks if not b.twin for m in b.messages)
    if not 5800 <= words <= 7600:
        faults.append(f"{words} words in the base history, wanted 5,800 to 7,600")
    return faults + _check_evidence(number, blocks)


if __name__ == "__main__":
    problems = check_persona(int(sys.argv[1]))
    print("\n".join(problems) or "ok")
    sys.exit(bool(problems))
