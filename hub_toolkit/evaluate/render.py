"""A report as plain text; pure, so that a command and a page can show the same."""

from __future__ import annotations

from typing import Any

from hub_toolkit.evaluate.report import Report

_WIDTH = 30
_SHOWN_SLICES = ("pref_type", "who", "updated", "conversation_scenario")
_NUM_SHOWN_FAILURES = 10
_LENGTH_REMEDY = "a run with --reader none, or --counterfactual, can tell"
_NO_REMEDY = "the control answers cannot tell either"
_PROMPTS = (("prompted", "where the question names it"), ("unprompted", "where it does not"))
_NOT_MEASURED = (("num_unanswered", "without an answer"), ("num_unknown", "that do not tell their secret"))


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
    return "\n".join([*lines, *_render_leaks(report["leaks"]), *_render_failures(report)])


def _render_head(report: Report) -> list[str]:
    run, counts, tokens = report["run"], report["counts"], report["tokens"]
    dataset, protocol = run["dataset"], run["protocol"]
    if isinstance(protocol, dict):
        protocol = f"{protocol['name']} version {protocol['version']} ({protocol['digest'][:12]})"
    if run["deviations"]:
        protocol += " but for " + ", ".join(f"{name} {value}" for name, value in run["deviations"].items())
    return [
        f"{dataset['name']} / {dataset['split']}, {_name_task(run)}, protocol {protocol}, seed {run['seed']}",
        f"model {_name_model(run)}, reader {_name_reader(run)}, context {run['context']}",
        f"persona system {run['persona_system']}, dataset fingerprint {dataset['fingerprint'][:16]}",
        f"{counts['rows']} rows: "
        + ", ".join(f"{counts[name]} {name}" for name in ("scored", "unparsed", "failed", "unscored")),
        f"tokens ({counted_by(run['token_counter'], tokens)}): {tokens['input']:,} in, {tokens['output']:,} out",
    ]


def _name_task(run: dict[str, Any]) -> str:
    method = " by likelihood" if run["method"] == "likelihood" else ""
    orders = f" in {run['num_permutations']} orders of the options" if run["num_permutations"] > 1 else ""
    return f"{run['task']}{method}{orders}"


def _name_model(run: dict[str, Any]) -> str:
    return f"{run['model']['name']}" + (f" with {run['adapter']}" if run["adapter"] else "")


def _name_reader(run: dict[str, Any]) -> str:
    details = {
        "memory": f" ({run['builder']}, cap {run['cap_tokens']} tokens)",
        "rag": f" ({run['rag_tokens']} tokens)",
        "external": f" ({run['external']})",
    }
    return f"{run['reader']}" + details.get(run["reader"], "")


def counted_by(token_counter: str, tokens: dict[str, Any]) -> str:
    """Return who counted the tokens of answers and memories: a model that says what it took, or our counter for it."""
    return token_counter if tokens.get("is_estimated", True) or not tokens["input"] else "counted by the model"


def _render_scores(report: Report) -> list[str]:
    title = "accuracy, balanced rows" if report["rows"] == "balanced" else "accuracy, all rows"
    lines = ["", _line(title, report["accuracy"])]
    if report["without_failed"] is not None:
        lines.append(_line("as its protocol counts", report["without_failed"]))
        lines.append(f"{'':<{_WIDTH}} rows that failed are left out of the denominator")
    lines += _render_judges(report["judges"])
    if report["chance"] is not None:
        lines.append(f"{'chance':<{_WIDTH}} {report['chance']:6.1%}")
        lines += [_line(name.replace("_", " "), figures) for name, figures in report["baselines"].items()]
        is_controlled = report["counterfactual_lift"] is not None or report["baselines"]["no_context"] is not None
        lines += _render_length_controlled(report["length_controlled"], is_controlled=is_controlled)
        if report["likelihood_lift"] is not None:
            lines.append(_line("by what the context makes likelier", report["likelihood_lift"]))
    else:
        lines.append(_line("no context", report["baselines"]["no_context"]))
    lift = report["counterfactual_lift"]
    lines.append(_line("counterfactual lift", lift))
    if lift is not None:
        own, other = _share(lift["own"]["value"]), _share(lift["other"]["value"])
        lines.append(f"{'':<{_WIDTH}} own {own}, another owner's {other}, {lift['num_left_out']} pairs left out")
    groups = report["group_accuracy"]
    if groups["num_groups"]:
        lines.append(_line("group accuracy", {**groups, "n": groups["num_groups"]}))
        lines.append(
            f"{'':<{_WIDTH}} {groups['num_right']} of {groups['num_groups']} swap groups right for every owner"
        )
    if report["unbalanced"] is not None:
        lines.append(_line("unbalanced rows (apart)", report["unbalanced"]))
    lines.append(_line("sensitive_info (apart)", report["sensitive_info"], missing="no such rows"))
    return lines


