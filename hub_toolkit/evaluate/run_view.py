"""Runs as a page shows them: report and rows of each, and which of them may stand side by side."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub_toolkit.data.foreign import FOREIGN_KIND
from hub_toolkit.errors import DataFormatError
from hub_toolkit.evaluate.record import Row
from hub_toolkit.evaluate.report import Report, build_report, load_run

NOT_MEASURED = "not measured"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_ASKED = (
    ("protocol", "protocol"),
    ("task", "task"),
    ("method", "method"),
    ("orders", "orders of the options"),
    ("dataset", "dataset"),
    ("split", "split"),
    ("questions", "questions"),
    ("seed", "seed"),
    ("persona_system", "persona system"),
    ("judges", "judges"),
)


@dataclass(frozen=True)
class RunView:
    """One run: `name` is its folder's, `report` what `build_report` says; a part that it lacks was not measured."""

    name: str
    report: Report
    rows: tuple[Row, ...]

    @property
    def run(self) -> dict[str, Any]:
        """What names the result."""
        run = self.report.get("run")
        return run if isinstance(run, dict) else {}

    @property
    def protocol(self) -> str:
        """The protocol's name, with version and digest where the report has them."""
        found = self.run.get("protocol", NOT_MEASURED)
        if not isinstance(found, dict):
            return str(found)
        version, digest = found.get("version"), str(found.get("digest") or "")[:12]
        parts = [found.get("name"), f"version {version}" if version is not None else "", digest]
        return ", ".join(str(part) for part in parts if part)

    @property
    def system(self) -> str:
        """Model and reader in a few words, without the context size."""
        run = self.run
        model = run.get("model")
        name = model.get("name") if isinstance(model, dict) else model
        adapter = f" with {run['adapter']}" if run.get("adapter") else ""
        built = f", {run['builder']}" if run.get("builder") else f", {run['external']}" if run.get("external") else ""
        return f"{name or NOT_MEASURED}{adapter} · {run.get('reader', NOT_MEASURED)}{built}"

    @property
    def context(self) -> str:
        """The size of the histories, or that none was read."""
        if self.run.get("reader") in ("none", "oracle"):
            return "no history"
        # Another dataset's history has one length, whichever of PersonaMem's sizes was named.
        if self.rows and all(FOREIGN_KIND.fullmatch(row.pref_type) for row in self.rows):
            return "its own size"
        return str(self.run.get("context") or NOT_MEASURED)

    @property
    def asked(self) -> dict[str, str]:
        """What was asked and how: runs that differ in it have no common scale."""
        dataset = self.run.get("dataset")
        data = dataset if isinstance(dataset, dict) else {}
        ids = "\n".join(sorted(row.sample_id for row in self.rows)).encode("utf-8", "surrogatepass")
        return {
            "protocol": self.protocol,
            "task": str(self.run.get("task", NOT_MEASURED)),
            "method": str(self.run.get("method", NOT_MEASURED)),
            "orders": str(self.run.get("num_permutations", NOT_MEASURED)),
            "dataset": str(data.get("name", NOT_MEASURED)),
            "split": str(data.get("split", NOT_MEASURED)),
            "questions": f"{data.get('questions_sha256', '')} {hashlib.sha256(ids).hexdigest()}",
            "seed": str(self.run.get("seed", NOT_MEASURED)),
            "persona_system": str(self.run.get("persona_system", NOT_MEASURED)),
            "judges": self._judges,
        }

    @property
    def _judges(self) -> str:
        """Who judged by which protocol; nothing where no judge was asked."""
        judges = self.report.get("judges")
        if not isinstance(judges, dict):
            return ""
        names = judges.get("judges")
        listed = ", ".join(map(str, names)) if isinstance(names, list) else str(names)
        return f"{listed} by protocol {judges.get('protocol', NOT_MEASURED)}"


@dataclass(frozen=True)
class Section:
    """Runs that were asked the same questions in the same way. `reason` says why they do not stand with the others."""

    views: tuple[RunView, ...]
    reason: str = ""

    @property
    def letters(self) -> tuple[str, ...]:
        """A letter a run; two of them from the 27th on."""
        return tuple(letter_of(place) for place in range(len(self.views)))


def letter_of(place: int) -> str:
    """Return the name of the run at a place of its section: A to Z, then AA."""
    more, last = divmod(place, len(LETTERS))
    return (letter_of(more - 1) if more else "") + LETTERS[last]


def open_run(folder: Path, *, no_context: Path | None = None, data: Path | None = None) -> RunView:
    """Read a complete run with its report.

    Raises: DataFormatError: as `build_report`.
    """
    report = build_report(folder, no_context=no_context, data=data)
    return RunView(folder.resolve().name, report, tuple(load_run(folder)[1]))


def open_runs(folders: Sequence[Path], *, data: Path | None = None) -> list[RunView]:
    """Read several runs; one of the same model with the reader `none` is the no-context baseline of the others.

    Raises: DataFormatError: as `build_report`.
    """
    plain = [open_run(folder, data=data) for folder in folders]
    bare = [(view, folder) for view, folder in zip(plain, folders, strict=True) if view.run.get("reader") == "none"]
    return [_with_baseline(view, folder, bare, data) for view, folder in zip(plain, folders, strict=True)]


def _with_baseline(view: RunView, folder: Path, bare: Sequence[tuple[RunView, Path]], data: Path | None) -> RunView:
    baselines = view.report.get("baselines")
    if not isinstance(baselines, dict) or baselines.get("no_context") is not None:
        return view
    for other, place in bare:
        if other.run.get("model") != view.run.get("model"):
            continue
        try:
            return open_run(folder, no_context=place, data=data)
        except DataFormatError:
            continue  # asked other questions, or the same ones otherwise: no baseline of this run
    return view


def group_runs(views: Sequence[RunView]) -> tuple[Section, ...]:
    """Return the runs in sections of a common scale, in the order in which they were given."""
    groups: dict[tuple[str, ...], list[RunView]] = {}
    for view in views:
        groups.setdefault(tuple(view.asked.values()), []).append(view)
    parts = list(groups.values())
    return tuple(Section(tuple(part), _explain(part[0], parts[:place])) for place, part in enumerate(parts))


def _explain(view: RunView, earlier: Sequence[Sequence[RunView]]) -> str:
    """Return why a section has a scale of its own; nothing for the first one."""
    sentences = []
    for number, others in enumerate(earlier, 1):
        ours, theirs = view.asked, others[0].asked
        differing = []
        for key, title in _ASKED:
            if ours[key] == theirs[key]:
                continue
            values = f"{ours[key] or 'none'}, there {theirs[key] or 'none'}"
            differing.append("the questions" if key == "questions" else f"{title} ({values})")
        sentences.append(f"It differs from section {number} in {', '.join(differing)}.")
    if not sentences:
        return ""
    return " ".join([*sentences, "Accuracies that were asked differently have no common scale and are not compared."])
