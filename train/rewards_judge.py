"""Open answers judged while training: the panel and rubric of evaluation, bounded in time and number.

What a judge cannot say is None and counted, never 0: training goes on without the row.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from hub_toolkit.errors import PersonaMemError, ProviderError
from hub_toolkit.judge.panel import HOPELESS_KINDS, Panel, PanelConfig, protocol_config
from hub_toolkit.models.base import ChatModel
from hub_toolkit.models.registry import load_model
from hub_toolkit.settings import Settings
from train.config import RewardConfig
from train.data_sample import decode_sample
from train.rewards import Completion, Scores, reply_of

TIMEOUT, FAILED, UNSCORED = "timeout", "failed", "unscored"
OUTCOMES = (TIMEOUT, FAILED, UNSCORED)


class OpenReward:
    """1 where the judges' majority finds an open answer right, 0 where wrong, None where there is no majority.

    `recent` holds, for the last `judge_window` open answers of this process, whether each was skipped.
    """

    def __init__(
        self,
        open_panel: Callable[[], Panel],
        config: RewardConfig,
        *,
        on_trouble: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.__name__ = "open_reward"
        self.config = config
        self.recent: deque[bool] = deque(maxlen=config.judge_window)
        self.last_trouble = ""
        self._open_panel = open_panel
        self._panel: Panel | None = None
        self._on_trouble = on_trouble

    async def __call__(
        self,
        completions: Sequence[Completion],
        task: Sequence[str],
        sample: Sequence[str],
        log_metric: Callable[[str, float], None] | None = None,
        **_: Any,
    ) -> Scores:
        places = [place for place, name in enumerate(task) if name == "open"]
        batch = _Batch(self, asyncio.Semaphore(self.config.judge_concurrency))
        found = await asyncio.gather(*[batch.judge(reply_of(completions[place]), sample[place]) for place in places])
        scores: Scores = [None] * len(completions)
        for place, value in zip(places, found, strict=True):
            scores[place] = value
        self.recent.extend(value is None for value in found)
        if places and log_metric is not None:
            log_metric("judge/skipped_share", sum(value is None for value in found) / len(places))
            for outcome in OUTCOMES:
                log_metric(f"judge/{outcome}", float(batch.counts[outcome]))
        return scores

    @property
    def panel(self) -> Panel:
        """The judges; opened in the loop that asks them."""
        if self._panel is None:
            self._panel = self._open_panel()
        return self._panel

    async def close(self) -> None:
        """Close the judges' connections; call it in the loop that asked them."""
        for model in self._panel.models if self._panel is not None else ():
            await model.close()

    def tell(self, trouble: str) -> None:
        """Say what is wrong with the judges, once for each new thing."""
        if trouble != self.last_trouble:
            self.last_trouble = trouble
            self._on_trouble(f"judge: {trouble}; the rows are skipped and counted")


class _Batch:
    """One batch's judging. A judge that cannot be used at all is not asked for the rest of it."""

    def __init__(self, reward: OpenReward, semaphore: asyncio.Semaphore) -> None:
        self.reward, self.semaphore = reward, semaphore
        self.counts = dict.fromkeys(OUTCOMES, 0)
        self.is_hopeless = False

    async def judge(self, answer: str, sample: str) -> float | None:
        async with self.semaphore:
            if self.is_hopeless:
                self.counts[FAILED] += 1
                return None
            try:
                asked = self.reward.panel.judge(decode_sample(sample), answer)
                judgement = await asyncio.wait_for(asked, self.reward.config.judge_timeout_s)
            except TimeoutError:
                self.counts[TIMEOUT] += 1
                self.reward.tell(f"no judgement within {self.reward.config.judge_timeout_s:g} s")
                return None
            except ProviderError as error:
                self.counts[FAILED] += 1
                self.is_hopeless = error.kind in HOPELESS_KINDS
                self.reward.tell(str(error))
                return None
        if judgement.is_correct is None:
            errors = [verdict.error for verdict in judgement.verdicts if verdict.error]
            self.counts[FAILED if errors else UNSCORED] += 1
            self.reward.tell(errors[0] if errors else "verdicts that cannot be read, or no majority")
            return None
        return float(judgement.is_correct)


def open_judges(config: RewardConfig, settings: Settings, protocol: str) -> Callable[[], Panel]:
    """Return what opens the panel of the protocol: three verdicts of one judge, or of three.

    Raises: PersonaMemError: no judge is named, or not one for all or each verdict.
    """
    specs = config.judge_models or []
    rules: PanelConfig = protocol_config(protocol)
    if len(specs) not in (1, rules.num_verdicts):
        raise PersonaMemError(
            f"open answers need judge_models: one model, or {rules.num_verdicts}; {len(specs)} are named. Without "
            "judges, set mcq_share: 1.0"
        )

    def load(spec: str) -> ChatModel:
        base_url = config.judge_base_url
        return load_model(spec, settings=settings, base_url=base_url, num_concurrent=config.judge_concurrency)

    return lambda: Panel([load(spec) for spec in specs], rules)
