"""`personamem leaderboard` from a run to the table, as people call it."""

from __future__ import annotations

import importlib.util
import json
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
    held_out = rewrite_run(run, tmp_path / "private", is_private=True, num_unparsed=62)
    said = call("leaderboard", "verify", row["submission"], "--run", str(run), "--held-out", str(held_out), *at)
    assert "same choices 100.0%" in said and "gap +" in said
    [row] = rows("verify")
    assert row["tier"] == "verified" and row["verified"]["who"] == "alice"
    assert 0 < row["verified"]["gap_low"] < row["verified"]["gap"] < row["verified"]["gap_high"]


def test_a_rerun_that_scores_less_verifies_nothing(hub: HubServer, run: Path, tmp_path: Path) -> None:  # noqa: ARG001
    """The row says so until a rerun bears it out; a rerun of another model says nothing about it."""
    at = board("not-reproduced")
    call("leaderboard", "submit", str(run), *SAID, *at)
    call("leaderboard", "work", *at)
    [row] = rows("not-reproduced")
    stranger = rewrite_run(run, tmp_path / "stranger", model="openai/some/model")
    verify = ("leaderboard", "verify", row["submission"], "--run")
    assert "is of the model some/model" in call(*verify, str(stranger), *at, code=1)
    mixed = call(
        *verify, str(run), "--held-out", str(rewrite_run(stranger, tmp_path / "x", is_private=True)), *at, code=1
    )
    assert "its model is not that of" in mixed
    worse = rewrite_run(run, tmp_path / "worse", num_unparsed=62)
    assert "not verified" in call(*verify, str(worse), *at)
    [row] = rows("not-reproduced")
    assert row["tier"] == "recomputed" and row["verified"]["excess_low"] > 0
    assert [flag.partition(":")[0] for flag in row["flags"]] == ["not_reproduced"]
    assert "not_reproduced" in call("leaderboard", "show", "--log", *at)
    call(*verify, str(rewrite_run(run, tmp_path / "alike", num_unparsed=1)), *at)
    [row] = rows("not-reproduced")
    assert row["tier"] == "verified" and row["flags"] == []


