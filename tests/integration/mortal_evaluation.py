"""An evaluation that kills itself at its N-th event: `python -m tests.integration.mortal_evaluation OUT LOG N`.

Events are everything around which a kill could hurt: a call's begin and end, each write (of which half is written
then), each rename. `LOG` gets a line a call. N = 0 kills nothing and prints the number of events.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hub_toolkit.data.parse import load_samples, resolve_dataset, split_path
from hub_toolkit.evaluate import journal
from hub_toolkit.evaluate.plan import EvalConfig
from hub_toolkit.evaluate.run import RunOptions, Setup, run_evaluation
from hub_toolkit.memory.builders.agentic import AgenticBuilder
from hub_toolkit.models.base import Completion, GenerateConfig
from hub_toolkit.models.fake import FakeModel, reply_by_hash
from hub_toolkit.types import Message

NUM_CONCURRENT = 4


class Reaper:
    """Counts events and strikes at the N-th."""

    def __init__(self, last: int) -> None:
        self.last, self.count = last, 0

    def is_due(self) -> bool:
        self.count += 1
        return self.count == self.last

    def strike(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def event(self) -> None:
        if self.is_due():
            self.strike()


class MortalModel(FakeModel):
    """Writes bullets when asked for a memory, else picks by hash; logs every call."""

    def __init__(self, log: Path, reaper: Reaper) -> None:
        super().__init__(self.reply, name="fake/mortal")
        self.log, self.reaper = log, reaper

    def reply(self, messages: Sequence[Message]) -> str:
        digest = hashlib.sha256(messages[0].text.encode()).hexdigest()
        if "<chat>" in messages[-1].text:
            return f"- Trait {digest[:6]} shows in what they write [{int(digest[:2], 16)}]\n- Habit {digest[6:12]}"
        return reply_by_hash(messages)

    async def generate(self, messages: Sequence[Message], config: GenerateConfig | None = None) -> Completion:
        with self.log.open("a", encoding="utf-8") as log:
            log.write(hashlib.sha256(repr(messages).encode()).hexdigest() + "\n")
        self.reaper.event()
        await asyncio.sleep(0)
        completion = await super().generate(messages, config)
        self.reaper.event()
        return completion


def arm(reaper: Reaper) -> None:
    """Let the reaper see every write and every rename."""
    real_write, real_replace = os.write, Path.replace

    def write(handle: int, data: Any) -> int:
        if reaper.is_due():
            real_write(handle, bytes(data)[: len(data) // 2])
            reaper.strike()
        return real_write(handle, data)

    def replace(path: Path, target: Path) -> Path:
        reaper.event()
        result = real_replace(path, target)
        reaper.event()
        return result

    journal.os.write = write  # type: ignore[attr-defined]
    Path.replace = replace  # type: ignore[method-assign, assignment]


def main(out: str, log: str, last: str) -> None:
    reaper = Reaper(int(last))
    arm(reaper)
    config = EvalConfig(
        "mini", model="fake/mortal", builder="agentic", chunk_tokens=1500, limit=24, is_counterfactual=True
    )
    folder = resolve_dataset("mini")
    model = MortalModel(Path(log), reaper)
    samples = load_samples(folder, config.split)
    questions = split_path(folder, config.split)
    setup = Setup(config, folder, questions, samples, model, model.counter, lambda: AgenticBuilder(model))
    asyncio.run(run_evaluation(setup, Path(out), options=RunOptions(NUM_CONCURRENT)))
    print(reaper.count)


if __name__ == "__main__":
    main(*sys.argv[1:])
