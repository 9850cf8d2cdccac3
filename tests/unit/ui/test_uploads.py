"""What a visitor may bring, and what each file is taken for."""

from __future__ import annotations

import asyncio
import json
import zipfile
from pathlib import Path

import pytest

from hub_toolkit.errors import DataFormatError
from hub_toolkit.types import Message
from personamem_ui.building import remember_said
from personamem_ui.owner_acts import make_download, perform
from personamem_ui.sessions import UPLOAD_LIMITS, Session
from personamem_ui.uploads import read_upload_file

TALK = [{"role": "user", "content": "I moved to Leeds in May."}, {"role": "assistant", "content": "Nice."}]


def chatgpt(key: str, text: str, time: int) -> dict[str, object]:
    message = {"author": {"role": "user"}, "content": {"content_type": "text", "parts": [text]}, "create_time": time}
    return {
        "id": key,
        "title": "t",
        "create_time": time,
        "current_node": "b",
        "mapping": {
            "a": {"id": "a", "message": None, "parent": None, "children": ["b"]},
            "b": {"id": "b", "message": {"id": "b", **message}, "parent": "a", "children": []},
        },
    }


def write(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value), "utf-8")
    return path


def test_history_with_or_without_a_head(tmp_path: Path) -> None:
    system = {"role": "system", "content": "the persona"}
    for value in (TALK, {"metadata": {}, "chat_history": [system, *TALK]}):
        upload = read_upload_file(write(tmp_path / "h.json", value), "h.json")
        assert [len(chat.messages) for chat in upload.chats] == [2] and not upload.is_memory


def test_chatgpt_export_as_json_and_zip(tmp_path: Path) -> None:
    export = [
        chatgpt("2", "I started knitting mittens.", 1_700_000_900),
        chatgpt("1", "I moved to Leeds.", 1_700_000_000),
    ]
    as_json = write(tmp_path / "conversations.json", export)
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        archive.write(as_json, "conversations.json")
    for path in (as_json, tmp_path / "export.zip"):
        upload = read_upload_file(path, path.name)
        assert [chat.messages[0].text for chat in upload.chats] == ["I moved to Leeds.", "I started knitting mittens."]
        assert upload.note == "2 chats" and upload.chats[0].started_at is not None


def test_of_too_many_chats_the_newest_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("personamem_ui.uploads.UPLOAD_LIMITS", UPLOAD_LIMITS.__class__(messages=3))
    export = [chatgpt(str(n), f"Message number {n} about knitting.", 1_700_000_000 + n) for n in range(5)]
    upload = read_upload_file(write(tmp_path / "c.json", export), "c.json")
    assert [chat.messages[0].text[15] for chat in upload.chats] == ["2", "3", "4"]
    assert "2 older ones are left out" in upload.note


def test_saved_memory_is_known_by_its_content(tmp_path: Path) -> None:
    session = Session()
    perform(session, "add", text="I bake on Thursdays")
    for file_format in ("json", "markdown"):
        made = make_download(session, file_format)
        (tmp_path / "any.json").write_text(made.text, "utf-8")
        assert read_upload_file(tmp_path / "any.json", "any.json").is_memory
    assert "Thursdays" in session.memory.export()


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"{", "JSON"), (b"[]", "empty"), (b"PK\x03\x04broken", "zip"), (b"\xff\xfe", "UTF-8"), (b"", "JSON")],
)
def test_bad_files_say_why_and_by_which_name(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "secret-place.bin").write_bytes(content)
    with pytest.raises(DataFormatError) as caught:
        read_upload_file(tmp_path / "secret-place.bin", "mine.json")
    assert why.lower() in str(caught.value).lower() and "mine.json" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_zip_bomb_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("conversations.json", b" " * (40 * 2**20))
    with pytest.raises(DataFormatError):
        read_upload_file(tmp_path / "bomb.zip", "bomb.zip")


def test_loading_a_memory_keeps_its_bounds(tmp_path: Path) -> None:
    from personamem_ui.keeping import load_memory_file

    old, new = Session(), Session()
    perform(old, "add", text="I play the oboe")
    perform(old, "plan_forget", text="oboe")
    perform(old, "forget")
    perform(old, "plan_rule", text="never remember my health")
    perform(old, "set_rule")
    perform(new, "add", text="I have diabetes")
    (tmp_path / "m.json").write_text(make_download(old, "json").text, "utf-8")
    new.notice = asyncio.run(load_memory_file(new, tmp_path / "m.json"))
    assert "diabetes" not in new.memory.show().document.render() and len(new.memory.rules()) == 1
    perform(new, "add", text="The oboe is mine")
    assert new.notice is not None and new.notice.is_error


def test_talk_goes_on_after_another_pages_memory_was_loaded(tmp_path: Path) -> None:
    from personamem_ui.keeping import load_memory_file

    old, new = Session(), Session()
    asyncio.run(remember_said(old, Message("user", "I moved to Leeds in May and started knitting mittens.")))
    (tmp_path / "m.json").write_text(make_download(old, "json").text, "utf-8")
    asyncio.run(load_memory_file(new, tmp_path / "m.json"))
    said = Message("user", "My sister Beata plays the oboe in the town's orchestra on Sundays.")
    asyncio.run(remember_said(new, said))
    assert "oboe" in new.memory.show().document.render() and "Leeds" in new.memory.show().document.render()
    assert list(new.messages.values()) == [said]


def test_another_history_is_read_after_a_memory_of_one_was_loaded(tmp_path: Path) -> None:
    first = read_upload_file(write(tmp_path / "1.json", TALK), "1.json").chats[0]
    same = read_upload_file(write(tmp_path / "2.json", {"chat_history": TALK}), "2.json").chats[0]
    other = read_upload_file(write(tmp_path / "3.json", TALK[:1]), "3.json").chats[0]
    assert first.key == same.key != other.key
