"""The topics: what people differ in, read from `topics/*.txt`.

A line is `key | need | name: noun, noun, … | …`; `# family` begins a family. Every noun reads well after "the".
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from hub_toolkit.data.terms import content_stems
from hub_toolkit.errors import DataFormatError
from hub_toolkit.generate.records import Alternative, Topic

TOPIC_FOLDER = Path(__file__).parent / "topics"
MIN_ALTERNATIVES = 4
MIN_WORDS = 4


@lru_cache(maxsize=1)
def load_topics() -> tuple[Topic, ...]:
    """Read the shipped topics, in the order of their files.

    Raises: DataFormatError: a line is broken, a topic is repeated, or two alternatives of a topic share a word.
    """
    topics: list[Topic] = []
    seen: dict[str, str] = {}
    for path in sorted(TOPIC_FOLDER.glob("*.txt")):
        topics += parse_topics(path.read_text("utf-8"), file=path.name)
    for topic in topics:
        for name in (topic.key, *(f"{topic.key}: {a.name}" for a in topic.alternatives)):
            if name in seen:
                raise DataFormatError(f"{name!r} stands in {seen[name]} and in {topic.key}; rename one")
            seen[name] = topic.key
    return tuple(topics)


def parse_topics(text: str, *, file: str) -> list[Topic]:
    """Parse one file.

    Raises: DataFormatError: with the line's number.
    """
    topics, family = [], "everyday"
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#"):
            family = line.lstrip("# ").strip()
        elif line.strip():
            topics.append(_parse_line(line, family, file=file, number=number))
    return topics


def _parse_line(line: str, family: str, *, file: str, number: int) -> Topic:
    cells = [cell.strip() for cell in line.split("|")]
    if len(cells) < 2 + MIN_ALTERNATIVES:
        raise DataFormatError(f"fewer than {MIN_ALTERNATIVES} alternatives", file=file, row=number)
    alternatives = []
    for cell in cells[2:]:
        name, _, words = cell.partition(":")
        nouns = tuple(word.strip() for word in words.split(",") if word.strip())
        if len(nouns) < MIN_WORDS:
            raise DataFormatError(f"{name!r} has {len(nouns)} words; give {MIN_WORDS}", file=file, row=number)
        alternatives.append(Alternative(name.strip(), nouns))
    topic = Topic(cells[0], cells[1], family, tuple(alternatives))
    if shared := find_shared_words(topic):
        raise DataFormatError(f"{topic.key}: {shared} shared inside the topic", file=file, row=number)
    return topic


def find_shared_words(topic: Topic) -> list[str]:
    """Return the stems that two alternatives share, or an alternative and the need."""
    seen: dict[str, int] = dict.fromkeys(content_stems(topic.need), -1)
    shared = []
    for place, alternative in enumerate(topic.alternatives):
        for stem in content_stems(" ".join(alternative.words)):
            if seen.setdefault(stem, place) != place:
                shared.append(stem)
    return shared
