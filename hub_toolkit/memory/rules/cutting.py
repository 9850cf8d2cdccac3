"""Sentences taken out of a message, with those that only go on about them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from hub_toolkit.memory.rules.detect import sentence_spans
from hub_toolkit.types import Message

_GOES_ON = re.compile(
    r"^\W{0,3}(?:(?:and|but|so|because|also|since|which|who|then|plus) )?(?:it|it's|it’s|its|that's|that’s|this|that|these|those|she|he|she's|he's|she’s|he’s|they|they're|her|his|their|there|"
    r"das|es|sie|er|diese\w?|c'est|c’est|elle|il|cela|ça|ella|él|eso|esto|lei|lui|questo|ela|ele|isso)\b",
    re.I,
)


def cut_sentences(text: str, is_refused: Callable[[str], bool], *, rewrite: Callable[[str], str] | None = None) -> str:
    """Return a text without refused sentences and those that go on about one (`It means …`); others are rewritten."""
    parts, at, was_refused = [], 0, False
    for start, end in sentence_spans(text):
        sentence, start = text[start:end], max(start, at)
        parts.append(text[at:start])
        goes_on = was_refused and bool(_GOES_ON.match(sentence))
        was_refused = is_refused(sentence) or goes_on
        if not was_refused:
            parts.append(rewrite(text[start:end]) if rewrite else text[start:end])
        at = end
    return "".join([*parts, text[at:]])


def replace_text(message: Message, text: str) -> Message:
    """Return a message with another text; images stay."""
    if isinstance(message.content, str):
        return replace(message, content=text)
    images = [part for part in message.content if part.get("type") != "text"]
    return replace(message, content=[{"type": "text", "text": text}, *images])
