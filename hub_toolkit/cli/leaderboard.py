"""`personamem leaderboard`: its commands, loaded when called."""

from __future__ import annotations

import click

from hub_toolkit.cli.lazy import Entry, LazyGroup

_SEND = "hub_toolkit.cli.leaderboard_send"
_TABLE = "hub_toolkit.cli.leaderboard_table"
_RULE = "hub_toolkit.cli.leaderboard_rule"
ENTRIES = {
    "template": Entry(_SEND, "template", "Print a meta.yaml to fill in."),
    "validate": Entry(_SEND, "validate", "Check the two files of a submission."),
    "score": Entry(_SEND, "score", "Print what the board would show."),
    "submit": Entry(_SEND, "submit", "Send a run, or two files."),
    "show": Entry(_TABLE, "show", "Print the table."),
    "compare": Entry(_TABLE, "compare", "Compare two submissions row by row."),
    "work": Entry(_TABLE, "work", "Score what was sent (for maintainers and the Space)."),
    "withdraw": Entry(_RULE, "withdraw", "Take a submission from the table; the log keeps it."),
    "dispute": Entry(_RULE, "dispute", "Mark a submission as disputed."),
    "verify": Entry(_RULE, "verify", "Record a maintainer's rerun."),
    "judge": Entry(_RULE, "judge_command", "Judge an open-ended submission."),
    "export": Entry(_RULE, "export", "Propose a row to the model's repo as its evaluation result."),
}


@click.group(cls=LazyGroup, entries=ENTRIES)
def leaderboard() -> None:
    """Submit to the leaderboard, read it, and keep it.

    A submission is predictions.jsonl (the raw reply to every pinned question) and meta.yaml. Every score is computed
    from the raw replies.
    """
