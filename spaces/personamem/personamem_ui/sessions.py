"""What one visitor has: a memory of their own, the chats it is read from, the question. Nothing here is shared."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field, replace
from typing import Literal

from hub_toolkit.answer.mcq import Question, pose_question
from hub_toolkit.answer.readers import read_memory
from hub_toolkit.data.history import HistoryLimits
from hub_toolkit.data.schema import History, Sample
from hub_toolkit.data.tokens import EstimateCounter, TokenCounter, count_messages
from hub_toolkit.memory.build import MemoryBuilder
from hub_toolkit.memory.document import Bullet, MemoryDocument
from hub_toolkit.memory.forget.forgetting import ForgetGuard
from hub_toolkit.memory.owner.audit import rank_bullets
from hub_toolkit.memory.owner.sessions import part_key
from hub_toolkit.memory.personal import PersonalMemory
from hub_toolkit.memory.state import Held, MemoryState, Receipt, Version
from hub_toolkit.memory.stores.ram_store import RamStore
from hub_toolkit.types import Message, Usage
from personamem_ui.support import Support, measure_support, telling_text

Phase = Literal["empty", "waiting", "building", "done", "stopped", "failed"]

UPLOAD_LIMITS = HistoryLimits(size_bytes=8 * 1024 * 1024, messages=5_000, depth=16)
"""What a visitor may upload: ten times the longest published history."""

OWNER = "visitor"
"""The one owner in a store that holds nobody else."""

MAX_QUESTION_CHARACTERS = 2_000
MAX_TEXT_CHARACTERS = 2_000
MAX_TALK_MESSAGES = 200
OPTION_SEED = 0
USED_TOP = 5


@dataclass(frozen=True)
class Chat:
    """A conversation to be read, without system messages; `key` recognises it."""

    key: str
    messages: tuple[Message, ...]
    started_at: str | None = None


@dataclass(frozen=True)
class Step:
    """A version on show: `number` counts from 1, `what` says how it came about."""

    number: int
    state: MemoryState
    tokens: int
    version: Version

    @property
    def document(self) -> MemoryDocument:
        return self.state.document


@dataclass
class Answer:
    """A reply as it is written. `error` says why there is none; `pick` is the place of the option it settles on."""

    text: str = ""
    is_done: bool = False
    error: str | None = None
    usage: Usage = field(default_factory=Usage)
    pick: int | None = None


@dataclass
class Asked:
    """A question, what the memory offers for it, and the replies by what was read before it, where there is a model.

    `guess` is the visitor's option, from 0; the gold is shown once there is one, or when the visitor asks for it.
    """

    text: str
    step_number: int
    used: tuple[Bullet, ...]
    sample: Sample | None = None
    question: Question | None = None
    support: Support | None = None
    model_name: str | None = None
    max_answer_tokens: int = 0
    answers: dict[str, Answer] = field(default_factory=dict)
    read_tokens: dict[str, int] = field(default_factory=dict)
    """Tokens that each way of answering reads, counted before a model is asked."""
    guess: int | None = None
    is_gold_shown: bool = False


@dataclass
class Score:
    """Benchmark questions that the visitor guessed, each counted once: how often who was right."""

    guessed: dict[str, bool] = field(default_factory=dict)
    memory: dict[str, bool] = field(default_factory=dict)

    def count(self, sample_id: str, *, is_guess_right: bool, is_memory_right: bool) -> None:
        """Count a question, unless it was counted before."""
        if sample_id not in self.guessed:
            self.guessed[sample_id], self.memory[sample_id] = is_guess_right, is_memory_right


@dataclass(frozen=True)
class Notice:
    """What the owner's last act did, or why it did nothing."""

    text: str
    is_error: bool = False
    receipts: tuple[Receipt, ...] = ()


@dataclass(frozen=True)
class Planned:
    """A forget or a rule that was looked at and not done yet: what it would remove."""

    kind: Literal["forget", "rule"]
    text: str
    bullets: tuple[Bullet, ...]
    held: tuple[Held, ...] = ()
    note: str = ""


def _set_event() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass
class BuildRun:
    """One press of the button; `stop` ends it, and the chunk under way is read to its end. `is_idle`: none is."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    is_idle: asyncio.Event = field(default_factory=_set_event)


def _name_digest(name: str) -> str:
    """Return how the memory writes a chat's name in the keys of its parts."""
    return part_key(name, ("",), 0, 1).partition("@")[0]


