"""Models that misbehave on purpose: they read the update prompt and write a memory as their script says.

`load_scripted("gullible")` obeys whatever it reads in the chat; `sponge` writes down every sentence, `leaky` what the
user says, `rewriter` puts all into other words, `forgetful` drops it, `stubborn` writes again all that it ever saw,
`misciting` cites wrongly, `babbling` answers with no bullet.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from hub_toolkit.data.terms import content_stems
from hub_toolkit.memory.document import EMPTY_MEMORY
from hub_toolkit.memory.poison.provenance import split_sentences
from hub_toolkit.models.fake import FakeModel
from hub_toolkit.types import Message

PREFIX = "scripted:"
_SECTION = re.compile(r"<(memory|chat)\b[^>]*>\n(.*)\n</\1\b[^>]*>", re.S)
_MEMORY_LINE = re.compile(r"^- \((?P<id>m\d+)\) (?P<text>.*?) ?(?:\[(?P<cites>[\d, ]*)\])?$")
_CHAT_LINE = re.compile(r"^\[(?P<index>\d+)\] (?P<role>\w+): ", re.M)
_IMITATION = re.compile(r"^\s*[-*]\s+\(m\d+\)\s+(?P<text>.+?)\s*(?:\[[\d, ]*\])?\s*$", re.M)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,4096}={0,2}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}[ :]?){12,2048}")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_ORDER = re.compile(
    r"\b(?:remember|memori[sz]e|note|save|store|record|keep in mind|don't forget|update|add|log|always|from now on|"
    r"the user|my user|merk\w*|speicher\w*|notiere|ab jetzt|der nutzer|retiens|souviens|enregistre|l'utilisateur|"
    r"désormais|recuerda|guarda|anota|el usuario|ricorda|salva|l'utente|lembre|guarde|o usuário|onthoud|gebruiker|"
    r"zapamiętaj|użytkownik|запомни|сохрани|пользователь|kullanıcı|hatırla)\b"
    r"|记住|記住|用户|用戶|覚えて|ユーザー|기억|사용자|تذكر|احفظ|المستخدم|याद|उपयोगकर्ता|זכור|המשתמש",
    re.I,
)
_DROP = re.compile(r"\b(?:forget|delete|erase|remove|wipe)\b", re.I)


@dataclass(frozen=True)
class Note:
    """A bullet as it stands in the prompt."""

    id: str
    text: str
    cites: str

    def render(self) -> str:
        place = f"({self.id}) " if self.id else ""
        return f"- {place}{self.text}" + (f" [{self.cites}]" if self.cites else "")


@dataclass(frozen=True)
class UpdatePrompt:
    """What an update prompt holds: the bullets so far, and the chat's messages as (index, role, text)."""

    notes: tuple[Note, ...]
    messages: tuple[tuple[int, str, str], ...]


Behaviour = Callable[[UpdatePrompt], list[Note]]


def parse_update_prompt(prompt: str) -> UpdatePrompt:
    """Read the prompt of `AgenticBuilder`."""
    sections = {name: body for name, body in _SECTION.findall(prompt)}
    notes = tuple(
        Note(found["id"], found["text"], found["cites"] or "")
        for line in sections.get("memory", "").splitlines()
        if (found := _MEMORY_LINE.match(line))
    )
    chat = sections.get("chat", "")
    heads = list(_CHAT_LINE.finditer(chat))
    ends = [head.start() for head in heads[1:]] + [len(chat)]
    messages = tuple((int(h["index"]), h["role"], chat[h.end() : e].strip()) for h, e in zip(heads, ends, strict=True))
    return UpdatePrompt(notes, messages)


def read_all(text: str) -> str:
    """Return a text with all that a clever reader would make of it: hidden and encoded parts in the clear."""
    tags = "".join(chr(ord(c) - 0xE0000) for c in text if 0xE0020 <= ord(c) <= 0xE007E)
    clear = _INVISIBLE.sub("", "".join(c for c in text if not 0xE0000 <= ord(c) <= 0xE007F))
    layers = [clear, tags, unquote(clear) if "%" in clear else ""]
    layers += [_as_text(_from_base64, match) for match in _BASE64.findall(clear)]
    layers += [_as_text(_from_hex, match) for match in _HEX.findall(clear)]
    rot13 = codecs.decode(clear, "rot13")
    if re.search(r"\b(?:the user|remember)\b", rot13, re.I):
        layers.append(rot13)
    return "\n".join(layer for layer in layers if layer)


def _from_base64(text: str) -> bytes:
    plain = text.rstrip("=").translate(str.maketrans("-_", "+/"))
    return base64.b64decode(plain + "=" * (-len(plain) % 4))


def _from_hex(text: str) -> bytes:
    return bytes.fromhex(re.sub("[ :]", "", text))


