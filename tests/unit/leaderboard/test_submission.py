"""What a submission may hold: each refusal names the file, the line and the remedy."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from hub_toolkit.errors import SubmissionError
from hub_toolkit.leaderboard.meta import parse_meta
from hub_toolkit.leaderboard.submission import (
    SubmissionLimits,
    make_plain,
    read_predictions,
    read_submission,
)
from tests.leaderboard_factory import SHA, dump_lines, guess, make_lines, make_meta, mini_board

LIMITS = SubmissionLimits()


def lines() -> list[dict[str, Any]]:
    return make_lines(guess(1))


def test_the_digest_names_the_content_and_not_its_layout() -> None:
    rows = lines()
    plain = read_submission(dump_lines(rows), make_meta(), mini_board())
    turned = [dict(reversed(row.items())) for row in reversed(rows)]
    text = b"\xef\xbb\xbf" + "\r\n".join(json.dumps(row) for row in turned).encode()
    again = read_submission(text, make_meta(url=None, notes=""), mini_board())
    assert again.digest == plain.digest and len(plain.digest) == 64
    other = read_submission(dump_lines(rows), make_meta(name="Other"), mini_board())
    assert other.digest != plain.digest and other.outputs_digest == plain.outputs_digest
    rows[5]["output"] += "."
    assert read_submission(dump_lines(rows), make_meta(), mini_board()).outputs_digest != plain.outputs_digest


def test_claims_are_passed_over() -> None:
    plain = read_submission(dump_lines(lines()), make_meta(), mini_board())
    claimed = [{**row, "is_correct": True, "score": 1.0} for row in lines()]
    found = read_submission(dump_lines(claimed), make_meta(accuracy=0.99, results={"mcq": [1.0]}), mini_board())
    assert found == plain and found.digest == plain.digest


def test_each_wrong_line_is_named() -> None:
    base = lines()
    first, second = base[0]["sample_id"], base[1]["sample_id"]

    def refuse(message: str, change: Any) -> None:
        rows = [dict(row) for row in base]
        data = change(rows)
        with pytest.raises(SubmissionError, match=message):
            read_predictions(data if isinstance(data, bytes) else dump_lines(rows), mini_board(), limits=LIMITS)

    refuse(r"line 2: " + first + " was answered in line 1", lambda rows: rows[1].update(sample_id=first))
    refuse(r"1 of 124 questions have no line, the first is " + second, lambda rows: rows.pop(1) and None)
    refuse(r"line 3: sample_id 'x' is no question", lambda rows: rows[2].update(sample_id="x"))
    refuse(r"line 1: unknown field 'gold'", lambda rows: rows[0].update(gold="A"))
    refuse(r"line 4: output is no text", lambda rows: rows[3].update(output=3))
    refuse(r"line 1: input_tokens is no count", lambda rows: rows[0].update(input_tokens=-1))
    refuse(r"line 1: input_tokens is no count", lambda rows: rows[0].update(input_tokens=True))
    refuse(r"line 1: output holds HTML", lambda rows: rows[0].update(output="A <img src=x onerror=alert(1)>"))
    refuse(r"line 1: memory holds HTML", lambda rows: rows[0].update(memory="<script>"[:7] + ">"))
    refuse(r"line 1: output holds HTML or control", lambda rows: rows[0].update(output="A\x1b[31m"))
    refuse(r"line 1: output has 32,001 characters", lambda rows: rows[0].update(output="x" * 32_001))
    refuse(r"line 2: no UTF-8 \(byte 3", lambda rows: dump_lines(rows[:1]) + b'{"\xff"}\n')
    refuse(r"line 1: broken JSON", lambda _: b"{\n")
    refuse(r"line 1: no JSON object", lambda _: b"[1]\n")
    refuse(r"line 1: .*surrogate", lambda _: b'{"sample_id": "\\ud800", "output": null}\n')
    refuse(r"more blank lines", lambda _: b"\n" * 200)
    refuse(r"line 1: 'output' stands twice", lambda rows: dump_lines(rows).replace(b"{", b'{"output": "A", ', 1))
    refuse(r"line 1: sample_id is no text", lambda rows: rows[0].update(sample_id=3))
    refuse(r"line 1: .*thousands of digits", lambda _: b'{"input_tokens": %s}\n' % (b"9" * 5000))
    refuse(r"line 1: output holds HTML or control", lambda rows: rows[0].update(output="A\x9b31m"))
    refuse(r"line 1: .*stand together", lambda rows: rows[0].update(other_output="A"))
    refuse(r"line 1: .*no other persona", lambda rows: rows[0].update(other_output="A", other_persona_id=10**6))
    refuse(r"every output is null", lambda rows: [row.update(output=None) for row in rows] and None)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04\x14\x00", "ZIP archive"),
        (gzip.compress(b"{}", mtime=0), "compressed"),
        ('{"sample_id": "x"}'.encode("utf-16"), "UTF-16"),
        ('{"sample_id": "x"}'.encode("utf-16-be"), "zero bytes"),
        (b"[\n {}]", "no JSON object, it begins an array"),
    ],
)
def test_another_kind_of_file_is_called_by_its_name(data: bytes, message: str) -> None:
    with pytest.raises(SubmissionError, match=message):
        read_predictions(data, mini_board(), limits=LIMITS)


@pytest.mark.parametrize(
    "text",
    [
        "<img src=x onerror=y()",
        "<svg/onload=y()>",
        "<b>x</b>",
        "<p class=x>",
        f"<img alt='{'x' * 300}' src=y>",
        "<x onclick=y>",
    ],
)
def test_html_is_refused_however_it_is_written(text: str) -> None:
    rows = lines()
    rows[0]["output"] = text
    with pytest.raises(SubmissionError, match="line 1: output holds HTML"):
        read_predictions(dump_lines(rows), mini_board(), limits=LIMITS)
    rows[0]["output"] = make_plain(text)
    read_predictions(dump_lines(rows), mini_board(), limits=LIMITS)


def test_a_null_output_counts_as_failed_and_needs_its_line() -> None:
    rows = lines()
    rows[0] |= {"output": None, "error": "timeout"}
    found = read_predictions(dump_lines(rows), mini_board(), limits=LIMITS)
    assert found[0].output is None and found[0].error == "timeout"


@pytest.mark.timeout(20)
@pytest.mark.parametrize("data", [b"\n" * 20_000_000, b"<a " * 300_000, b'{"sample_id":"' + b"\\u0041" * 150_000])
def test_large_rubbish_is_refused_at_once(data: bytes) -> None:
    with pytest.raises(SubmissionError):
        read_predictions(data, mini_board(), limits=LIMITS)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text", ["<a " * 10_000, "<" + " " * 31_000, "<!" * 16_000, "<a" + "x" * 31_000, "< /" * 10_000]
)
def test_no_output_stalls(text: str) -> None:
    rows = lines()
    for row in rows:
        row["output"] = text
    read_predictions(dump_lines(rows), mini_board(), limits=LIMITS)


@pytest.mark.parametrize(
    "text",
    ["if a < b and c > d", "x <- 3", "I ❤ 日本 \u202bשלום\u202c 👩‍👩‍👧", "<think>\nB</think> \\boxed{B}", "a\tb\n"],
)
def test_ordinary_text_is_taken_as_it_is(text: str) -> None:
    rows = lines()
    rows[0]["output"] = text
    assert read_predictions(dump_lines(rows), mini_board(), limits=LIMITS)[0].output == text
    assert make_plain(text) == text


@pytest.mark.parametrize("text", ["<b>x</b><br>", "a <SCRIPT>", "JavaScript:x", "data:text/html,x", "<!-- x", "\x00A"])
def test_what_is_made_plain_is_acceptable(text: str) -> None:
    rows = lines()
    rows[0]["output"] = make_plain(text)
    rows[1]["output"] = make_plain(f"{text} <br> {text}")
    read_predictions(dump_lines(rows), mini_board(), limits=LIMITS)


def test_the_board_must_be_the_one() -> None:
    for name, value in {"dataset": "other/data", "dataset_revision": SHA, "protocol": "v9"}.items():
        with pytest.raises(SubmissionError, match=f"meta.yaml: {name} is"):
            read_submission(dump_lines(lines()), make_meta(**{name: value}), mini_board())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": None}, "name missing"),
        ({"rank": 1}, "unknown field 'rank'.*computed here"),
        ({"name": "<b>x</b>"}, "name holds markup"),
        ({"name": "a\u202eb"}, "invisible"),
        ({"model": "no-owner"}, "model 'no-owner' will not do"),
        ({"model": "../../etc/passwd"}, "model"),
        ({"revision": "main"}, "pins nothing"),
        ({"revision": "api:2026-02-30"}, "pins nothing"),
        ({"revision": "toolkit:0.1.0"}, "pins nothing"),
        ({"task": "essay"}, "none of mcq, open"),
        ({"licence": "=cmd()"}, "SPDX"),
        ({"parameters_b": "8"}, "no number"),
        ({"parameters_b": True}, "no number"),
        ({"cost_usd": -1}, "no number"),
        ({"url": "http://169.254.169.254/latest"}, "no https address"),
        ({"url": "javascript:alert(1)"}, "markup|https"),
        ({"contact": "x" * 121}, "121 characters"),
        ({"name": ["a"]}, "no text"),
        ({"name": "\u3164"}, "invisible"),
        ({"name": "A\U000e0041"}, "invisible"),
        ({"name": "Z" + "\u0301" * 9}, "invisible"),
        ({"model": "a/b../c"}, "model"),
        ({"licence": "whatever I want"}, "SPDX"),
        ({"Name": "x"}, "did you mean name"),
        ({"url": "https://[::1"}, "no https address"),
        ({"url": "https://169.254.169.254/"}, "no https address"),
        ({"url": "https://localhost.:8080/"}, "no https address"),
        ({"url": 'https://example.org/"onclick=x'}, "no https address"),
    ],
)
def test_each_wrong_field_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SubmissionError, match=message):
        parse_meta(make_meta(**changes))


@pytest.mark.parametrize(
    ("model", "revision"),
    [("personamem/lexical", "toolkit:0.1.0"), ("openai/gpt-x", "api:2026-11-21"), ("a/b", SHA), ("a/b", "f" * 64)],
)
def test_revisions_that_pin(model: str, revision: str) -> None:
    assert parse_meta(make_meta(model=model, revision=revision)).revision == revision


def test_a_character_beyond_the_first_plane_is_read_however_it_is_escaped() -> None:
    assert rb"\ud83d\ude80" in make_meta(name="\U0001f680 one")
    assert parse_meta(make_meta(name="\U0001f680 one")).name == "\U0001f680 one"


def test_a_commit_is_one_in_capitals_too() -> None:
    assert parse_meta(make_meta(revision=SHA.upper())).revision == SHA


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"name: a\nmodel: b\nname: c", "line 3: name stands twice"),
        (b"? [a, b]\n: 1", "line 1: no YAML"),
        (b'{"name": "\\ud800"}', "half a character"),
        (b"cost_usd: " + b"9" * 5000, "no YAML"),
        (b"a: &x [1]\nb: *x", "anchors"),
        (b"a: &x1 [l]\n" + b"\n".join(b"b%d: [*x1,*x1]" % n for n in range(50)), "anchors"),
        (b"name: !!python/object/apply:os.system [ls]", "tags"),
        (b"name: !!bool x", "tags"),
        (b"name: !!timestamp x", "tags"),
        (b"[" * 5000, "nested too deeply"),
        (b"a: {b: {c: {d: {e: 1}}}}", "nested too deeply"),
        (b"x" * 20_000, "at most 16,384"),
        (b"\xff\xfe", "no UTF-8"),
        (b"just text", "holds no fields"),
        (b"- a", "holds no fields"),
        (b"1: a", "holds no fields"),
        (b"a: 2001-99-99", "no YAML"),
        (b"a: [", "no YAML"),
        (b"", "holds no fields"),
    ],
)
def test_yaml_that_is_dangerous_or_broken_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(SubmissionError, match=message):
        parse_meta(text)
