"""The embedded memory: what users reveal in their own words, kept short and verbatim, without any LLM."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from hub_toolkit.data.history import Chunk
from hub_toolkit.data.terms import content_stems
from hub_toolkit.data.tokens import TokenCounter
from hub_toolkit.memory.any_case import AnyCase
from hub_toolkit.memory.boundary import has_secret
from hub_toolkit.memory.document import DEFAULT_CAP_TOKENS, MAX_SOURCES, Bullet, MemoryDocument, Source, number_bullets
from hub_toolkit.memory.forget.forgetting import forget_at, is_forgotten
from hub_toolkit.memory.kinds import classify
from hub_toolkit.memory.owner.overruled import REPEAT_SHARE, repeats
from hub_toolkit.memory.poison.provenance import Statement, own_statements
from hub_toolkit.types import Message, Role, Usage

WORDS_PER_BULLET = (26, 20, 15, 11, 8)
"""Lengths to try, longest first: a fuller memory says each thing in fewer words before it drops one."""

SPAN_WORDS = 32
CANDIDATES_PER_MESSAGE = 4
MIN_SCORE = 0.4
MIN_STEMS = 3
MIN_MEASURED_STEMS = 1
REQUEST_SCORE = 2.0
FACT_SCORE = 1.0
"""What a user asks to remember, and what they say of themselves in plain words, is not short of weight for its length."""

MERGE_SIMILARITY = 0.25
FULL_MERGE_SIMILARITY = 0.5
SHORT_STEMS = 5
"""A statement of so few words names one thing: with another word in it, it names another."""

UNSEEN_RARITY = 4.0
"""The weight of a word that no bullet holds yet, about that of one in fifty bullets."""

_HABIT = AnyCase(
    r"\b(?:always|usually|still|every|tend|keep|kept|these days|lately|since|started|gave up|given up|no longer|instead of|rather|prefer|"
    r"like|love|enjoy|hate|avoid|drawn|need|want|new|bought|sold|signed up|booked|spent|finally|again|lately|habit|routine|used to|ever since)\b",
)
_DIRECTIVE = AnyCase(
    r"^(?:also |now |and |then |please |yeah,? |yes,? |good\.? |ok(?:ay)?,? )*(?:give|make|narrow|include|add|keep|list|turn|convert|rank|compare|assume|help|show|"
    r"tell|draft|write|rewrite|translate|explain|end|start|separate|mention|can you|could you|would you|do that|put|use|leave|change)\b",
)
_MEASURED = re.compile(r"^(?:I|My|We|Our)\b(?=[^?]{0,60}\d)[^?]{1,120}$")
"""A short statement of how much or how many: "My rent is 900 euros"."""
_ADDRESS = re.compile(
    r"^(?:dear|hi|hello|hey|best|regards|kind regards|cheers|love|thanks|thank you|yours)\b[^.!?]{0,40}$", re.I
)


_WITHHELD = re.compile(r"\[[\w -]{1,40} withheld\]")
"""What a guard puts in a secret's place: such a sentence does not stand in the message as it is."""

_CLAUSE_ENDS = ",;:.!?)—–-"


@dataclass(frozen=True)
class _Candidate:
    index: int
    span: str
    stems: frozenset[str]
    score: float


