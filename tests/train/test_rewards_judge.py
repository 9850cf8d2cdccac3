"""Open answers: three verdicts, and judges that time out, break or are not there cost no answer its score."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from hub_toolkit.errors import PersonaMemError
from hub_toolkit.judge.panel import Panel, protocol_config
from hub_toolkit.settings import load_settings
from tests.fake_judges import MALFORMED, RuleJudge, as_json, make_sample, perfect, read_fields
from tests.generate_endpoint import EndpointFaults, serve
from tests.train.tiny_model import require_trl

require_trl()

from train.config import RewardConfig  # noqa: E402
from train.data_sample import encode_sample  # noqa: E402
from train.rewards_judge import OpenReward, open_judges  # noqa: E402

SAMPLE = make_sample()
RIGHT, WRONG = SAMPLE.correct_answer, "Bake bread."


class Writer:
    """A judge behind HTTP: right is the reference."""

    def reply(self, prompt: str, seed: int | None) -> str:  # noqa: ARG002
        return as_json(perfect(read_fields(prompt), 0))


def ask(reward: OpenReward, replies: list[str], task: str = "open") -> tuple[list[float | None], dict[str, float]]:
    """Return the scores and the metrics of one batch."""
    metrics: dict[str, float] = {}
    rows: dict[str, Any] = {"task": [task] * len(replies), "sample": [encode_sample(SAMPLE)] * len(replies)}

    async def judge() -> list[float | None]:
        scores = await reward(completions=replies, **rows, log_metric=metrics.__setitem__)
        await reward.close()
        return scores

    return asyncio.run(judge()), metrics


def panel_of(*judges: RuleJudge) -> Any:
    return lambda: Panel(judges, protocol_config("v1"))


def test_the_majority_of_three_verdicts_is_the_reward() -> None:
    judge = RuleJudge(perfect)
    reward = OpenReward(panel_of(judge), RewardConfig())
    assert ask(reward, [RIGHT, WRONG]) == (
        [1, 0],
        dict.fromkeys(("judge/skipped_share", "judge/timeout", "judge/failed", "judge/unscored"), 0),
    )
    assert judge.num_calls == 6
    assert ask(reward, [RIGHT], "mcq") == ([None], {})
    assert reward.__name__ == "open_reward"


def test_what_no_judge_can_say_is_skipped_and_counted_never_nought() -> None:
    told: list[str] = []
    reward = OpenReward(panel_of(RuleJudge(MALFORMED)), RewardConfig(), on_trouble=told.append)
    scores, metrics = ask(reward, [RIGHT, WRONG])
    assert scores == [None, None]
    assert metrics["judge/unscored"] == 2 and metrics["judge/skipped_share"] == 1
    assert list(reward.recent) == [True, True]
    assert len(told) == 1 and "skipped and counted" in told[0]


def test_one_judge_of_three_that_fails_leaves_the_decision_to_the_others() -> None:
    broken = RuleJudge(perfect, fail_after=0)
    broken.error_kind = "server"
    reward = OpenReward(panel_of(RuleJudge(perfect), broken, RuleJudge(perfect)), RewardConfig())
    assert ask(reward, [RIGHT, WRONG])[0] == [1, 0]


@pytest.fixture
def endpoint() -> Iterator[Any]:
    judge: Any = Writer()
    with serve(judge, EndpointFaults()) as served:
        yield served


def open_reward(url: str, **changes: Any) -> OpenReward:
    config = RewardConfig(judge_models=["openai/judge"], judge_base_url=url, **changes)
    settings = replace(load_settings(), api_key="test-key-of-nobody")
    return OpenReward(open_judges(config, settings, "v1"), config)


def test_judges_behind_an_endpoint(endpoint: Any) -> None:
    assert ask(open_reward(endpoint.url), [RIGHT, WRONG, RIGHT])[0] == [1, 0, 1]


def test_a_judge_that_hangs_is_given_up_in_time(endpoint: Any) -> None:
    endpoint.faults = EndpointFaults(always={1: 1.0}, hang_s=0.6)
    scores, metrics = ask(open_reward(endpoint.url, judge_timeout_s=0.2), [RIGHT, WRONG])
    assert scores == [None, None]
    assert metrics["judge/timeout"] == 2


def test_a_judge_that_is_not_there_is_asked_once_a_batch() -> None:
    judge = RuleJudge(perfect, fail_after=0)
    reward = OpenReward(panel_of(judge), RewardConfig(judge_concurrency=1))
    scores, metrics = ask(reward, [RIGHT] * 5)
    assert scores == [None] * 5
    assert metrics["judge/failed"] == 5
    judge.fail_after = None
    assert ask(reward, [RIGHT, WRONG])[0] == [1, 0]


def test_open_rows_without_judges_say_what_to_name() -> None:
    with pytest.raises(PersonaMemError, match=re.escape("judge_models: one model, or 3; 0 are named")):
        open_judges(RewardConfig(), load_settings(), "v1")
