"""Stage 3: conversations in nine scenarios, written from the grammar; what is liked shows and is not said."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

from hub_toolkit.data.tokens import EstimateCounter
from hub_toolkit.generate.grammar import Grammar, capitalise, load_grammar
from hub_toolkit.generate.records import Alternative, SimPersona
from hub_toolkit.types import Message

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
LANGUAGES = (
    "Spanish",
    "French",
    "German",
    "Italian",
    "Portuguese",
    "Dutch",
    "Polish",
    "Swedish",
    "Turkish",
    "Greek",
    "Russian",
    "Japanese",
    "Chinese",
    "Arabic",
)
"""Source: paper, translations into 14 languages."""

Voice = Literal["I", "she", "he"]
_FORMS = {
    "I": ("I", "my", "me", "myself"),
    "she": ("she", "her", "her", "herself"),
    "he": ("he", "his", "him", "himself"),
}
_counter = EstimateCounter()


def count_tokens(messages: tuple[Message, ...]) -> int:
    """Return the tokens of the contents, as `final_token_count` counts them."""
    return sum(_counter.count(message.text) for message in messages)


@dataclass
class Writer:
    """Writes one persona's conversations; all randomness comes from `rng`."""

    persona: SimPersona
    rng: random.Random

    def __post_init__(self) -> None:
        self.grammar: Grammar = load_grammar()

    def own(self, liked: Alternative, scenario: str, *, followup_share: float) -> tuple[Message, ...]:
        """Write a conversation in which the user's own liking shows."""
        slots = self._slots(liked, "I")
        messages = [self._ask(f"user.{scenario}", slots), self._answer(_reply_of(scenario), slots)]
        return self._go_on(messages, slots, followup_share)

    def of_other(self, liked: Alternative, *, is_hypothetical: bool, followup_share: float) -> tuple[Message, ...]:
        """Write a conversation in which somebody else's liking shows: a friend's, or an invented person's."""
        is_told = self.rng.random() < 0.5
        slots = self._slots(liked, "she" if self.rng.random() < 0.5 else "he", is_told=is_told)
        section = ("user.hypothetical" if is_hypothetical else "user.others") + (".told" if is_told else "")
        messages = [self._ask(section, slots), self._answer("reply.text", slots)]
        return self._go_on(messages, slots, followup_share)

    def update(self, old: Alternative, new: Alternative) -> tuple[Message, ...]:
        """Write a conversation in which an old liking ends and another shows."""
        slots = self._slots(new, "I")
        slots["p"], slots["q"] = self.rng.sample(old.words, 2)
        return (self._ask("update", slots), self._answer("reply.text", slots))

    def forget(self, liked: Alternative) -> tuple[Message, ...]:
        """Write the request to forget what was just shown."""
        slots = self._slots(liked, "I")
        return (self._ask("forget", slots), self._answer("reply.forget", slots))

    def secret(self, label: str, secret: str) -> tuple[Message, ...]:
        """Write a conversation into which a secret was pasted."""
        slots = self._slots(Alternative("form", ("form", "draft", "letterhead", "annex", "signature")), "I")
        slots |= {"label": label, "secret": secret}
        return (self._ask("secret", slots), self._answer("secret.reply", slots))

    def _ask(self, section: str, slots: dict[str, str]) -> Message:
        return Message("user", capitalise(self.grammar.expand(section, slots, self.rng)))

    def _answer(self, section: str, slots: dict[str, str]) -> Message:
        return Message("assistant", capitalise(self.grammar.expand(section, slots, self.rng)))

    def _go_on(self, messages: list[Message], slots: dict[str, str], followup_share: float) -> tuple[Message, ...]:
        if self.rng.random() < followup_share:
            messages += [self._ask("followup", slots), self._answer("followup.reply", slots)]
        if self.rng.random() < followup_share / 2:
            messages += [self._ask("thanks", slots), self._answer("thanks.reply", slots)]
        return tuple(messages)

    def _slots(self, liked: Alternative, voice: Voice, *, is_told: bool = False) -> dict[str, str]:
        """Return what the templates name: people, the alternative's nouns, and ready bodies of text."""
        rng, grammar = self.rng, self.grammar
        him = rng.random() < 0.5 if voice == "I" else voice == "he"
        people = {
            "P": grammar.expand("friend_he" if him else "friend_she", {}, rng),
            "P2": grammar.expand("friend_she" if him else "friend_he", {}, rng),
            "rel": grammar.expand("relation", {}, rng),
            "N": self.persona.name.split()[0],
            "language": rng.choice(LANGUAGES),
            **dict(zip(("he", "his", "him"), ("he", "his", "him") if him else ("she", "her", "her"), strict=True)),
        }
        nouns = _Nouns(liked.words, rng)
        slots = people | nouns.take("abcd")
        teller = voice if is_told else "I"
        clauses = self._clauses(people, nouns, teller, rng.choice((4, 5, 5, 6)))
        slots["body"] = _sentences(clauses)
        slots["body2"] = self._retold(clauses)
        for name in ("short", "one"):
            slots[name] = _sentences(self._clauses(people, nouns, teller, 1))
        slots["foreign"] = grammar.expand(f"foreign.{people['language']}", slots, rng)
        return slots

    def _clauses(self, people: dict[str, str], nouns: _Nouns, voice: str, num: int) -> list[str]:
        """Return clauses about the alternative's nouns, the last one short; none comes twice in a row."""
        forms = dict(zip(("S", "my", "me", "me2"), _FORMS[voice], strict=True))
        sections = ["clause"] * (num - 1) + ["clause.one"]
        return [self.grammar.expand(name, people | forms | nouns.take("ab"), self.rng) for name in sections]

    def _retold(self, clauses: list[str]) -> str:
        """Return the same content as an editor leaves it: one clause less, some joined, some led in."""
        kept = clauses[:]
        if len(kept) > 3:
            kept.pop(self.rng.randrange(len(kept)))
        sentences = []
        while kept:
            first = kept.pop(0)
            if kept and self.rng.random() < 0.4:
                first = f"{first}, {self.grammar.expand('joint', {}, self.rng)} {kept.pop(0)}"
            elif self.rng.random() < 0.5:
                first = f"{self.grammar.expand('lead_in', {}, self.rng)} {first}"
            sentences.append(first)
        return _sentences(sentences)


def _sentences(clauses: list[str]) -> str:
    return " ".join(clause[0].upper() + clause[1:] + "." for clause in clauses)


class _Nouns:
    """Hands out an alternative's nouns in turn, so that every one is used before one comes again."""

    def __init__(self, words: tuple[str, ...], rng: random.Random) -> None:
        self._words, self._rng, self._queue = words, rng, list[str]()

    def take(self, names: str) -> dict[str, str]:
        taken: dict[str, str] = {}
        for name in names:
            if not self._queue:
                self._queue = self._rng.sample(self._words, len(self._words))
            word = self._queue.pop()
            if word in taken.values():
                self._queue.insert(0, word)
                word = self._queue.pop()
            taken[name] = word
        return taken


def _reply_of(scenario: str) -> str:
    return {"trouble_consult": "reply.talk", "knowledge_query": "reply.know", "translation": "reply.translation"}.get(
        scenario, "reply.text"
    )
