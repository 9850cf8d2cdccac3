"""`personamem leaderboard` from a run to the table, as people call it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hub_toolkit.cli.main import main
from tests.conftest import require_extra
from tests.fake_judges import RuleJudge, perfect
from tests.hub_server import HubServer
from tests.leaderboard_factory import SHA, dump_lines, guess, make_lines, make_meta, make_repos, mini_board

for _name in ("huggingface_hub", "datasets", "yaml"):
    require_extra("rehearse", importlib.util.find_spec(_name) is not None, f"{_name} is not installed")

SAID = ("--name", "Lexical", "--licence", "apache-2.0", "--contact", "bob")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the lexical answerer on the right snippets."""
    out = tmp_path_factory.mktemp("runs") / "oracle"
    call("eval", "run", "--data", "mini", "--reader", "oracle", "--out", str(out))
    return out


def call(*arguments: str, token: str = "hf_alice", code: int = 0) -> str:
    """Call the command; its account is that of the token."""
    result = CliRunner().invoke(main, list(arguments), env={"HF_TOKEN": token})
    assert result.exit_code == code, result.output
    return result.output


def board(name: str) -> tuple[str, ...]:
    repos = make_repos(name)
    return ("--submissions", repos.submissions.repo_id, "--results", repos.results.repo_id)


