"""Where a run keeps its work: each stage of each quad in a file of its own, the replies in one book a quad."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from hub_toolkit.evaluate.journal import encode_json, write_atomically
from hub_toolkit.generate.layout import WORK_FOLDER
from hub_toolkit.generate.llm.replies import Entry, ReplyBook, read_replies
from hub_toolkit.generate.llm.tally import Tally

REPLIES_FOLDER = "replies"

Records = TypeVar("Records")


@dataclasses.dataclass(frozen=True)
class Store:
    """The files of one run."""

    out: Path

    def stage_path(self, quad: int, stage: str) -> Path:
        """Return the file of a stage's records."""
        return self.out / WORK_FOLDER / "stages" / f"q{quad:05}" / f"{stage}.json"

    def packed_path(self, quad: int) -> Path:
        """Return the file whose presence says that a quad is finished."""
        return self.out / REPLIES_FOLDER / f"q{quad:05}.jsonl.gz"

    def journal_path(self, quad: int) -> Path:
        """Return the file of the replies of a quad that is not finished."""
        return self.out / WORK_FOLDER / REPLIES_FOLDER / f"q{quad:05}.journal"

    def is_finished(self, quad: int) -> bool:
        """Whether nothing of a quad is left to do."""
        return self.packed_path(quad).is_file()

    def open_book(self, quad: int) -> ReplyBook:
        """Open the replies of a quad that is not finished."""
        return ReplyBook(self.journal_path(quad))

    def replies(self) -> Iterator[Entry]:
        """Yield every reply of the run."""
        yield from read_replies(self.out / REPLIES_FOLDER, self.out / WORK_FOLDER / REPLIES_FOLDER)

    async def run_stage(
        self, quad: int, stage: str, adapter: TypeAdapter[Records], job: Callable[[Tally], Awaitable[Records]]
    ) -> Records:
        """Return a stage's records from its file, or run it and write them with what it rejected."""
        path = self.stage_path(quad, stage)
        if path.is_file():
            return adapter.validate_python(json.loads(path.read_bytes())["records"])
        tally = Tally()
        records = await job(tally)
        content = {"stage": stage, "quad": quad, **tally.as_dict(), "records": _plain(records)}
        write_atomically(path, encode_json(content) + b"\n")
        return records

    def tally_of(self, quad: int, stage: str) -> dict[str, Any]:
        """Return what went into a stage and what it rejected; nothing where it was not run."""
        path = self.stage_path(quad, stage)
        if not path.is_file():
            return {"entered": {}, "rejections": []}
        content = json.loads(path.read_bytes())
        return {"entered": content["entered"], "rejections": content["rejections"]}


def _plain(records: Any) -> Any:
    if isinstance(records, list | tuple):
        return [_plain(each) for each in records]
    if dataclasses.is_dataclass(records) and not isinstance(records, type):
        return dataclasses.asdict(records)
    return records
