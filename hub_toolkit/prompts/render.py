"""Prompts: one Markdown file each, versioned by the hash of its content."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_PLACEHOLDER = re.compile(r"\{\{([a-z_]+)\}\}")
_UNSEEN = "[\\s\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e01ef]{0,8}"
_TAG = re.compile(rf"[<＜﹤](?={_UNSEEN}[/／]?{_UNSEEN}(?:{_UNSEEN.join('memory')}|{_UNSEEN.join('chat')})\b)", re.I)
"""A tag of ours, also with wide signs or invisible characters in it."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Prompt:
    """A template with `{{name}}` placeholders. `sha256` is of the file's bytes."""

    name: str
    text: str
    sha256: str

    @property
    def placeholders(self) -> frozenset[str]:
        """The names that a caller must fill."""
        return frozenset(_PLACEHOLDER.findall(self.text))

    def render(self, **values: str) -> str:
        """Fill every placeholder once; braces inside the values stay as they are.

        Raises: ValueError: a placeholder is left without a value, or a value has no placeholder.
        """
        missing, unknown = self.placeholders - values.keys(), values.keys() - self.placeholders
        if missing or unknown:
            raise ValueError(f"prompt {self.name}: missing {sorted(missing)}, unknown {sorted(unknown)}")
        return _PLACEHOLDER.sub(lambda match: values[match.group(1)], self.text)


def escape_tags(text: str) -> str:
    """Keep material from closing, or opening, the tags that mark it off in a prompt."""
    return _TAG.sub("‹", text)


@cache
def load_prompt(name: str) -> Prompt:
    """Load `prompts/<name>.md` from the package.

    Raises: ValueError: there is no prompt of that name.
    """
    source = files("hub_toolkit.prompts") / f"{name}.md"
    if not _NAME.fullmatch(name) or not source.is_file():
        raise ValueError(f"no prompt named {name!r}; there are {', '.join(prompt_names())}")
    content = source.read_bytes()
    return Prompt(name, content.decode("utf-8").strip(), hashlib.sha256(content).hexdigest())


def prompt_names() -> tuple[str, ...]:
    """Return the names of all prompts, sorted."""
    entries = (entry.name for entry in files("hub_toolkit.prompts").iterdir())
    return tuple(sorted(name.removesuffix(".md") for name in entries if name.endswith(".md")))


def prompt_hashes() -> dict[str, str]:
    """Return the SHA-256 of every prompt, as the RunRecord keeps them."""
    return {name: load_prompt(name).sha256 for name in prompt_names()}
