"""Dialogues that belong to nobody, the padding of long histories: bundled maths and code, or a named dataset's."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from hub_toolkit.generate.config import SimulatorConfig
from hub_toolkit.generate.conversations import count_tokens
from hub_toolkit.generate.padding_source import load_dialogues
from hub_toolkit.generate.seeding import rng_for
from hub_toolkit.types import Message


@dataclass(frozen=True)
class Padding:
    """One dialogue with its tokens."""

    messages: tuple[Message, ...]
    tokens: int


@lru_cache(maxsize=1)
def make_padding(seed: int, num: int, path: str | None = None) -> tuple[Padding, ...]:
    """Return the dialogues that a dataset's histories draw from, shortest to longest by no order."""
    if path is None:
        dialogues = [_dialogue(rng_for(seed, "padding", number)) for number in range(num)]
    else:
        known = load_dialogues(path)
        dialogues = rng_for(seed, "padding").sample(known, min(num, len(known)))
    return tuple(Padding(messages, count_tokens(messages)) for messages in dialogues)


def draw_padding(config: SimulatorConfig, rng: random.Random, budget: int) -> list[Padding]:
    """Return dialogues of at most `budget` tokens together, none twice while there are others."""
    pool = make_padding(config.seed, config.padding_dialogues, config.padding and config.padding.path)
    least = min(dialogue.tokens for dialogue in pool)
    drawn: list[Padding] = []
    while budget >= least:
        before = budget
        for place in rng.sample(range(len(pool)), len(pool)):
            if pool[place].tokens <= budget:
                drawn.append(pool[place])
                budget -= pool[place].tokens
            if budget < least:
                break
        if budget == before:
            break
    return drawn


def _dialogue(rng: random.Random) -> tuple[Message, ...]:
    make = rng.choice(_MAKERS)
    turns: list[Message] = []
    for place in range(rng.choice((1, 1, 2, 2, 3))):
        question, answer = make(rng)
        again = "" if place == 0 else rng.choice(("Another one. ", "And this? ", "Next: ", "Now try: "))
        turns += [Message("user", again + question), Message("assistant", answer)]
    return tuple(turns)


def _linear(rng: random.Random) -> tuple[str, str]:
    x, a, b = rng.randint(-12, 12), rng.randint(2, 19), rng.randint(-40, 40)
    c = a * x + b
    question = f"Solve {a}x {_signed(b)} = {c} and show every step."
    answer = (
        f"Take {b} from both sides: {a}x = {c - b}. Divide by {a}: x = {x}.\n\n"
        f"Check: {a} * {_bracket(x)} {_signed(b)} = {a * x} {_signed(b)} = {c}. The equation holds, so x = {x}."
    )
    return question, answer


def _quadratic(rng: random.Random) -> tuple[str, str]:
    p, q = rng.randint(-9, 9), rng.randint(-9, 9)
    b, c = -(p + q), p * q
    question = f"What are the roots of x^2 {_signed(b)}x {_signed(c)}?"
    answer = (
        f"We look for two numbers with the sum {p + q} and the product {c}: these are {p} and {q}.\n\n"
        f"So x^2 {_signed(b)}x {_signed(c)} = (x {_signed(-p)})(x {_signed(-q)}), with the roots {p} and {q}.\n"
        f"The discriminant agrees: {b}^2 - 4 * {_bracket(c)} = {b * b - 4 * c} = {abs(p - q)}^2."
    )
    return question, answer


def _percent(rng: random.Random) -> tuple[str, str]:
    price, off, tax = rng.randint(20, 900), rng.choice((5, 8, 12, 15, 20, 25, 30)), rng.choice((7, 9, 19, 21, 25))
    net = price * (100 - off) / 100
    question = f"A price of {price} is cut by {off} % and then {tax} % tax is added. What is paid in the end?"
    answer = (
        f"After the cut: {price} * {(100 - off) / 100:.2f} = {net:.2f}.\nWith tax: {net:.2f} * {1 + tax / 100:.2f} = "
        f"{net * (100 + tax) / 100:.2f}.\n\nThe order does not matter here, since both steps are factors: "
        f"{(100 - off) / 100:.2f} * {1 + tax / 100:.2f} = {(100 - off) * (100 + tax) / 10000:.4f}."
    )
    return question, answer


