"""A row's own page: who sent what and when, what it was scored on, and how it compares with another row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from hub_toolkit.errors import PersonaMemError
from hub_toolkit.evaluate.compare import Comparison
from hub_toolkit.leaderboard.board import Board
from hub_toolkit.leaderboard.events import Event
from hub_toolkit.leaderboard.rank import TableRow
from hub_toolkit.leaderboard.table_answers import compare_entries
from personamem_ui.board_format import NONE, e, format_interval, format_share, format_signed
from personamem_ui.board_render import describe_column, render_marks
from personamem_ui.board_source import BoardSource, Snapshot
from personamem_ui.board_view import CONTEXTS, TIERS, cost_per_thousand, tokens_per_query

NUM_SLICES = 40
_ESTIMATES = (
    ("accuracy", "Accuracy"),
    ("length_controlled", "Length-controlled"),
    ("no_context", "Without any context"),
    ("lift", "Paired lift"),
    ("group_accuracy", "Whole swap groups"),
    ("sensitive_info", "Secrets kept (not in accuracy)"),
)
_RERUN = (
    ("rerun_accuracy", "Accuracy of the rerun", "share"),
    ("excess", "What was sent lies above it by", "signed"),
    ("same_choices", "Same choices", "share"),
    ("same_verdicts", "Same verdicts", "share"),
    ("rerun_lost", "Answers of it that failed", ""),
    ("held_out_accuracy", "On people whom nobody else has", "share"),
    ("gap", "Gap to that", "signed"),
    ("held_out_rows", "Questions about them", ""),
    ("rerun_model", "Model", ""),
    ("who", "Run by", ""),
    ("time", "Recorded at", ""),
)


def render_row(row: TableRow | None, source: BoardSource, snapshot: Snapshot) -> str:
    """Return a row's page; nothing where no row is open."""
    if row is None:
        return ""
    name = e(row["name"])
    return (
        f'<article class="pm-row" aria-label="Submission {name}"><div class="pm-row-head"><h4>{name}</h4>'
        f"{render_marks(row)}"
        '<button type="button" class="pm-button" data-close="1">Close</button></div>'
        f'{_render_dispute(row)}{_render_flags(row)}<div class="pm-row-parts">{_render_system(row)}'
        f"{render_scores(row)}</div>{_render_verified(row)}{_render_files(row, source)}"
        f"{_render_log(snapshot.events(row['submission']))}</article>"
    )


def _definitions(title: str, pairs: Sequence[tuple[str, str]]) -> str:
    listed = "".join(f"<div><dt>{term}</dt><dd>{value}</dd></div>" for term, value in pairs)
    return f"<section><h5>{title}</h5><dl>{listed}</dl></section>"


def _render_system(row: TableRow) -> str:
    size = row.get("parameters_b")
    cost = cost_per_thousand(row)
    tokens = tokens_per_query(row)
    return _definitions(
        "The system",
        [
            ("Model", f"<code>{e(row['model'])}</code>"),
            ("Revision", f"<code>{e(row['revision'])}</code>"),
            ("Reads", e(CONTEXTS.get(row["context"], row["context"]))),
            ("Size", f"{size:g} billion parameters" if size is not None else NONE),
            ("Licence", e(row["licence"])),
            ("Asked with", e(row["harness"])),
            ("Tokens a query", f"{tokens:,.0f}, as the sender states" if tokens is not None else NONE),
            ("Cost", f"${cost:,.2f} per 1,000 questions, as the sender states" if cost is not None else NONE),
            ("More", _render_url(row.get("url"))),
            ("Notes", e(row.get("notes") or NONE)),
            ("Sent by", f"{e(row['submitter'])} ({_WAYS.get(row['way'], e(row['way']))})"),
            ("Sent at", e(row["time"])),
            ("Contact", e(row["contact"])),
        ],
    )


_WAYS = {
    "form": "with the form",
    "cli": "on the command line",
    "pull_request": "as a pull request",
    "rehearsal": "in a rehearsal: this name is not an account",
}


