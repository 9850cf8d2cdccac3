"""Protocols: what they fix, that nothing changes unnoticed, and what upstream does otherwise."""

from __future__ import annotations

import hashlib
import itertools
import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from hub_toolkit.answer import protocol as protocol_module
from hub_toolkit.answer.mcq import Question, pose_question, question_messages
from hub_toolkit.answer.open_ended import open_messages
from hub_toolkit.answer.protocol import DEFAULT_PROTOCOL, OpenQuestion, load_protocol, protocol_names
from hub_toolkit.answer.readers import Context, Window, fit_messages
from hub_toolkit.data.schema import PREF_TYPES, Sample
from hub_toolkit.data.tokens import EstimateCounter
from hub_toolkit.errors import DataFormatError, ProviderError
from hub_toolkit.judge.panel import protocol_config
from hub_toolkit.judge.rubric import DEFAULT_FORM, judge_prompt_names, rubric_of
from hub_toolkit.prompts.render import Prompt, load_prompt, prompt_names
from hub_toolkit.types import Message

COUNTER = EstimateCounter()
WIDE = Window(None, 1024)
V1, UPSTREAM = load_protocol("v1"), load_protocol("upstream")
RECALLED = load_prompt("upstream_recall").render(query="What shall I do on Sunday?")

PINNED = {
    "v1": (2, "70745e1c55b13febfd9921642802c01c23ec5f4c81b566c8d16b70b9aaa3ccc2"),
    "upstream": (1, "7e510f12925c28e36d3f227f57e04493067cca4d50e3a6dcd7f568c075b3b446"),
}
"""Version and digest of each protocol. Where a digest changes, scores do: raise the version in the TOML and pin both
here, with **scores change** in the CHANGELOG."""


def make_sample(**fields: object) -> Sample:
    sample = Sample(
        sample_id="benchmark-0-abc",
        split="benchmark",
        row=0,
        persona_id=1,
        user_query=Message("user", "What shall I do on Sunday?"),
        correct_answer="Row out on the lake at dawn.",
        incorrect_answers=("Bake a rye loaf.", "Practise the cello.", "Visit the flea market."),
        related_snippet=(),
        history_links={"32k": "h.json"},
        short_persona="",
        expanded_persona={},
        raw_persona_file="",
        preference="",
        prev_pref=None,
        pref_type="neutral_preferences",
        topic_preference="",
        topic_query="",
        conversation_scenario="",
        who="self",
        is_updated=False,
        is_sensitive=False,
    )
    return replace(sample, **fields)  # type: ignore[arg-type]


def make_context(num_pairs: int = 20) -> Context:
    messages = [
        Message(role, f"{role} {i} " + ("about python code " if i % 5 == 0 else "about the garden ") * 30)  # type: ignore[arg-type]
        for i in range(num_pairs)
        for role in ("user", "assistant")
    ]
    return Context(tuple(messages), "", is_divisible=True)


# What is fixed


def test_the_default_comes_first() -> None:
    assert protocol_names()[0] == DEFAULT_PROTOCOL == "v1"
    assert set(protocol_names()) == PINNED.keys()


@pytest.mark.parametrize("name", PINNED)
def test_what_a_protocol_fixes_changes_only_with_its_version(name: str) -> None:
    protocol = load_protocol(name)
    assert (protocol.version, protocol.digest) == PINNED[name], (
        f"protocols/{name}.toml reads otherwise than version {PINNED[name][0]}: raise its version and pin the digest"
    )


@pytest.mark.parametrize("name", PINNED)
def test_every_pinned_prompt_is_the_installed_one(name: str) -> None:
    load_protocol(name).check()


def test_a_prompt_that_reads_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = Prompt("mcq", "Pick one.", hashlib.sha256(b"Pick one.").hexdigest())
    monkeypatch.setattr(protocol_module, "load_prompt", lambda name: changed if name == "mcq" else load_prompt(name))
    with pytest.raises(DataFormatError, match=r"mcq.*raise the protocol's version"):
        V1.check()


def test_a_prompt_that_is_gone_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol_module, "prompt_names", lambda: ("open_ended",))
    with pytest.raises(DataFormatError, match="missing"):
        V1.check()


