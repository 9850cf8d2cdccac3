"""The rewards, as TRL calls them: `reward(prompts, completions, **columns)`; `None` says "not my row".

All but the judged one are pure. A row's main term is `mcq` or `open`; the others are shaping, each logged by its own
name and weighed by RewardConfig. Where the main term is None, nothing else may count: see `skip_unscored`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from hub_toolkit.answer.choice import CHOICE
from hub_toolkit.answer.lexical import support
from hub_toolkit.answer.mcq import LETTERS
from hub_toolkit.answer.protocol import DEFAULT_PROTOCOL, load_protocol
from hub_toolkit.metrics.leaks import Finder, find_forgotten, find_secret
from train.config import RewardConfig
from train.data_sample import decode_sample

Completion = str | Sequence[dict[str, Any]]
Scores = list[float | None]
RewardFunction = Callable[..., Any]

MAIN_TERMS = ("mcq", "open")
_THOUGHT_END = "</think>"


def reply_of(completion: Completion) -> str:
    """Return the text of a completion, a conversation's last message or plain text."""
    return completion if isinstance(completion, str) else str(completion[-1]["content"] or "")


def said_to_user(reply: str) -> str:
    """Return what stands after the thoughts, where the model marks them off."""
    return reply.rpartition(_THOUGHT_END)[2]


def mcq_reward(
    completions: Sequence[Completion],
    task: Sequence[str],
    gold: Sequence[str | None],
    target: Sequence[str],
    protocol: str = DEFAULT_PROTOCOL,
    **_: Any,
) -> Scores:
    """1 for the right letter by the protocol's own parser, else 0; unparsed is 0, as evaluation counts it.

    A counterfactual row (`target` not_gold) earns 1 for any option but the gold, and 0 for none.
    """
    parse = load_protocol(protocol).parse

    def score(completion: Completion, letter: str | None, kind: str) -> float:
        found = parse(reply_of(completion))
        if kind == "not_gold":
            return float(found in LETTERS and found != letter)
        return float(found is not None and found == letter)

    return [
        score(completion, letter, kind) if name == "mcq" else None
        for completion, name, letter, kind in zip(completions, task, gold, target, strict=True)
    ]


def format_reward(completions: Sequence[Completion], task: Sequence[str], **_: Any) -> Scores:
    """1 for a reply in the form asked for, else 0: one letter and no second one; an open answer in words, no letter."""

    def score(completion: Completion, name: str) -> float:
        reply = reply_of(completion)
        letters = {(found["boxed"] or found["bracketed"] or found["bare"]).upper() for found in CHOICE.finditer(reply)}
        return float(len(letters) == 1) if name == "mcq" else float(not letters and bool(said_to_user(reply).strip()))

    return [score(completion, name) for completion, name in zip(completions, task, strict=True)]


def length_reward(
    completions: Sequence[Completion],
    task: Sequence[str],
    gold: Sequence[str | None],
    options: Sequence[Sequence[str]],
    sample: Sequence[str],
    **_: Any,
) -> Scores:
    """Take back what length alone would earn, 0 down to -1.

    Multiple choice: -1 for a wrong option that is the longest or the shortest of the four, and the only one so long.
    Open: minus the share of words beyond the reference's, at most 1; an answer may be shorter for nothing.
    """

    def score(completion: Completion, name: str, letter: str | None, shown: Sequence[str], text: str) -> float:
        if name != "mcq":
            num_words = len(said_to_user(reply_of(completion)).split())
            wanted = max(1, len(decode_sample(text).correct_answer.split()))
            return -min(1.0, max(0.0, num_words / wanted - 1))
        picked = _picked(completion, shown)
        return -float(picked is not None and LETTERS[picked] != letter and _stands_out(picked, shown))

    rows = zip(completions, task, gold, options, sample, strict=True)
    return [score(*row) for row in rows]


def stereotype_reward(
    completions: Sequence[Completion],
    task: Sequence[str],
    options: Sequence[Sequence[str]],
    prior: Sequence[str | None],
    sample: Sequence[str],
    **_: Any,
) -> Scores:
    """-1 where the reply takes the option that the demographics suggest and the history does not, else 0.

    `prior` says which; None where there is none, see data_prior. Multiple choice: that option is picked. Open: of the
    row's options, the answer's words support that one best, and by more than the right one.
    """

    def score(completion: Completion, name: str, shown: Sequence[str], suggested: str, text: str) -> float:
        if name == "mcq":
            picked = _picked(completion, shown)
            return -float(picked is not None and shown[picked] == suggested)
        row = decode_sample(text)
        every = (row.correct_answer, *row.incorrect_answers)
        scores = support(said_to_user(reply_of(completion)), every, query=row.user_query.text)
        best = max(scores)
        return -float(best > 0 and scores.count(best) == 1 and every[scores.index(best)] == suggested)

    return [
        score(completion, name, shown, suggested, text) if suggested else None
        for completion, name, shown, suggested, text in zip(completions, task, options, prior, sample, strict=True)
    ]