def _render_judges(judges: dict[str, Any] | None) -> list[str]:
    if judges is None:
        return []
    lines = [f"{'':<{_WIDTH}} as judged by {', '.join(judges['judges'])}"]
    corrected = judges["noise_corrected"]
    if corrected is not None and corrected["value"] is not None:
        lines.append(_line("without the judges' noise", corrected))
        if corrected["false_accepts"] is not None:
            wrong, right = _share(corrected["false_accepts"]).strip(), _share(corrected["false_rejects"]).strip()
            lines.append(f"{'':<{_WIDTH}} one verdict accepts {wrong} of wrong answers, rejects {right} of right ones")
    return lines


def _render_length_controlled(figures: dict[str, Any], *, is_controlled: bool) -> list[str]:
    lines = [_line("length controlled", figures)]
    if figures["basis"] == "control":
        lines.append(f"{'':<{_WIDTH}} by what the {figures['control_arm'].replace('_', '-')} answers go for")
    elif figures["basis"] == "bound" and figures["n"]:
        remedy = _NO_REMEDY if is_controlled else _LENGTH_REMEDY
        lines.append(f"{'':<{_WIDTH}} a lower bound: length alone may explain these answers; {remedy}")
    return lines


def _render_leaks(leaks: dict[str, Any] | None) -> list[str]:
    if leaks is None:
        return ["", "leaks in the answers' text      not measured; name the dataset with --data"]
    lines = []
    for name, title in (("secrets", "answers that repeat a secret"), ("forgotten", "answers that use the forgotten")):
        figures = leaks[name]
        if figures is None:
            continue
        lines.append(_line(title, figures["share"]))
        parts = [
            f"{_share(figures[part]['value']).strip()} of {figures[part]['n']} {text}"
            for part, text in _PROMPTS
            if figures[part]["n"]
        ]
        if figures["by_chance"] is not None:
            parts.append(f"{figures['by_chance']:.1%} of all options would")
        parts += [f"{figures[key]} {text}" for key, text in _NOT_MEASURED if figures[key]]
        lines.append(f"{'':<{_WIDTH}} {', '.join(parts)}")
    return ["", *lines] if lines else []


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
    interval = "no interval"
    if figures["low"] is not None:
        interval = f"[{_share(figures['low'])}, {_share(figures['high'])}]"
        if figures.get("interval") == "exact_bound":
            interval += " (bound)"
    elif figures.get("num_clusters", 0) < 2:
        interval += " (needs two sets of owners)" if "num_groups" in figures else " (needs two personas)"
    if figures["value"] is None:
        interval = "no rows"
    text = f"{name:<{_WIDTH}} {_share(figures['value'])}  {interval}  n={figures['n']}"
    extras = [f"{figures[key]} {key}" for key in ("unparsed", "failed", "unscored") if figures.get(key)]
    return ", ".join([text, *extras])


def _share(value: float | None) -> str:
    return "     -" if value is None else f"{value:6.1%}"
