"""A report as plain text; pure, so that a command and a page can show the same."""

from __future__ import annotations

from typing import Any

from hub_toolkit.evaluate.report import Report

_WIDTH = 30
_SHOWN_SLICES = ("pref_type", "who", "updated", "conversation_scenario")
_NUM_SHOWN_FAILURES = 10


def render_report(report: Report) -> str:
    """Return the report as lines for a terminal."""
    lines = _render_head(report)
    if report["accuracy"] is None:
        lines += ["", report["note"]]
    else:
        lines += _render_scores(report)
        for name in _SHOWN_SLICES:
            lines += ["", f"by {name}"]
            lines += [_line(value or "(none)", figures) for value, figures in report["breakdown"][name].items()]
    return "\n".join(lines + _render_failures(report))


def _render_head(report: Report) -> list[str]:
    run, counts, tokens = report["run"], report["counts"], report["tokens"]
    reader = run["reader"] + (f" ({run['builder']}, cap {run['cap_tokens']} tokens)" if run["builder"] else "")
    dataset = run["dataset"]
    return [
        f"{dataset['name']} / {dataset['split']}, {run['task']}, protocol {run['protocol']}, seed {run['seed']}",
        f"model {run['model']['name']}, reader {reader}, context {run['context']}",
        f"persona system {run['persona_system']}, dataset fingerprint {dataset['fingerprint'][:16]}",
        f"{counts['rows']} rows: "
        + ", ".join(f"{counts[name]} {name}" for name in ("scored", "unparsed", "failed", "unscored")),
        f"tokens ({run['token_counter']}): {tokens['input']:,} in, {tokens['output']:,} out",
    ]


def _render_scores(report: Report) -> list[str]:
    title = "accuracy, balanced rows" if report["rows"] == "balanced" else "accuracy, all rows"
    lines = ["", _line(title, report["accuracy"]), f"{'chance':<{_WIDTH}} {report['chance']:6.1%}"]
    for name, figures in report["baselines"].items():
        lines.append(_line(name.replace("_", " "), figures))
    lines.append(_line("length controlled", report["length_controlled"]))
    lift = report["counterfactual_lift"]
    lines.append(_line("counterfactual lift", lift))
    if lift is not None:
        own, other = _share(lift["own"]["value"]), _share(lift["other"]["value"])
        lines.append(f"{'':<{_WIDTH}} own {own}, another owner's {other}, {lift['num_left_out']} pairs left out")
    groups = report["group_accuracy"]
    if groups["num_groups"]:
        whole = f"({groups['num_right']} of {groups['num_groups']} swap groups right for every owner)"
        lines.append(f"{'group accuracy':<{_WIDTH}} {_share(groups['value'])}  {whole}")
    if report["unbalanced"] is not None:
        lines.append(_line("unbalanced rows (apart)", report["unbalanced"]))
    lines.append(_line("sensitive_info (apart)", report["sensitive_info"], missing="no such rows"))
    return lines


def _render_failures(report: Report) -> list[str]:
    lines = []
    for title in ("failures", "counterfactual_failures"):
        failures = report[title]
        if not failures:
            continue
        lines += ["", f"{title.replace('_', ' ')}: {len(failures)} (ask again with --retry-failed)"]
        lines += [f"  {failure['sample_id']}: {failure['error']}" for failure in failures[:_NUM_SHOWN_FAILURES]]
        if len(failures) > _NUM_SHOWN_FAILURES:
            lines.append(f"  and {len(failures) - _NUM_SHOWN_FAILURES} more (--json lists them all)")
    return lines


def _line(name: str, figures: dict[str, Any] | None, *, missing: str = "not run") -> str:
    if figures is None:
        return f"{name:<{_WIDTH}} {missing}"
    interval = "no interval (needs two personas)"
    if figures["low"] is not None:
        interval = f"[{_share(figures['low'])}, {_share(figures['high'])}]"
    if figures["value"] is None:
        interval = "no rows"
    text = f"{name:<{_WIDTH}} {_share(figures['value'])}  {interval}  n={figures['n']}"
    extras = [f"{figures[key]} {key}" for key in ("unparsed", "failed") if figures.get(key)]
    return ", ".join([text, *extras])


def _share(value: float | None) -> str:
    return "     -" if value is None else f"{value:6.1%}"