def _divisor(rng: random.Random) -> tuple[str, str]:
    a, b = rng.randint(60, 999), rng.randint(30, 600)
    steps, x, y = [], a, b
    while y:
        steps.append(f"{x} = {x // y} * {y} + {x % y}")
        x, y = y, x % y
    question = f"Find the greatest common divisor of {a} and {b} with Euclid's algorithm."
    answer = "\n".join(steps) + f"\n\nThe last remainder that is not zero is {x}, so gcd({a}, {b}) = {x}."
    return question, answer + f" The least common multiple is then {a} * {b} / {x} = {a * b // x}."


def _chance(rng: random.Random) -> tuple[str, str]:
    red, blue = rng.randint(3, 14), rng.randint(3, 14)
    total = red + blue
    question = (
        f"A bag holds {red} red and {blue} blue marbles. Two are drawn, none is put back. How likely are two red ones?"
    )
    answer = (
        f"First draw: {red}/{total}. Second draw, given a red one is gone: {red - 1}/{total - 1}.\n\n"
        f"Multiply: {red}/{total} * {red - 1}/{total - 1} = {red * (red - 1)}/{total * (total - 1)}, "
        f"about {red * (red - 1) / (total * (total - 1)):.4f}."
    )
    return question, answer


def _derivative(rng: random.Random) -> tuple[str, str]:
    terms = [
        (rng.choice([-1, 1]) * rng.randint(2, 12), power) for power in sorted(rng.sample(range(2, 9), 3), reverse=True)
    ]
    shown = " ".join(f"{_signed(k)}x^{n}" for k, n in terms).removeprefix("+ ")
    slope = " ".join(f"{_signed(k * n)}x^{n - 1}" for k, n in terms).removeprefix("+ ")
    value = sum(k * n for k, n in terms)
    question = f"Differentiate f(x) = {shown} and give f'(1)."
    rules = "\n".join(f"- {k}x^{n} becomes {k * n}x^{n - 1}" for k, n in terms)
    return question, f"Term by term, with the power rule:\n{rules}\n\nSo f'(x) = {slope}, and f'(1) = {value}."


def _python(rng: random.Random) -> tuple[str, str]:
    noun, key = rng.choice(_TABLES), rng.choice(_FIELDS)
    limit = rng.randint(3, 400)
    question = (
        f"Write a Python function that takes a list of {noun}s as dictionaries and sums `{key}` "
        f"where it is above {limit}."
    )
    answer = (
        f"```python\ndef sum_{key}({noun}s, limit={limit}):\n    total = 0\n    for {noun} in {noun}s:\n"
        f'        value = {noun}.get("{key}")\n        if value is not None and value > limit:\n'
        f"            total += value\n    return total\n```\n\nA {noun} without `{key}` is passed over. "
        f'`sum_{key}([{{"{key}": {limit + 5}}}, {{}}])` returns {limit + 5}; an empty list returns 0.'
    )
    return question, answer


def _sql(rng: random.Random) -> tuple[str, str]:
    table, other = rng.sample(_TABLES, 2)
    key, limit = rng.choice(_FIELDS), rng.randint(2, 60)
    question = f"SQL: which {table}s have more than {limit} {other}s, and what is the mean {key} of each?"
    answer = (
        f"```sql\nSELECT t.id, COUNT(o.id) AS num_{other}s, AVG(o.{key}) AS mean_{key}\nFROM {table} AS t\n"
        f"JOIN {other} AS o ON o.{table}_id = t.id\nGROUP BY t.id\nHAVING COUNT(o.id) > {limit}\n"
        f"ORDER BY num_{other}s DESC;\n```\n\n`HAVING` filters after grouping, `WHERE` before it. "
        f"An index on `{other}.{table}_id` makes the join cheap."
    )
    return question, answer


def _trace(rng: random.Random) -> tuple[str, str]:
    start, step, stop = rng.randint(0, 9), rng.randint(2, 7), rng.randint(20, 70)
    values = list(range(start, stop, step))
    keep = [v for v in values if v % 3]
    question = f"What does `[n * n for n in range({start}, {stop}, {step}) if n % 3]` give, and why?"
    answer = (
        f"`range({start}, {stop}, {step})` runs over {', '.join(map(str, values))}. The condition drops the "
        f"multiples of three, which leaves {', '.join(map(str, keep)) or 'nothing'}.\n\n"
        f"Squared: {[v * v for v in keep]}."
    )
    return question, answer


