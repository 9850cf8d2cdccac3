"""`personamem memory build` and `personamem ask` as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hub_toolkit.cli.main import main

CHAT = [
    {"role": "system", "content": "The persona: likes nothing."},
    {
        "role": "user",
        "content": "Shorten my post: I was at the pool again before work, forty laps with the new goggles.",
    },
    {"role": "assistant", "content": "Forty laps before work again."},
    {"role": "user", "content": "I bought porcelain teapots at the flea market again, three with cracked spouts."},
    {"role": "assistant", "content": "A fine haul."},
]


@pytest.fixture(autouse=True)
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PERSONAMEM_MODEL", "PERSONAMEM_BASE_URL", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def write(path: Path, chat: list[dict[str, str]]) -> Path:
    path.write_text(json.dumps({"metadata": {}, "chat_history": chat}), "utf-8")
    return path


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in args])


def test_build_then_ask(tmp_path: Path) -> None:
    history, out = write(tmp_path / "h.json", CHAT), tmp_path / "m.json"
    assert run("memory", "build", history, "--out", out).exit_code == 0
    raw = json.loads(out.read_text("utf-8"))
    assert raw["read_messages"] == 5
    assert raw["tokens"] <= 2048
    assert {i for b in raw["bullets"] for i in b["sources"]} == {1, 3}
    answer = run("ask", "What teapots would fit me?", "--memory", out)
    assert "teapots" in answer.output
    assert "goggles" not in answer.output


def test_resume_reads_only_what_is_new(tmp_path: Path) -> None:
    out = tmp_path / "m.json"
    run("memory", "build", write(tmp_path / "h.json", CHAT[:3]), "--out", out)
    assert run("memory", "build", write(tmp_path / "h.json", CHAT), "--out", out, "--resume").exit_code == 0
    assert json.loads(out.read_text("utf-8"))["read_messages"] == 5


def test_resume_on_another_history_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "m.json"
    run("memory", "build", write(tmp_path / "h.json", CHAT), "--out", out)
    other = write(tmp_path / "o.json", [{"role": "user", "content": "I keep bees."}])
    result = run("memory", "build", other, "--out", out, "--resume")
    assert result.exit_code == 1
    assert "another history" in result.output


def test_ask_with_a_model_sees_the_memory(tmp_path: Path) -> None:
    out = tmp_path / "m.json"
    run("memory", "build", write(tmp_path / "h.json", CHAT), "--out", out)
    result = run("ask", "What now?", "--memory", out, "--model", "fake/echo")
    assert result.exit_code == 0
    assert "What now?" in result.output


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["memory", "build", "missing.json", "--out", "m.json"], "missing.json"),
        (["ask", "?", "--memory", "missing.json"], "missing.json"),
        (["memory", "build", "H", "--builder", "agentic", "--out", "m.json"], "--model"),
        (["memory", "build", "H", "--builder", "agentic", "--model", "nobody/x", "--out", "m.json"], "nobody"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, args: list[str], says: str) -> None:
    history = write(tmp_path / "h.json", CHAT)
    result = run(*[str(history) if a == "H" else str(tmp_path / a) if a == "m.json" else a for a in args])
    assert result.exit_code == 1
    assert says in result.output
    assert result.output.count("\n") == 1
    assert not (tmp_path / "m.json").exists()