def _render_url(url: str | None) -> str:
    if not url or not url.startswith("https://"):
        return NONE
    return f'<a href="{e(url)}" rel="noopener noreferrer nofollow ugc">{e(url)}</a>'


def render_scores(row: TableRow) -> str:
    """Return every figure of a row, with what it was scored on."""
    pairs = []
    for key, title in _ESTIMATES:
        value = row.get(key)
        is_signed = key == "lift"
        low, high = row.get(f"{key}_low"), row.get(f"{key}_high")
        bounds = format_interval((low, high) if low is not None and high is not None else None, is_signed=is_signed)
        text = (f"{format_signed(value)} points" if value is not None else NONE) if is_signed else format_share(value)
        pairs.append((title, f'{e(text)} <span class="pm-bounds">{e(bounds)}</span>' if bounds else e(text)))
    agreement = row.get("agreement")
    judged = (
        f"{e(row['judges'])}"
        if row.get("judges")
        else ("awaited" if row["status"] == "pending_judges" else "none needed")
    )
    pairs += [
        ("Chance", format_share(row.get("chance"))),
        ("Answers", f"{row['num_rows']:,}: {row['num_scored']:,} scored, {row['num_unparsed']:,} unparsed, "
                    f"{row['num_failed']:,} failed, {row['num_unscored']:,} not judged"),
        ("Judges", judged + (f", agreement {agreement:.2f}" if agreement is not None else "")),
        ("Standing", e(TIERS.get(row["tier"], row["tier"]))),
        ("Table", e(describe_column(row["column"]))),
        ("Dataset revision", f"<code>{e(row['dataset_revision'])}</code>"),
        ("Protocol", f"{e(row['protocol'])} <code>{e(row['protocol_digest'][:12])}</code>"),
    ]  # fmt: skip
    return _definitions("What it scored", pairs)


def _render_dispute(row: TableRow) -> str:
    dispute = row.get("dispute")
    if not dispute:
        return ""
    text = dispute.get("reason", "") if isinstance(dispute, dict) else str(dispute)
    who = f" ({e(dispute.get('who', ''))}, {e(dispute.get('time', ''))})" if isinstance(dispute, dict) else ""
    return f'<div class="pm-alert"><strong>Disputed.</strong> {e(text)}{who}</div>'


def _render_flags(row: TableRow) -> str:
    if not row.get("flags"):
        return ""
    listed = "".join(f"<li>{e(flag)}</li>" for flag in row["flags"])
    return (
        '<div class="pm-alert"><strong>Flagged by the server, for people to judge:</strong>'
        f'<ul class="pm-flags">{listed}</ul></div>'
    )


def _render_verified(row: TableRow) -> str:
    verified = row.get("verified")
    if not verified:
        return '<p class="pm-small">Not verified: the maintainers have not run this system themselves.</p>'
    if not isinstance(verified, dict):
        return f'<p class="pm-small">Verified: {e(verified)}</p>'
    told = [part for part in _RERUN if verified.get(part[0]) is not None]
    pairs = [(title, e(_say(verified[name], kind) + _bounds(verified, name))) for name, title, kind in told]
    is_verified = row["tier"] == "verified"
    title = "Verified by the maintainers' own run" if is_verified else "The maintainers' own run scored less"
    return _definitions(title, pairs)


def _bounds(verified: Mapping[str, Any], name: str) -> str:
    stem = name.removesuffix("_accuracy")
    low, high = verified.get(f"{stem}_low"), verified.get(f"{stem}_high")
    if not (isinstance(low, float) and isinstance(high, float)):
        return ""
    return f" ({format_interval((low, high), is_signed=name in ('gap', 'excess'))})"


def _say(value: object, kind: str) -> str:
    if kind and isinstance(value, int | float):
        return format_share(value) if kind == "share" else f"{format_signed(value)} points"
    return str(value)[:300]