def test_no_prompt_is_left_unpinned() -> None:
    """A new prompt changes no score only where no protocol uses it: the audit's other wordings, what generates data."""
    pinned = V1.prompts.keys() | UPSTREAM.prompts.keys()
    free = {name for name in prompt_names() if name.startswith("generate_")}
    free |= {name for name in prompt_names() if name.startswith("judge_") and name.endswith("_b")}
    assert {name for name in prompt_names() if name not in pinned} <= {"memory_consolidate", "memory_policy"} | free
    assert set(judge_prompt_names()) <= V1.prompts.keys()
    assert set(V1.judge.rubrics.values()) <= V1.prompts.keys()


def test_the_record_holds_everything_as_json() -> None:
    fields = json.loads(json.dumps(V1.as_dict()))
    assert fields["digest"] == V1.digest
    assert fields["prompts"]["mcq"] == load_prompt("mcq").sha256
    assert fields["counting"] == {"unparsed": "wrong", "failed": "wrong"}


def test_an_unknown_protocol_is_named_with_those_that_are() -> None:
    with pytest.raises(DataFormatError, match="v1, upstream"):
        load_protocol("v0")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('persona_system = "drop"', 'persona_system = "sometimes"'),
        ("cap_tokens = 2048", 'cap_tokens = "many"'),
        ("cap_tokens = 2048", "cap_tokens = 2048\nspare = 1"),
        ('failed = "wrong"', ""),
        ("[rag]", "[retrieval]"),
        ("temperature = 0.0", "temperature = "),
        ("num_verdicts = 3", "num_verdicts = true"),
        ('"forget", "others"', '"forget", "friends"'),
    ],
)
def test_a_spoilt_file_is_refused(old: str, new: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "protocols").mkdir()
    text = (Path(protocol_module.__file__).parents[1] / "protocols" / "v1.toml").read_text("utf-8")
    assert old in text
    (tmp_path / "protocols" / "v1.toml").write_text(text.replace(old, new), encoding="utf-8")
    monkeypatch.setattr(protocol_module, "files", lambda _: tmp_path)
    with pytest.raises(DataFormatError, match=r"v1\.toml"):
        protocol_module.load_protocol.__wrapped__("v1")


def test_comments_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "protocols").mkdir()
    text = (Path(protocol_module.__file__).parents[1] / "protocols" / "v1.toml").read_text("utf-8")
    (tmp_path / "protocols" / "v1.toml").write_text("# Another remark.\n" + text, encoding="utf-8")
    monkeypatch.setattr(protocol_module, "files", lambda _: tmp_path)
    assert protocol_module.load_protocol.__wrapped__("v1").digest == V1.digest


# v1


def test_v1_words_a_question_as_it_always_did() -> None:
    question = pose_question(make_sample(), 7)
    assert V1.pose(make_sample(), 7) == question
    context = make_context()
    messages = V1.messages(context, question, COUNTER, WIDE)
    assert messages == fit_messages(context, question_messages(question), COUNTER, WIDE)
    raw = json.dumps([message.as_dict() for message in messages], sort_keys=True).encode()
    assert hashlib.sha256(raw).hexdigest()[:16] == "e7ab3beb6243d869"


def test_v1_words_an_open_question_as_it_always_did() -> None:
    question = V1.pose_open(make_sample(), 7)
    assert isinstance(question, OpenQuestion)
    assert V1.messages(Context(), question, COUNTER, WIDE) == open_messages(make_sample().user_query)


def test_v1_does_not_shorten_by_itself() -> None:
    question = V1.pose(make_sample(), 0)
    with pytest.raises(ProviderError, match="keep_last"):
        V1.messages(make_context(), question, COUNTER, Window(900, 100))
    kept = V1.messages(make_context(), question, COUNTER, Window(900, 100, "keep_last"))
    assert kept[0] in make_context().messages


def test_v1_settings_are_those_of_today() -> None:
    config = V1.generate_config(3)
    assert (config.max_tokens, config.temperature, config.top_p, config.seed) == (1024, 0.0, 1.0, 3)
    assert V1.generate_config(None, max_tokens=64).max_tokens == 64
    assert (V1.memory.cap_tokens, V1.memory.chunk_tokens, V1.context.persona_system) == (2048, 5000, "drop")
    assert V1.counter.name == V1.tokens.counter


