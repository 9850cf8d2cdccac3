"""The rag reader: what a search of the history finds for the question."""

from __future__ import annotations

from collections.abc import Iterable

from hub_toolkit.answer.readers import Context
from hub_toolkit.memory.builders.passages import Passage
from hub_toolkit.prompts.render import load_prompt
from hub_toolkit.types import Message

NOTHING_FOUND = "(nothing found)"


def read_passages(passages: Iterable[Passage]) -> Context:
    """Return the passages as one system message; `text` is their words alone, `sources` where they stand."""
    found = tuple(passages)
    rendered = "\n\n".join(passage.render() for passage in found) or NOTHING_FOUND
    message = Message("system", load_prompt("passages_context").render(passages=rendered))
    sources = tuple(dict.fromkeys(index for passage in found for index in passage.indices))
    return Context((message,), "\n".join(passage.text for passage in found), sources=sources)