def forget_reward(
    completions: Sequence[Completion], options: Sequence[Sequence[str]], sample: Sequence[str], **_: Any
) -> Scores:
    """-1 where a reply uses what the user asked to forget, by its words or by the option picked, else 0.

    None for other rows, and where the question itself names it. A use in other words is not found.
    """
    return _penalise(completions, options, sample, _forgotten_finder)


def leak_reward(
    completions: Sequence[Completion], options: Sequence[Sequence[str]], sample: Sequence[str], **_: Any
) -> Scores:
    """-1 where a reply repeats the row's secret, by its words or by the option picked, else 0.

    None for other rows, and where the question itself holds it.
    """
    return _penalise(completions, options, sample, _secret_finder)


def memory_length_reward(
    completions: Sequence[Completion], memory_tokens: Sequence[int | None] | None = None, cap_tokens: int = 1, **_: Any
) -> Scores:
    """Minus the share of the cap that the last memory takes; None where no memory was written."""
    if memory_tokens is None:
        return [None] * len(completions)
    return [None if size is None else -min(1.0, size / cap_tokens) for size in memory_tokens]


@dataclass(frozen=True)
class Term:
    """One reward function with its weight."""

    name: str
    weight: float
    function: RewardFunction


def build_terms(
    config: RewardConfig, *, protocol: str, cap_tokens: int, open_reward: RewardFunction | None
) -> list[Term]:
    """Return the terms of a run, the main ones first; `open_reward` judges open answers, None where there are none."""
    found: dict[str, tuple[float, RewardFunction | None]] = {
        "mcq": (config.mcq_weight, partial(mcq_reward, protocol=protocol)),
        "open": (config.open_weight, open_reward),
        "format": (config.format_weight, format_reward),
        "length": (config.length_weight, length_reward),
        "stereotype": (config.stereotype_weight, stereotype_reward),
        "forget": (config.forget_weight, forget_reward),
        "leak": (config.leak_weight, leak_reward),
        "memory_length": (config.memory_length_weight, partial(memory_length_reward, cap_tokens=cap_tokens)),
    }
    return [Term(name, weight, call) for name, (weight, call) in found.items() if call is not None and weight]


def skip_unscored(rewards_per_func: Any, names: Sequence[str]) -> Any:
    """Return the rewards (rows x terms) with every term of a row made NaN where its main terms are all NaN.

    An open answer without a verdict would else be left with its shaping alone, and lose against those of its group that
    were judged: a judge's failure would be a score.
    """
    main = [place for place, name in enumerate(names) if name.removesuffix("_reward") in MAIN_TERMS]
    if not main:
        return rewards_per_func
    skipped = rewards_per_func[:, main].isnan().all(dim=1)
    rewards_per_func = rewards_per_func.clone()
    rewards_per_func[skipped] = float("nan")
    return rewards_per_func


class SkipUnscored:
    """For a GRPO trainer, before it in the list of bases: rows without a main reward move nothing."""

    def _calculate_rewards(self, *args: Any, **kwargs: Any) -> Any:
        rewards = super()._calculate_rewards(*args, **kwargs)  # type: ignore[misc]
        return skip_unscored(rewards, self.reward_func_names)  # type: ignore[attr-defined]


def _picked(completion: Completion, shown: Sequence[str]) -> int | None:
    letter = load_protocol(DEFAULT_PROTOCOL).parse(reply_of(completion))
    place = LETTERS.index(letter) if letter in LETTERS else len(shown)
    return place if place < len(shown) else None


def _stands_out(place: int, shown: Sequence[str]) -> bool:
    sizes = [len(text) for text in shown]
    return sizes.count(sizes[place]) == 1 and sizes[place] in (min(sizes), max(sizes))


def _penalise(
    completions: Sequence[Completion],
    options: Sequence[Sequence[str]],
    sample: Sequence[str],
    find: Callable[[str], Finder | None],
) -> Scores:
    scores: Scores = []
    for completion, shown, text in zip(completions, options, sample, strict=True):
        finder = find(text) if text else None
        if finder is None:
            scores.append(None)
            continue
        picked = _picked(completion, shown)
        said = [said_to_user(reply_of(completion)), *([shown[picked]] if picked is not None else [])]
        scores.append(-float(finder("\n".join(said))))
    return scores


@lru_cache(maxsize=4_096)
def _forgotten_finder(text: str) -> Finder | None:
    return _unprompted(find_forgotten(decode_sample(text)), text)


@lru_cache(maxsize=4_096)
def _secret_finder(text: str) -> Finder | None:
    return _unprompted(find_secret(decode_sample(text)), text)


def _unprompted(finder: Finder | None, text: str) -> Finder | None:
    return None if finder is None or finder(decode_sample(text).user_query.text) else finder
