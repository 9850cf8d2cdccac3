"""A sample as one text column: what rewards need of it, and nothing that would let them read the history."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from functools import lru_cache
from typing import Any

from hub_toolkit.data.schema import Sample
from hub_toolkit.types import Message

NUM_KEPT = 4_096


def encode_sample(sample: Sample) -> str:
    """Return the sample as JSON, without profile and counts; the snippet stays where a secret is known by it alone."""
    has_secret = sample.is_sensitive or sample.pref_type == "sensitive_info"
    bare = replace(
        sample,
        expanded_persona={},
        short_persona="",
        counts={},
        related_snippet=sample.related_snippet if has_secret else (),
    )
    return json.dumps(asdict(bare), ensure_ascii=False)


@lru_cache(maxsize=NUM_KEPT)
def decode_sample(text: str) -> Sample:
    """Read what `encode_sample` wrote; a batch asks for the same rows many times."""
    fields: dict[str, Any] = json.loads(text)
    fields["user_query"] = Message(**fields["user_query"])
    fields["related_snippet"] = tuple(Message(**message) for message in fields["related_snippet"])
    fields["incorrect_answers"] = tuple(fields["incorrect_answers"])
    return Sample(**fields)
