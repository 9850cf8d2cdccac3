"""Scores are the evaluator's own; flags tell copies and rules from good systems; every row has every column."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from hub_toolkit.evaluate.rows import read_choice
from hub_toolkit.leaderboard.board import Board
from hub_toolkit.leaderboard.flags import Answers, choices_of, find_copy, find_rule_flags, flag_copies, gold_choices
from hub_toolkit.leaderboard.rank import (
    COLUMNS,
    Receipt,
    TableRow,
    decode_row,
    encode_row,
    filter_rows,
    make_table_row,
    rank_rows,
)
from hub_toolkit.leaderboard.score import score_submission
from hub_toolkit.leaderboard.submission import read_submission
from tests.leaderboard_factory import Rule, dump_lines, gold, guess, longest, make_lines, make_meta, mini_board

RECEIPT = Receipt("bob", "2026-11-21T10:00:00Z")


def make_row(rule: Rule, *, time: str = RECEIPT.time, **meta: Any) -> TableRow:
    submission = read_submission(dump_lines(make_lines(rule)), make_meta(**meta), mini_board())
    scored = score_submission(submission, mini_board())
    return make_table_row(
        submission, scored, mini_board(), Receipt("bob", time), find_rule_flags(scored.rows, scored.samples)
    )


def test_accuracy_is_counted_over_the_rows_of_which_chance_is_known() -> None:
    rule = guess(3)
    rows = make_lines(rule)
    row = make_row(guess(3))
    chosen = [
        (line["output"], mini_board().questions[line["sample_id"]].gold)
        for line in rows
        if (sample := mini_board().by_id[line["sample_id"]]).group_id is not None
        and not sample.is_sensitive
        and sample.pref_type != "sensitive_info"
    ]
    right = sum(gold in output for output, gold in chosen)
    assert row["accuracy"] == pytest.approx(right / len(chosen))
    assert row["accuracy_low"] < row["accuracy"] < row["accuracy_high"]
    assert (row["tier"], row["status"], row["num_scored"]) == ("recomputed", "scored", 124)


def test_claims_are_not_read_and_outputs_are_parsed_here() -> None:
    board = mini_board()
    lines = make_lines(gold)
    for line in lines[:40]:
        line["output"] = "I cannot say."
    lines[40] |= {"output": None, "error": "timeout"}
    scored = score_submission(read_submission(dump_lines(lines), make_meta(), board), board)
    statuses = [row.answer.status for row in scored.rows]
    assert (statuses.count("unparsed"), statuses.count("failed"), statuses.count("scored")) == (40, 1, 83)
    assert scored.report is not None and scored.report["accuracy"]["value"] < 0.75


@pytest.mark.parametrize("output", ["\\boxed{A}", "Final answer: (c)", "E", "no idea", "", None])
def test_answers_are_read_as_a_run_reads_them(output: str | None) -> None:
    board = mini_board()
    lines = make_lines(gold)
    lines[0] |= {"output": output, "error": None if output is not None else "timeout", "input_tokens": 7}
    row = score_submission(read_submission(dump_lines(lines), make_meta(), board), board).rows[0]
    entry = dict.fromkeys(("finish_reason", "context_tokens"))
    entry |= {"reply": output, "error": lines[0]["error"], "input_tokens": 7, "output_tokens": 0, "is_estimated": False}
    assert row.answer == read_choice(entry, board.questions[row.sample_id], board.protocol)


def test_the_control_is_taken_only_when_it_is_whole() -> None:
    board = mini_board()
    lines = make_lines(gold, no_context_output="\\boxed{A}")
    whole = score_submission(read_submission(dump_lines(lines), make_meta(), board), board)
    assert whole.report is not None and whole.report["baselines"]["no_context"]["value"] == pytest.approx(0.25, abs=0.1)
    del lines[7]["no_context_output"]
    part = score_submission(read_submission(dump_lines(lines), make_meta(), board), board)
    assert part.report is not None and part.report["baselines"]["no_context"] is None


def test_open_answers_wait_for_judges() -> None:
    row = make_row(guess(1), task="open")
    assert (row["status"], row["tier"], row["accuracy"], row["num_unscored"]) == (
        "pending_judges",
        "self_reported",
        None,
        124,
    )


def test_every_row_has_every_column_and_survives_its_file() -> None:
    for row in (make_row(guess(1)), make_row(guess(1), task="open"), make_row(gold, url="https://example.org/x")):
        assert set(row) == set(COLUMNS)
        line = json.loads(json.dumps(encode_row(row), allow_nan=False))
        assert decode_row(line) == row
        for name, kind in COLUMNS.items():
            wanted = {"string": str, "float64": int | float, "int64": int, "list": list}[kind]
            assert line[name] is None or isinstance(line[name], wanted), name
    assert decode_row({"name": "old"})["verified"] is None


def test_rules_without_reading_are_flagged_and_good_systems_are_not() -> None:
    def kinds(rule: Rule) -> list[str]:
        return [flag.partition(":")[0] for flag in make_row(rule)["flags"]]

    assert kinds(longest) == ["longest_option"]
    assert kinds(gold) == ["equals_gold"]
    assert kinds(lambda _: "C") == ["always_C"]
    for accuracy in (0.25, 0.5, 0.8, 0.95):
        assert kinds(guess(1, accuracy)) == []


def choices(rule: Rule) -> str:
    board = mini_board()
    return choices_of(score_submission(read_submission(dump_lines(make_lines(rule)), make_meta(), board), board).rows)


def flag_of(a: str, b: str, right: str) -> str | None:
    found = find_copy(Answers("a", a), Answers("b", b), right, "other")
    return found.kind if found else None


def test_copies_are_found_and_two_good_systems_are_not_copies() -> None:
    source, right = random.Random(1), gold_choices(mini_board()) * 10
    weak = "".join(c if source.random() < 0.6 else source.choice("ABCD") for c in right)
    touched = "".join(c if source.random() < 0.995 else source.choice("ABCD") for c in weak)
    worked_over = "".join(r if source.random() < 0.15 else c for c, r in zip(weak, right, strict=True))
    assert flag_of(weak, weak, right) == "same_choices"
    assert flag_of(touched, weak, right) == "near_copy"
    assert flag_of(worked_over, weak, right) == "same_errors"
    for accuracy in (0.25, 0.6, 0.9, 0.99, 1.0):
        a, b = ("".join(c if source.random() < accuracy else source.choice("ABCD") for c in right) for _ in range(2))
        assert flag_of(a, b, right) is None, accuracy
    assert flag_of(weak, weak[:-1], right) is None


def make_open_row(texts: list[str], name: str, time: str = RECEIPT.time) -> TableRow:
    lines = [{"sample_id": one, "output": text} for one, text in zip(mini_board().by_id, texts, strict=True)]
    submission = read_submission(dump_lines(lines), make_meta(task="open", name=name), mini_board())
    scored = score_submission(submission, mini_board())
    flags = find_rule_flags(scored.rows, scored.samples)
    return make_table_row(submission, scored, mini_board(), Receipt("bob", time), flags)


def test_open_answers_are_compared_by_their_words() -> None:
    """A copy is told whatever its spaces and capitals, with a word before or some answers exchanged; others are not."""
    source, words = random.Random(7), [word for one in mini_board().samples for word in one.correct_answer.split()]
    first, other = ([" ".join(source.choices(words, k=40)) for _ in mini_board().samples] for _ in range(2))
    half = [a if place % 2 else b for place, (a, b) in enumerate(zip(first, other, strict=True))]
    texts = {
        "spaces": [text.upper().replace(" ", "\n  ") for text in first],
        "words": [f"Well, {text}" for text in first],
        "exchanged": [*other[:3], *first[3:]],
        "other": other,
        "half": half,
    }
    rows = [make_open_row(first, "first")]
    rows += [make_open_row(said, name, f"2026-11-21T10:00:0{n}Z") for n, (name, said) in enumerate(texts.items(), 1)]
    pairs = {row["name"]: flag_copies([rows[0], row], frozenset({row["submission"]}), "") for row in rows[1:]}
    found = {name: [flag.partition(":")[0] for flag in pair[1]["flags"]] for name, pair in pairs.items()}
    assert found == {name: ["near_copy"] if name in ("spaces", "words", "exchanged") else [] for name in texts}
    assert decode_row(encode_row(rows[0]))["sketch"] == rows[0]["sketch"] and len(rows[0]["sketch"]) < 2_000


def test_open_answers_that_hold_the_options_are_flagged() -> None:
    samples = mini_board().samples
    for name, texts in {
        "repeats_gold_text": [f"I would say: {one.correct_answer.upper()}" for one in samples],
        "repeats_option_text": [one.incorrect_answers[2] for one in samples],
        "": ["Go for a walk, it will do you good."] * len(samples),
    }.items():
        assert [flag.partition(":")[0] for flag in make_open_row(texts, "x")["flags"]] == ([name] if name else [])


def test_a_licence_has_one_spelling_in_the_table() -> None:
    for said in ("Apache 2.0", "apache-2.0", "Apache License, Version 2.0"):
        assert make_row(guess(1), licence=said)["licence"] == "apache-2.0"
    assert make_row(guess(1), licence="MIT OR CC0-1.0")["licence"] == "MIT OR CC0-1.0"


def test_the_later_of_a_pair_carries_the_flag_in_every_order() -> None:
    rows = [
        make_row(guess(5), time="2026-11-21T10:00:02Z", name="later"),
        make_row(guess(5), time="2026-11-21T10:00:01Z", name="first"),
        make_row(guess(6), time="2026-11-21T10:00:03Z", name="else"),
    ]
    right = gold_choices(mini_board())
    expected = {"later": 1, "first": 0, "else": 0}
    whole = flag_copies(rows, frozenset(row["submission"] for row in rows), right)
    assert {row["name"]: len(row["flags"]) for row in whole} == expected
    table: list[TableRow] = []
    for row in rows:
        table = flag_copies([*table, row], frozenset({row["submission"]}), right)
    assert table == whole
    assert flag_copies(whole, frozenset(row["submission"] for row in rows), right) == whole


def test_rows_rank_by_accuracy_and_filter() -> None:
    rows = [make_row(guess(1, share), name=f"S{share}") for share in (0.3, 0.9)] + [make_row(guess(1), task="open")]
    ranked = rank_rows(rows)
    assert [row["name"] for row in ranked] == ["S0.9", "S0.3", "A system"]
    assert [row["name"] for row in filter_rows(ranked, text="s0.9", task="mcq")] == ["S0.9"]
    assert filter_rows(ranked, task="open") == [ranked[-1]]


def test_boards_of_other_questions_have_another_column() -> None:
    board = mini_board()
    other = Board(board.dataset, "0" * 64, "benchmark", board.protocol, board.samples)
    assert other.column != board.column and other.ids_digest == board.ids_digest
