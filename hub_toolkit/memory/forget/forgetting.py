"""Forgetting: what a request takes with it, and a memory without it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from hub_toolkit.data.history import Chunk
from hub_toolkit.memory.document import Bullet, MemoryDocument, Source
from hub_toolkit.memory.forget.bare_requests import request_at
from hub_toolkit.memory.forget.blocks import POINTS_BACK, Block, block_before, matter_of, messages_of, taken_back
from hub_toolkit.memory.forget.forget_requests import find_request, parse_typed
from hub_toolkit.memory.forget.synonyms import expand, fold_stem
from hub_toolkit.memory.forget.tombstones import (
    Forgotten,
    Remains,
    add_tombstone,
    concerns,
    content_terms,
    is_forgotten,
    is_forgotten_message,
    make_salt,
    names_something,
    seal,
)
from hub_toolkit.memory.forget.wishes import Wish, is_broad, is_content, parse_wish, split_pieces
from hub_toolkit.memory.guard import Finding, Screened
from hub_toolkit.memory.poison.provenance import split_sentences
from hub_toolkit.memory.rules.cutting import replace_text
from hub_toolkit.types import Message

_CAPITAL = "".join(chr(c) for c in (*range(0x41, 0x590), *range(0x1E00, 0x1F00)) if chr(c).isupper())
_CASELESS = "\u0590-\u08ff\u0900-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_NAME = rf"(?:[{_CAPITAL}][\w'-]{{1,30}}(?: [{_CAPITAL}][\w'-]{{1,30}}){{0,2}}|[{_CASELESS}]{{2,20}})"
_NAMED = re.compile(
    rf"\b(?:called|named|name is|names are|heißt|heißen|namens|genannt|s'appelle|nommée?|appelée?|se llama|llamad[oa]|si chiama|chiamat[oa]|chama-se|chamad[oa]|heet|genaamd|nicknamed|aka|nickname is|nickname:|surname is|calls? me|called me|known as|goes? by|spitzname ist|surnom est|apodo es|soprannome è) (?:the )?({_NAME})(?:(?:,| and| und| et| y| e| en) ({_NAME}))?"
    rf"|\b[Mm]y (?:\w{{1,20}} )?[a-z]{{2,20}},? ({_NAME})\b"
)
_SLOTS = tuple(
    (frozenset(fold_stem(word) for word in slot.split()), pattern)
    for slot, pattern in (
        (
            "live living lives address home hometown city town reside neighbourhood moved moving grew born from origin nationality",
            re.compile(
                rf"\b(?:live|lives|lived|living|moved|moving|grew up|born|based|settled|reside|flat|apartment|house|home|from|hometown)\b[^.!?;,]{{0,20}}? (?:in|to|at|near|from|on|is) ({_NAME})"
                rf"|\bfrom ({_NAME})"
            ),
        ),
        (
            "work works worked job employer company office employed",
            re.compile(
                rf"\b(?:work|works|worked|working|job|employed|hired|office|manager|engineer|shift)\b[^.!?;,]{{0,25}}? (?:at|for|by|with) (?:the )?({_NAME})"
            ),
        ),
        (
            "school university college study studied degree",
            re.compile(
                rf"\b(?:study|studied|studying|school|university|college|degree|graduated)\b[^.!?;,]{{0,25}}? (?:at|in|of|from) (?:the )?({_NAME})"
            ),
        ),
        (
            "ill illness sick disease condition diagnosis diagnosed health",
            re.compile(
                r"\b(?:has|have|had|with|suffers? from|diagnosed with|got) (?:an? |the )?([A-Z][\w]{2,30}|[a-z]{4,20}(?:itis|osis|emia|aemia|oma|ia))\b"
            ),
        ),
    )
)
"""What answers a wish that only asks: "where I live" names no town, the memory that goes does."""
REWORDED_WORDS = 26
NAME_WORDS = 6
"""A word of a learnt name with more words for the same is a thing of everyday life, not a name."""
CLICKED_WORDS = 14
"""A longer bullet says more than one thing: it is known again by its words together, not by one of them."""

Concerns = Callable[[str], bool]


def forget_at(
    bullets: Sequence[Bullet], forgotten: Forgotten, chunk: Chunk, place: int
) -> tuple[list[Bullet], Forgotten] | None:
    """Carry out the forget request that stands at `place` in the chunk; None where none stands there.

    A message that was forgotten as a whole, read again, counts as one: nothing of it is kept.
    """
    message = chunk.messages[place]
    request = request_at(bullets, chunk, place) if message.role == "user" else None
    if request is None:
        if message.role == "user" and is_forgotten_message(message.text, forgotten):
            index = chunk.indices[place]
            return _cut_out(bullets, lambda source: source.index == index, lambda _: False), forgotten
        return None
    matter = matter_of(request.wish or taken_back(request, chunk, place))
    salt = make_salt((m.text for m in chunk.messages), forgotten=forgotten)
    named = seal(matter.wish, salt=salt)
    block, last = block_before(bullets, named, chunk, place, request, matter), chunk.indices[place]
    wish = _with_names(matter.wish, bullets, named)
    named = seal(wish, salt=salt)
    is_gone = _source_test(named, block, last)
    kept = _cut_out(bullets, is_gone, lambda bullet: concerns(bullet.text, named))
    remains = Remains(
        tuple(_removed_texts(bullets, kept, is_gone)),
        tuple(messages_of(block, chunk, place)),
    )
    sealed = seal(wish, salt=salt, remains=remains)
    return kept, add_tombstone(forgotten, sealed) if names_something(sealed) else forgotten


def _source_test(named: tuple[str, ...], block: Block, last: int) -> Callable[[Source], bool]:
    """Return whether a source stands in the forgotten block or is on its matter."""

    def is_gone(source: Source) -> bool:
        return block.holds(source.index, source.span, last) or concerns(source.span, named)

    return is_gone


def _cut_out(
    bullets: Iterable[Bullet], is_source_gone: Callable[[Source], bool], is_gone: Callable[[Bullet], bool]
) -> list[Bullet]:
    kept = []
    for bullet in bullets:
        if is_gone(bullet):
            continue
        sources = tuple(s for s in bullet.sources if not is_source_gone(s))
        if sources == bullet.sources or _is_supported(bullet.text, sources):
            kept.append(replace(bullet, sources=sources))
        elif sources and bullet.author == "model" and not _repeats(bullet, sources):
            # What was merged with the forgotten by its turn of phrase alone speaks for itself again.
            kept.append(replace(bullet, text=" ".join(sources[0].span.split()[:REWORDED_WORDS]), sources=sources))
    return kept


def _repeats(bullet: Bullet, left: Sequence[Source]) -> bool:
    """Whether what is left says half or more of what was removed beside it."""
    gone = {term for source in bullet.sources if source not in left for term in content_terms(source.span)}
    terms = set(content_terms(left[0].span))
    return 2 * len(terms & gone) >= len(terms)


def _is_supported(text: str, sources: Sequence[Source]) -> bool:
    """Whether what is left of the sources still carries the text: without two words of it, it fell with the rest."""
    stems = set(content_terms(text))
    return any(len(stems & set(content_terms(source.span))) >= 2 for source in sources)


def _removed_texts(
    before: Iterable[Bullet], kept: Iterable[Bullet], is_source_gone: Callable[[Source], bool]
) -> list[str]:
    """Return the texts that stand no more and the spans that had to go; what only fell with them may come again."""
    left = {text for bullet in kept for text in _texts(bullet)}
    spans = {s.span for bullet in before for s in bullet.sources}
    own = [s.span for bullet in before for s in bullet.sources if is_source_gone(s)]
    texts = [bullet.text for bullet in before if bullet.text not in spans]
    return [text for text in dict.fromkeys([*own, *texts]) if text not in left]


def _texts(bullet: Bullet) -> list[str]:
    return [bullet.text, *(source.span for source in bullet.sources)]


def find_concerned(document: MemoryDocument, text: str) -> list[Bullet]:
    """Return the bullets that `forget_in` would remove or cut."""
    after, _ = forget_in(document, text)
    left = set(after.bullets)
    return [bullet for bullet in document.bullets if bullet not in left]


def forget_in(document: MemoryDocument, text: str) -> tuple[MemoryDocument, Concerns]:
    """Return the document without what a text names, with its tombstone, and what tells the same elsewhere.

    `text` is a request or the thing alone, in any wording, or a bullet's id or text: then that bullet goes.
    Derived bullets go too: those that repeat the same in other words, and those on the same message that go on
    about it. Where nothing is named ("the thing"), nothing is forgotten.
    """
    clicked = [b for b in document.bullets if text.strip() in (b.id, b.text, b.render())]
    wish = _clicked_wish(clicked) if clicked else parse_typed(text)
    salt = make_salt([text, *(b.text for b in document.bullets)], forgotten=document.forgotten)
    named = seal(wish, salt=salt)
    if not clicked and not names_something(named):
        return document, lambda _: False
    wish = _with_names(wish, document.bullets, named)
    named = seal(wish, salt=salt)
    chosen = {source for bullet in clicked for source in bullet.sources}

    def is_named(source: Source) -> bool:
        return source in chosen or concerns(source.span, named)

    others = [b for b in document.bullets if b not in clicked]
    kept = _cut_out(others, is_named, lambda bullet: concerns(bullet.text, named))
    goes_on = _goes_on(document.bullets, is_named)
    kept = _cut_out(kept, goes_on, lambda _: False)
    gone = _removed_texts(document.bullets, kept, lambda source: is_named(source) or goes_on(source))
    sealed = seal(wish, salt=salt, remains=Remains(tuple(gone)))
    kept = _cut_out(kept, _source_test(sealed, Block(0), -1), lambda bullet: concerns(bullet.text, sealed))
    after = replace(document, bullets=tuple(kept), forgotten=add_tombstone(document.forgotten, sealed))
    return after, lambda candidate: concerns(candidate, sealed)


def _with_names(wish: Wish, bullets: Iterable[Bullet], named: tuple[str, ...]) -> Wish:
    """Return the wish with the names that the memory gives to the thing: "a dog called Rex"."""
    texts = [text for bullet in bullets for text in _texts(bullet) if concerns(text, named)]
    # "My cat Rex is ill": of the cat's illness that is no name.
    patterns = [
        *([] if wish.is_owned else [_NAMED]),
        *(pattern for slot, pattern in _SLOTS if slot & {*wish.strong, *wish.weak, *wish.broad}),
    ]
    names = {
        name
        for text in texts
        for pattern in patterns
        for found in pattern.findall(text[:1000])
        for name in ([found] if isinstance(found, str) else found)
        if name
    }
    terms = {fold_stem(piece) for name in names for piece in split_pieces(name) if is_content(piece)}
    # Of "Halden Bakery" the first word tells; all that has to do with bakeries is another matter.
    fresh = {t for t in terms if not is_broad(t) and len(expand(t).same) <= NAME_WORDS} - set(wish.strong)
    if not (fresh and wish):
        return wish
    if not wish.strong and not wish.weak:
        # Beside a name common words count only with a telling one: without it they were enough.
        *rest, last = wish.broad
        wish = replace(wish, weak=(last,), broad=tuple(rest)) if rest else replace(wish, strong=(last,), broad=())
    return replace(wish, strong=(*wish.strong, *sorted(fresh)))


def _clicked_wish(clicked: Sequence[Bullet]) -> Wish:
    """Return what names a bullet: only a short one is about the one thing that it names."""
    wish = parse_wish(clicked[0].text)
    return Wish(wish.strong, words=wish.words) if len(clicked[0].text.split()) <= CLICKED_WORDS else Wish()


def _goes_on(bullets: Iterable[Bullet], is_gone: Callable[[Source], bool]) -> Callable[[Source], bool]:
    """Return whether a source on a removed span's message goes on about it: by a shared word, or "it" and "they"."""
    terms: dict[int, set[str]] = {}
    for source in (s for bullet in bullets for s in bullet.sources if is_gone(s)):
        terms.setdefault(source.index, set()).update(t for t in content_terms(source.span) if not is_broad(t))

    def goes_on(source: Source) -> bool:
        shared = terms.get(source.index)
        return shared is not None and bool(POINTS_BACK.match(source.span) or shared & set(content_terms(source.span)))

    return goes_on


