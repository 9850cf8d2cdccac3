"""A compiled rule said back to its owner in plain words."""

from __future__ import annotations

from datetime import date, timedelta

from hub_toolkit.memory.rules.languages import rule_language
from hub_toolkit.memory.rules.patterns import long_number_size
from hub_toolkit.memory.rules.phrases import code_example
from hub_toolkit.memory.state import Rule

_NAMES = {
    "age": "age and birthdays", "body": "body and looks", "contact": "contact data", "ethnicity": "origin, ethnicity and immigration", "finance": "money",
    "food": "food and drink", "legal": "trouble with the law", "location": "where the owner lives and is", "mental_health": "mental health",
    "politics": "politics", "sexuality": "sexuality, gender and intimacy", "substances": "alcohol, tobacco, drugs and gambling",
}  # fmt: skip
_LANGUAGES = {
    "en": "English",
    "de": "German",
    "fr": "French",
    "es": "Spanish",
    "it": "Italian",
    "pt": "Portuguese",
    "nl": "Dutch",
    "pl": "Polish",
    "tr": "Turkish",
    "ru": "Russian",
    "zh": "Chinese",
    "ja": "Japanese",
    "ko": "Korean",
    "ar": "Arabic",
    "hi": "Hindi",
}


def describe_rule(rule: Rule) -> str:
    """Return what a rule does, in plain words."""
    what = [_NAMES.get(name, name.replace("_", " ")) for name in rule.categories]
    what += [f"what names “{entity}”" for entity in rule.entities]
    what += [_describe_pattern(pattern) for pattern in rule.patterns]
    subject = "; ".join(what)
    when = _describe_time(rule, is_of_subject=bool(what))
    verb = "Keeps only" if rule.effect == "only" else "Never keeps"
    text = f"{verb}: {'; '.join(part for part in (subject, when) if part)}."
    return text + _describe_strictness(rule)


def _describe_pattern(pattern: str) -> str:
    size = long_number_size(pattern)
    if size:
        return f"numbers of {size} digits or more"
    code = code_example(pattern)
    if code is not None:
        return f"codes of the form {code} with any digits, spelled out too"
    return f"what matches /{pattern.removeprefix('(?i)')}/" + (", in any case" if pattern.startswith("(?i)") else "")


def _describe_time(rule: Rule, *, is_of_subject: bool) -> str:
    if rule.after and rule.before:
        last = (date.fromisoformat(rule.before) - timedelta(days=1)).isoformat()
        span = f"from {rule.after} to {last}" if last != rule.after else f"on {rule.after}"
    elif rule.before:
        span = f"from before {rule.before}"
    elif rule.after:
        span = f"from {rule.after} on"
    else:
        return ""
    return f"but only where it was said or is dated {span}" if is_of_subject else f"what was said or is dated {span}"


def _describe_strictness(rule: Rule) -> str:
    if rule.strictness != "strict":
        return ""
    language = rule_language(rule.text)
    if language is None:
        return " Strict: faint hints too. Write “(normal)” behind the rule for clear words alone."
    known = "English" if language == "en" else f"English and {_LANGUAGES.get(language, language)}"
    return (
        f" Strict: faint hints too, and nothing that is said in another language than {known}, but for food, hobbies and travel."
        " Write “(normal)” behind the rule for clear words alone, in any language."
    )
