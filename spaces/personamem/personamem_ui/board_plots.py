"""The leaderboard's plots as SVG, each with its figures as a table beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from hub_toolkit.leaderboard.rank import TableRow
from personamem_ui.board_format import e, format_day, format_interval, format_share
from personamem_ui.board_view import interval_of, tokens_per_query, type_names
from personamem_ui.plot_frame import frame_plot

WIDTH, HEIGHT = 560, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 34, 24, 44
NUM_LABELLED, LABEL_HEIGHT, LABEL_CHARS, LABEL_CHAR_WIDTH = 4, 15, 28, 6.6
NUM_BY_TYPE = 3
MAX_LISTED = 30
MAX_DOTS = 100
"""Of more rows the best are drawn: dots upon dots say nothing, and cost every visitor time."""
BAR_HEIGHT, GROUP_GAP, NAME_WIDTH = 15, 12, 240
CHANCE = 0.25


def render_plots(rows: Sequence[TableRow]) -> str:
    """Return the three plots of the rows on show; a word where there is nothing to draw."""
    scored = [row for row in rows if row["accuracy"] is not None]
    if not scored:
        return '<p class="pm-empty">Plots appear with the first scored row.</p>'
    best_first = sorted(scored, key=lambda row: (-row["accuracy"], row["time"]))[:MAX_DOTS]
    cut = ""
    if len(scored) > MAX_DOTS:
        cut = f'<p class="pm-small">The plots show the best {MAX_DOTS} of {len(scored):,} rows.</p>'
    return (
        f'{cut}<div class="pm-plots">{_plot_tokens(best_first)}{_plot_time(best_first)}</div>{_plot_types(best_first)}'
    )


def _plot_tokens(rows: Sequence[TableRow]) -> str:
    """Accuracy against tokens a query, on a scale of powers of ten."""
    known = [(tokens, row) for row in rows if (tokens := tokens_per_query(row))]
    title = "Accuracy against tokens a query"
    if not known:
        return _figure(title, '<p class="pm-empty">No row on show says how many tokens it took.</p>', "")
    low = math.floor(math.log10(min(tokens for tokens, _ in known)))
    high = max(low + 1, math.ceil(math.log10(max(tokens for tokens, _ in known))))
    bounds = _bounds([row for _, row in known])
    sides = _labelled([(_x(math.log10(tokens), low, high), row) for tokens, row in known], bounds)
    ticks = "".join(_tick_x(_x(power, low, high), f"{10**power:,}") for power in range(low, high + 1))
    dots = "".join(
        _dot(_x(math.log10(tokens), low, high), row, bounds, side=sides.get(row["submission"])) for tokens, row in known
    )
    label = f"{title}: {len(known)} systems; the best has {format_share(known[0][1]['accuracy'])}"
    listed = _listing(
        ("System", "Tokens a query", "Accuracy"),
        [(row["name"], f"{tokens:,.0f}", format_share(row["accuracy"])) for tokens, row in known],
    )
    return _figure(title, _svg(label, _axes_y(bounds) + ticks + _axis_name("tokens a query") + dots), listed)


def _labelled(dots: Sequence[tuple[float, TableRow]], bounds: tuple[float, float]) -> dict[str, str]:
    """Return on which side ("start" is the right) the first few names stand, of those that cover no dot and no name."""
    taken: list[float] = []
    places = [(x, _y(row["accuracy"], bounds)) for x, row in dots]
    sides: dict[str, str] = {}
    for (x, y), (_, row) in list(zip(places, dots, strict=True))[: 3 * NUM_LABELLED]:
        width = LABEL_CHAR_WIDTH * min(len(row["name"]), LABEL_CHARS)
        near = [other for other, level in places if other != x and abs(level - y) < LABEL_HEIGHT]
        fits = {
            "start": x + width < WIDTH and not any(x < other < x + width for other in near),
            "end": x - width > LEFT and not any(x - width < other < x for other in near),
        }
        side = next((side for side, is_free in fits.items() if is_free), None)
        if side and len(sides) < NUM_LABELLED and all(abs(y - other) > LABEL_HEIGHT for other in taken):
            taken.append(y)
            sides[row["submission"]] = side
    return sides


def _plot_time(rows: Sequence[TableRow]) -> str:
    """Accuracy over time, with the best so far as a line."""
    title = "Accuracy over time"
    dated = sorted(
        ((time, row) for row in rows if (time := _seconds(row["time"])) is not None), key=lambda pair: pair[0]
    )
    if not dated:
        return ""
    first, last = dated[0][0], dated[-1][0]
    if last == first:
        first, last = first - 43_200, last + 43_200
    bounds = _bounds([row for _, row in dated])
    steps: list[tuple[float, float]] = []
    best = -1.0
    for time, row in dated:
        if row["accuracy"] > best:
            x = _x(time, first, last)
            steps += [(x, _y(best, bounds))] if steps else []
            best = row["accuracy"]
            steps.append((x, _y(best, bounds)))
    steps.append((_x(last, first, last), _y(best, bounds)))
    line = f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in steps)}"/>'
    dots = "".join(_dot(_x(time, first, last), row, bounds) for time, row in dated)
    days = [format_day(datetime.fromtimestamp(time).isoformat()) for time in (first, last)]
    ends = (
        f'<text x="{LEFT}" y="{HEIGHT - BOTTOM + 18}">{days[0]}</text>'
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - BOTTOM + 18}" text-anchor="end">{days[1]}</text>'
    )
    label = f"{title}: {len(dated)} systems from {days[0]} to {days[1]}; the best so far has {format_share(best)}"
    listed = _listing(
        ("Sent on", "System", "Accuracy"),
        [(format_day(row["time"]), row["name"], format_share(row["accuracy"])) for _, row in reversed(dated)],
    )
    return _figure(title, _svg(label, _axes_y(bounds) + ends + _axis_name("day sent") + line + dots), listed)


def _plot_types(rows: Sequence[TableRow]) -> str:
    """Accuracy by type of question, of the best systems on show: bars with their intervals."""
    chosen = [row for row in rows if row.get("by_type")][:NUM_BY_TYPE]
    title = f"Accuracy by type of question, {_best(len(chosen))}"
    names = type_names(chosen)
    if not names:
        return ""
    group = BAR_HEIGHT * len(chosen) + GROUP_GAP
    height = group * len(names) + 30
    parts, cells = [], []
    for number, name in enumerate(names):
        top = number * group + 4
        parts.append(
            f'<text x="{NAME_WIDTH - 8}" y="{top + group / 2:.0f}" text-anchor="end">{e(_type_title(name))}</text>'
        )
        for place, row in enumerate(chosen):
            part = row["by_type"].get(name)
            parts.append(
                _bar(part["value"] if part else None, interval_of(row, f"type:{name}"), place, top + place * BAR_HEIGHT)
            )
        shares = [format_share((row["by_type"].get(name) or {}).get("value")) for row in chosen]
        cells.append((_type_title(name), *shares))
    scale = "".join(
        f'<line class="pm-grid" x1="{_bar_x(s):.1f}" y1="0" x2="{_bar_x(s):.1f}" y2="{height - 26}"/>'
        f'<text x="{_bar_x(s):.1f}" y="{height - 10}" text-anchor="middle">{round(100 * s)} %</text>'
        for s in (0, 0.25, 0.5, 0.75, 1)
    )
    key = "".join(
        f'<li><span class="pm-key is-{place}" aria-hidden="true"></span>{e(row["name"])}</li>'
        for place, row in enumerate(chosen)
    )
    label = f"{title}; the figures stand in the table below"
    drawing = frame_plot(label, f"{scale}{''.join(parts)}", 2 * WIDTH, height)
    listed = _listing(("Type", *(row["name"] for row in chosen)), cells)
    return _figure(title, f'<ul class="pm-keys">{key}</ul>{drawing}', listed)


def _best(count: int) -> str:
    return "the best system on show" if count == 1 else f"the best {count} systems on show"


def _type_title(name: str) -> str:
    return name.replace("_", " ")


def _bar_x(share: float) -> float:
    return NAME_WIDTH + (2 * WIDTH - NAME_WIDTH - 40) * min(1.0, max(0.0, share))


def _bar(value: float | None, bounds: tuple[float, float] | None, place: int, top: float) -> str:
    if value is None:
        return ""
    middle = top + BAR_HEIGHT / 2
    whisker = (
        f'<line class="pm-whisker" x1="{_bar_x(bounds[0]):.1f}" y1="{middle:.1f}" x2="{_bar_x(bounds[1]):.1f}" '
        f'y2="{middle:.1f}"/>'
        if bounds
        else ""
    )
    return (
        f'<rect class="pm-bar-{place}" x="{NAME_WIDTH}" y="{top + 2:.1f}" '
        f'width="{max(1.0, _bar_x(value) - NAME_WIDTH):.1f}" '
        f'height="{BAR_HEIGHT - 4}"/>{whisker}'
    )


def _figure(title: str, drawing: str, listing: str) -> str:
    return f'<figure class="pm-plot"><figcaption>{e(title)}</figcaption>{drawing}{listing}</figure>'


def _svg(label: str, inside: str) -> str:
    return frame_plot(label, inside, WIDTH, HEIGHT)


def _listing(head: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    top = "".join(f'<th scope="col">{e(text)}</th>' for text in head)
    body = "".join("<tr>" + "".join(f"<td>{e(text)}</td>" for text in line) + "</tr>" for line in cells[:MAX_LISTED])
    cut = f'<p class="pm-small">The first {MAX_LISTED} of {len(cells)}.</p>' if len(cells) > MAX_LISTED else ""
    return (
        f'<details class="pm-figures"><summary>The figures</summary><div class="pm-scroll" tabindex="0" role="region" '
        f'aria-label="Figures of the plot"><table class="pm-plain"><thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{cut}</details>"
    )


def _bounds(rows: Sequence[TableRow]) -> tuple[float, float]:
    """Return the lowest and highest accuracy of the scale, in steps of ten points, intervals inside."""
    ends = [
        row[name] for row in rows for name in ("accuracy", "accuracy_low", "accuracy_high") if row.get(name) is not None
    ]
    low, high = math.floor(10 * min(*ends, CHANCE)) / 10, math.ceil(10 * max(*ends, CHANCE)) / 10
    return max(0.0, low), min(1.0, high)


def _x(value: float, low: float, high: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (value - low) / (high - low)


def _y(share: float, bounds: tuple[float, float]) -> float:
    low, high = bounds
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (share - low) / (high - low)


def _dot(x: float, row: TableRow, bounds: tuple[float, float], *, side: str | None = None) -> str:
    y = _y(row["accuracy"], bounds)
    interval = interval_of(row, "accuracy")
    whisker = (
        f'<line class="pm-whisker" x1="{x:.1f}" y1="{_y(interval[0], bounds):.1f}" x2="{x:.1f}" '
        f'y2="{_y(interval[1], bounds):.1f}"/>'
        if interval
        else ""
    )
    name = row["name"]
    label = (
        f'<text x="{x - 9 if side == "end" else x + 9:.1f}" y="{y - 6:.1f}" text-anchor="{side}">'
        f"{e(name if len(name) <= LABEL_CHARS else name[: LABEL_CHARS - 1] + '…')}</text>"
        if side
        else ""
    )
    said = f"{row['name']}: {format_share(row['accuracy'])} ({format_interval(interval)})"
    return f'{whisker}<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5"><title>{e(said)}</title></circle>{label}'


def _tick_x(x: float, text: str) -> str:
    return f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{text}</text>'


def _axis_name(text: str) -> str:
    return f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 6}" text-anchor="middle">{e(text)}</text>'


def _axes_y(bounds: tuple[float, float]) -> str:
    low, high = bounds
    count = max(1, round((high - low) * 10))
    every = 2 if count > 6 else 1
    lines = "".join(
        f'<line class="pm-grid" x1="{LEFT}" y1="{_y(s, bounds):.1f}" x2="{WIDTH - RIGHT}" y2="{_y(s, bounds):.1f}"/>'
        f'<text x="{LEFT - 8}" y="{_y(s, bounds) + 4:.1f}" text-anchor="end">{round(100 * s)} %</text>'
        for s in (low + n / 10 for n in range(0, count + 1, every))
    )
    chance = _y(CHANCE, bounds)
    return (
        f'{lines}<line class="pm-cap" x1="{LEFT}" y1="{chance:.1f}" x2="{WIDTH - RIGHT}" y2="{chance:.1f}"/>'
        f'<text x="{WIDTH - RIGHT}" y="{chance - 5:.1f}" text-anchor="end">chance</text>'
    )


def _seconds(time: str) -> float | None:
    try:
        return datetime.fromisoformat(time).timestamp()
    except ValueError:
        return None
