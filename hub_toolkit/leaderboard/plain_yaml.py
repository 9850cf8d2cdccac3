"""YAML of strangers: plain fields, without anchors, tags or depth. None is needed, and each is a way to blow it up."""

from __future__ import annotations

from typing import Any

from hub_toolkit.errors import SubmissionError

MAX_YAML_BYTES = 16 * 1024
MAX_YAML_DEPTH = 4


def read_fields(text: bytes, file: str) -> dict[str, Any]:
    """Return the fields of a small YAML (or JSON) file.

    Raises: SubmissionError: too large, no UTF-8, no YAML, with anchors or tags, too deep, or a field stands twice.
    """
    if len(text) > MAX_YAML_BYTES:
        raise SubmissionError(f"{file}: {len(text):,} bytes; at most {MAX_YAML_BYTES:,} are read")
    try:
        raw = _parse(text.decode("utf-8-sig"), file)
    except UnicodeDecodeError as error:
        raise SubmissionError(f"{file}: no UTF-8 (byte {error.start + 1}); save it as UTF-8") from None
    if not isinstance(raw, dict) or not all(isinstance(name, str) for name in raw):
        raise SubmissionError(f"{file}: holds no fields; write one `name: value` a line")
    return {name: _join_surrogates(value, name, file) for name, value in raw.items()}


def _parse(text: str, file: str) -> Any:
    import yaml

    try:
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            _check_event(event, depth, file)
        _check_names(yaml.compose(text, Loader=yaml.SafeLoader), file)
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise SubmissionError(f"{file}{line}: no YAML ({str(error.problem)[:120]}); see the template") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise SubmissionError(f"{file}: no YAML (an odd character, date or number); see the template") from None


def _check_event(event: Any, depth: int, file: str) -> None:
    """Raises: SubmissionError: an anchor, an alias, a tag, or too deep."""
    import yaml

    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        raise SubmissionError(f"{file}: anchors and aliases are not read; write each value out")
    if getattr(event, "tag", None):
        raise SubmissionError(f"{file}: tags are not read; write plain values")
    if depth > MAX_YAML_DEPTH:
        raise SubmissionError(f"{file}: nested too deeply; it holds plain fields")


def _check_names(root: Any, file: str) -> None:
    """Raises: SubmissionError: a field stands twice, and readers would take one or the other."""
    seen: set[Any] = set()
    for name, _ in root.value if root is not None and root.id == "mapping" else ():
        if name.id == "scalar" and name.value in seen:
            raise SubmissionError(f"{file}, line {name.start_mark.line + 1}: {name.value[:40]} stands twice; keep one")
        seen.update([name.value] if name.id == "scalar" else [])


def _join_surrogates(value: Any, name: str, file: str) -> Any:
    """Return a text in which the halves that JSON writes for a character beyond the first 65,536 are one again."""
    if not isinstance(value, str):
        return value
    try:
        return value.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise SubmissionError(f"{file}: {name[:40]!r} holds half a character; write it as UTF-8") from None
