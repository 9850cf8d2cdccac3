"""`personamem memory …` as an owner runs it."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hub_toolkit.cli.main import main
from hub_toolkit.cli.memory_render import WIDTH, clean, columns, wrap

CHAT = [
    {"role": "user", "content": "I was at the pool again before work, forty laps with the new goggles."},
    {"role": "assistant", "content": "Forty laps!"},
    {"role": "user", "content": "I bought porcelain teapots at the flea market again, three with cracked spouts."},
    {"role": "assistant", "content": "A fine haul."},
    {"role": "user", "content": "I need insulin before every meal since my diabetes was found last spring."},
]


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "data" / "memory.db"
    monkeypatch.setenv("PERSONAMEM_MEMORY", str(path))
    monkeypatch.delenv("VISUAL", raising=False)
    return path


@pytest.fixture
def chats(tmp_path: Path) -> Path:
    path = tmp_path / "chats.json"
    path.write_text(json.dumps(CHAT), "utf-8")
    return path


def run(*args: object, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, ["memory", *map(str, args)], input=stdin)


def ok(*args: object, stdin: str | None = None) -> str:
    result = run(*args, stdin=stdin)
    assert result.exit_code == 0, result.output
    return result.output


def read(*args: object) -> Any:
    return json.loads(ok(*args, "--json"))


def find(word: str) -> str:
    [bullet] = [b for b in read("show")["bullets"] if word in b["text"]]
    return str(bullet["id"])


def test_a_memory_from_chats_to_answer(chats: Path, store: Path) -> None:
    assert "version 1: 1 chat, 5 messages read" in ok("remember", chats)
    assert "nothing new: 1 chat (1 known already)" in ok("import", chats)
    shown = ok("show")
    assert "teapots" in shown
    assert max(columns(line) for line in shown.splitlines()) <= WIDTH
    why = ok("why", find("teapots"))
    assert "message 2: bears it out" in why
    assert "porcelain teapots" in why
    assert find("teapots") in ok("search", "teapot")
    assert ok("recall", "which teapots").startswith("<memory>\n- ")
    assert "read 5 messages" in ok("log")
    assert stat.S_IMODE(store.stat().st_mode) == 0o600


def test_correcting_undo_and_redo(chats: Path) -> None:
    ok("remember", chats)
    bullet_id = find("teapots")
    assert "+ " + bullet_id in ok("edit", bullet_id, "I collect tin teapots")
    assert "~" in ok("pin", bullet_id)
    assert "unpinned" in ok("unpin", bullet_id)
    ok("add", "I like chess 🎲 שלום 将棋")
    ok("merge", bullet_id, find("chess"), "--text", "Teapots and chess")
    ok("delete", bullet_id)
    assert "Teapots and chess" in ok("undo")
    assert "- " + bullet_id in ok("redo")
    assert "tin teapots" in ok("undo", "--to", "2")
    assert "tin" in ok("diff", "1", "2")
    kinds = [v["kind"] for v in read("log")]
    assert kinds == ["import", "edit", "edit", "edit", "edit", "edit", "delete", "undo", "redo", "undo"]


def test_forget_asks_shows_and_leaves_no_byte(chats: Path, store: Path) -> None:
    ok("remember", chats)
    assert "would go: 1" in ok("forget", "porcelain teapots", "--preview")
    refused = run("forget", "porcelain teapots", stdin="n\n")
    assert refused.exit_code == 1
    assert "teapots" in ok("show")
    done = ok("forget", "porcelain teapots", stdin="y\n")
    assert "forgotten: 1 bullet " in done
    assert "purged" in done
    assert "teapots" not in ok("show") + ok("log") + ok("receipts") + ok("diff", "0", "1") + ok("export")
    raw = b"".join(path.read_bytes() for path in store.parent.iterdir())
    assert b"teapots" not in raw
    assert run("undo").exit_code == 1


def test_rules_from_preview_to_removal(chats: Path) -> None:
    ok("remember", chats)
    assert "insulin" in ok("rule", "preview", "nothing about my health")
    said = ok("rule", "add", "nothing about my health", stdin="y\n")
    assert "removed: 1 bullet," in said and "only implied can pass" in said
    assert "r1" in ok("rule", "list")
    refused = run("add", "I have diabetes")
    assert refused.exit_code == 1
    assert "r1" in refused.output
    assert "rule:r1" in ok("receipts")
    ok("rule", "remove", "r1")
    assert ok("rule", "list") == "no rule yet\n"


def test_export_and_import_into_another_memory(chats: Path, tmp_path: Path) -> None:
    ok("remember", chats)
    ok("edit", find("goggles"), "I swim")
    ok("delete", find("teapots"))
    ok("rule", "add", "nothing about politics", "--yes")
    ok("rule", "add", "nothing before 2001", "--yes")
    ok("rule", "remove", "r1")
    out = tmp_path / "out.json"
    ok("export", "-o", out)
    assert "I swim" in ok("import", out, "--user", "bob")
    assert "nothing new" in ok("import", out, "--user", "bob")
    mine, bobs = (json.loads(ok("export", "--user", user))["memory"]["state"] for user in ("me", "bob"))
    assert mine == bobs and mine["document"]["next_id"] > len(mine["document"]["bullets"]) + 1
    assert "nothing new" in ok("import", chats, "--user", "bob"), "which chats were read goes along"
    assert "I swim" in ok("export", "--format", "markdown")
    assert [line.split()[0] for line in ok("users").splitlines()] == ["bob", "me"]
    ok("delete-user", "bob", "--yes")
    assert read("users") == ["me"]


def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, python: str) -> None:
    script = tmp_path / "editor.py"
    script.write_text(
        f"import pathlib, sys\np = pathlib.Path(sys.argv[1])\nt = p.read_text('utf-8')\n{python}\n", "utf-8"
    )
    monkeypatch.setenv("EDITOR", f"{sys.executable} {script}")


def test_the_editor_takes_the_memory_and_gives_it_back(
    chats: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ok("remember", chats)
    editor(tmp_path, monkeypatch, "p.write_text(t.replace('goggles', 'snorkel') + 'I like chess\\n', 'utf-8')")
    assert run("edit", stdin="n\n").exit_code == 1
    assert "snorkel" not in ok("show")
    assert "keep these changes?" in ok("edit", stdin="y\n")
    assert {"snorkel", "chess"} <= set(ok("show").replace(".", "").split())
    editor(tmp_path, monkeypatch, "pass")
    assert "nothing was changed" in ok("edit")


@pytest.mark.parametrize(
    ("python", "says"),
    [
        ("p.write_text('[m99] x')", "m99"),
        ("p.write_text('')", "no bullet"),
        ("p.write_bytes(t.encode() + b'caf\\xe9')", "not UTF-8"),
        ("p.unlink()", "No such file"),
        ("p.write_text('I row'); sys.exit(1)", "editor failed"),
    ],
)
def test_a_spoilt_file_changes_nothing(
    chats: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, python: str, says: str
) -> None:
    ok("remember", chats)
    before = ok("show")
    editor(tmp_path, monkeypatch, python)
    result = run("edit", "--yes")
    assert result.exit_code == 1
    assert says in result.output and result.output.startswith("error: ")
    assert ok("show") == before


def test_what_the_editor_left_is_mended_not_lost(chats: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ok("remember", chats)
    mend = "p.write_text(t.replace('[m99] ', '') if 'm99' in t else t + '[m99] I own a kayak\\n', 'utf-8')"
    editor(tmp_path, monkeypatch, mend)
    assert run("edit").exit_code == 1, "nobody is there to mend it"
    assert "kayak" not in ok("show")
    output = ok("edit", stdin="y\ny\n")
    assert "m99" in output and "kayak" in ok("show")
    editor(tmp_path, monkeypatch, "p.write_text('[m99] I own a yacht\\n', 'utf-8')")
    assert run("edit", stdin="y\n" * 9).exit_code == 1, "an editor that mends nothing is not opened for ever"


def test_an_edit_that_comes_too_late_is_kept_for_its_owner_alone(
    chats: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ok("remember", chats)
    meanwhile = (
        "import subprocess\nsubprocess.run([sys.executable, '-m', 'hub_toolkit.cli.main', 'memory', 'add', 'I row'])\n"
    )
    editor(tmp_path, monkeypatch, meanwhile + "p.write_text(t + 'I own a kayak\\n', 'utf-8')")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    result = run("edit", "--yes")
    assert result.exit_code == 1 and "row" in ok("show") and "kayak" not in ok("show")
    [kept] = tmp_path.glob("personamem-edit-*.md")
    assert str(kept) in "".join(result.output.splitlines()) and "I own a kayak" in kept.read_text("utf-8")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_another_order_is_a_change(chats: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ok("remember", chats)
    ids = [bullet["id"] for bullet in read("show")["bullets"]]
    editor(tmp_path, monkeypatch, "p.write_text('\\n'.join(reversed(t.splitlines())) + '\\n', 'utf-8')")
    assert "another order" in ok("edit", stdin="y\n")
    assert [bullet["id"] for bullet in read("show")["bullets"]] == ids[::-1]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["why", "m9"], "m9"),
        (["edit", "m9", "x"], "m9"),
        (["undo"], "nothing to undo"),
        (["redo"], "nothing to redo"),
        (["diff", "0", "5"], "5"),
        (["rule", "add", "never blorp the quux"], "blorp"),
        (["rule", "remove", "r7"], "r7"),
        (["held", "release", "h7"], "h7"),
        (["import", "missing.zip"], "missing.zip"),
        (["delete-user", "nobody"], "nobody"),
        (["add", "my key is sk-proj-4f9Xb27LqPz81TnVw03KdYr6"], "secret"),
        (["add", "x", "--user", ""], "user"),
    ],
)
def test_mistakes_are_one_line(args: list[str], says: str) -> None:
    result = run(*args)
    assert result.exit_code == 1
    assert says in result.output
    assert result.output.count("\n") == 1
    assert "Traceback" not in result.output


def test_a_file_that_is_no_memory_is_named_and_left_alone(store: Path) -> None:
    store.parent.mkdir(parents=True)
    store.write_bytes(b"not a database at all, and long enough to be looked at" * 40)
    before = store.read_bytes()
    result = run("show")
    assert result.exit_code == 1
    assert "memory.db" in result.output
    assert result.output.count("\n") == 1
    assert store.read_bytes() == before


def test_a_terminal_cannot_be_steered() -> None:
    assert clean("a\x1b[31mb\x07\u202ec\nd") == "a�[31mb��c d"
    assert clean("🥕 שלום 你好") == "🥕 שלום 你好"


def test_wide_letters_are_wrapped_by_what_they_take() -> None:
    lines = wrap("这是一个很长的句子" * 20, first="m1").splitlines()
    assert max(map(columns, lines)) <= WIDTH
    assert len(lines) > 3
