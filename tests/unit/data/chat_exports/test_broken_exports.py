"""Broken, hostile and foreign files: one clear error, or a named gap; never a crash, a stall or a flood of memory."""

from __future__ import annotations

import hashlib
import io
import json
import random
import struct
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from hub_toolkit.data.chat_exports import ExportLimits, read_export
from hub_toolkit.data.chat_exports.sessions import parse_time
from hub_toolkit.data.chat_exports.surrogates import SurrogateMender
from hub_toolkit.errors import DataFormatError
from tests.chat_export_factory import (
    claude_chat,
    claude_message,
    gpt_chat,
    read_all,
    texts_of,
    write_json,
    write_zip,
    zip_bytes,
)

_GOOD = [gpt_chat("I keep bees", "How many?", number=1), gpt_chat("I sold a hive", "Why?", number=2)]
_SMALL = ExportLimits(depth=16, json_values=2000, conversation_chars=100_000, messages=20, message_chars=1000)


def _error(path: Path, limits: ExportLimits | None = None) -> str:
    with pytest.raises(DataFormatError) as found:
        read_all(path, limits)
    assert str(path) in str(found.value)
    return str(found.value).replace(str(path), "")  # a test's folder bears its name


def _file(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "given.bin"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><body>Chat</body></html>", "HTML"),
        (b"\xef\xbb\xbf  <html>", "HTML"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"%PDF-1.7", "PDF"),
        ("[]".encode("utf-16"), "UTF-16"),
        (b"Dear diary", "no JSON"),
        (b"[]", "no chats"),
        (b"{}", "no chats"),
        (b"[1, 2, 3]", "no chats"),
        (b'{"answer": 42}', "no chats"),
        (b'[{"role": "user", "content": "a\xff\xfeb"}]', "UTF-8"),
        (b'[{"role": "user", "content": "\xed\xb0\x80"}]', "UTF-8"),
        (b'[{"role": "user", "content": NaN}]', "NaN"),
        (b'[{"role": "user", "content": "x", "n": ' + b"9" * 5000 + b"}]", "too large"),
        (b'[{"role": "user"', "cut off"),
        (b'[{"role": "user", "content": "x"} {}]', "broken JSON"),
        (b'{"format_version": 2, "bullets": []}', "a memory, not chats"),
    ],
)
def test_a_file_that_is_no_export_says_what_it_is(tmp_path: Path, data: bytes, what: str) -> None:
    assert what in _error(_file(tmp_path, data))


def test_a_missing_file_a_folder_and_a_pipe_are_refused(tmp_path: Path) -> None:
    assert "does not exist" in _error(tmp_path / "gone.zip")
    assert "a folder" in _error(tmp_path)


def test_a_cut_off_file_names_the_conversation_and_yields_nothing(tmp_path: Path) -> None:
    text = json.dumps(_GOOD)
    path = _file(tmp_path, text[: text.index("I sold a hive") + 4].encode())
    found = read_export(path)
    with pytest.raises(DataFormatError, match=r"row 2: .*cut off") as error:
        next(found)
    assert "I sold" not in str(error.value)


def test_a_byte_order_mark_is_no_matter(tmp_path: Path) -> None:
    sessions, _ = read_all(_file(tmp_path, b"\xef\xbb\xbf" + json.dumps(_GOOD).encode()))
    assert len(sessions) == 2


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 11, 12, 13, 64, 1000])
def test_halves_of_surrogate_pairs_are_replaced_wherever_a_block_ends(size: int) -> None:
    pair, high, low = r"\ud83c\udf75", r"\uD83C", r"\udf75"
    texts = [pair, high, low, low + high, high + pair, pair + low, "\\\\" + high, "\\\\ud83c", "\\\\" * 9 + pair + "x"]
    text = json.dumps("|").strip('"').join(texts)
    mender = SurrogateMender()
    data = text.encode()
    mended = b"".join(mender.mend(data[place : place + size]) for place in range(0, len(data), size)) + mender.mend(b"")
    tea, gap = "\N{TEACUP WITHOUT HANDLE}", "\ufffd"
    expected = [tea, gap, gap, gap * 2, gap + tea, tea + gap, "\\" + gap, r"\ud83c", "\\" * 9 + tea + "x"]
    assert json.loads(b'"' + mended + b'"').split("|") == expected


