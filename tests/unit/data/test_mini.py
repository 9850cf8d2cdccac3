"""PersonaMem-mini: balanced by construction, and what it says of itself."""

from __future__ import annotations

from collections import defaultdict
from functools import cache

import pytest

from hub_toolkit.answer.mcq import option_order
from hub_toolkit.data.check import check_dataset
from hub_toolkit.data.history import load_history
from hub_toolkit.data.parse import history_path, load_samples, resolve_dataset
from hub_toolkit.data.schema import PREF_TYPES, Sample
from hub_toolkit.data.tokens import EstimateCounter, count_messages

SCENARIOS = {
    "personal_email",
    "professional_email",
    "creative_writing",
    "professional_writing",
    "chat_message",
    "translation",
    "trouble_consult",
    "social_media_post",
    "knowledge_query",
}


@cache
def samples() -> tuple[Sample, ...]:
    return tuple(load_samples(resolve_dataset("mini"), "benchmark"))


def groups() -> dict[str, list[Sample]]:
    found: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples():
        if sample.group_id:
            found[sample.group_id].append(sample)
    return found


def history_texts(sample: Sample, size: str) -> list[tuple[str, str]]:
    history = load_history(history_path(resolve_dataset("mini"), sample.history_links[size]))  # type: ignore[index]
    return [(m.role, m.text) for m in history.messages]


def test_it_is_valid_and_large_enough() -> None:
    assert check_dataset(resolve_dataset("mini")).problems == ()
    assert len(samples()) >= 96
    assert len({s.cluster for s in samples()}) >= 8
    assert {s.pref_type for s in samples()} == set(PREF_TYPES)
    assert {s.who for s in samples()} == {"self", "others"}
    assert {s.conversation_scenario for s in samples()} == SCENARIOS
    assert any(s.is_updated and s.pref_type != "ask_to_forget" for s in samples())


def test_every_group_has_four_owners_and_shares_query_and_options() -> None:
    for members in groups().values():
        assert len(members) == 4
        assert len({s.persona_id for s in members}) == 4
        assert len({s.user_query.text for s in members}) == 1
        options = {frozenset((s.correct_answer, *s.incorrect_answers)) for s in members}
        assert len(options) == 1
        assert len(next(iter(options))) == 4
        # Each option is right for exactly one owner.
        assert {s.correct_answer for s in members} == next(iter(options))


@pytest.mark.parametrize("rule", ["longest", "shortest", "first"])
def test_answering_by_looks_scores_exactly_a_quarter(rule: str) -> None:
    right = 0
    balanced = [s for s in samples() if s.is_balanced]
    for sample in balanced:
        texts = [sample.correct_answer, *sample.incorrect_answers]
        texts = sorted(texts)
        texts = [texts[i] for i in option_order(str(sample.group_id), 0)]
        choice = {"longest": max(texts, key=len), "shortest": min(texts, key=len), "first": texts[0]}[rule]
        right += choice == sample.correct_answer
    assert right * 4 == len(balanced)


@pytest.mark.parametrize("size", ["32k", "128k"])
def test_snippets_stand_verbatim_in_their_histories(size: str) -> None:
    for sample in samples():
        messages = set(history_texts(sample, size))
        assert sample.related_snippet
        assert {(m.role, m.text) for m in sample.related_snippet} <= messages


def test_histories_are_long_enough_by_a_strict_count() -> None:
    counter = EstimateCounter()
    sizes: dict[str, int] = {}
    for sample in samples():
        for size, link in sample.history_links.items():
            if link not in sizes:
                path = history_path(resolve_dataset("mini"), link)
                sizes[link] = count_messages(counter, load_history(path).messages)
            assert size
    # The estimate errs high by at most 10 %.
    assert min(sizes.values()) / 1.1 >= 6_000
    assert sum(tokens / 1.1 >= 32_000 for tokens in sizes.values()) >= 2


def test_owners_of_a_group_have_histories_of_like_length() -> None:
    for members in groups().values():
        for size in ("32k", "128k"):
            lengths = [s.counts[f"total_tokens_in_chat_history_{size}"] for s in members]
            assert max(lengths) <= 1.25 * min(lengths)


def test_a_twin_differs_in_one_run_of_messages() -> None:
    by_persona = {s.persona_id: s for s in samples()}
    twins = [s for s in by_persona.values() if s.twin_of is not None]
    assert len(twins) == 12
    for twin in twins:
        mine, theirs = history_texts(twin, "32k"), history_texts(by_persona[int(twin.twin_of or 0)], "32k")
        start = next(i for i in range(len(mine)) if mine[i] != theirs[i])
        end = next(i for i in range(1, len(mine)) if mine[-i] != theirs[-i])
        assert len(mine) - start - end + 1 <= 6


def test_secrets_stand_in_the_history_and_not_in_the_right_answer() -> None:
    rows = [s for s in samples() if s.is_sensitive]
    assert len(rows) >= 8
    for sample in rows:
        secret = sample.preference.partition(": ")[2]
        assert any(secret in text for _, text in history_texts(sample, "32k"))
        assert secret not in sample.correct_answer
        assert secret in sample.incorrect_answers[0]
        assert not sample.is_balanced
