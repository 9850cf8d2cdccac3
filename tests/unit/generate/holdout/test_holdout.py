"""Held-out personas: sealed as they are made, opened by their key alone, recognised wherever they leak."""

from __future__ import annotations

import importlib.util
import io
import json
import stat
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hub_toolkit.cli.main import main
from hub_toolkit.data.check import check_dataset
from hub_toolkit.data.history import load_history
from hub_toolkit.data.parse import load_samples
from hub_toolkit.evaluate.report import load_run
from hub_toolkit.generate.config import SimulatorConfig
from hub_toolkit.generate.holdout.canary import find_canaries
from hub_toolkit.generate.holdout.keys import load_key, make_key
from hub_toolkit.generate.holdout.sealing import open_sealed, read_head
from hub_toolkit.generate.simulator import simulate
from tests.conftest import require_extra

CONFIG = SimulatorConfig(
    num_personas=4, topics_per_quad=4, context_32k_tokens=3000, context_128k_tokens=3000, has_128k=False
)
SMALL = ["--personas", "4", "--questions", "4", "--tokens", "3000", "--long-tokens", "4000"]


def call(*words: object, **env: str) -> Result:
    return CliRunner(env=env).invoke(main, ["generate", *map(str, words)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds `held` and the `key` with which it was sealed."""
    has_package = importlib.util.find_spec("cryptography") is not None
    require_extra("holdout", has_package, "no cryptography: pip install -e '.[holdout]'")
    folder = tmp_path_factory.mktemp("holdout")
    done = call("--holdout", *SMALL, "--out", folder / "held", "--key", folder / "key")
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture(scope="module")
def plain(folder: Path) -> Path:
    done = call("holdout", "open", folder / "held", "--key", folder / "key", "--out", folder / "plain")
    assert done.exit_code == 0, done.output
    return folder / "plain"


def test_the_key_is_its_owners_alone_and_stands_nowhere_else(folder: Path, plain: Path) -> None:
    assert stat.S_IMODE((folder / "key").stat().st_mode) == 0o600
    assert stat.S_IMODE(plain.stat().st_mode) == 0o700
    secret = (folder / "key").read_bytes().split()[1]
    assert secret not in (folder / "held").read_bytes()
    done = call("holdout", "key", folder / "key")
    assert done.exit_code == 1
    assert "never overwritten" in done.output
    (folder / "open_key").write_bytes((folder / "key").read_bytes())
    (folder / "open_key").chmod(0o644)
    assert "chmod 600" in call("holdout", "open", folder / "held", "--key", folder / "open_key", "--out", "x").output


def test_what_is_opened_is_a_clean_dataset_of_benchmark_personas_alone(plain: Path) -> None:
    report = check_dataset(plain)
    assert report.problems == ()
    assert set(report.counts) == {"benchmark_text"}


def test_nothing_readable_is_written_while_it_is_made(
    folder: Path, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every byte that any file was opened for is looked at: what a history says stands in none of them."""
    opened: list[Path] = []
    real = Path.open

    def spy(self: Path, mode: str = "r", *args: object, **more: object) -> object:
        if set(mode) & set("wax+"):
            opened.append(self)
        return real(self, mode, *args, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", spy)
    sealed = tmp_path / "again"
    assert call("--holdout", *SMALL, "--out", sealed, "--key", folder / "key").exit_code == 0
    monkeypatch.undo()
    assert {path.name for path in opened} == {"again.part"}
    assert [path.name for path in tmp_path.iterdir()] == ["again"]
    whole = sealed.read_bytes()
    for sample in load_samples(plain):
        assert sample.correct_answer.encode() not in whole
        assert str(sample.expanded_persona["name"]).encode() not in whole
    with open_sealed(sealed, load_key(folder / "key")) as opened_again:
        texts = dict(opened_again.read())
    mine = load_history(plain / "data/chat_history_32k/chat_history_persona1.json").messages
    assert [
        m["content"] for m in json.loads(texts["data/chat_history_32k/chat_history_persona1.json"])["chat_history"]
    ][1:] == [message.text for message in mine], "one key and one seed make the same personas"


def test_a_public_seed_does_not_make_the_personas_again(folder: Path, plain: Path, tmp_path: Path) -> None:
    assert call(*SMALL, "--out", tmp_path / "open", "--seed", "0").exit_code == 0
    held = {sample.user_query.text for sample in load_samples(plain)}
    public = {sample.user_query.text for sample in load_samples(tmp_path / "open")}
    assert len(held & public) < 3
    make_key(tmp_path / "key")
    assert call("--holdout", *SMALL, "--out", tmp_path / "other", "--key", tmp_path / "key").exit_code == 0
    assert read_head(tmp_path / "other").dataset != read_head(folder / "held").dataset


def test_every_file_has_its_canary_and_no_reader_takes_it_for_the_users_words(folder: Path, plain: Path) -> None:
    dataset = read_head(folder / "held").dataset
    files = [path for path in plain.rglob("*") if path.is_file()]
    found = {}
    for path in files:
        [leak] = find_canaries(io.BytesIO(path.read_bytes()), path.name)
        assert leak.dataset == dataset
        found[path] = leak.file
    assert len(set(found.values())) == len(files)
    for path in plain.rglob("chat_history_persona*.json"):
        text = json.dumps(json.loads(path.read_bytes())["chat_history"])
        assert str(found[path]) in text, "who trains on the messages alone trains on the canary"
        assert not any("canary" in message.text for message in load_history(path).messages)


@pytest.mark.parametrize("size", [0, (1 << 20) - 40, (1 << 20) - 300, 3 << 20])
def test_a_leak_is_found_in_a_text_of_any_size(folder: Path, plain: Path, tmp_path: Path, size: int) -> None:
    path = "data/chat_history_32k/chat_history_persona2.json"
    line = json.loads((plain / path).read_bytes())["metadata"]["canary"]
    dump = tmp_path / "dump.jsonl"
    dump.write_bytes(b"x" * size + json.dumps({"text": f"and then {line.upper()}"}).encode() + b"y" * 100)
    done = call("holdout", "check", dump, "--sealed", folder / "held", "--key", folder / "key")
    assert done.exit_code == 1
    assert path in done.output
    assert call("holdout", "check", dump).exit_code == 1, "the whole line says itself what it is"
    assert call("holdout", "check", line).exit_code == 1
    dump.write_bytes(b"x" * size + str(read_head(folder / "held").dataset).replace("-", "").encode())
    assert call("holdout", "check", dump).exit_code == 0, "a GUID on its own says nothing without its dataset"
    assert call("holdout", "check", dump, "--sealed", folder / "held").exit_code == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--out", "a", "--key", "k"), "--key goes with --holdout"),
        (("--holdout", "--out", "a", "--key", "k", "--stage", "questions"), "leave out --stage"),
        (("--holdout", "--out", "a", "--key", "a"), "name the same file"),
        (("--holdout", "--out", "a"), "give --key FILE, or set"),
    ],
)
def test_what_does_not_go_together_is_said_and_nothing_is_written(
    words: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = call(*words)
    assert done.exit_code == 2
    assert said in done.output
    assert list(tmp_path.iterdir()) == []


def test_a_clean_text_has_no_canary(folder: Path, tmp_path: Path) -> None:
    simulate(CONFIG, tmp_path / "public")
    done = call("holdout", "check", tmp_path / "public", "--sealed", folder / "held", "--key", folder / "key")
    assert (done.exit_code, done.output) == (0, "no canary found\n")


def test_another_key_is_refused(folder: Path, tmp_path: Path) -> None:
    make_key(tmp_path / "key")
    done = call("holdout", "open", folder / "held", "--key", tmp_path / "key", "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "sealed with another key" in done.output
    assert not (tmp_path / "out").exists()
    (tmp_path / "key").write_text("a key\n")
    done = call("holdout", "open", folder / "held", "--key", tmp_path / "key", "--out", tmp_path / "out")
    assert "holds no key" in done.output


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_cut_file_is_refused(folder: Path, tmp_path: Path, share: float) -> None:
    whole = (folder / "held").read_bytes()
    (tmp_path / "cut").write_bytes(whole[: int(share * len(whole))])
    done = call("holdout", "open", tmp_path / "cut", "--key", folder / "key", "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert done.output.startswith(f"error: {tmp_path / 'cut'}: ")
    assert "is cut" in done.output or "was changed" in done.output
    assert done.output.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["cut"]


def rebuild(source: Path, target: Path, change: dict[str, bytes | str | None]) -> None:
    """Write the archive again with some entries exchanged (bytes, or another entry's name), or left out (None)."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            given = change.get(name, name)
            if given is not None:
                new.writestr(name, old.read(given) if isinstance(given, str) else given)


def test_every_changed_entry_is_noticed(folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(folder / "held") as archive:
        head, first = archive.read("holdout.json"), archive.read("00000")
    other = head.replace(b"held out, not", b"held out; not")
    flipped = first[:40] + bytes([first[40] ^ 1]) + first[41:]
    changes: list[dict[str, bytes | str | None]] = [
        {"00000": flipped},
        {"00000": "00001", "00001": "00000"},
        {"00003": None},
        {"manifest": None},
        {"holdout.json": None},
        {"holdout.json": other},
        {"00002": b""},
        {"manifest": b"{}"},
        {"holdout.json": b"[]"},
    ]
    for number, change in enumerate(changes):
        rebuild(folder / "held", tmp_path / f"{number}", change)
        done = call("holdout", "open", tmp_path / f"{number}", "--key", folder / "key", "--out", tmp_path / "out")
        assert (done.exit_code, "was changed" in done.output) == (1, True), (change, done.output)
        assert not list(tmp_path.glob("out*"))
    rebuild(folder / "held", tmp_path / "same", {})
    done = call("holdout", "open", tmp_path / "same", "--key", folder / "key", "--out", tmp_path / "out")
    assert done.exit_code == 0, "the control: what was not changed opens"


@pytest.mark.usefixtures("folder")
def test_a_passphrase_opens_what_it_sealed(tmp_path: Path) -> None:
    simulate(CONFIG, tmp_path / "made")
    seal = ("holdout", "seal", tmp_path / "made", "--out", tmp_path / "held")
    assert "give --key FILE, or set" in call(*seal).output
    assert call(*seal, PERSONAMEM_HOLDOUT_PASSPHRASE="correct horse").exit_code == 0
    opening = ("holdout", "open", tmp_path / "held", "--out", tmp_path / "out")
    assert "another key" in call(*opening, PERSONAMEM_HOLDOUT_PASSPHRASE="wrong horse").output
    assert call(*opening, PERSONAMEM_HOLDOUT_PASSPHRASE="correct horse").exit_code == 0
    assert check_dataset(tmp_path / "out").problems == ()


def test_an_evaluation_runs_on_it_and_leaves_no_folder(folder: Path, tmp_path: Path) -> None:
    evaluate = [sys.executable, "-m", "hub_toolkit.cli.main", "eval", "run", "--data", "{}", "--reader", "memory"]
    seen = tmp_path / "seen"
    run = tmp_path / "run"
    held = ("holdout", "run", folder / "held", "--key", folder / "key", "--")
    assert call(*held, sys.executable, "-c", f"open({str(seen)!r}, 'w').write('{{}}')").exit_code == 0
    assert not Path(seen.read_text()).parent.exists()
    assert call(*held, *evaluate, "--out", run).exit_code == 0
    record, rows = load_run(run)
    assert record.counts["rows"] == len(rows) == 4 * 5 + 3 * 3 + 3
    assert {row.sample_id for row in rows}.isdisjoint(sample.sample_id for sample in load_samples("mini"))
    assert call(*held, sys.executable, "-c", "raise SystemExit(7)", "{}").exit_code == 7
    assert "does not name the folder" in call(*held, "true").output