def new_memory() -> PersonalMemory:
    """Return an empty memory in a store of its own, which goes with the session."""
    return PersonalMemory(RamStore(), OWNER)


@dataclass
class Session:
    """Everything that one open page knows. Changed in place, so that all of the page's events see the same."""

    chats: tuple[Chat, ...] = ()
    label: str = ""
    samples: tuple[Sample, ...] = ()
    memory: PersonalMemory = field(default_factory=new_memory)
    counter: TokenCounter = field(default_factory=EstimateCounter)
    messages: dict[int, Message] = field(default_factory=dict)
    """What was read, by the index that the memory's sources cite."""
    sizes: list[int] = field(default_factory=list)
    """Tokens of the memory at each version."""
    talk: list[Message] = field(default_factory=list)
    talk_key: str = field(default_factory=lambda: f"written on the page, {secrets.token_hex(8)}")
    """The name of the chat that is written here: no other page's is taken for it when a memory is brought along."""
    talk_reply: str | None = None
    """The model's answer while it is written; None while nobody writes."""
    talk_note: str = ""
    talk_error: str = ""
    phase: Phase = "empty"
    num_chunks: int = 0
    num_chunks_read: int = 0
    shown: int = 0
    open_bullet: str | None = None
    error: str | None = None
    upload_error: str | None = None
    upload_note: str | None = None
    notice: Notice | None = None
    planned: Planned | None = None
    ask_error: str | None = None
    asked: Asked | None = None
    run: BuildRun | None = None
    build_usage: Usage = field(default_factory=Usage)
    num_asked: int = 0
    score: Score = field(default_factory=Score)
    hub_version: int = 0
    hub_note: str = ""

    def __deepcopy__(self, memo: dict[int, object]) -> Session:
        """A new visitor gets a memory and lists of their own; the chats are never changed and may be shared."""
        return Session(chats=self.chats, label=self.label, samples=self.samples)

    # What is on show

    @property
    def num_versions(self) -> int:
        return len(self.sizes)

    @property
    def step(self) -> Step | None:
        """The version that is on show: the one chosen, else the newest; None while there is none."""
        if not self.sizes:
            return None
        number = min(self.shown or self.num_versions, self.num_versions)
        _, state = self.memory.version(number)
        return Step(number, state, self.sizes[number - 1], self.memory.log()[number - 1])

    @property
    def previous_document(self) -> MemoryDocument | None:
        """The memory before the version on show; None before the first."""
        step = self.step
        return self.memory.version(step.number - 1)[1].document if step and step.number > 1 else None

    @property
    def is_busy(self) -> bool:
        return self.phase in ("waiting", "building")

    @property
    def is_free(self) -> bool:
        """Whether nothing is being read or answered."""
        return not self.is_busy and self.talk_reply is None

    @property
    def can_edit(self) -> bool:
        """Whether the owner may act: nothing is under way, and the newest version is on show."""
        return self.is_free and (not self.shown or self.shown >= self.num_versions)

    @property
    def num_messages(self) -> int:
        return sum(len(chat.messages) for chat in self.chats)

    @property
    def has_unread(self) -> bool:
        return bool(self.chats) and not (self.phase == "done" and self.num_chunks_read >= self.num_chunks)

    @property
    def history(self) -> History:
        """All that the visitor brought and wrote here, as one history: what a reader without a memory would read."""
        messages = (*(message for chat in self.chats for message in chat.messages), *self.talk)
        return History(messages, tuple(range(len(messages))), {}, self.label)

    def history_tokens(self) -> int:
        """Return the size of the whole history."""
        return count_messages(self.counter, self.history.messages)

    # Beginning anew

    def read(self, chats: tuple[Chat, ...], label: str, samples: tuple[Sample, ...] = ()) -> None:
        """Begin with other chats and an empty memory."""
        self.clear_memory()
        self.chats, self.label, self.samples = chats, label, samples

    def clear_memory(self) -> None:
        """Begin with an empty memory: all of it goes, with its rules; a build under way ends."""
        if self.run is not None:
            self.run.stop.set()
        kept = Session(chats=self.chats, label=self.label, samples=self.samples, score=self.score)
        self.__dict__.update(kept.__dict__)

    # Reading

    def start_run(self) -> BuildRun:
        """Begin to read what is unread."""
        if self.run is not None:
            self.run.stop.set()
        self.error, self.notice, self.planned, self.asked, self.ask_error = None, None, None, None, None
        self.run, self.phase, self.shown = BuildRun(), "waiting", 0
        return self.run

    def stop(self) -> None:
        """End the build that is under way; what was read so far stays."""
        if self.run is not None and self.is_busy:
            self.run.stop.set()
            self.phase = "stopped"

    def use_builder(self, builder: MemoryBuilder, counter: TokenCounter) -> None:
        """Let another builder write from now on."""
        self.counter = counter
        self.memory = PersonalMemory(self.memory.store, OWNER, builder=builder, counter=counter)

    def _note_read(self) -> None:
        """Remember under which indices messages are cited: the memory keeps none of them, this page does."""
        by_key = {_name_digest(c.key): c.messages for c in self.chats}
        by_key[_name_digest(self.talk_key)] = tuple(self.talk)
        for session in self.memory.store.sessions(OWNER):
            key, _, part = session.key.partition("@")
            start = part.partition("#")[0]
            if session.first_index in self.messages or key not in by_key:
                continue
            read = by_key[key][int(start) : int(start) + session.num_messages]
            self.messages |= dict(enumerate(read, start=session.first_index))

    # After a change

    def settle(self, *, is_purged: bool = False) -> None:
        """Take note of new versions. `is_purged`: past versions were changed too, and the chats lose it as well."""
        numbers = range(1, self.memory.store.load(OWNER)[0] + 1)
        done = 0 if is_purged else len(self.sizes)
        sizes = [self.memory.version(number)[1].document.tokens(self.counter) for number in numbers[done:]]
        self.sizes = [*self.sizes[:done], *sizes]
        self.shown, self.asked, self.ask_error, self.planned = 0, None, None, None
        self._note_read()
        if is_purged:
            self._forget_in_chats()

    def _forget_in_chats(self) -> None:
        """What was forgotten leaves the chats that this page holds, too."""
        guard = ForgetGuard(self.memory.show().document.forgotten)

        def screen(message: Message) -> Message:
            return guard.screen_message(message, 0).message

        self.messages = {index: screen(message) for index, message in self.messages.items()}
        self.chats = tuple(replace(c, messages=tuple(map(screen, c.messages))) for c in self.chats)
        self.talk = list(map(screen, self.talk))

    def toggle_bullet(self, bullet_id: str) -> None:
        """Open a bullet's messages, or close them."""
        step = self.step
        is_known = step is not None and any(b.id == bullet_id for b in step.document.bullets)
        self.open_bullet = bullet_id if is_known and bullet_id != self.open_bullet else None

    def show_step(self, number: int) -> None:
        """Show a version; the newest is followed while a build goes on."""
        self.shown = 0 if number >= self.num_versions else max(1, number)
        if self.asked and self.step and self.asked.step_number != self.step.number:
            self.asked = None

    # Asking

    def ask(self, text: str) -> Asked | None:
        """Take a question to the memory on show; None, and `ask_error`, where one of the two is missing."""
        step, text = self.step, text.strip()[:MAX_QUESTION_CHARACTERS]
        self.asked, self.ask_error = None, None
        if step is None:
            self.ask_error = "There is no memory to ask yet. Build one in the Memory tab first."
        elif not text:
            self.ask_error = "There is no question. Write one, or choose an example."
        else:
            self.asked = ask_document(step, text, self.samples)
        return self.asked


def ask_document(step: Step, text: str, samples: tuple[Sample, ...]) -> Asked:
    """Return what a memory offers for a question, with the options where it is one of the benchmark's."""
    sample = next((s for s in samples if s.user_query.text.strip() == text), None)
    if sample is None:
        return Asked(text, step.number, tuple(rank_bullets(step.document, text, top=USED_TOP)))
    question = pose_question(sample, OPTION_SEED)
    support = measure_support(read_memory(step.document).text, question)
    looked_for = telling_text(question, support.pick) if support.pick is not None else ""
    used = rank_bullets(step.document, looked_for, top=USED_TOP)
    return Asked(text, step.number, tuple(used), sample, question, support)
