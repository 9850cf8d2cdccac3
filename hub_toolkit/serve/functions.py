"""What a program may do with its owner's memory: one class a function, its fields the arguments.

The owner is never an argument: who calls is known from the token, or from who started the process.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, get_type_hints

from hub_toolkit.errors import BoundaryError, ConflictError, PersonaMemError, StoreError
from hub_toolkit.memory.builders.drafts import Committed
from hub_toolkit.memory.owner.audit import diff_documents
from hub_toolkit.memory.personal import PersonalMemory
from hub_toolkit.serve.results import (
    BulletsResult,
    Changed,
    ExportResult,
    ForgottenResult,
    LogResult,
    MemoryResult,
    RecalledResult,
    ReceiptsResult,
    RememberedResult,
    RuleResult,
    WhyResult,
)
from hub_toolkit.serve.schema import argument, schema_of
from hub_toolkit.types import Message

VERSION = "v1"
MAX_TEXT_CHARS = 20_000
MAX_MESSAGES = 2_000
MAX_ID_CHARS = 64
MAX_LISTED = 1_000


class NotFoundError(PersonaMemError):
    """The owner's memory has nothing of that id."""


class NotPossibleError(PersonaMemError):
    """The memory is not in a state in which this can be done."""


def text_argument(about: str, **options: Any) -> Any:
    """Return a field for a text that must say something."""
    return argument(about, minLength=1, maxLength=MAX_TEXT_CHARS, **options)


def id_argument(about: str) -> Any:
    """Return a field for an id."""
    return argument(about, minLength=1, maxLength=MAX_ID_CHARS)


@dataclass(frozen=True)
class Function:
    """One call. `is_read_only`: the memory stays as it is."""

    is_read_only: ClassVar[bool] = False

    def run(self, memory: PersonalMemory) -> Any:
        """Do it to one owner's memory. Raises: PersonaMemError."""
        raise NotImplementedError


@dataclass(frozen=True)
class Remember(Function):
    """Read a chat and remember what its user reveals of themselves; the same session again: only what is new in it."""

    messages: tuple[Message, ...] = argument("The chat, in order.", minItems=1, maxItems=MAX_MESSAGES)
    session: str | None = argument("A name by which the chat is recognised.", default=None, maxLength=200)
    started_at: str | None = argument("When it began (ISO 8601).", default=None, maxLength=40)

    def run(self, memory: PersonalMemory) -> RememberedResult:
        done = asyncio.run(memory.remember(self.messages, session=self.session, started_at=self.started_at))
        diff = done.diff
        return RememberedResult(
            done.version.number if done.version else 0,
            done.num_read,
            tuple(b.id for b in diff.added),
            tuple(new.id for _, new in diff.changed),
            tuple(b.id for b in diff.removed),
            done.receipts,
            done.held,
        )


@dataclass(frozen=True)
class Recall(Function):
    """Return what the memory knows for a question, as data to put into a prompt."""

    query: str = text_argument("The question, or what the user just said.")
    max_tokens: int = argument("How much may come back.", default=512, minimum=16, maximum=8192)
    is_read_only: ClassVar[bool] = True

    def run(self, memory: PersonalMemory) -> RecalledResult:
        found = memory.recall(self.query, max_tokens=self.max_tokens)
        return RecalledResult(found.text, tuple(found.bullets))


@dataclass(frozen=True)
class Search(Function):
    """Return the bullets that a text fits, best first."""

    text: str = text_argument("Words to look for.")
    is_read_only: ClassVar[bool] = True

    def run(self, memory: PersonalMemory) -> BulletsResult:
        return BulletsResult(tuple(memory.search(self.text)))


@dataclass(frozen=True)
class Show(Function):
    """Return the whole memory with its rules and with what waits for the owner's decision."""

    is_read_only: ClassVar[bool] = True

    def run(self, memory: PersonalMemory) -> MemoryResult:
        number, state = memory.store.load(memory.user)
        document = state.document
        return MemoryResult(number, document.render(), document.bullets, state.rules, state.held)


