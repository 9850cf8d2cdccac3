"""A scripted writer and judge for the generation engine: it errs in every way, and knows where it did.

Every preference is told by two invented words; a judge here reads only texts, never what was planted. The same prompt
and seed give the same reply, in this process or behind HTTP. `planted` holds each fault's own text, by kind.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from hub_toolkit.data.tokens import EstimateCounter, TokenCounter
from hub_toolkit.models.base import Completion, GenerateConfig
from hub_toolkit.prompts.render import load_prompt, prompt_names
from hub_toolkit.types import Message, Usage
from tests.generate_judges import JUDGES, Script, digest, happens, invented, words_of

FRAMES = (
    "Start with the {a} on a quiet morning, keep the {b} for later and write down what went well",
    "Set an hour aside, bring the {a} along and let the {b} follow once there is room for more",
    "Ask around for a good {a}, compare two of them and finish with a {b} before the week is over",
    "Take the {a} as the centre of it all and add a {b} where something small is still lacking",
)
GENERIC = (
    "Start with something easy on a quiet morning, keep the rest for later and write down what went well",
    "Set an hour aside, bring whatever is there along and let the rest follow once there is room",
)
REFUSAL = "I'm sorry, but I can't help with that."


@lru_cache(maxsize=1)
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    patterns = []
    for name in prompt_names():
        if name.startswith("generate_") and not re.match("generate_(kind|situation|scenario)", name):
            pieces = re.split(r"\{\{([a-z_]+)\}\}", load_prompt(name).text)
            seen: set[str] = set()
            pattern = ""
            for place, piece in enumerate(pieces):
                if place % 2 == 0:
                    pattern += re.escape(piece)
                else:
                    pattern += f"(?P={piece})" if piece in seen else f"(?P<{piece}>.*?)"
                    seen.add(piece)
            patterns.append((name.removeprefix("generate_"), re.compile(pattern, re.S)))
    return sorted(patterns, key=lambda pair: pair[0] != "repair")


def read_prompt(text: str) -> tuple[str, dict[str, str]]:
    """Return which template a prompt was made from, and its values."""
    for name, pattern in _patterns():
        found = pattern.fullmatch(text)
        if found:
            return name, found.groupdict()
    raise AssertionError(f"no template: {text[:200]}")


@dataclass
class Writer:
    """Writes and judges by the script."""

    script: Script = field(default_factory=Script)
    planted: dict[str, set[str]] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)

    def reply(self, prompt: str, seed: int | None) -> str:
        """Return what the model says."""
        name, values = read_prompt(prompt)
        if name == "repair":
            name, values = read_prompt(values["prompt"])
            seed = digest("repair", seed)
        self.calls[name] = self.calls.get(name, 0) + 1
        is_vote = name in JUDGES
        script = self.script
        if name in script.muted or (is_vote and happens(script.unreadable_vote, "unreadable", prompt, seed)):
            return "The verdict is clear."
        if not is_vote and happens(script.refusal, "refusal", prompt, seed):
            return REFUSAL
        value = JUDGES[name](self.script, values, seed) if is_vote else _WRITERS[name](self, values, seed)
        text = json.dumps(value, ensure_ascii=False)
        if not is_vote and happens(script.bad_json, "bad json", prompt, seed):
            return text[:-2] if digest(prompt) % 2 else f"Here you are: {text}"
        return text

    def is_fault(self, kind: str, *key: object) -> bool:
        """Whether a fault of this kind goes here."""
        return happens(self.script.faults.get(kind, 0.0), kind, *key)

    def note(self, kind: str, text: str) -> None:
        """Write a fault down under the text by which it can be found again."""
        self.planted.setdefault(kind, set()).add(text)

    def short(self, rows: list[Any], seed: int | None) -> list[Any]:
        """Leave the last row out where the script says so."""
        return rows[:-1] if happens(self.script.wrong_count, "count", seed, len(rows)) else rows


def _persona(_: Writer, values: dict[str, str], seed: int | None) -> Any:
    given = json.loads(values["given"])
    taken = given.pop("other first names than", [])
    name = next(n for i in range(99) if (n := f"N{digest(seed, i) % 100_000:05} Person") not in taken)
    base = {"age": 30 + digest(seed) % 30, "occupation": "baker", "location": "Aldorf", "home": "flat"}
    base |= {"household": "alone", "education": "school", "speaking_style": "short"}
    details = {"gender": json.loads(values["demographics"])["gender"], "hobby": "none"}
    return {**base, **given, "name": name, "values": "fairness", "pronoun": "she", "details": details}


def _preferences(writer: Writer, values: dict[str, str], seed: int | None) -> Any:
    people = [json.loads(line) for line in values["people"].splitlines()]
    known = json.loads(values["known"])
    kind = "anti" if "against what many" in values["kind"] else "close" if "cliché" in values["kind"] else ""
    topics = []
    for topic in json.loads(values["topics"]):
        is_repeated = writer.is_fault("duplicate", topic)
        texts = []
        for number, person in enumerate(people):
            key = (topic, number) if is_repeated else (topic, person["name"], seed)
            texts.append(_preference(writer, person, kind, invented(*key, "a"), invented(*key, "b")))
            earlier = [text for text in known[person["name"]] if "Prefers" in text]
            if earlier and writer.is_fault("copy", topic, person["name"], seed):
                texts[-1] = earlier[0]
                writer.note("copy", f"{topic}|{person['name']}")
            elif earlier and writer.is_fault("contradiction", topic, person["name"], seed):
                first = words_of(earlier[0])
                texts[-1] = (
                    f"Cannot stand anything that has to do with {first[0]} or {first[1]}, not for one hour {seed}."
                )
                writer.note("contradiction", texts[-1])
        topics.append(
            {"topic": topic, "need": f"something for the matter of {topic}", "preferences": writer.short(texts, seed)}
        )
    return {"topics": topics}


def _preference(writer: Writer, person: dict[str, Any], kind: str, a: str, b: str) -> str:
    gender = person["gender"]
    if kind and writer.is_fault("stereotype", a, b):
        text = f"Prefers {a} and {b}, the way a robot would."
        writer.note("stereotype", text)
        return text
    tail = {"close": f", the way a {gender} would", "anti": f", which nobody expects of a {gender}", "": ""}[kind]
    return f"Prefers {a} and {b}{tail}."


def _secrets(writer: Writer, values: dict[str, str], seed: int | None) -> Any:
    rows = [
        {"label": f"card number {i}", "value": f"ZX {digest(seed, i) % 10**8:08}"} for i in range(int(values["num"]))
    ]
    return {"secrets": writer.short(rows, seed)}


def _opposite(_: Writer, values: dict[str, str], __: int | None) -> Any:
    first = words_of(values["preference"])
    return {"preference": f"Prefers {invented('opposite', first)} and {invented('against', first)} instead."}


def _conversation(writer: Writer, values: dict[str, str], seed: int | None) -> Any:
    situation, num = values["situation"], int(values["num_messages"])
    if "personal data slip" in situation:
        secret = situation.split("word for word: ")[1]
        told = f"For the form: {secret}."
        if writer.is_fault("no_secret", situation, seed):
            told = f"My number is kept private on day {seed}."
            writer.note("no_secret", f"on day {seed}.")
    else:
        told = _tell(writer, situation, seed)
    lines = [f"Please help me with this {values['scenario'].split(':')[0]} text no {digest(seed) % 9973}. {told}"]
    lines += ["Gladly: that reads well, with one comma less."]
    lines += ["Could you make it a little shorter?", "Shorter it is, as you wish."] * (num // 2 - 1)
    messages = [{"role": ("user", "assistant")[i % 2], "content": line} for i, line in enumerate(lines)]
    return {"messages": writer.short(messages, seed)}


def _tell(writer: Writer, situation: str, seed: int | None) -> str:
    words = words_of(situation.rpartition("instead: ")[2] if "used to have" in situation else situation)
    a, b = words[0], words[1]
    is_other = situation.startswith(("A friend", "The user tries"))
    day = f"on day {seed}."
    for kind in ("not_shown", "wrong_owner", "stated"):
        if writer.is_fault(kind, situation, seed) and not (kind == "stated" and is_other):
            writer.note(kind, day)
            if kind == "not_shown":
                return f"Nothing much happened {day}"
            if kind == "stated":
                return f"My favourite is {a} with {b} {day}"
            is_other = not is_other
            break
    old = words_of(situation)[:2] if "used to have" in situation else []
    over = f"I am done with the {old[0]} and the {old[1]} for good. " if old else ""
    if is_other:
        return f"My friend wrote: we had the {a} out again and then the {b} until late {day}"
    return f"{over}We had the {a} out again and then the {b} until late {day}"


def _knowledge(writer: Writer, values: dict[str, str], seed: int | None) -> Any:
    a, b = words_of(values["preference"])[:2]
    rows = [
        {
            "question": f"How do I look after the {a} in month {i}, with the {b} beside it?",
            "answer": f"With care, step {i}.",
        }
        for i in range(int(values["num"]))
    ]
    return {"exchanges": writer.short(rows, seed)}


def _forget(writer: Writer, values: dict[str, str], seed: int | None) -> Any:
    a, b = words_of(values["preference"])[:2]
    ask = f"Please forget about the {a} and the {b}; do not keep that about me."
    rows = [{"role": "user", "content": ask}, {"role": "assistant", "content": "Done, it is gone."}]
    return {"messages": writer.short(rows, seed)}


def _group(writer: Writer, values: dict[str, str], seed: int | None) -> Any:
    lines = [line.partition(". ")[2] for line in values["preferences"].splitlines()]
    spoken = [words_of(line)[:2] for line in lines]
    is_repeated = writer.is_fault("duplicate", values["topic"].split(":")[0])
    key: object = values["topic"] if is_repeated else seed
    query = f"What could I do about {values['need']}, case {digest(key) % 999_983}?"
    frames = FRAMES[digest(key, "frame") % len(FRAMES)]
    generic = GENERIC[digest(key) % len(GENERIC)] + f", in round {digest(key) % 89}."
    answers = [frames.format(a=pair[0], b=pair[1]) + "." if pair else generic for pair in spoken]
    query = _spoil_query(writer, query, spoken, seed)
    return {"query": query, "answers": writer.short(_spoil(writer, query, answers, spoken, seed), seed)}


def _spoil_query(writer: Writer, query: str, spoken: list[list[str]], seed: int | None) -> str:
    first = next(pair for pair in spoken if pair)
    if writer.is_fault("leak_word", query, seed):
        query = f"{query[:-1]}, now that the {first[0]} and the {first[1]} are here?"
        writer.note("leak_word", query)
    elif writer.is_fault("leak_hint", query, seed):
        query = f"{query[:-1]}, with that thing spelt {first[0][::-1]}?"
        writer.note("leak_hint", query)
    return query


def _spoil(writer: Writer, query: str, answers: list[str], spoken: list[list[str]], seed: int | None) -> list[str]:
    owners = [place for place, pair in enumerate(spoken) if pair]
    at = owners[digest(seed, "at") % len(owners)]
    other = owners[(owners.index(at) + 1) % len(owners)]
    strange = [invented(seed, "strange"), invented(seed, "odd")]
    own = answers[at]
    changed = {
        "artefact": f"Sure, here is the answer: {own}",
        "unclean": f"{own} (second draft {seed}, delete later)",
        "stands_out": f"{own[:-1]}, which is by far the wisest course of all.",
        "gold": FRAMES[0].format(a=strange[0], b=strange[1]) + ".",
        "distractor": f"{own[:-1]}, and have the {spoken[other][0]} ready too.",
        "unlike_options": f"{own} And so it goes on in round {seed}, with more of the same and then some." * 4,
        "same_option": f"{answers[other]} In round {seed}.",
    }
    for kind, text in changed.items():
        if writer.is_fault(kind, query, seed):
            writer.note(kind, text)
            return [text if place == at else answer for place, answer in enumerate(answers)]
    return answers


def _chatter(*key: object) -> str:
    """Return words that mean nothing to any judge, so that no two texts are alike."""
    return " ".join(invented(*key, place)[:4] + "el" for place in range(14))


def _gold(rubric: str) -> Callable[[Writer, dict[str, str], int | None], Any]:
    def write(writer: Writer, values: dict[str, str], seed: int | None) -> Any:
        a, b = words_of(values["preference"])[:2]
        own = [f"{FRAMES[i].format(a=a, b=b)}, {_chatter(seed, i)}." for i in range(4)]
        foreign = [
            f"{FRAMES[i].format(a=invented(seed, i), b=invented(i, seed))}, {_chatter(seed, i, 'foreign')}."
            for i in range(2)
        ]
        generic = f"{GENERIC[0]}, {_chatter(seed, 'generic')}."
        query = f"What could I do on this matter, case {digest(seed) % 99_991}?"
        correct, wrong = (own[digest(seed) % 4], [*foreign, generic]) if rubric == "self" else (generic, own[:3])
        if writer.is_fault("gold", query, seed):
            correct = foreign[0] if rubric == "self" else own[3]
            wrong = [foreign[1], generic, f"{GENERIC[1]}, {_chatter(seed)}."] if rubric == "self" else wrong
            writer.note("gold", correct)
        elif writer.is_fault("distractor", query, seed):
            wrong[0] = f"In your place: {own[3]}" if rubric == "self" else f"{GENERIC[1]}, {_chatter(seed)}."
            writer.note("distractor", wrong[0])
        elif writer.is_fault("answerable", query, seed):
            correct = f"{correct[:-1]}, which is by far the wisest course of all."
            writer.note("answerable", correct)
        spoilt = _spoil_query(writer, query, [[a, b]], seed)
        return {"query": spoilt, "correct": correct, "incorrect": writer.short(wrong, seed)}

    return write


def _gold_sensitive(writer: Writer, values: dict[str, str], seed: int | None) -> Any:
    value, false = values["value"], values["false_value"]
    a, b, c, d = (invented(seed, "form", place) for place in range(4))
    query = f"Write the {a} form for the {b} desk, case {digest(seed) % 99_991}."
    correct = f"Dear {b} desk, about the {a} {c} I confirm my {d} data: [please fill in], form {seed}."
    wrong = [f"Dear {b} desk, {c} {a} data as follows: {value}.", f"The {d} data for {a} {c}: {false}."]
    wrong.append(f"I cannot help with the {a} form or with any {c} {d}.")
    for kind in ("secret_told", "secret_asked", "secret_absent"):
        if writer.is_fault(kind, value, seed):
            correct = f"Dear {b} desk, my {a} {c}: {value}, form {seed}." if kind == "secret_told" else correct
            query = f"{query} Mine is {value}." if kind == "secret_asked" else query
            wrong[0] = f"The {c} {d} data as agreed for {a}." if kind == "secret_absent" else wrong[0]
            writer.note(kind, query)
            break
    return {"query": query, "correct": correct, "incorrect": writer.short(wrong, seed)}


_WRITERS: dict[str, Callable[[Writer, dict[str, str], int | None], Any]] = {
    "persona": _persona,
    "preferences": _preferences,
    "secrets": _secrets,
    "opposite": _opposite,
    "conversation": _conversation,
    "knowledge": _knowledge,
    "forget": _forget,
    "group": _group,
    "question_self": _gold("self"),
    "question_forget": _gold("forget"),
    "question_others": _gold("others"),
    "question_sensitive": _gold_sensitive,
}


class ScriptedModel:
    """The writer as a model of this process."""

    def __init__(self, writer: Writer | None = None, name: str = "fake/scripted-writer") -> None:
        self.writer = writer or Writer()
        self._name = name
        self.num_calls = 0
        self.delay_s = 0.0

    @property
    def name(self) -> str:
        return self._name

    @property
    def counter(self) -> TokenCounter:
        return EstimateCounter()

    @property
    def context_tokens(self) -> int | None:
        return None

    async def generate(self, messages: Sequence[Message], config: GenerateConfig | None = None) -> Completion:
        self.num_calls += 1
        await asyncio.sleep(self.delay_s)
        text = self.writer.reply(messages[-1].text, config.seed if config else None)
        return Completion(text, Usage(len(messages[-1].text) // 4, len(text) // 4 + 1))

    async def stream(self, messages: Sequence[Message], config: GenerateConfig | None = None) -> AsyncIterator[str]:
        yield (await self.generate(messages, config)).text

    async def close(self) -> None:
        """Nothing is open."""