def rewrite_run(
    run: Path, folder: Path, *, is_private: bool = False, num_unparsed: int = 0, model: str | None = None
) -> Path:
    """Write a run anew: with other ids, with replies that say nothing, or of another model."""
    folder.mkdir()
    lines = [json.loads(line) for line in (run / "samples.jsonl").read_text("utf-8").splitlines()]
    for number, line in enumerate(lines):
        line |= {"sample_id": f"private-{number}"} if is_private else {}
        if number < num_unparsed:
            line |= {"choice": None, "is_correct": False, "status": "unparsed"}
    record = json.loads((run / "run.json").read_text("utf-8"))
    record["model"] |= {"name": model} if model else {}
    (folder / "samples.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    (folder / "run.json").write_text(json.dumps(record), "utf-8")
    return folder


def test_open_answers_are_judged(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    at = board("judged")
    samples = mini_board().samples
    for name, every in (("half", 2), ("third", 3)):
        lines: list[dict[str, Any]] = [
            {"sample_id": sample.sample_id, "output": "Nothing of it." if place % every else sample.correct_answer}
            for place, sample in enumerate(samples)
        ]
        lines[0] |= {"output": None, "error": "out of memory"}
        (tmp_path / name).mkdir()
        (tmp_path / name / "predictions.jsonl").write_bytes(dump_lines(lines))
        (tmp_path / name / "meta.yaml").write_bytes(make_meta(task="open", name=name))
        call("leaderboard", "submit", str(tmp_path / name), *at)
    call("leaderboard", "work", *at)
    half, third = sorted(rows("judged"), key=lambda row: row["name"])
    assert half["status"] == third["status"] == "pending_judges"
    pair = (third["submission"], half["submission"])
    assert "waits for judges" in call("leaderboard", "compare", *pair, *at, code=1)
    for row in (half, third):
        monkeypatch.setattr("hub_toolkit.cli.judge.load_model", lambda *_, **__: RuleJudge(perfect))
        job = ("--judge", "fake/judge", "--out", str(tmp_path / f"verdicts-{row['name']}"))
        call("leaderboard", "judge", row["submission"], *job, *at)
    half, third = sorted(rows("judged"), key=lambda row: row["name"])
    assert (half["status"], half["tier"], half["num_scored"], half["num_failed"]) == ("scored", "recomputed", 123, 1)
    assert 0.3 < half["accuracy"] < 0.7 and "fake/judge" in half["judges"] and half["agreement"] in (None, 1.0)
    assert half["choices"].startswith("!01") and len(half["choices"]) == len(samples)
    assert "judged" in call("leaderboard", "show", "--log", *at)
    found = json.loads(call("leaderboard", "compare", *pair, "--json", *at))["overall"]
    assert found["difference"] == pytest.approx(half["accuracy"] - third["accuracy"]) and found["difference"] > 0.05
    verify_judged(half["submission"], tmp_path / "verdicts-half", tmp_path, at)


def verify_judged(digest: str, judged: Path, tmp_path: Path, at: tuple[str, ...]) -> None:
    """Open answers are verified by a rerun that the same judges judged; one that broke verifies and accuses nobody."""
    verify = ("leaderboard", "verify", digest, *at, "--run")
    assert "holds what was sent" in call(*verify, str(judged), code=1)
    again, worse, broken = (rerun_open(judged, tmp_path / name, **how) for name, how in OPEN_RERUNS.items())
    assert "nobody judged its answers" in call(*verify, str(again), code=1)
    for folder in (again, worse, broken):
        call("eval", "judge", str(folder), "--model", "fake/judge", "--data", "mini")
    assert "10 of 124 answers of the rerun failed" in call(*verify, str(broken), code=1)
    held_out = rerun_open(judged, tmp_path / "held", prefix="private-")
    (held_out / "judge.json").write_bytes((worse / "judge.json").read_bytes())
    assert "have changed" in call(*verify, str(again), "--held-out", str(held_out), code=1)
    assert "not verified" in call(*verify, str(worse))
    assert [flag.partition(":")[0] for flag in find_row("judged", digest)["flags"]] == ["not_reproduced"]
    assert "same verdicts 99.2%" in call(*verify, str(again))
    row = find_row("judged", digest)
    assert (row["tier"], row["flags"], row["verified"]["rerun_lost"]) == ("verified", [], 1)
    assert row["verified"]["excess_low"] <= 0 <= row["verified"]["excess_high"]
    assert "maintainers' rerun" in call("leaderboard", "show", digest, *at)
    job = ("leaderboard", "judge", digest, *at, "--judge", "fake/judge", "--out")
    call(*job, str(judged))
    assert find_row("judged", digest)["tier"] == "verified"
    call(*job, str(tmp_path / "one"), "--verdicts", "1")
    assert (row := find_row("judged", digest))["tier"] == "recomputed" and row["judges"].endswith("num_verdicts 1")
    assert "judged by fake/judge #1" in call(*verify, str(again), code=1)


OPEN_RERUNS: dict[str, dict[str, Any]] = {
    "again": {"num_wrong": 3},
    "worse": {"num_wrong": 62},
    "broken": {"num_failed": 10},
}


def rerun_open(judged: Path, folder: Path, *, num_wrong: int = 0, num_failed: int = 0, prefix: str = "") -> Path:
    """Write judged answers as a run of one's own, not judged yet: the first ones changed, or failed."""
    folder.mkdir()
    lines = [json.loads(line) for line in (judged / "samples.jsonl").read_text("utf-8").splitlines()]
    for number, line in enumerate(lines):
        line["sample_id"] = prefix + line["sample_id"]
        if number < num_failed:
            line |= {"reply": None, "status": "failed", "error": "out of memory"}
        elif 0 < number < num_wrong:
            line |= {"reply": "Nothing of it."}
    record = json.loads((judged / "run.json").read_text("utf-8"))
    record["dataset"] = {"name": "mini", "split": "benchmark"}
    (folder / "samples.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    (folder / "run.json").write_text(json.dumps(record), "utf-8")
    return folder


def find_row(name: str, digest: str) -> dict[str, Any]:
    return next(row for row in rows(name) if row["submission"] == digest)


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
    endless = call("leaderboard", "validate", "/dev/zero", str(tmp_path / "m"), code=1)
    assert "/dev/zero: more than 67,108,864 bytes" in endless
    assert "holds neither run.json nor both" in call("leaderboard", "submit", str(tmp_path / "none"), code=1)
    assert "--name" in call("leaderboard", "submit", str(run), code=2)
    assert "dataset_revision" in call("leaderboard", "template")
    record = json.loads((run / "run.json").read_text("utf-8"))
    record["model"] = {"name": f"hf/owner/name@{SHA}", "revision": SHA}
    (tmp_path / "run.json").write_text(json.dumps(record), "utf-8")
    (tmp_path / "samples.jsonl").write_bytes((run / "samples.jsonl").read_bytes())
    assert f"owner/name at {SHA}" in call("leaderboard", "submit", str(tmp_path), *SAID, "--dry-run")
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
    assert "holds 123 rows of the 124" in call("leaderboard", "submit", str(tmp_path), *SAID, code=1)
