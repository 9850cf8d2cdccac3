"""What a visitor brings: a history, an export of ChatGPT or Claude, or a memory saved earlier."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from hub_toolkit.data.chat_exports import ChatSession, ExportLimits, Skipped, read_export
from hub_toolkit.data.history import load_history
from hub_toolkit.data.schema import History
from hub_toolkit.errors import DataFormatError
from hub_toolkit.memory.exports.exports import is_memory_export
from personamem_ui.sessions import UPLOAD_LIMITS, Chat

EXPORT_LIMITS = ExportLimits(
    total_bytes=256 * 2**20,
    archive_entries=5_000,
    directory_bytes=2**20,
    conversations=20_000,
    conversation_chars=8 * 2**20,
    depth=32,
    messages=UPLOAD_LIMITS.messages,
)
"""What an export may measure when it is unpacked; of more messages than a history may have, the newest are read."""


@dataclass(frozen=True)
class Upload:
    """A file that was read: chats, or a memory (then there are none). `note` says what was left out."""

    chats: tuple[Chat, ...] = ()
    is_memory: bool = False
    note: str = ""


def read_upload_file(path: Path, name: str) -> Upload:
    """Read a file by what is in it; `name` is what the visitor calls it.

    Raises: DataFormatError: over the limits, or nothing of these.
    """
    size = path.stat().st_size
    if size > UPLOAD_LIMITS.size_bytes:
        allowed = UPLOAD_LIMITS.size_bytes / 2**20
        raise DataFormatError(f"{size / 2**20:.1f} MiB; {allowed:g} MiB are allowed: split it", file=name)
    if is_memory_export(path):
        return Upload(is_memory=True)
    if _is_archive(path):
        return _read_chats(path, name)
    try:
        return Upload((chat_of(load_history(path, limits=UPLOAD_LIMITS, source=name)),))
    except DataFormatError as error:
        try:
            return _read_chats(path, name)
        except DataFormatError:
            raise error from None


def chat_of(history: History) -> Chat:
    """Return a history as one chat, without system messages; it is known again by what it says."""
    messages = tuple(message for message in history.messages if message.role != "system")
    digest = hashlib.sha256()
    for message in messages:
        digest.update(json.dumps(message.as_dict(), sort_keys=True).encode() + b"\n")
    return Chat(f"history {digest.hexdigest()}", messages)


def _is_archive(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(2) == b"PK"


def _read_chats(path: Path, name: str) -> Upload:
    """Read the newest chats of an export, as far as the limit of messages goes."""
    kept: deque[ChatSession] = deque()
    num_messages = num_left_out = num_skipped = 0
    try:
        for found in read_export(path, limits=EXPORT_LIMITS):
            if isinstance(found, Skipped):
                num_skipped += 1
                continue
            kept.append(found)
            num_messages += len(found.messages)
            while num_messages > UPLOAD_LIMITS.messages:
                num_messages -= len(kept.popleft().messages)
                num_left_out += 1
    except DataFormatError as error:
        raise DataFormatError(str(error).replace(str(path), name)) from None
    if not kept:
        raise DataFormatError("no chats could be read in it; give a ChatGPT or Claude export, or a history", file=name)
    notes = [f"{len(kept):,} chats"]
    notes += [f"{num_left_out:,} older ones are left out (over {UPLOAD_LIMITS.messages:,} messages)"] * bool(
        num_left_out
    )
    notes += [f"{num_skipped:,} parts could not be read"] * bool(num_skipped)
    return Upload(tuple(Chat(c.key, c.messages, c.started_at) for c in kept), note="; ".join(notes))
