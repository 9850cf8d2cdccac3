"""What one visitor has: the history, the memory after each chunk, the question. Nothing here is shared."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Literal

from hub_toolkit.answer.lexical import relevant_bullets
from hub_toolkit.answer.mcq import Question, pose_question
from hub_toolkit.answer.readers import read_memory
from hub_toolkit.data.history import HistoryLimits
from hub_toolkit.data.schema import History, Sample
from hub_toolkit.memory.document import Bullet, MemoryDocument
from personamem_ui.support import Support, measure_support, telling_text

Phase = Literal["empty", "waiting", "building", "done", "stopped", "failed"]

UPLOAD_LIMITS = HistoryLimits(size_bytes=8 * 1024 * 1024, messages=5_000, depth=16)
"""What a visitor may upload: ten times the longest published history."""

MAX_QUESTION_CHARACTERS = 2_000
OPTION_SEED = 0


@dataclass(frozen=True)
class Step:
    """The memory after chunk `number` of `num_chunks`."""

    number: int
    num_chunks: int
    document: MemoryDocument
    tokens: int


@dataclass
class Answer:
    """A reply as it is written. `error` says why there is none."""

    text: str = ""
    is_done: bool = False
    error: str | None = None


@dataclass
class Asked:
    """A question, what the memory offers for it, and the two replies where there is a model."""

    text: str
    step_number: int
    used: tuple[Bullet, ...]
    sample: Sample | None = None
    question: Question | None = None
    support: Support | None = None
    model_name: str | None = None
    max_answer_tokens: int = 0
    with_memory: Answer | None = None
    without_memory: Answer | None = None
    is_gold_shown: bool = False


@dataclass
class BuildRun:
    """One press of the button; `stop` ends it."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Session:
    """Everything that one open page knows. Changed in place, so that all of the page's events see the same."""

    history: History | None = None
    label: str = ""
    samples: tuple[Sample, ...] = ()
    phase: Phase = "empty"
    steps: list[Step] = field(default_factory=list)
    shown: int = 0
    open_bullet: str | None = None
    error: str | None = None
    upload_error: str | None = None
    ask_error: str | None = None
    asked: Asked | None = None
    run: BuildRun | None = None

    def __deepcopy__(self, memo: dict[int, object]) -> Session:
        """A new visitor gets lists of their own; the history is never changed and may be shared."""
        return Session(history=self.history, label=self.label, samples=self.samples)

    @property
    def step(self) -> Step | None:
        """The step that is on show: the one chosen, else the newest."""
        if not self.steps:
            return None
        return self.steps[min(self.shown or len(self.steps), len(self.steps)) - 1]

    @property
    def previous_document(self) -> MemoryDocument | None:
        """The memory before the step on show; None before the first."""
        step = self.step
        return self.steps[step.number - 2].document if step and step.number > 1 else None

    @property
    def is_busy(self) -> bool:
        return self.phase in ("waiting", "building")

    def read(self, history: History, label: str, samples: tuple[Sample, ...] = ()) -> None:
        """Begin with another history; what was built of the last one is gone."""
        self.clear_memory()
        self.history, self.label, self.samples, self.upload_error = history, label, samples, None

    def clear_memory(self) -> None:
        """Forget memory and question, and end a build that is under way."""
        if self.run is not None:
            self.run.stop.set()
        self.phase, self.steps, self.shown, self.open_bullet = "empty", [], 0, None
        self.error, self.ask_error, self.asked, self.run = None, None, None, None

    def start_run(self) -> BuildRun:
        """Clear what is there and begin a build."""
        self.clear_memory()
        self.run, self.phase = BuildRun(), "waiting"
        return self.run

    def stop(self) -> None:
        """End the build that is under way; what was read so far stays."""
        if self.run is not None and self.is_busy:
            self.run.stop.set()
            self.phase = "stopped"

    def toggle_bullet(self, bullet_id: str) -> None:
        """Open a bullet's messages, or close them."""
        step = self.step
        is_known = step is not None and any(b.id == bullet_id for b in step.document.bullets)
        self.open_bullet = bullet_id if is_known and bullet_id != self.open_bullet else None

    def show_step(self, number: int) -> None:
        """Show the memory after this chunk; the newest is followed while a build goes on."""
        self.shown = 0 if number >= len(self.steps) else max(1, number)
        if self.asked and self.step and self.asked.step_number != self.step.number:
            self.asked = None

    def ask(self, text: str) -> Asked | None:
        """Take a question to the memory on show; None, and `ask_error`, where one of the two is missing."""
        step, text = self.step, text.strip()[:MAX_QUESTION_CHARACTERS]
        self.asked, self.ask_error = None, None
        if step is None:
            self.ask_error = "There is no memory to ask yet. Press Build memory first."
        elif not text:
            self.ask_error = "There is no question. Write one, or choose an example."
        else:
            self.asked = ask_document(step, text, self.samples)
        return self.asked


def ask_document(step: Step, text: str, samples: tuple[Sample, ...]) -> Asked:
    """Return what a memory offers for a question, with the options where it is one of the benchmark's."""
    sample = next((s for s in samples if s.user_query.text.strip() == text), None)
    if sample is None:
        used = relevant_bullets(step.document, text)
        return Asked(text, step.number, tuple(used))
    question = pose_question(sample, OPTION_SEED)
    support = measure_support(read_memory(step.document).text, question)
    looked_for = telling_text(question, support.pick) if support.pick is not None else ""
    used = relevant_bullets(step.document, looked_for)
    return Asked(text, step.number, tuple(used), sample, question, support)