def test_a_cut_emoji_costs_one_character(tmp_path: Path) -> None:
    path = _file(tmp_path, rb'[{"role": "user", "content": "tea \ud83c"}, {"role": "user", "content": "\udf75 tea"}]')
    assert texts_of(read_all(path)[0][0]) == ["user: tea \ufffd", "user: \ufffd tea"]


def test_a_megabyte_of_backslashes_does_not_stall() -> None:
    started = time.perf_counter()
    for text in (b"\\" * 2**20, b"\\u" * 2**19, b"\\ud83c" * 2**17):
        mender = SurrogateMender()
        assert sum(len(mender.mend(text[place : place + 2**18])) for place in range(0, 2**20, 2**18)) > 2**19
    assert time.perf_counter() - started < 10


def test_one_bad_conversation_among_many_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    deep: object = "x"
    for _ in range(40):
        deep = [deep]
    bad: list[object] = [
        {**_GOOD[0], "extra": deep},
        {**_GOOD[0], "extra": [[]] * 3000},
        {**_GOOD[0], "extra": "y" * 200_000},
        None,
        {"uuid": "no chat"},
        claude_chat([claude_message("e", "human", "")]),
        {"id": "m", "messages": [{"role": "user", "content": "z"}] * 30},
        {"id": "l", "messages": [{"role": "user", "content": "z" * 2000}, {"role": "user", "content": "short"}]},
    ]
    sessions, skipped = read_all(write_json(tmp_path / "c.json", [*bad, *_GOOD]), _SMALL)
    assert [texts_of(session)[0] for session in sessions] == ["user: I keep bees", "user: I sold a hive", "user: short"]
    told = [one.place.rpartition(" ")[2] + " " + one.reason for one in skipped]
    expected = [
        "1 it is nested",
        "2 it holds too much",
        "3 it is too long",
        "4 it is no",
        "5 it is no",
        "6 nobody says",
    ]
    expected += ["7 it has more than 20 messages", "8 1 of its messages: longer than 1,000"]
    assert [one[: len(start)] for one, start in zip(told, expected, strict=True)] == expected


def test_a_list_of_messages_has_its_limits_too(tmp_path: Path) -> None:
    path = write_json(tmp_path / "m.json", [{"role": "user", "content": "z"}] * 30)
    assert "more than 20 messages" in _error(path, _SMALL)


def test_too_many_conversations_are_refused(tmp_path: Path) -> None:
    path = write_json(tmp_path / "c.json", [gpt_chat("x", number=number) for number in range(4)])
    assert "more than 3 conversations" in _error(path, ExportLimits(conversations=3))


def test_a_bomb_is_stopped_early(tmp_path: Path) -> None:
    text = b'[{"mapping": {}, "title": "' + b" " * (64 * 2**20)
    started = time.perf_counter()
    assert "unpacks to far more" in _error(write_zip(tmp_path / "bomb.zip", {"conversations.json": text}))
    assert time.perf_counter() - started < 60


def test_an_archive_may_hold_only_so_much(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "e.zip", {"conversations.json": _GOOD})
    assert "GiB of chats" in _error(path, ExportLimits(total_bytes=100))
    assert "lists 1 entries" in _error(path, ExportLimits(archive_entries=0))
    assert "lists 1 entries" in _error(path, ExportLimits(directory_bytes=10))


