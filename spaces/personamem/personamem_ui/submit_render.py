"""The form's answers as HTML: problems, the row that would appear, the receipt, the status."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from hub_toolkit.hub.leaderboard.intake import Received
from hub_toolkit.leaderboard.board import Board
from hub_toolkit.leaderboard.export import render_template
from hub_toolkit.leaderboard.rank import TableRow
from personamem_ui.board_format import e
from personamem_ui.board_row import render_scores
from personamem_ui.board_source import BoardSource
from personamem_ui.board_status import SubmissionStatus
from personamem_ui.checking import MAX_PROBLEMS, PAGE_LIMITS

_STATUS = {
    "scored": "In the table.",
    "disputed": "In the table, and disputed.",
    "pending_judges": "In the table; its open answers wait for the maintainers' judges.",
    "waiting": "Received. It waits for scoring.",
    "refused": "Refused.",
    "withdrawn": "Withdrawn.",
    "unknown": "Nothing of that digest was received here. Was it sent to this leaderboard, and is the digest whole?",
}


def render_intro(board: Board) -> str:
    """Say what a submission is, with an example and the template."""
    example = next(iter(board.by_id))
    template = base64.b64encode(render_template(board)).decode()
    return (
        f'<div class="pm-about"><p>Two files: <code>predictions.jsonl</code> holds the raw output to each of the '
        f"<strong>{len(board.samples):,} questions</strong> of <code>{e(board.dataset)}</code> at "
        f"<code>{e(board.revision[:12])}</code>, a line a question; <code>meta.yaml</code> says what answered. Scores "
        "are computed here from the raw outputs; figures that a file claims are not read.</p>"
        f'<pre tabindex="0">{{"sample_id": "{e(example)}", "output": "… Final Answer: B"}}\n'
        f'{{"sample_id": "…", "output": null, "error": "timeout"}}</pre>'
        "<p>Further fields, all optional: <code>no_context_output</code> (the same model without any history), "
        "<code>other_output</code> and <code>other_persona_id</code> (with another person's history: the paired lift), "
        "<code>memory</code>, <code>input_tokens</code>, <code>output_tokens</code>. "
        f"At most {PAGE_LIMITS.size_bytes // 2**20} MB here; UTF-8; no HTML.</p>"
        f'<p><a download="meta.yaml" href="data:text/yaml;base64,{template}">Download the template of meta.yaml</a>, '
        "or let <code>personamem leaderboard submit RUN</code> write both files from a run.</p></div>"
    )


def render_problems(problems: Sequence[str]) -> str:
    """List what is wrong."""
    count = len(problems)
    more = f" (the first {MAX_PROBLEMS})" if count >= MAX_PROBLEMS else ""
    listed = "".join(f"<li>{e(problem)}</li>" for problem in problems)
    word = "problem" if count == 1 else "problems"
    return (
        f'<div class="pm-alert" role="alert"><strong>Not acceptable yet: {count} {word}{more}.</strong>'
        f'<ol class="pm-problems">{listed}</ol></div>'
    )


def render_error(text: str) -> str:
    """Say what went wrong."""
    return f'<div class="pm-alert" role="alert"><strong>Error:</strong> {e(text)}</div>'


def render_waiting(text: str) -> str:
    """Say what is going on."""
    return f'<p class="pm-waiting" role="status">{e(text)}</p>'


def render_preview(row: TableRow) -> str:
    """Return the row that a submission would get; nothing was sent."""
    flags = "".join(f"<li>{e(flag)}</li>" for flag in row["flags"])
    flagged = (
        f'<div class="pm-alert"><strong>It would be flagged:</strong><ul class="pm-flags">{flags}</ul></div>'
        if flags
        else ""
    )
    return (
        f'<div class="pm-result" role="status"><p><strong>Acceptable.</strong> {e(row["name"])} would get this row; '
        f"nothing has been sent.</p><p>Digest <code>{e(row['submission'])}</code></p>{flagged}"
        f'<div class="pm-preview">{render_scores(row)}</div></div>'
    )


def render_receipt(received: Received, submitter: str, *, is_rehearsal: bool, note: str = "") -> str:
    """Return the receipt of a submission that was sent."""
    what = "Received" if received.status == "received" else "Known already: the same submission was sent before"
    who = f"{e(submitter)} (a rehearsal: this name is not an account)" if is_rehearsal else e(submitter)
    return (
        f'<div class="pm-result" role="status"><p><strong>{what}.</strong> Keep the digest: it names your '
        f"submission.</p><p><code>{e(received.digest)}</code></p><p>Sent by {who} at {e(received.time)}.</p>"
        f"{f'<p>{e(note)}</p>' if note else ''}</div>"
    )


def render_status(status: SubmissionStatus) -> str:
    """Return what became of a submission."""
    items = "".join(
        f"<li>{e(event['time'])} <strong>{e(event['kind'])}</strong>"
        f"{': ' + e(event['reason']) if event.get('reason') else ''}</li>"
        for event in status.log
    )
    log = f'<ul class="pm-log">{items}</ul>' if items else ""
    reason = f"<p>{e(status.reason)}</p>" if status.reason else ""
    kind = "pm-alert" if status.status in ("refused", "unknown") else "pm-result"
    return (
        f'<div class="{kind}" role="status"><p><strong>{_STATUS[status.status]}</strong></p>{reason}'
        f"<p><code>{e(status.digest)}</code></p>{log}</div>"
    )


def render_sender(source: BoardSource) -> str:
    """Say under which name a submission is sent, or how else it can be sent."""
    if source.intake is None:
        text = "This page has no leaderboard to send to: it checks files and shows the row that they would get."
    elif source.has_sign_in:
        text = "It is sent under the account that you are signed in with, which is shown in public."
    elif source.is_rehearsal:
        text = (
            "This is a rehearsal on a Hub of this machine, without accounts: choose any name. The row is marked as a "
            "rehearsal's."
        )
    else:
        text = (
            "This page has no sign-in and cannot know who sends: use <code>personamem leaderboard submit</code> "
            "or open a pull request on the dataset of submissions. Checking works here."
        )
    return f'<p class="pm-small">{text}</p>'