def _binary(rng: random.Random) -> tuple[str, str]:
    n = rng.randint(37, 4095)
    rows, x = [], n
    while x:
        rows.append(f"{x} / 2 = {x // 2}, remainder {x % 2}")
        x //= 2
    question = f"Write {n} in binary and in hexadecimal."
    answer = (
        "\n".join(rows) + f"\n\nRead the remainders upwards: {n:b}. In groups of four that is {n:X} in hexadecimal."
    )
    return question, answer


def _motion(rng: random.Random) -> tuple[str, str]:
    u, v, d = rng.randint(40, 120), rng.randint(40, 120), rng.randint(80, 900)
    question = f"Two trains start {d} km apart and run towards each other at {u} km/h and {v} km/h. When do they meet?"
    answer = (
        f"They close in at {u} + {v} = {u + v} km/h, so they meet after {d}/{u + v} h, about {d / (u + v):.3f} h or "
        f"{60 * d / (u + v):.1f} minutes.\n\nThe first has then run {u * d / (u + v):.1f} km, the second "
        f"{v * d / (u + v):.1f} km; together {d} km, as it must be."
    )
    return question, answer


def _debug(rng: random.Random) -> tuple[str, str]:
    noun, key = rng.choice(_TABLES), rng.choice(_FIELDS)
    question = f'Why does this raise KeyError?\n```python\nbest = max({noun}s, key=lambda item: item["{key}"])\n```'
    answer = (
        f"At least one {noun} has no `{key}`. Either leave such items out:\n```python\n"
        f'best = max((i for i in {noun}s if "{key}" in i), key=lambda i: i["{key}"], default=None)\n```\n'
        f'or give them a value: `key=lambda i: i.get("{key}", 0)`. With `default=None` an empty list no longer raises '
        f'ValueError. To see the culprits: `[i for i in {noun}s if "{key}" not in i]`.'
    )
    return question, answer


def _regression(rng: random.Random) -> tuple[str, str]:
    xs = sorted(rng.sample(range(1, 30), 4))
    ys = [rng.randint(1, 60) for _ in xs]
    mx, my = sum(xs) / 4, sum(ys) / 4
    sxy = sum((x - mx) * (y - my) for x, y in zip(xs, ys, strict=True))
    sxx = sum((x - mx) ** 2 for x in xs)
    slope = sxy / sxx
    question = f"Fit a straight line to the points {list(zip(xs, ys, strict=True))} by least squares."
    answer = (
        f"Means: x = {mx:.2f}, y = {my:.2f}. Sums of deviations: Sxy = {sxy:.2f}, Sxx = {sxx:.2f}.\n\n"
        f"Slope: {sxy:.2f} / {sxx:.2f} = {slope:.4f}. "
        f"Intercept: {my:.2f} - {slope:.4f} * {mx:.2f} = {my - slope * mx:.4f}."
    )
    return question, answer


def _signed(value: int) -> str:
    return f"+ {value}" if value >= 0 else f"- {-value}"


def _bracket(value: int) -> str:
    return str(value) if value >= 0 else f"({value})"


Maker = Callable[[random.Random], tuple[str, str]]
_MAKERS: tuple[Maker, ...] = (
    _linear,
    _quadratic,
    _percent,
    _divisor,
    _chance,
    _derivative,
    _python,
    _sql,
    _trace,
    _binary,
    _motion,
    _debug,
    _regression,
)
_TABLES = tuple(
    [
        "order",
        "invoice",
        "parcel",
        "sensor",
        "ticket",
        "account",
        "branch",
        "shipment",
        "batch",
        "node",
        "job",
        "packet",
        "ledger",
        "device",
    ]
)
_FIELDS = tuple(
    [
        "amount",
        "weight",
        "score",
        "duration",
        "quantity",
        "level",
        "latency",
        "rate",
        "volume",
        "priority",
        "depth",
        "count",
    ]
)