def _render_files(row: TableRow, source: BoardSource) -> str:
    digest = row["submission"]
    links = [
        f'<a href="{e(link)}" rel="noopener">{name}</a>'
        for name in ("predictions.jsonl", "meta.yaml", "receipt.json")
        if (link := source.link(digest, name))
    ]
    here = f"?tab=leaderboard&submission={quote(digest[:16])}"
    return (
        f'<p class="pm-files">Files as they came: {", ".join(links) or NONE}. Digest <code>{e(digest)}</code>. '
        f'<a href="{e(here)}">Link to this row</a>. {_render_ways(source, digest)}</p>'
    )


def _render_ways(source: BoardSource, digest: str) -> str:
    """Say how a row is disputed or withdrawn."""
    if source.can_send:
        return "Something wrong with it, or is it yours? It can be disputed or withdrawn below."
    return f"Something wrong? <code>personamem leaderboard dispute {e(digest[:12])} --reason …</code>"


def _render_log(events: Sequence[Event]) -> str:
    if not events:
        return ""
    items = "".join(
        f"<li><time>{e(event['time'])}</time> <strong>{e(event['kind'])}</strong> by {e(event['who'])}"
        f"{': ' + e(event['reason']) if event.get('reason') else ''}</li>"
        for event in events
    )
    head = f"<summary>Public log ({len(events)})</summary>"
    return f'<details class="pm-figures">{head}<ul class="pm-log">{items}</ul></details>'


def render_comparison(a: TableRow, b: TableRow, boards: Sequence[Board]) -> str:
    """Return how B differs from A on the questions that both were asked, or why that cannot be said."""
    try:
        found = compare_entries(a, b, boards)
    except PersonaMemError as error:
        return f'<p class="pm-empty">These two cannot be compared: {e(error)}.</p>'
    overall = found["overall"]
    low, high, p = overall.get("low"), overall.get("high"), overall.get("p")
    bounds = format_interval((low, high) if low is not None and high is not None else None, is_signed=True)
    verdict = _verdict(a, b, low, high)
    head = "".join(
        f'<th scope="col"{" class=is-number" if number else ""}>{e(text)}</th>'
        for number, text in enumerate(("Part", a["name"], b["name"], "Difference", "95 % interval", "p (Holm)"))
    )
    shown = [part for part in found["slices"] if part["slice"] in ("pref_type", "who")] or found["slices"]
    body = "".join(_render_slice(part) for part in shown[:NUM_SLICES])
    return (
        f'<div class="pm-comparison" role="status"><p><strong>{e(verdict)}</strong> Paired on '
        f"{found['rows']['compared']:,} questions, clustered by persona: {format_share(overall['a'])} against "
        f"{format_share(overall['b'])}, difference {e(format_signed(overall['difference']))} points ({e(bounds)}), "
        f"p = {_p(p)}.</p></div>"
        f'<div class="pm-scroll" tabindex="0" role="region" aria-label="Comparison by type">'
        f'<table class="pm-plain pm-compared"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _verdict(a: TableRow, b: TableRow, low: float | None, high: float | None) -> str:
    if low is not None and low > 0:
        return f"{b['name']} is better than {a['name']}."
    if high is not None and high < 0:
        return f"{b['name']} is worse than {a['name']}."
    return "No difference can be told from these questions."


def _p(value: float | None) -> str:
    if value is None:
        return NONE
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _render_slice(part: Comparison) -> str:
    low, high = part.get("low"), part.get("high")
    bounds = format_interval((low, high) if low is not None and high is not None else None, is_signed=True)
    cells = "".join(
        f'<td class="is-number">{e(text)}</td>'
        for text in (
            *(format_share(part["a"]), format_share(part["b"]), format_signed(part["difference"])),
            *(bounds or NONE, _p(part["p_holm"])),
        )
    )
    return f'<tr><th scope="row">{e(str(part["value"]).replace("_", " "))}</th>{cells}</tr>'