@dataclass(frozen=True)
class Why(Function):
    """Say where a bullet comes from: the messages, the words in them, and whether these bear it out."""

    bullet_id: str = id_argument("The bullet's id, as in m12.")
    is_read_only: ClassVar[bool] = True

    def run(self, memory: PersonalMemory) -> WhyResult:
        _check_bullet(memory, self.bullet_id)
        found = memory.why(self.bullet_id)
        return WhyResult(found.bullet, found.is_supported)


@dataclass(frozen=True)
class Add(Function):
    """Write a bullet in the owner's words."""

    text: str = text_argument("What to remember.")

    def run(self, memory: PersonalMemory) -> Changed:
        return _changed(memory.add(self.text))


@dataclass(frozen=True)
class Edit(Function):
    """Change a bullet's words; no later chat changes them back."""

    bullet_id: str = id_argument("The bullet's id.")
    text: str = text_argument("The new words.")

    def run(self, memory: PersonalMemory) -> Changed:
        _check_bullet(memory, self.bullet_id)
        return _changed(memory.edit(self.bullet_id, self.text))


@dataclass(frozen=True)
class Pin(Function):
    """Keep a bullet whatever the next chats say, or let go of it."""

    bullet_id: str = id_argument("The bullet's id.")
    is_pinned: bool = argument("False lets go of it.", default=True)

    def run(self, memory: PersonalMemory) -> Changed:
        _check_bullet(memory, self.bullet_id)
        return _changed(memory.pin(self.bullet_id, self.is_pinned))


@dataclass(frozen=True)
class Delete(Function):
    """Remove a bullet. Past versions keep it; `forget` removes it from them too."""

    bullet_id: str = id_argument("The bullet's id.")

    def run(self, memory: PersonalMemory) -> Changed:
        _check_bullet(memory, self.bullet_id)
        return _changed(memory.delete(self.bullet_id))


@dataclass(frozen=True)
class Forget(Function):
    """Forget a matter for good: now, in past versions, and when it is said again. It cannot be undone."""

    text: str = text_argument("What to forget, in plain words.")

    def run(self, memory: PersonalMemory) -> ForgottenResult:
        done = memory.forget(self.text)
        return ForgottenResult(done.version.number, done.num_bullets, done.num_purged, done.kinds, done.receipts)


@dataclass(frozen=True)
class PreviewForget(Function):
    """Return the bullets that `forget` would remove."""

    text: str = text_argument("What would be forgotten.")
    is_read_only: ClassVar[bool] = True

    def run(self, memory: PersonalMemory) -> BulletsResult:
        return BulletsResult(tuple(memory.preview_forget(self.text).bullets))


@dataclass(frozen=True)
class SetRule(Function):
    """Set a rule in plain words ("never remember my location"); what it forbids goes at once."""

    text: str = text_argument("The rule.")

    def run(self, memory: PersonalMemory) -> RuleResult:
        return RuleResult(memory.set_rule(self.text))


@dataclass(frozen=True)
class PreviewRule(Function):
    """Return the bullets that a new rule would remove."""

    text: str = text_argument("The rule.")
    is_read_only: ClassVar[bool] = True

    def run(self, memory: PersonalMemory) -> BulletsResult:
        return BulletsResult(tuple(memory.preview_rule(self.text).bullets))


@dataclass(frozen=True)
class RemoveRule(Function):
    """Lift a rule; what it kept away does not come back by itself."""

    rule_id: str = id_argument("The rule's id, as in r1.")

    def run(self, memory: PersonalMemory) -> Changed:
        if self.rule_id not in {rule.id for rule in memory.rules()}:
            raise NotFoundError("there is no such rule; show lists those there are")
        return _changed(memory.remove_rule(self.rule_id))


