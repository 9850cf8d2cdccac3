"""Peak memory and rate of reading a large ChatGPT export: a ZIP that is made here, of `--size-mb` of JSON.

    python benchmarks/chat_import.py --size-mb 1024

The last line is JSON. The export is made of a fixed seed; the control reads the same JSON with `json.load`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hub_toolkit.data.chat_exports import ChatSession, read_export

_TEXT = "I have been growing tomatoes on the balcony since spring and my sister prefers basil over mint"
_TURNS = 24
_ENTRY = "conversations.json"
_MIB = 2**20


def main() -> None:
    """Make the export, read it in a process of its own, print a table and the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size-mb", type=int, default=128, help="MiB of JSON in the ZIP")
    parser.add_argument("--no-control", action="store_true", help="do not read it with json.load beside")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--control", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read or options.control:
        print(json.dumps(_measure(options.read or options.control, is_control=options.control is not None)))
        return
    with tempfile.TemporaryDirectory(prefix="personamem-import-") as folder:
        path = Path(folder) / "export.zip"
        num_conversations = _write_export(path, options.size_mb * _MIB)
        figures = {"size_mb": options.size_mb, "zip_mb": round(path.stat().st_size / _MIB, 1)}
        figures["conversations"] = num_conversations
        figures["read_export"] = _in_process("--read", path)
        if not options.no_control:
            figures["json_load"] = _in_process("--control", path)
    _print_table(figures)
    print(json.dumps(figures))


def _write_export(path: Path, size_bytes: int) -> int:
    rng = random.Random(int.from_bytes(hashlib.sha256(b"chat-import").digest()[:8], "big"))
    number = written = 0
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open(_ENTRY, "w", force_zip64=True) as out,
    ):
        out.write(b"[")
        while written < size_bytes:
            data = json.dumps(_conversation(rng, number), ensure_ascii=False).encode()
            written += out.write((b"," if number else b"") + data)
            number += 1
        out.write(b"]")
    return number


def _conversation(rng: random.Random, number: int) -> dict[str, Any]:
    start = 1_700_000_000 + number * 3600
    mapping: dict[str, Any] = {"root": {"id": "root", "message": None, "parent": None, "children": ["n0"]}}
    for place in range(_TURNS):
        text = " ".join(rng.choices(_TEXT.split(), k=rng.randrange(20, 400)))
        mapping[f"n{place}"] = {
            "id": f"n{place}",
            "message": {
                "id": f"n{place}",
                "author": {"role": ("user", "assistant")[place % 2], "name": None, "metadata": {}},
                "create_time": start + place * 30.5,
                "content": {"content_type": "text", "parts": [text]},
                "status": "finished_successfully",
                "metadata": {"citations": [], "model_slug": "model", "request_id": f"{rng.getrandbits(128):032x}"},
                "recipient": "all",
            },
            "parent": f"n{place - 1}" if place else "root",
            "children": [f"n{place + 1}"] if place + 1 < _TURNS else [],
        }
    last = f"n{_TURNS - 1}"
    return {"title": "Garden", "create_time": start, "mapping": mapping, "current_node": last, "id": f"c{number}"}


def _measure(path: Path, *, is_control: bool) -> dict[str, Any]:
    start = time.perf_counter()
    num_sessions = sum(1 for _ in (_load_whole(path) if is_control else _sessions(path)))
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"sessions": num_sessions, "seconds": round(seconds, 2), "peak_mb": round(peak, 1)}


def _sessions(path: Path) -> Iterator[ChatSession]:
    return (found for found in read_export(path) if isinstance(found, ChatSession))


def _load_whole(path: Path) -> Iterator[Any]:
    with zipfile.ZipFile(path) as archive, archive.open(_ENTRY) as stream:
        return iter(json.load(stream))


def _in_process(flag: str, path: Path) -> dict[str, Any]:
    command = [sys.executable, str(Path(__file__)), flag, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def _print_table(figures: dict[str, Any]) -> None:
    size = figures["size_mb"]
    print(f"{size} MiB of JSON, {figures['conversations']:,} conversations, ZIP of {figures['zip_mb']} MiB\n")
    print(f"{'reader':<12}{'sessions':>10}{'seconds':>10}{'MiB/s':>8}{'peak MiB':>10}")
    for name in ("read_export", "json_load"):
        if name in figures:
            row = figures[name]
            rate = size / max(row["seconds"], 0.01)
            print(f"{name:<12}{row['sessions']:>10,}{row['seconds']:>10.1f}{rate:>8.0f}{row['peak_mb']:>10.0f}")
    print()


if __name__ == "__main__":
    main()
