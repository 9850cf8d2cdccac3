"""The journal, the lock and atomic files."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from hub_toolkit.errors import DataFormatError
from hub_toolkit.evaluate.journal import Journal, encode_json, lock_run, write_atomically

ENTRIES = [{"n": 1, "text": "two\nlines, ü,  "}, {"n": 2, "text": ""}, {"n": 3, "text": "half \ud83d"}]


def write_journal(path: Path) -> bytes:
    journal = Journal(path, is_durable=True)
    for entry in ENTRIES:
        journal.append(entry)
    journal.close()
    return path.read_bytes()


def test_what_is_appended_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "j"
    write_journal(path)
    journal = Journal(path, is_durable=False)
    journal.close()
    assert journal.entries == ENTRIES


def test_torn_at_any_byte_the_whole_lines_before_survive(tmp_path: Path) -> None:
    path = tmp_path / "j"
    whole = write_journal(path)
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        journal = Journal(path, is_durable=False)
        num_whole = whole[:size].count(b"\n")
        assert journal.entries == ENTRIES[:num_whole]
        for entry in ENTRIES[num_whole:]:
            journal.append(entry)
        journal.close()
        assert path.read_bytes() == whole


def test_damage_in_the_middle_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "j"
    whole = bytearray(write_journal(path))
    whole[30] ^= 1
    path.write_bytes(bytes(whole))
    with pytest.raises(DataFormatError, match="line 1 is damaged"):
        Journal(path, is_durable=False)


def test_rewrite_replaces_everything(tmp_path: Path) -> None:
    path = tmp_path / "j"
    write_journal(path)
    journal = Journal(path, is_durable=False)
    journal.rewrite(reversed(ENTRIES))
    reread = Journal(path, is_durable=False)
    reread.close()
    assert reread.entries == ENTRIES[::-1]


def test_json_keeps_lone_surrogates_as_escapes() -> None:
    value = {"text": "half \ud83d, whole 😀, ü"}
    encoded = encode_json(value)
    assert json.loads(encoded) == value
    assert "😀, ü".encode() in encoded


def test_atomic_write_leaves_no_part_behind(tmp_path: Path) -> None:
    write_atomically(tmp_path / "deep" / "file", b"one")
    write_atomically(tmp_path / "deep" / "file", b"two")
    assert [(path.name, path.read_bytes()) for path in (tmp_path / "deep").iterdir()] == [("file", b"two")]


def test_second_process_is_told_that_the_run_is_taken(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from hub_toolkit.evaluate.journal import lock_run\n"
        "with lock_run(Path(sys.argv[1])): pass"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with lock_run(tmp_path):
        other = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "another process is writing this run" in other.stderr
    assert subprocess.run(command, check=False).returncode == 0


def test_folder_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(DataFormatError, match="cannot write"), lock_run(tmp_path / "run"):
        pass


def test_one_sync_serves_all_who_wait_and_covers_what_each_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry counts as kept only after a sync that began behind it."""
    events: list[str] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        events.append(f"sync of {os.fstat(handle).st_size}")
        time.sleep(0.01)
        real(handle)

    async def go(journal: Journal) -> None:
        async def write(number: int) -> None:
            journal.append({"n": number})
            size = journal.path.stat().st_size
            await journal.commit()
            assert any(int(event.split()[-1]) >= size for event in events)

        await asyncio.gather(*(write(number) for number in range(50)))
        await journal.finish()

    monkeypatch.setattr("hub_toolkit.evaluate.journal.os.fsync", fsync)
    journal = Journal(tmp_path / "j", is_durable=True)
    asyncio.run(go(journal))
    assert 1 <= len(events) <= 3
    events.clear()
    asyncio.run(go_without(Journal(tmp_path / "k", is_durable=False)))
    assert events == []


def test_whoever_does_not_wait_is_told_once_a_sync_has_covered_the_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    told: list[tuple[int, int]] = []
    monkeypatch.setattr("hub_toolkit.evaluate.journal.os.fsync", lambda handle: synced.append(os.fstat(handle).st_size))

    def tell(size_before: int) -> None:
        told.append((size_before, max(synced)))

    async def go(journal: Journal) -> None:
        for number in range(40):
            journal.append({"n": number}, on_kept=partial(tell, journal.path.stat().st_size))
            await asyncio.sleep(0)
        assert not told
        await journal.commit()
        assert len(told) == 40
        journal.append({"n": 40}, on_kept=lambda: told.append((0, 1)))
        await journal.finish()

    asyncio.run(go(Journal(tmp_path / "j", is_durable=True)))
    assert len(told) == 41
    assert all(before < covered for before, covered in told)
    assert len(synced) <= 3


def test_a_sync_that_fails_ends_what_comes_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.EIO, "the disk is broken")

    async def go(journal: Journal) -> None:
        journal.append({"n": 1}, on_kept=lambda: pytest.fail("told of what is not on the disk"))
        with pytest.raises(OSError, match="broken"):
            await journal.commit()
        with pytest.raises(OSError, match="broken"):
            journal.append({"n": 2})
        await journal.finish()

    monkeypatch.setattr("hub_toolkit.evaluate.journal.os.fsync", fail)
    asyncio.run(go(Journal(tmp_path / "j", is_durable=True)))
    assert len(Journal(tmp_path / "j", is_durable=True).entries) == 1


async def go_without(journal: Journal) -> None:
    journal.append({"n": 1})
    await journal.commit()
    await journal.finish()