@dataclass(frozen=True)
class Decide(Function):
    """Decide on a span that was held because it looks like an instruction to the memory."""

    held_id: str = id_argument("The span's id, as in h1.")
    decision: Literal["release", "discard"] = argument("release: remember it; discard: drop it.")

    def run(self, memory: PersonalMemory) -> Changed:
        if self.held_id not in {held.id for held in memory.held()}:
            raise NotFoundError("nothing waits under this id; show lists what waits")
        decide = memory.release if self.decision == "release" else memory.discard
        return _changed(decide(self.held_id))


@dataclass(frozen=True)
class Undo(Function):
    """Go back one change, or to a version. What was forgotten stays forgotten."""

    to: int | None = argument("The version to go back to.", default=None, minimum=0, maximum=10**9)

    def run(self, memory: PersonalMemory) -> Changed:
        if self.to is not None and self.to > len(memory.log()):
            raise NotFoundError("there is no such version; log lists those there are")
        return _stepped(memory, lambda: memory.undo(self.to))


@dataclass(frozen=True)
class Redo(Function):
    """Take the last undo back."""

    def run(self, memory: PersonalMemory) -> Changed:
        return _stepped(memory, memory.redo)


@dataclass(frozen=True)
class Log(Function):
    """List the versions, the newest last: what was changed when and by whom."""

    limit: int = argument("How many of the newest.", default=100, minimum=1, maximum=MAX_LISTED)
    is_read_only: ClassVar[bool] = True

    def run(self, memory: PersonalMemory) -> LogResult:
        return LogResult(tuple(memory.log()[-self.limit :]))


@dataclass(frozen=True)
class Receipts(Function):
    """List what was refused, held, forgotten and purged, the newest last; never its content."""

    limit: int = argument("How many of the newest.", default=100, minimum=1, maximum=MAX_LISTED)
    is_read_only: ClassVar[bool] = True

    def run(self, memory: PersonalMemory) -> ReceiptsResult:
        return ReceiptsResult(tuple(memory.receipts()[-self.limit :]))


@dataclass(frozen=True)
class Export(Function):
    """Return the memory as a file."""

    format: Literal["json", "markdown"] = argument("Which kind of file.", default="json")
    is_read_only: ClassVar[bool] = True

    def run(self, memory: PersonalMemory) -> ExportResult:
        return ExportResult(self.format, str(memory.export(self.format)))


def _check_bullet(memory: PersonalMemory, bullet_id: str) -> None:
    if bullet_id not in {bullet.id for bullet in memory.show().document.bullets}:
        raise NotFoundError("there is no bullet of this id; show lists those there are")


def _changed(done: Committed) -> Changed:
    diff = diff_documents(done.before.document, done.draft.state.document)
    return Changed(
        done.version.number,
        tuple(b.id for b in diff.added),
        tuple(new.id for _, new in diff.changed),
        tuple(b.id for b in diff.removed),
    )


def _stepped(memory: PersonalMemory, step: Any) -> Changed:
    """Undo or redo; a store that reads its log is whole, so what it refuses then is the step itself."""
    memory.log()
    try:
        return _changed(step())
    except (ConflictError, BoundaryError):
        raise
    except StoreError as error:
        raise NotPossibleError(str(error)) from error


def _name(kind: type[Function]) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()


FUNCTIONS: dict[str, type[Function]] = {_name(kind): kind for kind in Function.__subclasses__()}


def summary(name: str) -> str:
    """Return a function's one-line description."""
    return " ".join((FUNCTIONS[name].__doc__ or "").split())


def input_schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of a function's arguments."""
    return schema_of(FUNCTIONS[name])


def output_schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of what a function returns."""
    return schema_of(get_type_hints(FUNCTIONS[name].run)["return"])


def to_json(result: Any) -> dict[str, Any]:
    """Return a function's result for JSON."""
    found: dict[str, Any] = asdict(result)
    return found