@pytest.mark.parametrize("protocol", [V1, UPSTREAM], ids=lambda p: p.name)
def test_four_permutations_put_the_gold_once_at_each_place(protocol: protocol_module.Protocol) -> None:
    for seed, sample_id in itertools.product(range(5), "abc"):
        sample = make_sample(sample_id=sample_id)
        posed = [protocol.pose(sample, seed, permutation) for permutation in range(4)]
        assert sorted(question.gold for question in posed) == list("ABCD")
        assert {question.options[question.gold_index] for question in posed} == {sample.correct_answer}
        for option in posed[0].options:
            assert sorted(question.options.index(option) for question in posed) == [0, 1, 2, 3]


@pytest.mark.parametrize("permutation", [-1, 4])
def test_there_is_no_fifth_permutation(permutation: int) -> None:
    with pytest.raises(ValueError, match="0 to 3"):
        V1.pose(make_sample(), 0, permutation)


def test_the_gold_kind_is_the_judges_rubric() -> None:
    for pref_type, who, secret in itertools.product(PREF_TYPES, ("self", "others"), (False, True)):
        sample = make_sample(pref_type=pref_type, who=who, is_sensitive=secret)
        assert V1.gold_kind(sample) == rubric_of(sample)
    assert UPSTREAM.gold_kind(make_sample(pref_type="ask_to_forget")) == "forget"
    assert UPSTREAM.gold_kind(make_sample(pref_type="sensitive_info", who="others")) == "self"


def test_no_option_stands_in_the_prompt_of_a_likelihood() -> None:
    for protocol in (V1, UPSTREAM):
        sample = make_sample()
        messages = protocol.likelihood_messages(make_context(2), sample, COUNTER, WIDE)
        text = "\n".join(message.text for message in messages)
        assert sample.user_query.text in text
        assert not any(option in text for option in (sample.correct_answer, *sample.incorrect_answers))


# upstream


def test_upstream_shows_query_then_options_in_a_system_message() -> None:
    question = UPSTREAM.pose(make_sample(), 0)
    *history, query, options = UPSTREAM.messages(make_context(2), question, COUNTER, WIDE)
    assert tuple(history) == make_context(2).messages
    assert (query.role, options.role) == ("user", "system")
    assert query.text == RECALLED
    lines = [f"{letter}. {text}" for letter, text in zip("ABCD", question.options, strict=True)]
    assert "\n".join(lines) in options.text
    assert "'Final Answer: [Letter]'" in options.text


def test_upstream_asks_an_open_question_with_the_recall_sentence_alone() -> None:
    question = UPSTREAM.pose_open(make_sample(), 0)
    [message] = UPSTREAM.messages(Context(), question, COUNTER, WIDE)
    assert message.text == RECALLED


def test_upstream_keeps_the_images_of_a_query() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,AA=="}}
    query = Message("user", [{"type": "text", "text": "And this?"}, image])
    question = UPSTREAM.pose(make_sample(user_query=query), 0)
    assert image in UPSTREAM.messages(Context(), question, COUNTER, WIDE)[0].content


def test_upstream_draws_by_persona_and_query_anew_in_each_process() -> None:
    sample = make_sample()
    again = UPSTREAM.pose(make_sample(sample_id="another", row=9), 3)
    assert UPSTREAM.pose(sample, 3).options == again.options
    queries = [make_sample(user_query=Message("user", f"What about day {i}?")) for i in range(30)]
    assert len({UPSTREAM.pose(asked, 3).options for asked in queries}) > 5
    assert len({UPSTREAM.pose(make_sample(persona_id=i), 3).options for i in range(30)}) > 5
    drawn = [tuple(UPSTREAM.pose(sample, seed).options) for seed in range(2400)]
    counts = Counter(drawn)
    assert len(counts) == 24
    assert min(counts.values()) > 60
    code = (
        "from tests.unit.answer.test_protocol import UPSTREAM, make_sample;"
        "print(UPSTREAM.pose(make_sample(), 3).options)"
    )
    root = Path(__file__).resolve().parents[3]
    other = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == str(again.options)