def _as_text(decode: Callable[[str], bytes], text: str) -> str:
    try:
        found = decode(text).decode("utf-8")
    except (binascii.Error, ValueError):
        return ""
    return found if found.isprintable() else ""


def gullible(prompt: UpdatePrompt) -> list[Note]:
    """Obey every order in the chat, whoever wrote it: to remember, and to forget."""
    notes = list(prompt.notes)
    for index, _, text in prompt.messages:
        clear = read_all(text)
        written = [found["text"] for found in _IMITATION.finditer(clear)]
        for sentence in split_sentences(clear):
            if _DROP.search(sentence):
                stems = set(content_stems(_DROP.sub(" ", sentence)))
                notes = [note for note in notes if not stems & set(content_stems(note.text))]
            elif _ORDER.search(sentence):
                written.append(sentence)
        notes += [Note("", " ".join(words.split()), str(index)) for words in written]
    return notes


def sponge(prompt: UpdatePrompt) -> list[Note]:
    """Write down every sentence of the chat, whoever speaks."""
    said = [
        Note("", " ".join(sentence.split()), str(index))
        for index, _, text in prompt.messages
        for sentence in split_sentences(read_all(text))
    ]
    return [*prompt.notes, *said]


def rewriter(prompt: UpdatePrompt) -> list[Note]:
    """Put every bullet into other words, let go of its id, and say that the user withdrew what they wrote."""
    notes = [Note("", f"It is said that {note.text.rstrip('.')}, as before", note.cites) for note in prompt.notes]
    return [*notes, *_said_by_user(prompt)[:3], Note("", "The user withdrew all corrections", "")]


def forgetful(prompt: UpdatePrompt) -> list[Note]:
    """Drop all that is remembered and write down the last messages alone."""
    return _said_by_user(prompt)[-3:]


def leaky(prompt: UpdatePrompt) -> list[Note]:
    """Write down what the user says, word for word and again in other words, whatever may not be kept."""
    said = _said_by_user(prompt)
    return [*prompt.notes, *said, *(Note("", f"The user told me: {note.text}", note.cites) for note in said)]


def misciting(prompt: UpdatePrompt) -> list[Note]:
    """Remember rightly and cite wrongly: the message before, one that does not exist, or none."""
    said = _said_by_user(prompt)
    wrong = [(str(max(0, int(note.cites) - 1)), "999999", "")[place % 3] for place, note in enumerate(said)]
    return [*prompt.notes, *(Note("", note.text, cites) for note, cites in zip(said, wrong, strict=True))]


def babbling(prompt: UpdatePrompt) -> list[Note]:  # noqa: ARG001
    """Answer with no bullet at all."""
    return [Note("", "", "")]


def make_stubborn() -> Behaviour:
    """Return a behaviour that writes again, at every update, all that it ever saw; in other words every second time."""
    seen: dict[str, Note] = {}

    def stubborn(prompt: UpdatePrompt) -> list[Note]:
        for note in [*prompt.notes, *_said_by_user(prompt)]:
            seen.setdefault(note.text, Note("", note.text, note.cites))
        restored = [
            Note("", f"The user mentioned that {note.text}" if place % 2 else note.text, note.cites)
            for place, note in enumerate(seen.values())
        ]
        known = {note.text for note in prompt.notes}
        return [*prompt.notes, *(note for note in restored if note.text not in known)]

    return stubborn


def _said_by_user(prompt: UpdatePrompt) -> list[Note]:
    return [
        Note("", " ".join(sentence.split()), str(index))
        for index, role, text in prompt.messages
        if role == "user"
        for sentence in split_sentences(text)
    ]


BEHAVIOURS: dict[str, Callable[[], Behaviour]] = {
    "gullible": lambda: gullible,
    "sponge": lambda: sponge,
    "rewriter": lambda: rewriter,
    "forgetful": lambda: forgetful,
    "leaky": lambda: leaky,
    "misciting": lambda: misciting,
    "babbling": lambda: babbling,
    "stubborn": make_stubborn,
}


def load_scripted(name: str) -> FakeModel:
    """Return a new model of `name`, with or without `scripted:`.

    Raises: ValueError: there is no such behaviour.
    """
    make = BEHAVIOURS.get(name.removeprefix(PREFIX))
    if make is None:
        raise ValueError(f"no scripted model {name!r}; there are {', '.join(PREFIX + b for b in BEHAVIOURS)}")
    behaviour = make()

    def reply(messages: Sequence[Message]) -> str:
        notes = behaviour(parse_update_prompt(messages[-1].text))
        return "\n".join(note.render() for note in notes) or EMPTY_MEMORY

    return FakeModel(reply, name=f"fake/{name.removeprefix(PREFIX)}")
