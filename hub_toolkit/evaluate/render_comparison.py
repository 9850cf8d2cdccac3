"""A comparison of two runs as plain text; pure, as is the rendering of a report."""

from __future__ import annotations

from typing import Any

from hub_toolkit.evaluate.compare import Comparison
from hub_toolkit.evaluate.render import counted_by

_WIDTH = 30
_SHOWN_SLICES = ("pref_type", "who", "updated", "conversation_scenario")
_NUM_SHOWN_FAILURES = 10
_LEVEL = 0.05


def render_comparison(comparison: Comparison) -> str:
    """Return the comparison as lines for a terminal; slices of many values only where the corrected p is below 5 %."""
    lines = [*_render_head(comparison), "", f"{'':<{_WIDTH}}      A       B    B - A  95 % interval        p"]
    lines.append(_line("accuracy", comparison["overall"]))
    lines += ["", f"by slice, the second p corrected by Holm for {comparison['num_slices']} slices"]
    for name in dict.fromkeys(part["slice"] for part in comparison["slices"]):
        parts = [part for part in comparison["slices"] if part["slice"] == name]
        shown = parts if name in _SHOWN_SLICES else [part for part in parts if _is_found(part)]
        left_out = f" ({len(parts) - len(shown)} of {len(parts)} not shown)" if len(shown) < len(parts) else ""
        lines += [f"{name}{left_out}", *(_line(f"  {part['value'] or '(none)'}", part) for part in shown)]
    return "\n".join([*lines, *_render_failures(comparison["failures"])])


def _render_head(comparison: Comparison) -> list[str]:
    rows, tokens = comparison["rows"], comparison["tokens_per_answer"]
    lines = [f"{letter.upper()}  {comparison['runs'][letter]['folder']}" for letter in ("a", "b")]
    for name, values in comparison["compared"].items():
        lines.append(f"   {name}: A {_name(values['a'])}, B {_name(values['b'])}")
    only = f"{rows['only_a']} only in A, {rows['only_b']} only in B"
    lines.append(f"{rows['compared']} {rows['kind']} rows compared; {rows['in_common']} rows in common, {only}")
    if rows["unscored"]:
        lines.append(f"{rows['unscored']} rows left out: unscored in one of the runs")
    for letter, spent in tokens.items():
        text = f"{spent['input']:,.0f} in, {spent['output']:,.0f} out, {spent['memories']:,.0f} for memories"
        lines.append(f"tokens an answer, {letter.upper()}: {text} ({counted_by(spent['token_counter'], spent)})")
    return lines


def _name(value: Any) -> str:
    return str(value["name"]) if isinstance(value, dict) and "name" in value else str(value)


def _is_found(part: dict[str, Any]) -> bool:
    return part["p_holm"] is not None and part["p_holm"] < _LEVEL


def _line(name: str, part: dict[str, Any]) -> str:
    interval = "no interval     "
    if part["low"] is not None:
        interval = f"[{100 * part['low']:+6.1f}, {100 * part['high']:+6.1f}]"
    figures = f"{part['a']:6.1%}  {part['b']:6.1%}  {100 * part['difference']:+6.1f}  {interval}"
    p_values = [_p(part[key]) for key in ("p", "p_holm") if key in part]
    return f"{name[:_WIDTH]:<{_WIDTH}} {figures}  {'  '.join(p_values)}  n={part['n']}"


def _p(p: float | None) -> str:
    if p is None:
        return "    -"
    return f"{p:5.3f}" if p >= 0.001 else "<.001"


def _render_failures(failures: dict[str, list[dict[str, Any]]]) -> list[str]:
    lines = []
    for letter, failed in failures.items():
        if failed:
            lines += ["", f"failed in {letter.upper()}, counted as wrong: {len(failed)}"]
            lines += [f"  {failure['sample_id']}: {failure['error']}" for failure in failed[:_NUM_SHOWN_FAILURES]]
        if len(failed) > _NUM_SHOWN_FAILURES:
            lines.append(f"  and {len(failed) - _NUM_SHOWN_FAILURES} more (--json lists them all)")
    return lines
