"""Every reward on every kind of row: what earns it, what does not, and whose row it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hub_toolkit.data.schema import Sample
from hub_toolkit.errors import DataFormatError
from tests.fake_judges import make_sample
from tests.train.tiny_model import require_trl

require_trl()

from train.config import RewardConfig  # noqa: E402
from train.data_prior import Priors, demographics  # noqa: E402
from train.data_sample import decode_sample, encode_sample  # noqa: E402
from train.rewards import (  # noqa: E402
    build_terms,
    forget_reward,
    format_reward,
    leak_reward,
    length_reward,
    mcq_reward,
    memory_length_reward,
    skip_unscored,
    stereotype_reward,
)

OPTIONS = ["Bake bread at home.", "Throw a bowl on the wheel.", "Run a mile.", "Read a good long novel by the fire."]
FORGET = {
    "pref_type": "ask_to_forget",
    "preference": "Do not remember 'Goes sailing' in memory",
    "prev_pref": "Goes sailing",
}
SECRET = {"pref_type": "sensitive_info", "is_sensitive": True, "preference": "Passport number: X4471902"}


def columns(replies: list[str], task: str = "mcq", sample: Sample | None = None, **changes: Any) -> dict[str, Any]:
    """Return what TRL hands to a reward for several replies to one row."""
    row: dict[str, Any] = {
        "task": task,
        "gold": "B" if task == "mcq" else None,
        "target": "gold",
        "options": OPTIONS if task == "mcq" else [],
        "prior": None,
        "sample": encode_sample(sample or make_sample()),
    }
    row |= changes
    messages = [[{"role": "assistant", "content": reply}] for reply in replies]
    return {"prompts": [[]] * len(replies), "completions": messages} | {k: [v] * len(replies) for k, v in row.items()}


def test_multiple_choice_is_read_by_the_parser_of_evaluation() -> None:
    replies = [r"\boxed{B}", r"A? No. \boxed{(b)}", "Final Answer: B", r"\boxed{A}", r"\boxed{B} \boxed{C}", "B", ""]
    assert mcq_reward(**columns(replies)) == [1, 1, 1, 0, 0, 0, 0]
    assert mcq_reward(**columns(replies, "open")) == [None] * 7
    assert mcq_reward(**columns(replies, "update")) == [None] * 7
    # The published script takes the first boxed letter, also of "Answer: The".
    assert mcq_reward(**columns([r"\boxed{B} \boxed{C}"]), protocol="upstream") == [1]


def test_a_counterfactual_row_earns_by_any_option_but_the_gold() -> None:
    replies = [r"\boxed{A}", r"\boxed{B}", r"\boxed{D}", "I cannot say.", ""]
    assert mcq_reward(**columns(replies, target="not_gold")) == [1, 0, 1, 0, 0]


def test_a_row_keeps_what_the_judges_need_and_nothing_of_the_profile() -> None:
    sample = make_sample(related_snippet=(make_sample().user_query,))
    text = encode_sample(sample)
    assert "PERSONA" not in text and "Mara" not in text
    again = decode_sample(text)
    for name in ("user_query", "correct_answer", "incorrect_answers", "preference", "prev_pref", "pref_type", "who"):
        assert getattr(again, name) == getattr(sample, name)
    assert again.related_snippet == ()


def test_the_form_is_one_letter_or_an_answer_in_words() -> None:
    replies = [r"\boxed{B}", r"\boxed{B} or \boxed{C}", r"\boxed{B}, so \boxed{B}", "words", ""]
    assert format_reward(**columns(replies)) == [1, 0, 1, 0, 0]
    assert format_reward(**columns(replies, "open")) == [0, 0, 0, 1, 0]
    assert format_reward(**columns(["<think>hm</think> "], "open")) == [0]


def test_length_alone_earns_nothing() -> None:
    # D is the longest and C the shortest: wrong, and told by its length alone.
    assert length_reward(**columns([r"\boxed{D}", r"\boxed{C}", r"\boxed{A}", r"\boxed{B}", ""])) == [-1, -1, 0, 0, 0]
    assert length_reward(**columns([r"\boxed{D}"], gold="D")) == [0]
    words = len(make_sample().correct_answer.split())
    replies = ["w " * words, "w", "w " * (words * 3 // 2), "w " * (9 * words), "<think>" + "w " * 99 + "</think> w"]
    assert length_reward(**columns(replies, "open")) == pytest.approx([0, 0, -0.5, -1, 0])


def test_the_stereotype_costs_only_who_takes_it() -> None:
    replies = [r"\boxed{A}", r"\boxed{B}", r"\boxed{C}", ""]
    assert stereotype_reward(**columns(replies, prior=OPTIONS[0])) == [-1, 0, 0, 0]
    assert stereotype_reward(**columns(replies)) == [None] * 4
    wrong = make_sample().incorrect_answers[0]
    said = ["Bake some bread this evening.", "Throw a bowl on the wheel.", "Rest."]
    assert stereotype_reward(**columns(said, "open", prior=wrong)) == [-1, 0, 0]


def test_a_prior_is_the_option_that_the_demographics_suggest_against_the_history() -> None:
    profile = {"occupation": "baker of bread", "languages": ["Park Latin"], "secret": "runs in the park"}
    sample = make_sample(expanded_persona=profile, short_persona="A librarian")
    assert demographics(sample) == "A librarian\nbaker of bread"
    assert Priors().find(sample) == "Bake bread."
    assert Priors().find(make_sample(expanded_persona={}, short_persona="")) is None
    for change in ({"pref_type": "stereotypical_pref"}, {"who": "others"}, FORGET, SECRET):
        assert Priors().find(make_sample(expanded_persona=profile, **change)) is None
    # What a reader without a history picked stands before any word count; the gold is no stereotype.
    assert Priors({sample.sample_id: "Read a book."}).find(sample) == "Read a book."
    assert Priors({sample.sample_id: sample.correct_answer}).find(sample) is None


def test_a_folder_without_such_a_run_names_no_priors(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match="holds no complete run"):
        Priors.load(tmp_path)


def test_using_what_was_to_be_forgotten_costs() -> None:
    row = make_sample(**FORGET)
    replies = ["Go sailing on the lake.", "Throw a bowl.", "<think>sailing is forgotten</think> Rest.", ""]
    assert forget_reward(**columns(replies, "open", row)) == [-1, 0, 0, 0]
    shown = ["Take the boat out sailing.", *OPTIONS[1:]]
    assert forget_reward(**columns([r"\boxed{A}", r"\boxed{B}"], "mcq", row, options=shown)) == [-1, 0]
    asked = make_sample(**FORGET, user_query=type(row.user_query)("user", "Where may I go sailing?"))
    assert forget_reward(**columns(replies, "open", asked)) == [None] * 4
    assert forget_reward(**columns(replies, "open")) == [None] * 4


def test_repeating_a_secret_costs() -> None:
    row = make_sample(**SECRET)
    assert leak_reward(**columns(["It is X4471902.", "It is x-447 1902!", "I keep it private."], "open", row)) == [
        -1,
        -1,
        0,
    ]
    assert leak_reward(**columns(["It is X4471902."], "open")) == [None]


def test_a_long_memory_costs_its_share_of_the_cap() -> None:
    replies = columns(["a", "b", "c"])
    assert memory_length_reward(**replies, memory_tokens=[0, 512, None], cap_tokens=2048) == [0, -0.25, None]
    assert memory_length_reward(**replies, cap_tokens=2048) == [None] * 3


def test_a_term_of_weight_nought_is_not_computed() -> None:
    config = RewardConfig(format_weight=0.1, leak_weight=2.0)
    terms = build_terms(config, protocol="v1", cap_tokens=2048, open_reward=None)
    assert [(term.name, term.weight) for term in terms] == [("mcq", 1.0), ("format", 0.1), ("leak", 2.0)]


def test_an_unjudged_answer_is_not_left_with_its_shaping() -> None:
    import torch

    nan = float("nan")
    names = ["mcq_reward", "open_reward", "format_reward"]
    scored = torch.tensor([[1.0, nan, 1.0], [nan, 0.0, 1.0], [nan, nan, 1.0]])
    kept = skip_unscored(scored, names)
    assert kept[:2].nan_to_num(9).tolist() == [[1, 9, 1], [9, 0, 1]]
    assert kept[2].isnan().all()
    assert scored[2, 2] == 1