class ExtractiveBuilder:
    """Finds what a user reveals about themselves across tasks; deterministic, causal and incremental."""

    name = "extractive"
    unread: frozenset[Role] = frozenset({"assistant"})

    def __init__(self, counter: TokenCounter, *, cap_tokens: int = DEFAULT_CAP_TOKENS) -> None:
        self.counter = counter
        self.cap_tokens = cap_tokens
        self._stems: dict[str, tuple[tuple[Source, ...], frozenset[str]]] = {}
        # A document changes by a few bullets a chunk: what one line costs is counted once.
        self._line_tokens = lru_cache(maxsize=16384)(lambda line: counter.count(line + "\n"))

    @property
    def usage(self) -> Usage:
        return Usage()

    def empty(self) -> MemoryDocument:
        return MemoryDocument(cap_tokens=self.cap_tokens, builder=self.name, counter=self.counter.name)

    async def update(self, document: MemoryDocument, chunk: Chunk) -> MemoryDocument:
        """Return the memory after one chunk."""
        bullets, forgotten = list(document.bullets), document.forgotten
        stems = [self._known_stems(bullet) for bullet in bullets]
        rarity = _rarity(stems)
        for place, (message, index) in enumerate(zip(chunk.messages, chunk.indices, strict=True)):
            if message.role != "user":
                continue
            after_wish = forget_at(bullets, forgotten, chunk, place)
            if after_wish is not None:
                bullets, forgotten = after_wish
                stems = [_stems_of(bullet) for bullet in bullets]
                continue
            for candidate in extract_candidates(message, index):
                if not is_forgotten(candidate.span, forgotten) and not repeats(candidate.span, document.overruled):
                    _merge(bullets, stems, candidate, rarity)
        read = max((index + 1 for index in chunk.indices), default=document.read_messages)
        document = replace(document, forgotten=forgotten, read_messages=max(read, document.read_messages))
        fitted = self._fit(number_bullets(document, bullets))
        described = tuple(classify(bullet, read_messages=fitted.read_messages) for bullet in fitted.bullets)
        return replace(fitted, bullets=described)

    def _known_stems(self, bullet: Bullet) -> frozenset[str]:
        """Return a bullet's stems; those of sources seen in the last update are at hand."""
        known = self._stems.get(bullet.id)
        if known is None or known[0] is not bullet.sources or bullet.is_protected:
            known = self._stems[bullet.id] = (bullet.sources, _stems_of(bullet))
        return known[1]

    def _fit(self, document: MemoryDocument) -> MemoryDocument:
        """Shorten all bullets alike until they fit, and only then drop the lightest."""
        for num_words in WORDS_PER_BULLET[_level(document.bullets) :]:
            texts = [_window(b.sources[0].span, num_words) if _is_open(b) else b.text for b in document.bullets]
            if sum(self._line_tokens("- " + text) for text in texts) <= document.cap_tokens:
                break
        bullets = tuple(
            b if b.text == text else replace(b, text=text) for b, text in zip(document.bullets, texts, strict=True)
        )
        return replace(document, bullets=bullets).enforce_cap(self.counter, line_tokens=self._line_tokens)


def extract_candidates(message: Message, index: int) -> list[_Candidate]:
    """Return the most revealing statements of one user message, best first; none that holds a secret."""
    scored = []
    for statement in own_statements(message.text):
        if not is_quotable(statement.text) or _ADDRESS.search(statement.text):
            continue
        stems = frozenset(content_stems(statement.text))
        if len(stems) < _needed_stems(statement):
            continue
        score = _score(statement, stems)
        if score >= MIN_SCORE:
            scored.append(_Candidate(index, _window(statement.text, SPAN_WORDS), stems, score))
    return sorted(scored, key=lambda c: -c.score)[:CANDIDATES_PER_MESSAGE]


def _needed_stems(statement: Statement) -> int:
    """Return how many words of weight a statement needs: few where it says plainly what holds, or how much."""
    if statement.is_request or statement.is_fact or statement.is_plain:
        return 1
    return MIN_MEASURED_STEMS if statement.is_personal and _MEASURED.match(statement.text) else MIN_STEMS


def is_quotable(sentence: str) -> bool:
    """Whether a sentence may be cited: it holds no secret, and none was taken out of it."""
    return not has_secret(sentence) and not _WITHHELD.search(sentence)


def _level(bullets: Sequence[Bullet]) -> int:
    """Return the place in WORDS_PER_BULLET to which bullets have been shortened; 0 where none has been."""
    shortened = [
        num_words
        for bullet in bullets
        if _is_open(bullet)
        and (num_words := len(bullet.text.split())) < min(WORDS_PER_BULLET[0], len(bullet.sources[0].span.split()))
    ]
    return (
        max((i for i, limit in enumerate(WORDS_PER_BULLET) if limit >= max(shortened)), default=0) if shortened else 0
    )


def _score(statement: Statement, stems: frozenset[str]) -> float:
    habits = len({hit.group().lower() for hit in _HABIT.finditer(statement.text)})
    score = min(len(stems), 14) * 0.08 + min(habits, 4) * 0.15
    if statement.is_request:
        return REQUEST_SCORE + score
    if statement.is_personal:
        score += 0.6
    if statement.is_fact:
        return max(score, FACT_SCORE)
    if _DIRECTIVE.search(statement.text):
        score -= 0.4
    return score