def concerns_since(before: MemoryDocument, after: MemoryDocument) -> Concerns:
    """Return what tells what was forgotten between two documents; `purge` takes it out of past versions."""
    known = set(before.forgotten)
    new = tuple(group for group in after.forgotten if group not in known)
    return lambda text: is_forgotten(text, new)


class ForgetGuard:
    """Keeps what was forgotten from any builder: its sentences are not read, its bullets not written."""

    name = "forgotten"
    is_by_message = True

    def __init__(self, forgotten: Forgotten) -> None:
        self.forgotten = forgotten

    def screen_message(self, message: Message, index: int) -> Screened:  # noqa: ARG002 - the protocol has it
        """Return the message without forgotten sentences; a request to forget is left whole for the builder."""
        if message.role == "system" or not self.forgotten:
            return Screened(message)
        if message.role == "user" and find_request(message.text) is not None:
            return Screened(message)
        if is_forgotten_message(message.text, self.forgotten):
            return Screened(replace_text(message, ""), findings=(Finding("forgotten"),))
        if isinstance(message.content, str):
            text, num_gone = self._without_forgotten(message.content)
            left = replace(message, content=text)
        else:
            parts, num_gone = [], 0
            for part in message.content:
                text, num_here = self._without_forgotten(part["text"]) if part.get("type") == "text" else ("", 0)
                parts.append({**part, "text": text} if num_here else part)
                num_gone += num_here
            left = replace(message, content=parts)
        return Screened(left if num_gone else message, findings=(Finding("forgotten"),) * num_gone)

    def _without_forgotten(self, text: str) -> tuple[str, int]:
        gone = [s for s in split_sentences(text) if is_forgotten(s, self.forgotten)]
        for sentence in gone:
            text = text.replace(sentence, "")
        return text, len(gone)

    def screen_bullet(self, bullet: Bullet, chunk: Chunk | None) -> Finding | None:  # noqa: ARG002
        """Refuse a bullet on what was forgotten."""
        return Finding("forgotten") if any(is_forgotten(text, self.forgotten) for text in _texts(bullet)) else None


__all__ = [
    "Concerns",
    "ForgetGuard",
    "Forgotten",
    "concerns_since",
    "find_concerned",
    "forget_at",
    "forget_in",
    "is_forgotten",
]
