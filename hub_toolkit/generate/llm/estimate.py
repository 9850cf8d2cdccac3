"""What a run would take, before anything is paid for: calls, tokens and USD by prompt, and time.

How much is asked follows from the configuration and its seed: sets, kinds, conversations, votes. How long replies are
and how much survives is taken from a run that was made (a pilot of a few personas), or else from the configuration's
assumptions; those are a guess, and said to be one.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, field
from pathlib import Path

from pydantic import ValidationError

from hub_toolkit.data.tokens import EstimateCounter
from hub_toolkit.errors import DataFormatError
from hub_toolkit.evaluate.budget import Price, Tokens
from hub_toolkit.generate.config import QUAD
from hub_toolkit.generate.layout import CONFIG_FILE, REPORT_FILE
from hub_toolkit.generate.llm.config import LlmConfig, parse_config
from hub_toolkit.generate.llm.preferences import SetSlot, plan_set, slots_of
from hub_toolkit.generate.llm.records import PREF_KINDS, SetPlan
from hub_toolkit.prompts.render import load_prompt

_MEAN_EXCHANGES = 2.5
_PERSON_TOKENS = 80
_MEAN_REPEATED = 3.5

Units = dict[str, float]


@dataclass(frozen=True)
class Expected:
    """Calls and tokens of one prompt; `cached` are the part of `input` that the endpoint had read before."""

    calls: float = 0.0
    input: float = 0.0
    output: float = 0.0
    cached: float = 0.0


@dataclass(frozen=True)
class Pilot:
    """What a finished run of the same kind took."""

    config: LlmConfig
    replies: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Estimate:
    """What a run takes. `usd` is None without a price, `seconds` without the length of a call."""

    by_prompt: dict[str, Expected]
    usd: float | None = None
    seconds: float | None = None
    source: str = "assumptions"

    @property
    def total(self) -> Expected:
        """All prompts together."""
        rows = [astuple(row) for row in self.by_prompt.values()]
        return Expected(*map(sum, zip(*rows, strict=True))) if rows else Expected()


@dataclass(frozen=True)
class Pace:
    """How fast and at which price: seconds of one call, calls at once, and the price of the model."""

    call_s: float | None = None
    num_concurrent: int = 8
    price: Price | None = field(default=None)


def load_pilot(run: Path) -> Pilot:
    """Read a finished run. Raises: DataFormatError: there is none in the folder."""
    try:
        raw = json.loads((run / CONFIG_FILE).read_bytes())
        report = json.loads((run / REPORT_FILE).read_bytes())
        return Pilot(parse_config(raw["config"]), report["replies"])
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        raise DataFormatError(
            "is no finished run of `generate run`; finish it, or name another with --like", file=str(run)
        ) from error


def estimate_run(config: LlmConfig, *, pilot: Pilot | None = None, pace: Pace | None = None) -> Estimate:
    """Return what a run takes; with a pilot, what that took by the ratio of what both ask for."""
    pace = pace or Pace()
    rows = _scale(config, pilot) if pilot is not None else _assume(config)
    total = Estimate(rows).total
    tokens = Tokens(round(total.input), round(total.output), round(total.cached))
    usd = None if pace.price is None else pace.price.usd(tokens)
    seconds = None if pace.call_s is None else total.calls / pace.num_concurrent * pace.call_s
    return Estimate(dict(sorted(rows.items())), usd, seconds, "pilot" if pilot is not None else "assumptions")


def _scale(config: LlmConfig, pilot: Pilot) -> dict[str, Expected]:
    wanted, known = count_units(config), count_units(pilot.config)
    rows = {}
    for name, took in pilot.replies.items():
        short = name.removeprefix("generate_")
        units = known.get(short, 0.0)
        ratio = wanted.get(short, 0.0) / units if units else config.num_quads / pilot.config.num_quads
        rows[name] = Expected(*(took[each] * ratio for each in ("calls", "input", "output", "cached")))
    return rows


def count_units(config: LlmConfig) -> Units:
    """Return how often each prompt is asked if nothing is rejected and everything is read at the first attempt."""
    units: Units = defaultdict(float)
    votes = config.votes
    for quad in range(config.num_quads):
        slots = slots_of(config, quad)
        units["persona"] += QUAD
        if config.preferences.sensitive:
            units["secrets"] += QUAD
        num_owners = len({slot.members for slot in slots})
        for kind in PREF_KINDS:
            units["preferences"] += num_owners * -(-asdict(config.preferences)[kind] // config.batch)
        for slot in slots:
            _count_set(config, slot, plan_set(config, slot), units)
        _count_secrets(config, units)
    units["contradiction"] *= votes.num * config.is_on("contradiction")
    units["infer"] *= votes.num * config.is_on("stereotype")
    units["compare"] = units["infer"]
    conversations = units["conversation"] - config.num_quads * QUAD * config.preferences.sensitive
    units["shown"] = (conversations + units["knowledge"] + units["forget"]) * votes.num * config.is_on("shown")
    return {name: num for name, num in units.items() if num}


def _count_set(config: LlmConfig, slot: SetSlot, plan: SetPlan, units: Units) -> None:
    num = len(slot.members)
    is_swap = num > 1
    units["contradiction"] += num
    units["infer"] += num * (slot.kind in ("stereotypical", "anti_stereotypical"))
    _count_conversations(config, slot, plan, units)
    rubrics = ["self"] * num
    if plan.kind in ("forget", "others"):
        rubrics[plan.special] = plan.kind
    name = "group" if is_swap else f"question_{rubrics[0]}"
    units[name] += 1
    units["opposite"] += plan.kind == "update" and not is_swap
    _count_filters(config, rubrics, units, is_secret=False)


def _count_conversations(config: LlmConfig, slot: SetSlot, plan: SetPlan, units: Units) -> None:
    num = len(slot.members)
    plain = num - (plan.kind in ("forget", "others"))
    told = float(num)
    if plan.twin is not None:
        plain, told = 0, num - 1 + float(plan.kind != "forget")
    elif plan.kind == "update":
        plain, told = 0, 2.0 * num
    repeated = plain * config.shares.repeated * (slot.kind != "therapy")
    units["knowledge"] += repeated
    units["conversation"] += told - repeated + num * config.shares.hypothetical * (num > 1)
    units["forget"] += plan.kind == "forget"


def _count_secrets(config: LlmConfig, units: Units) -> None:
    for _ in range(QUAD * config.preferences.sensitive):
        units["conversation"] += 1
        units["question_sensitive"] += 1
        _count_filters(config, ["sensitive"], units, is_secret=True)


def _count_filters(config: LlmConfig, rubrics: list[str], units: Units, *, is_secret: bool) -> None:
    votes = config.votes
    units["clean"] += votes.num * config.is_on("format")
    units["leak"] += votes.num * config.is_on("leak") * (not is_secret)
    units["blind"] += votes.blind_permutations * votes.blind_samples * config.is_on("blind") * (not is_secret)
    if config.is_on("gold") or config.is_on("distractor"):
        for rubric in rubrics:
            units[f"fit_{rubric}"] += votes.num


def _assume(config: LlmConfig) -> dict[str, Expected]:
    """Return what the configuration's assumptions say; what is in a prompt beside its template is assumed too."""
    survival = config.assumptions.survival
    counter = EstimateCounter()
    alive = {
        "personas": 1.0,
        "preferences": survival["personas"],
    }
    alive["contradiction"] = alive["preferences"] * survival["preferences"]
    alive["stereotype"] = alive["contradiction"] * survival["contradiction"]
    alive["conversations"] = alive["stereotype"] * survival["stereotype"]
    alive["questions"] = alive["conversations"] * survival["conversations"]
    attempts = _attempts(survival["filters"], config.replies.question_attempts)
    rows = {}
    for name, units in count_units(config).items():
        stage = _STAGE_OF.get(name, "questions")
        calls = units * alive[stage] * (attempts if stage == "questions" else 1.0)
        template = counter.count(load_prompt(f"generate_{name}").text)
        given, replied = _lengths(config, name)
        rows[f"generate_{name}"] = Expected(calls, calls * (template + given), calls * replied)
    total = Estimate(rows).total
    share = config.assumptions.repair_share
    rows["generate_repair"] = Expected(total.calls * share, 1.3 * total.input * share, total.output * share)
    return rows