@lru_cache(maxsize=16384)
def _window(text: str, num_words: int) -> str:
    """Return the run of at most `num_words` words with the most content; the earliest where several are equal."""
    pieces = text.split()
    if len(pieces) <= num_words:
        return " ".join(pieces)
    has_content = [bool(content_stems(piece)) for piece in pieces]
    starts = [i for i in range(len(pieces) - num_words + 1) if i == 0 or pieces[i - 1][-1] in _CLAUSE_ENDS]
    best = max(starts, key=lambda i: (sum(has_content[i : i + num_words]), -i))
    return " ".join(pieces[best : best + num_words]).strip(" ,;:–—-")


def _is_open(bullet: Bullet) -> bool:
    """Whether an update may word a bullet anew, from what it cites."""
    return bool(bullet.sources) and not bullet.is_protected


def _stems_of(bullet: Bullet) -> frozenset[str]:
    if not _is_open(bullet):
        return frozenset(content_stems(bullet.text))
    return frozenset(stem for source in bullet.sources for stem in content_stems(source.span))


def _rarity(stems: Sequence[frozenset[str]]) -> dict[str, float]:
    """Weigh each stem by how few bullets hold it."""
    frequency = Counter(stem for known in stems for stem in known)
    return {stem: math.log(1 + len(stems) / count) for stem, count in frequency.items()}


def _similarity(known: frozenset[str], new: frozenset[str], rarity: dict[str, float]) -> float:
    """Return how much of what a candidate says a bullet says already, by weight; 0 for fewer than two words.

    A statement of one word is said already by one as short; one that differs in its numbers alone, or in nothing, is
    the same, said later.
    """
    if known == new:
        return 1.0
    shared = known & new
    if len(shared) < 2 and not (shared == new and len(known) <= MIN_STEMS):
        return 0.0
    return sum(rarity.get(s, 0.0) for s in shared) / sum(rarity.get(s, UNSEEN_RARITY) for s in new)


def _needed_similarity(bullet: Bullet) -> float:
    """A full bullet takes in only what is nearly the same, or it would swallow a whole field of interest."""
    return FULL_MERGE_SIMILARITY if len(bullet.sources) == MAX_SOURCES else MERGE_SIMILARITY


def _merge(bullets: list[Bullet], stems: list[frozenset[str]], candidate: _Candidate, rarity: dict[str, float]) -> None:
    """Add a candidate to the bullet that says the same, or as its own; `stems[i]` are those of `bullets[i]`."""
    source = Source(candidate.index, candidate.span)
    closed = next((i for i, b in enumerate(bullets) if not _is_open(b) and _says(stems[i], candidate.stems)), None)
    if closed is not None:
        bullets[closed] = _confirmed(bullets[closed], source)
        return
    similarities = [
        _similarity(known, candidate.stems, rarity) if _is_open(bullet) else -1.0
        for bullet, known in zip(bullets, stems, strict=True)
    ]
    best = max(range(len(stems)), key=similarities.__getitem__, default=None)
    if (
        best is None
        or similarities[best] < _needed_similarity(bullets[best])
        or name_others(stems[best], candidate.stems)
    ):
        bullets.append(Bullet("", candidate.span, (source,), candidate.score))
        stems.append(candidate.stems)
        return
    bullet = bullets[best]
    if any(s.index == candidate.index for s in bullet.sources):
        return
    # The newest words speak for the bullet, since preferences change, unless they only direct; the oldest make room.
    first, rest = bullet.sources[0], bullet.sources[1:]
    sources = (first, source, *rest) if _DIRECTIVE.search(candidate.span) else (source, first, *rest)
    sources = sources[:MAX_SOURCES]
    bullets[best] = replace(bullet, text=sources[0].span, sources=sources, weight=bullet.weight + 0.5 * candidate.score)
    stems[best] = _stems_of(bullets[best])


def name_others(a: frozenset[str], b: frozenset[str]) -> bool:
    """Whether two short statements name two things in the same words: an allergy to nuts, and one to penicillin."""
    return max(len(a), len(b)) <= SHORT_STEMS and bool(a - b) and bool(b - a)


def _says(known: frozenset[str], new: frozenset[str]) -> bool:
    """Whether a bullet in the user's words says most of what a candidate says: it adds nothing, then."""
    shared = len(known & new)
    return shared >= 2 and shared >= REPEAT_SHARE * len(new)


def _confirmed(bullet: Bullet, source: Source) -> Bullet:
    """Return a bullet whose words stay with one more source, where there is room for it."""
    if len(bullet.sources) >= MAX_SOURCES or any(s.index == source.index for s in bullet.sources):
        return replace(bullet, last_seen=max(bullet.last_seen or 0, source.index))
    return replace(bullet, sources=(*bullet.sources, source))
