"""The card of a dataset that a model wrote: who wrote it, what passed, and what it is not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub_toolkit.generate.card import render_configs
from hub_toolkit.generate.llm.config import LlmConfig

_CARD = """\
---
license: other
language_name: {language}
tags:
- personamem
- synthetic
{configs}
---
# A generated PersonaMem

Written by the language model `{model}` with the pipeline of the PersonaMem toolkit, and filtered by the same model.
Everybody and everything in it is invented. The licence of the texts follows the terms of the model: set it above.

| | |
|---|---|
| personas | {num_personas:,} of {num_wanted:,} wanted, and {num_twins:,} twins |
| questions | {num_rows:,}, {mode} |
| splits | {splits} |
| language | {language} |
| filters | {filters} |
| seed | {seed} |
| configuration | `generate_config.json`, digest `{digest}` |
| replies | {num_calls:,} calls, {tokens_in:,} tokens in, {tokens_out:,} out |

## What passed

| stage | in | out | rejected, by reason |
|---|---:|---:|---|
{survival}

Every rejection stands with its reason in `rejections.jsonl`, the counts in `survival.json`, the replies in `replies/`.

{about}
- The filters are votes of a model: they lower the share of bad rows and do not prove that none is left.
- Rows on secrets (`sensitive_info`) cannot be balanced and stay out of accuracy. All secrets are invented.
- `data/raw_data`, `rejections.jsonl`, `replies` and the columns `preference` and `related_conversation_snippet` hold
  the solution.
"""
_SWAP = """\
- Every question but those on secrets belongs to a swap group (`group_id`): one query and four options, shared word for
  word by four owners of one age, work and manner; each option is right for one of them. Whoever reads only query and
  options is right in 25 %, exactly.
- Twins (`twin_of`) are copies of an owner's history with one block changed."""
_UPSTREAM = """\
- Every question has a gold and three incorrect answers of its own. It is not balanced: an accuracy means little without
  those of the longest, the shortest and a blindly chosen option beside it."""

_PHOTOS = """
- `benchmark/text` has photos by their captions, `benchmark/multimodal` has the same questions with the photos."""


def render_card(config: LlmConfig, model: str, facts: Mapping[str, Any], survival: Mapping[str, Any]) -> str:
    """Return the card's text."""
    splits = " · ".join(
        f"{name} {count['rows']:,} ({count['personas']:,} personas)" for name, count in facts["splits"].items()
    )
    lines = [
        f"| {stage} | {row['in']:,} | {row['out']:,} | "
        + ", ".join(f"{reason} {num:,}" for reason, num in row["rejected"].items())
        + " |"
        for stage, row in survival.items()
    ]
    is_swap = config.questions == "swap"
    return _CARD.format(
        configs=render_configs(facts["splits"], config.modalities),
        model=model,
        language=config.language,
        num_personas=facts["num_personas"],
        num_wanted=config.num_personas,
        num_twins=facts["num_twins"],
        num_rows=facts["num_rows"],
        mode="in swap groups" if is_swap else "as upstream's (not balanced)",
        splits=splits or "none",
        filters=", ".join(config.filters) or "none: nothing was checked",
        seed=config.seed,
        digest=config.digest,
        num_calls=sum(row["calls"] for row in facts["replies"].values()),
        tokens_in=sum(row["input"] for row in facts["replies"].values()),
        tokens_out=sum(row["output"] for row in facts["replies"].values()),
        survival="\n".join(lines),
        about=(_SWAP if is_swap else _UPSTREAM) + (_PHOTOS if config.images is not None else ""),
    )