def test_names_that_lead_out_and_links_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "e.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("../../conversations.json", "/etc/conversations.json", "C:\\conversations.json"):
            archive.writestr(name, json.dumps([gpt_chat("stolen", number=7)]))
        link = zipfile.ZipInfo("link/conversations.json")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("conversations.json", json.dumps(_GOOD))
    sessions, skipped = read_all(path)
    assert [texts_of(session)[0] for session in sessions] == ["user: I keep bees", "user: I sold a hive"]
    assert [one.reason for one in skipped] == ["its name leads out of the archive"] * 3 + ["it is a link, not a file"]
    assert list(tmp_path.iterdir()) == [path]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("/etc/conversations.json", json.dumps(_GOOD))
    assert "leads out of the archive" in _error(path)


def test_encrypted_doubled_and_unusual_entries_are_refused(tmp_path: Path) -> None:
    data = bytearray(zip_bytes({"conversations.json": _GOOD}))
    directory = data.rindex(b"PK\x01\x02")
    data[6] |= 1
    data[directory + 8] |= 1
    assert "encrypted" in _error(_file(tmp_path, bytes(data)))
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("conversations.json", json.dumps(_GOOD))
    assert "not read here" in _error(tmp_path / "b.zip")
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        archive.writestr("conversations.json", "[]")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("conversations.json", json.dumps(_GOOD))
    assert "two entries of this name" in _error(tmp_path / "d.zip")


def test_overlapping_entries_are_refused(tmp_path: Path) -> None:
    data = bytearray(zip_bytes({"conversations-1.json": _GOOD, "conversations-2.json": _GOOD}))
    second = data.rindex(b"PK\x01\x02")
    struct.pack_into("<I", data, second + 42, 0)  # both start where the first does
    assert "overlap" in _error(_file(tmp_path, bytes(data)))


def test_a_false_size_or_checksum_is_seen(tmp_path: Path) -> None:
    good = zip_bytes({"conversations.json": _GOOD})
    directory = good.rindex(b"PK\x01\x02")
    data = bytearray(good)
    data[directory + 16] ^= 0x55
    assert "damaged" in _error(_file(tmp_path, bytes(data)))
    data = bytearray(good)
    struct.pack_into("<I", data, directory + 24, 100)  # less than there is
    assert "cut off" in _error(_file(tmp_path, bytes(data))) or "damaged" in _error(_file(tmp_path, bytes(data)))


def test_an_archive_without_chats_says_what_it_holds(tmp_path: Path) -> None:
    inner = zip_bytes({"conversations.json": _GOOD})
    message = _error(write_zip(tmp_path / "e.zip", {"photo\x1b[31m.png": b"x", "inner.zip": inner}))
    assert "inner.zip" in message and "archives inside are not opened" in message and "\x1b" not in message
    assert "it is empty" in _error(write_zip(tmp_path / "n.zip", {}))


def test_a_broken_other_file_of_an_archive_is_no_matter(tmp_path: Path) -> None:
    files = {"notes.json": b"{broken", "chats.json": _GOOD}
    sessions, _ = read_all(write_zip(tmp_path / "e.zip", files))
    assert len(sessions) == 2
    files = {"conversations-1.json": b"[{broken", "conversations-2.json": _GOOD}
    assert "conversations-1.json" in _error(write_zip(tmp_path / "f.zip", files))


@pytest.mark.parametrize(
    "text", ["[" * 1_000_000, '{"a":' * 200_000, "[[]" + ",[]" * 300_000 + "]", "[0" + ",0" * 500_000]
)
def test_shapes_that_eat_memory_are_passed_over_quickly(tmp_path: Path, text: str) -> None:
    started = time.perf_counter()
    _error(_file(tmp_path, text.encode()), replace(ExportLimits(), json_values=100_000))
    assert time.perf_counter() - started < 30


