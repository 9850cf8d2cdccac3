"""What the model replied for one quad, kept before it is used: a kill asks nothing twice that was acknowledged."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hub_toolkit.evaluate.budget import Tokens
from hub_toolkit.evaluate.journal import Journal, encode_json, write_atomically

Entry = dict[str, Any]
"""`key` (the request's hash), `prompt` (the template's name), `text` or `error` (`kind: message`), tokens."""


class ReplyBook:
    """The replies of one quad by the hash of the request, in a journal that is synced before a reply is used."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._journal = Journal(path, is_durable=True)
        self._by_key: dict[str, Entry] = {entry["key"]: entry for entry in self._journal.entries}

    def get(self, key: str) -> Entry | None:
        """Return what was replied to a request, or None."""
        return self._by_key.get(key)

    async def put(self, entry: Entry) -> None:
        """Return when the reply is on the disk."""
        self._by_key[entry["key"]] = entry
        self._journal.append(entry)
        await self._journal.commit()

    async def close(self) -> None:
        """Close the file; the replies stay."""
        await self._journal.finish()

    async def pack(self, path: Path) -> None:
        """Move the replies, in the order of their keys, into a compressed file, and remove the journal."""
        await self.close()
        lines = [encode_json(self._by_key[key]) + b"\n" for key in sorted(self._by_key)]
        write_atomically(path, gzip.compress(b"".join(lines), mtime=0))
        self._journal.path.unlink()


def read_replies(packed: Path, journals: Path) -> Iterator[Entry]:
    """Yield every reply, packed or still in a journal; a torn last line is left out."""
    done = sorted(packed.glob("*.jsonl.gz"))
    for path in done:
        for line in gzip.decompress(path.read_bytes()).splitlines():
            yield json.loads(line)
    names = {path.name.partition(".")[0] for path in done}
    for path in sorted(journals.glob("*.journal")):
        # A kill between packing and removing leaves both.
        if path.stem not in names:
            for line in path.read_bytes().split(b"\n")[:-1]:
                yield json.loads(line.partition(b" ")[2])


def tokens_of(entry: Entry) -> Tokens:
    """Return what a reply took."""
    return Tokens(entry["input"], entry["output"], entry["cached"])
