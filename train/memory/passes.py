"""Which rows go through the model together, and in which form: no token is computed that no row needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

PASS_OVERHEAD_TOKENS = 256
"""What one more pass is taken to cost, in tokens: below this, padding is cheaper than a pass."""

_IGNORED = -100
_PROMPT_KEYS = ("prompt_ids", "prompt_mask")


@dataclass(frozen=True)
class Layout:
    """Rows as the model reads them; `labels` is -100 everywhere but at completion tokens."""

    inputs: dict[str, torch.Tensor]
    labels: torch.Tensor


def plan_passes(
    lengths: Sequence[int],
    *,
    tokens_per_pass: int,
    layout: str = "pad",
    overhead_tokens: int = PASS_OVERHEAD_TOKENS,
) -> list[list[int]]:
    """Return the rows of each pass, by their place in `lengths`; each place stands in exactly one pass.

    A row longer than `tokens_per_pass` has a pass of its own.
    """
    if layout == "pack":
        return _fill_passes(lengths, tokens_per_pass)
    return _cut_sorted(lengths, tokens_per_pass, overhead_tokens)


def count_tokens(lengths: Sequence[int], rows: Sequence[int], *, layout: str = "pad") -> int:
    """Return how many tokens a pass over `rows` computes, padding included."""
    sizes = [lengths[row] for row in rows]
    return sum(sizes) if layout == "pack" else len(sizes) * max(sizes, default=0)


def _cut_sorted(lengths: Sequence[int], tokens_per_pass: int, overhead_tokens: int) -> list[list[int]]:
    """Cut the rows, sorted by length, where padding and passes together cost least (dynamic programming)."""
    order = sorted(range(len(lengths)), key=lambda row: (lengths[row], row))
    best: list[float] = [0.0]
    cut_at: list[int] = [0]
    for end in range(1, len(order) + 1):
        width = lengths[order[end - 1]]
        cost, cut = float("inf"), end - 1
        for start in range(end - 1, -1, -1):
            size = (end - start) * width
            if start < end - 1 and size > tokens_per_pass:
                break
            if best[start] + size + overhead_tokens < cost:
                cost, cut = best[start] + size + overhead_tokens, start
        best.append(cost)
        cut_at.append(cut)
    passes: list[list[int]] = []
    end = len(order)
    while end > 0:
        passes.append(order[cut_at[end] : end])
        end = cut_at[end]
    return passes[::-1]


def _fill_passes(lengths: Sequence[int], tokens_per_pass: int) -> list[list[int]]:
    """Put each row, longest first, into the first pass with room for it."""
    passes: list[list[int]] = []
    sizes: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda row: (-lengths[row], row)):
        place = next((i for i, size in enumerate(sizes) if size + lengths[row] <= tokens_per_pass), None)
        if place is None:
            passes.append([])
            sizes.append(0)
            place = len(passes) - 1
        passes[place].append(row)
        sizes[place] += lengths[row]
    return passes


def take_rows(batch: Mapping[str, Any], rows: Sequence[int]) -> dict[str, Any]:
    """Return these rows of a generation batch without the padding that other rows needed.

    No rows: one row of a few tokens that no loss sees, for a rank that has nothing left while others still work.
    """
    width = batch["completion_ids"].size(1)
    places = torch.tensor(list(rows) or [0], device=batch["completion_ids"].device)
    # TRL takes figures of one column for figures of whole rows, and then looks at no mask.
    prompt_size, completion_size = 1, 2
    if rows:
        prompt_size = max(1, int(batch["prompt_mask"][places].sum(1).max()))
        completion_size = max(2, int(batch["completion_mask"][places].sum(1).max()))
    taken: dict[str, Any] = {}
    for key, value in batch.items():
        if not isinstance(value, torch.Tensor) or value.ndim == 0:
            taken[key] = value
            continue
        value = value[places]
        if key in _PROMPT_KEYS:
            value = value[:, -prompt_size:]
        elif value.ndim == 2 and value.size(1) == width:
            value = value[:, :completion_size]
        taken[key] = value
    if not rows:
        taken["completion_mask"] = torch.ones_like(taken["completion_mask"])
        taken["tool_mask"] = torch.zeros_like(taken["completion_mask"])
    return taken


def lay_out(input_ids: torch.Tensor, attention_mask: torch.Tensor, num_completion: int, *, layout: str) -> Layout:
    """Lay out rows that come with padding left of the prompt and right of the completion.

    `input_ids`, `attention_mask`: (rows, prompt + completion); the last `num_completion` columns are completions.
    Every row's positions count from 0, and no row sees another.
    """
    is_token = attention_mask.bool()
    is_completion = is_token.clone()
    is_completion[:, : input_ids.size(1) - num_completion] = False
    labels = input_ids.masked_fill(~is_completion, _IGNORED)
    positions = attention_mask.long().cumsum(1) - 1
    if layout == "pack":
        inputs = {"input_ids": input_ids[is_token][None], "position_ids": positions[is_token][None]}
        return Layout(inputs, labels[is_token][None])
    sizes = is_token.sum(1, keepdim=True)
    columns = torch.arange(int(sizes.max()), device=input_ids.device)[None]
    places = (is_token.int().argmax(1, keepdim=True) + columns).clamp(max=input_ids.size(1) - 1)
    is_kept = columns < sizes
    inputs = {"input_ids": input_ids.gather(1, places).masked_fill(~is_kept, 0), "attention_mask": is_kept.long()}
    return Layout(inputs, labels.gather(1, places).masked_fill(~is_kept, _IGNORED))


def pick_scored(values: torch.Tensor, layout: Layout, completion_mask: torch.Tensor) -> torch.Tensor:
    """Return what the model says of each completion token as (rows, completion) again; 0 beside them.

    `values`: (rows, tokens - 1) as laid out, column j about token j + 1.
    """
    scored = values[layout.labels[:, 1:] != _IGNORED]
    return values.new_zeros(completion_mask.shape).masked_scatter(completion_mask.bool(), scored)
