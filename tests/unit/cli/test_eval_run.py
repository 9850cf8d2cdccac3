"""`personamem eval`: limits, shards, the cache and the report's further forms, as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hub_toolkit.cli.main import main


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["eval", *map(str, arguments)])


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PERSONAMEM_CACHE", str(tmp_path / "cache"))


ASK = ("run", "--data", "mini", "--reader", "none", "--model", "fake/hash", "--limit", "20")


def test_limit_stops_with_a_status_of_its_own_and_the_next_call_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "run"
    stopped = invoke(*ASK, "--reply-tokens", "50", "--max-tokens", "2000", "--out", out)
    assert stopped.exit_code == 3
    assert "stopped: --max-tokens 2,000 would be passed" in stopped.stdout
    record = json.loads((out / "run.json").read_bytes())
    assert record["status"] == "stopped" and 0 < record["stop"]["answered"] < 20
    assert "not complete" in invoke("report", out).stderr
    again = invoke(*ASK, "--reply-tokens", "50", "--out", out)
    assert again.exit_code == 0 and "20 rows" in again.stdout


def test_usd_need_a_price(tmp_path: Path) -> None:
    result = invoke(*ASK, "--max-usd", "1", "--out", tmp_path / "run")
    assert result.exit_code == 1 and "needs the price of fake/hash" in result.stderr
    (tmp_path / "prices.toml").write_text('["fake/hash"]\ninput_usd = 1.0\noutput_usd = 1.0\n')
    result = invoke(*ASK, "--max-usd", "1", "--prices", tmp_path / "prices.toml", "--out", tmp_path / "run")
    assert result.exit_code == 0
    assert json.loads((tmp_path / "run" / "run.json").read_bytes())["requests"]["usd"] > 0


def test_no_hours_left_is_a_stop_before_the_first_question(tmp_path: Path) -> None:
    result = invoke(*ASK, "--max-hours", "0", "--out", tmp_path / "run")
    assert result.exit_code == 3 and "0 answers are kept, 20 are left" in result.stdout


def test_shards_are_merged(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    assert invoke(*ASK, "--out", whole).exit_code == 0
    for number in (1, 2):
        assert invoke(*ASK, "--shard", f"{number}/2", "--out", tmp_path / str(number)).exit_code == 0
    merged = invoke("merge", tmp_path / "merged", tmp_path / "2", tmp_path / "1")
    assert merged.exit_code == 0 and "20 rows of 2 shards" in merged.stdout
    assert (tmp_path / "merged" / "samples.jsonl").read_bytes() == (whole / "samples.jsonl").read_bytes()
    assert invoke("report", tmp_path / "merged").exit_code == 0
    assert "write i/n" in invoke(*ASK, "--shard", "3/2", "--out", tmp_path / "x").stderr


def test_cache_is_asked_for(tmp_path: Path) -> None:
    invoke(*ASK, "--out", tmp_path / "a")
    assert not (tmp_path / "cache").exists()
    for name in ("b", "c"):
        assert invoke(*ASK, "--cache", "--out", tmp_path / name).exit_code == 0
    by_status = json.loads((tmp_path / "c" / "run.json").read_bytes())["requests"]["by_status"]
    assert set(by_status) == {"cached"}
    assert (tmp_path / "a" / "samples.jsonl").read_bytes() == (tmp_path / "c" / "samples.jsonl").read_bytes()


def test_defaults_are_the_protocols(tmp_path: Path) -> None:
    assert invoke(*ASK, "--protocol", "upstream", "--out", tmp_path / "run").exit_code == 0
    record = json.loads((tmp_path / "run" / "run.json").read_bytes())
    assert (record["protocol"], record["persona_system"], record["config"]["reply_tokens"]) == (
        "upstream",
        "keep",
        4096,
    )
    assert record["deviations"] == {}
    assert invoke(*ASK, "--protocol", "upstream", "--cap", "99", "--out", tmp_path / "other").exit_code == 0
    assert json.loads((tmp_path / "other" / "run.json").read_bytes())["deviations"] == {"cap_tokens": 99}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--method", "likelihood"], "backends hf or vllm"),
        (["--reader", "external"], "go together"),
        (["--reader", "external", "--external", "nothing"], "nothing"),
        (["--task", "open", "--permutations", "4"], "options to permute"),
    ],
)
def test_one_line_says_what_is_wrong(tmp_path: Path, arguments: list[str], reason: str) -> None:
    result = invoke(*ASK, *arguments, "--out", tmp_path / "run")
    assert result.exit_code == 1, result.output
    assert result.stderr.count("\n") == 1 and reason in result.stderr


def test_reports_on_several_runs_and_as_a_page(tmp_path: Path) -> None:
    for reader in ("none", "oracle"):
        words = ["run", "--data", "mini", "--reader", reader, "--model", "fake/hash", "--out", tmp_path / reader]
        assert invoke(*words).exit_code == 0
    both = invoke("report", tmp_path / "none", tmp_path / "oracle")
    assert both.stdout.count("accuracy, balanced rows") == 2
    assert len(json.loads(invoke("report", "--json", tmp_path / "none", tmp_path / "oracle").stdout)) == 2
    page = invoke("report", tmp_path / "oracle", tmp_path / "none", "--html", tmp_path / "page.html")
    assert page.exit_code == 0 and (tmp_path / "page.html").read_text("utf-8").startswith("<!doctype html>")
    clash = invoke("report", tmp_path / "oracle", tmp_path / "oracle", "--no-context", tmp_path / "none")
    assert clash.exit_code == 2


@pytest.mark.parametrize("answerer", ["lexical", "fake/hash"])
def test_what_waits_for_nothing_is_estimated_too(answerer: str) -> None:
    result = invoke("estimate", "--data", "mini", "--reader", "memory", "--model", answerer)
    assert result.exit_code == 0, result.output
    assert "time: no call to wait for" in result.stdout if answerer == "lexical" else "time: not known" in result.stdout


def test_a_builder_of_ones_own_is_evaluated_and_its_cost_not_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_memory.py").write_text(
        "from hub_toolkit.memory.builders.extractive import ExtractiveBuilder\n"
        "def make(options):\n"
        "    return ExtractiveBuilder(options.counter, cap_tokens=options.cap_tokens)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    ask = ("--data", "mini", "--reader", "memory", "--builder", "own_memory:make", "--limit", "4")
    done = invoke("run", *ask, "--model", "lexical", "--out", tmp_path / "run")
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "run/run.json").read_bytes())["config"]["builder"] == "own_memory:make"
    assert "not known what the builder own_memory:make" in invoke("estimate", *ask, "--model", "fake/hash").stdout
    ask = ("--data", "mini", "--reader", "external", "--limit", "4", "--model", "fake/hash", "--external")
    assert "not known what mem0 asks" in invoke("estimate", *ask, "mem0").stdout
    assert "not known what" not in invoke("estimate", *ask, "bm25").stdout
    wrong = invoke("run", "--data", "mini", "--reader", "memory", "--builder", "own", "--out", tmp_path / "other")
    assert wrong.exit_code == 1 and "module:function" in wrong.stderr


def test_every_command_of_the_group_loads_only_when_called() -> None:
    import subprocess
    import sys

    script = (
        "import sys; from hub_toolkit.cli.main import main; main(['eval', '--help'], standalone_mode=False);"
        "print(sorted(m for m in sys.modules if m.startswith('hub_toolkit.cli.eval_') or m == 'numpy'))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"
    for name in ("run", "report", "estimate", "merge", "compare", "judge"):
        assert name in done.stdout
