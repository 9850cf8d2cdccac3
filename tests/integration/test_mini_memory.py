"""What the embedded memory keeps of the sample histories, and what it must not."""

from __future__ import annotations

import asyncio
import json
from functools import cache

import pytest

from hub_toolkit.data.history import load_history
from hub_toolkit.data.parse import history_path, load_samples, resolve_dataset
from hub_toolkit.data.schema import Sample
from hub_toolkit.data.tokens import EstimateCounter
from hub_toolkit.memory.boundary import forget_request
from hub_toolkit.memory.build import build_memory
from hub_toolkit.memory.builders.extractive import ExtractiveBuilder
from hub_toolkit.memory.document import MemoryDocument

COUNTER = EstimateCounter()


def samples(pref_type: str) -> list[Sample]:
    return [s for s in load_samples("mini") if s.pref_type == pref_type]


@cache
def memory_of(link: str) -> MemoryDocument:
    history = load_history(history_path(resolve_dataset("mini"), link))
    # A cap that drops nothing: what is missing was refused.
    return asyncio.run(build_memory(history, ExtractiveBuilder(COUNTER, cap_tokens=8192), COUNTER))


@pytest.mark.parametrize("sample", samples("sensitive_info"), ids=lambda s: s.sample_id)
def test_no_secret_of_the_sample_histories_is_kept(sample: Sample) -> None:
    secret = sample.preference.partition(": ")[2]
    kept = json.dumps(memory_of(sample.history_links["32k"]).as_dict(), ensure_ascii=False)
    assert secret not in kept
    # Nor a telling part of it: the longest run of letters and digits.
    longest = max((part for part in secret.replace("-", " ").split() if any(c.isdigit() for c in part)), key=len)
    assert len(longest) < 4 or longest not in kept


def forgotten_run(sample: Sample) -> range:
    """Return where the block that revealed it, the question and the request stand: a run that the request ends."""
    history = load_history(history_path(resolve_dataset("mini"), sample.history_links["32k"]))
    snippet = {(m.role, m.text) for m in sample.related_snippet}
    inside = [i for i, m in zip(history.indices, history.messages, strict=True) if (m.role, m.text) in snippet]
    requests = [i for i in inside if forget_request(history.messages[i - history.indices[0]].text) is not None]
    start = end = requests[-1]
    while start - 1 in inside:
        start -= 1
    return range(start, end + 1)


@pytest.mark.parametrize("sample", samples("ask_to_forget"), ids=lambda s: s.sample_id)
def test_what_a_twin_asked_to_forget_is_gone_and_its_original_still_knows(sample: Sample) -> None:
    run = forgotten_run(sample)
    assert len(run) >= 5
    original = next(s for s in load_samples("mini") if s.persona_id == sample.twin_of)

    def cited(document: MemoryDocument) -> set[int]:
        return {source.index for bullet in document.bullets for source in bullet.sources}

    # The twin's history is its original's up to the last three messages of the run.
    assert cited(memory_of(original.history_links["32k"])) & set(run[:-3])
    assert not cited(memory_of(sample.history_links["32k"])) & set(run)


@pytest.mark.parametrize("link", sorted({s.history_links["32k"] for s in load_samples("mini")}))
def test_every_span_stands_verbatim_in_the_message_that_it_cites(link: str) -> None:
    history = load_history(history_path(resolve_dataset("mini"), link))
    texts = {i: " ".join(m.text.split()) for i, m in zip(history.indices, history.messages, strict=True)}
    document = memory_of(link)
    assert document.bullets
    for bullet in document.bullets:
        assert bullet.text in bullet.sources[0].span
        assert all(" ".join(source.span.split()) in texts[source.index] for source in bullet.sources)