def test_upstream_deletes_what_speaks_of_code_first_and_the_same_each_time() -> None:
    context, question = make_context(), UPSTREAM.pose(make_sample(), 0)
    full = UPSTREAM.messages(context, question, COUNTER, WIDE)
    size = sum(COUNTER.count(message.text) + 4 for message in full)
    window = Window(size - 1 + 100, 100)
    kept = UPSTREAM.messages(context, question, COUNTER, window)
    gone = [message for message in context.messages if message not in kept]
    assert gone and len(gone) % 2 == 0
    assert sum(COUNTER.count(message.text) + 4 for message in gone) >= min(2000, size)
    coded = [message for message in context.messages if "code" in message.text]
    assert set(map(id, coded)) <= set(map(id, gone)) or all("code" in message.text for message in gone)
    assert UPSTREAM.messages(context, question, COUNTER, window) == kept
    assert kept[-2:] == full[-2:]


def test_upstream_deletes_another_set_for_another_question() -> None:
    messages = tuple(
        Message("user" if i % 2 == 0 else "assistant", f"message {i}: code " + "and more " * 60) for i in range(120)
    )
    context = Context(messages, "", is_divisible=True)
    size = sum(COUNTER.count(message.text) + 4 for message in messages)
    kept = [
        UPSTREAM.messages(context, UPSTREAM.pose(make_sample(sample_id=name), 0), COUNTER, Window(size, 0))
        for name in "abc"
    ]
    assert len({tuple(message.text for message in messages) for messages in kept}) == 3
    places = [int(message.text.split()[1].rstrip(":")) for message in kept[0][:-2]]
    assert places == sorted(places)
    assert all(place + 1 in places for place in places if place % 2 == 0), "a question goes with its reply"


def test_upstream_goes_on_with_the_oldest_pairs_but_the_first() -> None:
    messages = tuple(Message("user" if i % 2 == 0 else "assistant", f"m{i} " + "garden " * 200) for i in range(60))
    context, question = Context(messages, "", is_divisible=True), UPSTREAM.pose(make_sample(), 0)
    size = sum(COUNTER.count(message.text) + 4 for message in UPSTREAM.messages(context, question, COUNTER, WIDE))
    kept = UPSTREAM.messages(context, question, COUNTER, Window(size, 1))
    assert kept[:2] == list(messages[:2])
    assert messages[2] not in kept and messages[3] not in kept
    assert kept[-4:-2] == list(messages[-2:])


def test_upstream_fails_too_where_deleting_does_not_help() -> None:
    with pytest.raises(ProviderError):
        UPSTREAM.messages(make_context(), UPSTREAM.pose(make_sample(), 0), COUNTER, Window(60, 10))


def test_upstream_counts_only_what_was_answered() -> None:
    assert (V1.counting.failed, UPSTREAM.counting.failed) == ("wrong", "left_out")
    assert (V1.judge.num_verdicts, UPSTREAM.judge.num_verdicts) == (3, 1)
    assert UPSTREAM.context.persona_system == "keep"


def test_the_two_parsers_differ_where_upstream_is_known_to() -> None:
    assert (V1.parse("Answer: The second"), UPSTREAM.parse("Answer: The second")) == (None, "T")
    reply = r"\boxed{A}, no: \boxed{B}"
    assert (V1.parse(reply), UPSTREAM.parse(reply)) == ("B", "A")


def test_a_question_without_a_key_can_be_worded() -> None:
    question = Question(Message("user", "Well?"), ("a", "b", "c", "d"), "A")
    assert UPSTREAM.messages(make_context(1), question, COUNTER, Window(200, 10))


@pytest.mark.parametrize("name", PINNED)
def test_a_panel_is_the_one_that_the_protocol_fixes(name: str) -> None:
    rules, panel = load_protocol(name).judge, protocol_config(name)
    assert (panel.num_verdicts, panel.unreadable) == (rules.num_verdicts, rules.unreadable)
    assert (panel.temperature, panel.reply_tokens) == (rules.temperature, rules.max_tokens)
    assert panel.form == DEFAULT_FORM
    assert set(rules.rubrics) == set(rules.gold_order)
    assert {f"judge_{kind}" for kind in rules.gold_order} == set(rules.rubrics.values())
