"""The card of a simulated dataset: what it is, and what it is not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub_toolkit.data.schema import Modality
from hub_toolkit.generate.config import SimulatorConfig

_CARD = """\
---
license: apache-2.0
language:
- en
tags:
- personamem
- synthetic
- simulator
{configs}
---
# A simulated PersonaMem

Written by the simulator of the PersonaMem toolkit: a grammar and lists of words, no language model. **For scale tests,
training smoke and CI. It is not human-like**: an accuracy on it tells whether a system works, never how good it is.

| | |
|---|---|
| personas | {num_personas:,}, and {num_twins:,} twins |
| questions | {num_rows:,} |
| splits | {splits} |
| seed | {seed} |
| configuration | `generate_config.json`, digest `{digest}` |

- Every question but those on secrets belongs to a swap group (`group_id`): one query and four options, shared word for
  word by four owners of one age, work and manner; each option is right for one of them. Whoever reads only query and
  options is right in 25 %, exactly.
- What an owner likes is drawn topic by topic; one liking tells nothing of another, the persona tells nothing of any.
- It shows in mails, posts, translations, worries and questions, beside other people's texts and invented characters
  that show the wrong option. Requests to forget and changes of mind stand in the history in their order.
- Twins (`twin_of`) are copies of an owner's history with one block changed.
- Rows on secrets (`sensitive_info`) cannot be balanced and stay out of accuracy. All secrets are invented.
- The types `stereotypical_pref` and `anti_stereotypical_pref` do not occur: likings are drawn, not inferred.
- Translations carry the marked nouns in a fixed sentence of the language; they are no translations of the whole text.
- `data/raw_data` and the columns `preference` and `related_conversation_snippet` hold the solution.
"""


def render_configs(splits: Iterable[str], modalities: Iterable[Modality] = ("text",)) -> str:
    """Return the entry of a card by which `datasets.load_dataset` reads the folder: upstream's config and splits.

    An empty cell is an empty text: one split may have none of what another has, and both must be of one type.
    """
    files = [
        f"  - split: {split}_{modality}\n    path: benchmark/{modality}/{split}.csv"
        for modality in modalities
        for split in splits
    ]
    head = ["configs:", "- config_name: benchmark", "  keep_default_na: false", "  data_files:"]
    return "\n".join([*head, *files]) if files else "configs: []"


def render_card(config: SimulatorConfig, facts: dict[str, Any]) -> str:
    """Return the card's text."""
    splits = " · ".join(
        f"{name} {count['rows']:,} ({count['personas']:,} personas)" for name, count in facts["splits"].items()
    )
    return _CARD.format(
        configs=render_configs(facts["splits"]),
        num_personas=facts["num_personas"],
        num_twins=facts["num_twins"],
        num_rows=facts["num_rows"],
        splits=splits,
        seed=config.seed,
        digest=config.digest,
    )