def rows(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(call("leaderboard", "show", "--json", *board(name)))
    return found


def test_a_run_becomes_a_row(hub: HubServer, run: Path, tmp_path: Path) -> None:  # noqa: ARG001
    at = board("commands")
    report = json.loads(call("eval", "report", str(run), "--json"))
    dry = call("leaderboard", "submit", str(run), *SAID, "--dry-run", "--out", str(tmp_path), *at)
    assert "nothing was sent" in dry
    files = (str(tmp_path / "predictions.jsonl"), str(tmp_path / "meta.yaml"))
    assert "acceptable" in call("leaderboard", "validate", *files)
    assert json.loads(call("leaderboard", "score", *files, "--json"))["accuracy"] == report["accuracy"]["value"]
    said = call("leaderboard", "submit", str(run), *SAID, *at)
    assert said.startswith("received: ")
    assert call("leaderboard", "submit", str(tmp_path), *at).startswith("known: ")
    assert "1 submissions wait" in call("leaderboard", "show", *at)
    assert "scored 1" in call("leaderboard", "work", *at)
    [row] = rows("commands")
    assert (row["model"], row["revision"], row["context"]) == ("personamem/lexical", "toolkit:0.1.0", "oracle")
    for name, found in {
        "accuracy": report["accuracy"],
        "lift": report["counterfactual_lift"],
        "no_context": report["baselines"]["no_context"],
        "length_controlled": report["length_controlled"],
    }.items():
        assert (row[name], row[f"{name}_low"]) == (found["value"], found["low"]), name
    assert row["submission"][:12] in call("leaderboard", "show", *at)
    assert "length controlled" in call("leaderboard", "show", row["submission"][:8], *at)
    assert "scored" in call("leaderboard", "show", "--log", *at)


def test_an_outsider_proposes_withdraws_and_disputes(hub: HubServer, tmp_path: Path) -> None:  # noqa: ARG001
    at = board("outsider")
    for name, seed in (("alices", 1), ("bobs", 2)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "predictions.jsonl").write_bytes(dump_lines(make_lines(guess(seed))))
        (folder / "meta.yaml").write_bytes(make_meta(name=name))
    call("leaderboard", "submit", str(tmp_path / "alices"), *at)
    assert call("leaderboard", "submit", str(tmp_path / "bobs"), *at, token="hf_bob").startswith("proposed: ")
    call("leaderboard", "work", *at)
    by_name = {row["name"]: row for row in rows("outsider")}
    assert by_name["bobs"]["submitter"] == "bob" and by_name["alices"]["submitter"] == "alice"
    bobs, alices = by_name["bobs"]["submission"], by_name["alices"]["submission"]
    assert "B - A" in call("leaderboard", "compare", alices, bobs[:10], *at)
    for kind, digest in (("withdraw", bobs), ("dispute", alices), ("withdraw", alices)):
        assert "asked for" in call("leaderboard", kind, digest, "--reason", "so", *at, token="hf_bob")
    call("leaderboard", "work", *at)
    [row] = rows("outsider")
    assert row["submission"] == alices and row["dispute"]["who"] == "bob"
    assert "withdrawn" in call("leaderboard", "show", bobs, *at)
    call("leaderboard", "dispute", alices, "--settle", "--reason", "looked at", *at)
    assert rows("outsider")[0]["dispute"] is None


def test_a_rerun_verifies_and_shows_the_gap(hub: HubServer, run: Path, tmp_path: Path) -> None:  # noqa: ARG001
    at = board("verify")
    call("leaderboard", "submit", str(run), *SAID, *at)
    call("leaderboard", "work", *at)
    [row] = rows("verify")
    doubled = call("leaderboard", "verify", row["submission"], "--run", str(run), "--held-out", str(run), *at, code=1)
    assert "questions of the public board" in doubled
    other = tmp_path / "none"
    call("eval", "run", "--data", "mini", "--reader", "none", "--out", str(other))
    assert "read none" in call("leaderboard", "verify", row["submission"], "--run", str(other), *at, code=1)
    held_out = tmp_path / "private"
    held_out.mkdir()
    lines = [json.loads(line) for line in (run / "samples.jsonl").read_text("utf-8").splitlines()]
    for number, line in enumerate(lines):
        line |= {"sample_id": f"private-{number}"}
        if number % 2:
            line |= {"choice": None, "is_correct": False, "status": "unparsed"}
    (held_out / "samples.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    (held_out / "run.json").write_bytes((run / "run.json").read_bytes())
    said = call("leaderboard", "verify", row["submission"], "--run", str(run), "--held-out", str(held_out), *at)
    assert "same choices 100.0%" in said and "gap +" in said
    [row] = rows("verify")
    assert row["tier"] == "verified" and row["verified"]["gap"] > 0.2 and row["verified"]["who"] == "alice"


def test_open_answers_are_judged(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    at = board("judged")
    samples = mini_board().samples
    lines = [
        {"sample_id": sample.sample_id, "output": sample.correct_answer if place % 2 else "Nothing of it."}
        for place, sample in enumerate(samples)
    ]
    (tmp_path / "predictions.jsonl").write_bytes(dump_lines(lines))
    (tmp_path / "meta.yaml").write_bytes(make_meta(task="open"))
    call("leaderboard", "submit", str(tmp_path), *at)
    call("leaderboard", "work", *at)
    [row] = rows("judged")
    assert row["status"] == "pending_judges"
    monkeypatch.setattr("hub_toolkit.cli.judge.load_model", lambda *_, **__: RuleJudge(perfect))
    job = ("--judge", "fake/judge", "--out", str(tmp_path / "verdicts"))
    call("leaderboard", "judge", row["submission"], *job, *at)
    [row] = rows("judged")
    assert (row["status"], row["tier"], row["num_scored"]) == ("scored", "recomputed", 124)
    assert 0.3 < row["accuracy"] < 0.7 and "fake/judge" in row["judges"] and row["agreement"] in (None, 1.0)
    assert "judged" in call("leaderboard", "show", "--log", *at)


def test_a_row_is_proposed_to_its_model(hub: HubServer, tmp_path: Path) -> None:
    from huggingface_hub import HfApi

    from hub_toolkit.cli.main import main as _  # noqa: F401
    from hub_toolkit.data.parse import resolve_dataset

    at, data = board("export"), ("--data", str(resolve_dataset("mini")), "--dataset", f"personamem/mini@{SHA}")
    meta = make_meta(model="personamem/export-model", dataset="personamem/mini", dataset_revision=SHA)
    (tmp_path / "predictions.jsonl").write_bytes(dump_lines(make_lines(guess(1))))
    (tmp_path / "meta.yaml").write_bytes(meta)
    api = HfApi(endpoint=hub.url, token="hf_alice")
    api.create_repo("personamem/export-model", exist_ok=True)
    call("leaderboard", "submit", str(tmp_path), *data, *at)
    call("leaderboard", "work", *data, *at)
    [row] = rows("export")
    call("leaderboard", "export", row["submission"], "--to", "personamem/another", *at, code=1)
    first = call("leaderboard", "export", row["submission"], "--to", "personamem/export-model", *at)
    assert call("leaderboard", "export", row["submission"], "--to", "personamem/export-model", *at) == first
    [found] = list(api.get_repo_discussions("personamem/export-model"))
    api.merge_pull_request("personamem/export-model", found.num)
    path = f".eval_results/personamem-{row['submission'][:12]}.yaml"
    text = Path(api.hf_hub_download("personamem/export-model", path)).read_text("utf-8")
    assert str(round(100 * row["accuracy"], 2)) in text and row["submission"] in text and SHA in text


def test_what_is_wrong_is_said(tmp_path: Path, run: Path) -> None:
    (tmp_path / "p").write_bytes(b"{}\n")
    (tmp_path / "m").write_bytes(make_meta())
    assert "line 1: sample_id or output is missing" in call(
        "leaderboard", "validate", str(tmp_path / "p"), str(tmp_path / "m"), code=1
    )
    assert "--name" in call("leaderboard", "submit", str(run), code=2)
    assert "dataset_revision" in call("leaderboard", "template")
    record = json.loads((run / "run.json").read_text("utf-8"))
    record["seed"] = 1
    (tmp_path / "run.json").write_text(json.dumps(record), "utf-8")
    (tmp_path / "samples.jsonl").write_bytes((run / "samples.jsonl").read_bytes())
    assert "seed 1" in call("leaderboard", "submit", str(tmp_path), *SAID, code=1)
    (tmp_path / "run.json").write_bytes((run / "run.json").read_bytes())
    first, _, rest = (run / "samples.jsonl").read_text("utf-8").partition("\n")
    line = json.loads(first)
    line["options"] = [*line["options"][1:], line["options"][0]]
    (tmp_path / "samples.jsonl").write_text(f"{json.dumps(line)}\n{rest}", "utf-8")
    assert "other options" in call("leaderboard", "submit", str(tmp_path), *SAID, code=1)
    (tmp_path / "samples.jsonl").write_text(rest, "utf-8")
    assert "not answer all" in call("leaderboard", "submit", str(tmp_path), *SAID, code=1)


SCRIPT = """
import time
from pathlib import Path
from hub_toolkit.cli.rehearsal import rehearse_release
with rehearse_release() as settings:
    from hub_toolkit.hub.client import connect
    from hub_toolkit.hub.leaderboard.last_good import load_table
    from hub_toolkit.hub.leaderboard.store import BoardRepos
    for _ in range(240):
        table = load_table(connect(settings), BoardRepos.of("personamem"), settings.hub_cache_dir)
        if len(table.rows) == 7:
            break
        time.sleep(0.25)
    for row in table.rows:
        print(row["name"], row["tier"], row["way"], round(row["accuracy"], 2))
"""


def test_the_rehearsal_fills_its_board(tmp_path: Path) -> None:
    env = {**os.environ, "PERSONAMEM_CACHE": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 7 and all(" recomputed rehearsal " in line for line in lines)
    assert "word overlap, extractive memory recomputed rehearsal 0.8" in done.stdout
    assert "the leaderboard has 7 rows" in done.stderr
