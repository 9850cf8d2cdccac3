"""Passes hold every row once, stay within their budget, and waste as little as any cut could."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import pytest

from tests.train.tiny_model import require_trl

require_trl()

import torch  # noqa: E402

from train.memory.passes import PASS_OVERHEAD_TOKENS, count_tokens, lay_out, pick_scored, plan_passes  # noqa: E402

BUDGET = 32_768


def realistic_lengths(seed: int, num_rollouts: int = 32) -> list[int]:
    """Return the lengths of rows as they come at 32k: eight updates or fewer, then the answer."""
    rng = random.Random(seed)
    lengths = []
    for _ in range(num_rollouts):
        num_turns = rng.choice((6, 7, 7, 8))
        memory = 0
        for turn in range(num_turns):
            chunk = rng.randint(4300, 5000) if turn + 1 < num_turns else rng.randint(300, 4900)
            written = min(2048, int(rng.gauss(250 * (turn + 1), 200)) + 300)
            lengths.append(420 + chunk + memory + written)
            memory = min(2048, max(0, written))
        lengths.append(memory + rng.randint(250, 900) + min(2048, int(rng.expovariate(1 / 300)) + 20))
    return lengths


def share_of_padding(lengths: Sequence[int], passes: Sequence[Sequence[int]], layout: str) -> float:
    computed = sum(count_tokens(lengths, rows, layout=layout) for rows in passes)
    return 1 - sum(lengths) / computed


@pytest.mark.parametrize("layout", ["pad", "pack"])
@pytest.mark.parametrize("seed", range(20))
def test_every_row_is_in_one_pass_and_passes_keep_their_budget(seed: int, layout: str) -> None:
    rng = random.Random(seed)
    lengths = [rng.randint(1, 900) for _ in range(rng.randint(0, 60))]
    passes = plan_passes(lengths, tokens_per_pass=800, layout=layout)
    assert sorted(row for rows in passes for row in rows) == list(range(len(lengths)))
    for rows in passes:
        assert rows and (len(rows) == 1 or count_tokens(lengths, rows, layout=layout) <= 800)


def all_cuts(rows: list[int]) -> Iterator[list[list[int]]]:
    if not rows:
        yield []
    for end in range(1, len(rows) + 1):
        for rest in all_cuts(rows[end:]):
            yield [rows[:end], *rest]


@pytest.mark.parametrize("seed", range(5))
def test_no_other_cut_of_the_sorted_rows_costs_less(seed: int) -> None:
    rng = random.Random(seed)
    lengths = [rng.randint(1, 3000) for _ in range(9)]

    def cost(passes: Sequence[Sequence[int]]) -> int:
        return sum(count_tokens(lengths, rows) + PASS_OVERHEAD_TOKENS for rows in passes)

    order = sorted(range(9), key=lambda row: lengths[row])
    fitting = (
        cut for cut in all_cuts(order) if all(len(rows) == 1 or count_tokens(lengths, rows) <= 9000 for rows in cut)
    )
    assert cost(plan_passes(lengths, tokens_per_pass=9000)) == min(map(cost, fitting))


@pytest.mark.parametrize("num_rollouts", [1, 4, 32])
@pytest.mark.parametrize("seed", range(3))
def test_less_than_a_tenth_is_padding_on_realistic_lengths(seed: int, num_rollouts: int) -> None:
    lengths = realistic_lengths(seed, num_rollouts)
    padded = share_of_padding(lengths, plan_passes(lengths, tokens_per_pass=BUDGET), "pad")
    assert 0 <= padded < 0.1
    assert share_of_padding(lengths, plan_passes(lengths, tokens_per_pass=BUDGET, layout="pack"), "pack") == 0
    in_order = [[row] for row in range(len(lengths))]
    naive = 1 - sum(lengths) / (len(in_order) * max(lengths))
    assert naive > 0.15, "rows padded to the longest waste more, or the lengths are not realistic"


@pytest.mark.parametrize("layout", ["pad", "pack"])
def test_rows_stand_at_their_own_positions_and_scores_come_back_to_their_places(layout: str) -> None:
    prompts, completions = [[5, 6, 7], [8], [9, 10]], [[1], [2, 3, 4], [5]]
    ids = torch.tensor(
        [[0] * (3 - len(p)) + p + c + [0] * (3 - len(c)) for p, c in zip(prompts, completions, strict=True)]
    )
    mask = (ids > 0).long()
    made = lay_out(ids, mask, 3, layout=layout)
    assert made.inputs["input_ids"].numel() == (11 if layout == "pack" else 12)
    if layout == "pack":
        assert made.inputs["position_ids"].tolist() == [[0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2]]
    scores = made.inputs["input_ids"][:, 1:].float() * 10  # what the model would say of the next token
    assert pick_scored(scores, made, mask[:, -3:]).tolist() == [[10, 0, 0], [20, 30, 40], [50, 0, 0]]
