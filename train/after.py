"""After training: `python -m train.after merge | compare`. Check, push, pull and evaluation are `personamem`'s own."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from hub_toolkit.errors import PersonaMemError
from hub_toolkit.evaluate.journal import write_atomically


def main(words: Sequence[str] | None = None) -> int:
    """Run one of the commands and return the exit status."""
    options = _parser().parse_args(words)
    return _merge(options) if options.command == "merge" else _compare(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m train.after", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    merge = commands.add_parser("merge", help="put an adapter into its base, checked against the unmerged model")
    merge.add_argument("adapter", type=Path, help="the adapter's folder")
    merge.add_argument("out", type=Path, help="a new folder for the full model")
    merge.add_argument("--base", help="where the base lies, if not where the adapter says")
    merge.add_argument("--dtype", help="what is saved: float32, bfloat16 or float16; default: the base's own")
    compare = commands.add_parser("compare", help="runs of `personamem eval run` side by side, every pair tested")
    compare.add_argument("runs", nargs="+", metavar="NAME=RUN", help="a model's name and its run's folder")
    compare.add_argument(
        "--no-context", action="append", default=[], metavar="NAME=RUN", help="its control: a run with --reader none"
    )
    compare.add_argument("--card", type=Path, help="write the results card to this file")
    compare.add_argument("--title", default="PersonaMem: models side by side", help="of the card")
    compare.add_argument("--dataset-revision", help="commit of the dataset, where the runs do not say it")
    compare.add_argument("--json", dest="is_json", action="store_true", help="figures as JSON")
    return parser


def _merge(options: argparse.Namespace) -> int:
    from hub_toolkit.hub.checkpoints.checkpoint_check import check_files
    from hub_toolkit.hub.checkpoints.model_card import serve_command
    from train.after_merge import merge_adapter

    report = merge_adapter(options.adapter, options.out, base=options.base, dtype=options.dtype)
    print(f"merged {options.adapter} into {report.base}: {report.out}, saved as {report.dtype}")
    print(f"logits moved by {report.merge_error:.1e} of the largest one; as saved {report.save_error:.1e}")
    print(f"serve it: {serve_command(check_files(report.out), str(report.out))}")
    print(f"push it: personamem checkpoint push {report.out} owner/name --merged")
    return 0


def _compare(options: argparse.Namespace) -> int:
    from train.after_compare import Entry, contests_table, models_table, put_side_by_side, render_card

    runs, controls = _pairs(options.runs), _pairs(options.no_context)
    if unknown := [name for name in controls if name not in runs]:
        raise PersonaMemError(f"--no-context {unknown[0]}: no run has this name; there are {', '.join(runs)}")
    found = put_side_by_side([Entry(name, run, controls.get(name)) for name, run in runs.items()])
    if options.is_json:
        print(json.dumps(found.as_dict(), indent=1))
    else:
        print(f"{models_table(found)}\n\n{contests_table(found)}")
    if options.card:
        card = render_card(found, title=options.title, dataset_revision=options.dataset_revision)
        write_atomically(options.card, card.encode())
        print(f"card: {options.card}", file=sys.stderr)
    return 0


def _pairs(words: Sequence[str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for word in words:
        name, separator, folder = word.partition("=")
        if not separator or not name or not folder:
            raise PersonaMemError(f"{word!r} is no NAME=RUN, as in base=runs/base")
        if name in found:
            raise PersonaMemError(f"{name} is named twice; give each run a name of its own")
        found[name] = Path(folder)
    return found


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PersonaMemError as error:
        sys.exit(f"error: {error}")