@pytest.mark.parametrize("is_zip", [False, True])
def test_damaged_bytes_never_crash(tmp_path: Path, is_zip: bool) -> None:
    chats = [*_GOOD, claude_chat([claude_message("1", "human", "שלום 🍵")])]
    good = zip_bytes({"conversations.json": chats}) if is_zip else json.dumps(chats, ensure_ascii=False).encode()
    rng = random.Random(int.from_bytes(hashlib.sha256(b"fuzz").digest()[:8], "big"))
    num_refused = 0
    for _ in range(400):
        data = bytearray(good)
        for _ in range(rng.randrange(1, 6)):
            place = rng.randrange(len(data))
            match rng.randrange(4):
                case 0:
                    data[place] = rng.randrange(256)
                case 1:
                    del data[place : place + rng.randrange(1, 40)]
                case 2:
                    data[place:place] = rng.randbytes(rng.randrange(1, 20))
                case _:
                    data[place:place] = bytes(rng.choices(b'{}[]",:\\u0d8', k=rng.randrange(1, 8)))
        try:
            read_all(_file(tmp_path, bytes(data)))
        except DataFormatError:
            num_refused += 1
    assert 100 < num_refused <= 400


@pytest.mark.parametrize("seed", range(3))
def test_values_of_the_wrong_type_never_crash(tmp_path: Path, seed: int) -> None:
    rng = random.Random(int.from_bytes(hashlib.sha256(f"types-{seed}".encode()).digest()[:8], "big"))
    junk: list[object] = [None, 0, -1, 1e308, True, "", "x", [], {}, [None], {"role": []}, [["a"]], "user", 2**62]

    def bend(value: object) -> object:
        if rng.random() < 0.06:
            return rng.choice(junk)
        if isinstance(value, dict):
            return {key: bend(item) for key, item in value.items()}
        return [bend(item) for item in value] if isinstance(value, list) else value

    plain = {"id": "p", "messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}
    claude = claude_chat([claude_message("1", "human", "a", parent="r"), claude_message("2", "human", "b", parent="1")])
    for _ in range(200):
        try:
            read_all(write_json(tmp_path / "c.json", [bend(chat) for chat in (*_GOOD, claude, plain)]))
        except DataFormatError as error:
            assert "no chats" in str(error)


def test_a_large_export_is_read_in_little_memory(tmp_path: Path) -> None:
    turns = ["I keep bees and write about them. " * 30, "How many hives are there? " * 30] * 10
    one = json.dumps(gpt_chat(*turns)).encode()
    path, num_chats = tmp_path / "big.zip", 32 * 2**20 // len(one)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        chats = (one.replace(b"conversation-1", f"conversation-{n}".encode()) for n in range(num_chats))
        archive.writestr("conversations.json", b"[" + b",".join(chats) + b"]")
    script = (
        "import resource, sys; from pathlib import Path; from hub_toolkit.data.chat_exports import *\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "limits = ExportLimits(ratio=10**6)\n"
        "n = sum(isinstance(s, ChatSession) for s in read_export(Path(sys.argv[1]), limits=limits))\n"
        "print(n, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    count, grown_mib = done.stdout.split()
    assert int(count) == num_chats
    assert float(grown_mib) < 24  # the JSON is 32 MiB; as objects it would be some 100


def test_times_of_all_kinds() -> None:
    assert parse_time(1_700_000_000.9) == parse_time(1_700_000_000_900) == "2023-11-14T22:13:20Z"
    assert parse_time("2024-05-01T02:00:00+02:00") == parse_time("2024-05-01") == "2024-05-01T00:00:00Z"
    for junk in (
        None,
        True,
        "soon",
        "",
        float("nan"),
        float("inf"),
        -5,
        0,
        10**400,
        "9999-99-99",
        [1],
        "1" * 1_000_000,
    ):
        assert parse_time(junk) is None


def test_a_stream_of_bytes_is_not_left_open(tmp_path: Path) -> None:
    found = read_export(write_zip(tmp_path / "e.zip", {"conversations.json": _GOOD}))
    next(found)
    found.close()  # type: ignore[attr-defined]
    assert io.BytesIO(zip_bytes({})).read(4) == b"PK\x05\x06"