def _attempts(survival: float, most: int) -> float:
    """Return how often a question is written until it passes, if each attempt passes with this share."""
    return float(most) if survival <= 0 else (1 - (1 - survival) ** most) / survival


def _lengths(config: LlmConfig, name: str) -> tuple[float, float]:
    """Return the tokens that are filled into a prompt, and those of its reply."""
    assumed = config.assumptions
    told = _MEAN_EXCHANGES * assumed.exchange_tokens
    options = QUAD * assumed.option_tokens
    num_owners = QUAD if config.questions == "swap" else 1
    known = sum(asdict(config.preferences).values()) / 2 * assumed.preference_tokens
    lengths = {
        "persona": (120, assumed.persona_tokens),
        "preferences": (
            num_owners * (assumed.persona_tokens + known),
            config.batch * (num_owners * assumed.preference_tokens + 25),
        ),
        "secrets": (_PERSON_TOKENS, config.preferences.sensitive * 25),
        "contradiction": (known, assumed.vote_tokens),
        "infer": (assumed.preference_tokens, 60),
        "compare": (assumed.persona_tokens + 60, assumed.vote_tokens),
        "conversation": (_PERSON_TOKENS + 330, told),
        "knowledge": (_PERSON_TOKENS + assumed.preference_tokens, _MEAN_REPEATED * assumed.exchange_tokens),
        "forget": (_PERSON_TOKENS + assumed.preference_tokens, 60),
        "opposite": (assumed.preference_tokens, assumed.preference_tokens),
        "shown": (told + assumed.preference_tokens, assumed.vote_tokens),
        "group": (QUAD * assumed.preference_tokens, options + 30),
        "leak": (30 + num_owners * assumed.preference_tokens, assumed.vote_tokens),
        "clean": (30 + options, assumed.vote_tokens),
        "blind": (30 + options, 8),
    }
    if name.startswith("fit_"):
        return told + options + 30, assumed.vote_tokens
    return lengths.get(name, (assumed.persona_tokens + assumed.preference_tokens, options + 30))


_STAGE_OF = {
    "persona": "personas",
    "preferences": "preferences",
    "secrets": "preferences",
    "contradiction": "contradiction",
    "infer": "stereotype",
    "compare": "stereotype",
    "conversation": "conversations",
    "knowledge": "conversations",
    "forget": "conversations",
    "opposite": "conversations",
    "shown": "conversations",
}
"""Where each prompt is asked; all others in the questions and their filters."""
