"""A submission: raw outputs for exactly the pinned questions, read strictly, named by its content."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hub_toolkit.data.fields import FieldError, parse_json
from hub_toolkit.errors import SubmissionError
from hub_toolkit.leaderboard.board import Board
from hub_toolkit.leaderboard.meta import CLAIMS, SubmissionMeta, parse_meta

PREDICTIONS_FILE = "predictions.jsonl"
_FIELDS = (
    "sample_id",
    "output",
    "no_context_output",
    "other_output",
    "other_persona_id",
    "memory",
    "input_tokens",
    "output_tokens",
    "error",
)
_HTML = re.compile(
    r"</?(?:script|iframe|img|svg|style|object|embed|link|meta|html|head|body|base|form|input|button|video|audio|source|"
    r"canvas|math|template|frame|frameset|applet|marquee|textarea|select|dialog|noscript|xmp|plaintext)\b"
    r"(?:[^<>]{0,2000}>|\s+[a-z-]{1,40}\s{0,4}=|/|$)|"
    r"</?(?:a|b|i|u|div|span|table|tr|td|th|ul|ol|li|p|br|hr|font|center|strong|em|h[1-6])(?:\s[^<>]{0,2000})?/?>|"
    r"<[a-z][^<>]{0,200}\son[a-z]{3,20}\s{0,4}=|<!--|<!doctype|javascript:|data:text/html",
    re.I,
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
_FORMS = (
    (b"PK\x03\x04", "a ZIP archive; unpack it and send the file inside"),
    (b"\x1f\x8b", "compressed (gzip); unpack it and send the file inside"),
    (b"\xff\xfe", "UTF-16 or UTF-32; save it as UTF-8"),
    (b"\xfe\xff", "UTF-16; save it as UTF-8"),
    (b"[", "no JSON object, it begins an array; write one object a line"),
)


@dataclass(frozen=True)
class SubmissionLimits:
    """What a submission may measure; `output_chars` is of one output or memory."""

    size_bytes: int = 64 * 2**20
    output_chars: int = 32_000
    line_chars: int = 160_000


@dataclass(frozen=True)
class Prediction:
    """What a system said to one question.

    `output` is the raw reply, None where the model gave none (`error` says why). `no_context_output` is the same
    model's reply without any history; `other_output` with the history of persona `other_persona_id` instead.
    """

    sample_id: str
    output: str | None
    no_context_output: str | None = None
    other_output: str | None = None
    other_persona_id: int | None = None
    memory: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    error: str | None = None


@dataclass(frozen=True)
class Submission:
    """Predictions in the board's order, and what they were made with."""

    meta: SubmissionMeta
    predictions: tuple[Prediction, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of all of it: the submission's name, the same however its files are laid out.

        What is not given does not count, so that a field of a later version changes no name.
        """
        return _digest({"meta": _given(self.meta), "predictions": [_given(p) for p in self.predictions]})

    @property
    def outputs_digest(self) -> str:
        """SHA-256 of the raw outputs alone: equal where somebody sends another's answers under a new name."""
        return _digest([[p.sample_id, p.output] for p in self.predictions])


def _given(value: SubmissionMeta | Prediction) -> dict[str, Any]:
    return {name: part for name, part in vars(value).items() if part is not None and (name, part) != ("notes", "")}


def _digest(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def read_submission(
    predictions: bytes, meta: bytes, board: Board, *, limits: SubmissionLimits | None = None
) -> Submission:
    """Read and check a submission to a board; each message names the file, the line and the remedy.

    Raises: SubmissionError: it is not acceptable as it is.
    """
    parsed = parse_meta(meta)
    check_board(parsed, board)
    return Submission(parsed, read_predictions(predictions, board, limits=limits or SubmissionLimits()))


def check_board(meta: SubmissionMeta, board: Board) -> None:
    """Raises: SubmissionError: the submission answers another dataset, revision, split or protocol."""
    for name, found, wanted in (
        ("dataset", meta.dataset, board.dataset),
        ("dataset_revision", meta.dataset_revision, board.revision),
        ("split", meta.split, board.split),
        ("protocol", meta.protocol, board.protocol.name),
    ):
        if found != wanted:
            raise SubmissionError(
                f"meta.yaml: {name} is {found[:64]!r}, this board is for {wanted!r}; run the system on that, or find "
                "the board of yours"
            )


def read_predictions(data: bytes, board: Board, *, limits: SubmissionLimits) -> tuple[Prediction, ...]:
    """Return a prediction for each pinned question, in the board's order.

    Raises: SubmissionError: `line` counts from 1.
    """
    if len(data) > limits.size_bytes:
        raise SubmissionError(
            f"{PREDICTIONS_FILE}: {len(data):,} bytes; at most {limits.size_bytes:,} are taken (leave memories out)"
        )
    check_form(data)
    found: dict[str, Prediction] = {}
    lines: dict[str, int] = {}
    for number, line in _lines(data, max_blank=len(board.by_id)):
        prediction = read_line(line, number, board, limits)
        name = prediction.sample_id
        if name in found:
            raise _error(number, f"{name} was answered in line {lines[name]} already; keep one line a question")
        found[name], lines[name] = prediction, number
    missing = [name for name in board.by_id if name not in found]
    if missing:
        raise SubmissionError(
            f"{PREDICTIONS_FILE}: {len(missing):,} of {len(board.by_id):,} questions have no line, the first is "
            f"{missing[0]}; a question without a reply needs a line too: output null, and the error"
        )
    if all(prediction.output is None for prediction in found.values()):
        raise SubmissionError(f"{PREDICTIONS_FILE}: every output is null, so that nothing can be scored; run it again")
    return tuple(found[name] for name in board.by_id)


def check_form(data: bytes) -> None:
    """Raises: SubmissionError: another kind of file, by how it begins."""
    if not data:
        raise SubmissionError(f"{PREDICTIONS_FILE}: is empty; write one line a question")
    head = data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
    for beginning, message in _FORMS:
        if head.startswith(beginning):
            raise SubmissionError(f"{PREDICTIONS_FILE}, line 1: {message}")
    if b"\0" in head:
        raise SubmissionError(f"{PREDICTIONS_FILE}, line 1: holds zero bytes, as UTF-16 does; save it as UTF-8")


def _lines(data: bytes, *, max_blank: int) -> Iterator[tuple[int, bytes]]:
    num_blank = 0
    for number, line in enumerate(io.BytesIO(data), 1):
        if line.strip():
            yield number, line
            continue
        num_blank += 1
        if num_blank > max_blank + 1:
            raise _error(number, "more blank lines than questions; write one line a question")


def read_line(line: bytes, number: int, board: Board, limits: SubmissionLimits) -> Prediction:
    """Read one line by itself.

    Raises: SubmissionError: it is no prediction for a question of the board.
    """
    if len(line) > 4 * limits.line_chars:
        raise _error(number, f"{len(line):,} bytes; a line holds at most {limits.line_chars:,} characters")
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise _error(number, f"no UTF-8 (byte {error.start + 1} of the line); save the file as UTF-8") from None
    prediction = _parse_line(text, number, limits)
    name = prediction.sample_id
    if name not in board.by_id:
        raise _error(number, f"sample_id {name[:60]!r} is no question of this board; take the ids from its dataset")
    _check_other(prediction, number, board)
    return prediction


def _check_other(prediction: Prediction, number: int, board: Board) -> None:
    """Raises: SubmissionError: an answer from another persona's history that does not say whose, or names no other."""
    other = prediction.other_persona_id
    if (prediction.other_output is None) != (other is None):
        raise _error(number, "other_output and other_persona_id stand together; give both, or leave both out")
    is_own = other == board.by_id[prediction.sample_id].persona_id
    if other is not None and (is_own or other not in board.persona_ids):
        raise _error(number, f"other_persona_id {other} is no other persona of this board; name whose history was read")


def _parse_line(line: str, number: int, limits: SubmissionLimits) -> Prediction:
    try:
        raw = parse_json(line, max_depth=4, is_unique=True)
    except FieldError as error:
        raise _error(number, error.message) from None
    if not isinstance(raw, dict):
        raise _error(number, 'no JSON object; write {"sample_id": …, "output": …}')
    raw = {name: value for name, value in raw.items() if name not in CLAIMS}
    unknown = sorted(raw.keys() - set(_FIELDS))
    if unknown:
        raise _error(number, f"unknown field {unknown[0][:40]!r}; the fields are {', '.join(_FIELDS)}")
    if "sample_id" not in raw or "output" not in raw:
        raise _error(number, "sample_id or output is missing; both are needed (output may be null)")
    if not isinstance(raw["sample_id"], str):
        raise _error(number, "sample_id is no text; write the question's id as the dataset has it, in quotes")
    for name in ("output", "no_context_output", "other_output", "memory", "error"):
        _check_text(name, raw.get(name), number, limits)
    for name in ("input_tokens", "output_tokens", "other_persona_id"):
        value = raw.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**40):
            raise _error(number, f"{name} is no count; write a whole number from 0, or leave it out")
    return Prediction(**raw)


def _check_text(name: str, value: Any, number: int, limits: SubmissionLimits) -> None:
    if value is None:
        return
    if not isinstance(value, str):
        raise _error(number, f"{name} is no text; write the raw reply as a string")
    if len(value) > limits.output_chars:
        raise _error(number, f"{name} has {len(value):,} characters; at most {limits.output_chars:,} are taken")
    found = _HTML.search(value) or _CONTROL.search(value)
    if found:
        raise _error(
            number, f"{name} holds HTML or control characters (at character {found.start() + 1}); send the plain reply"
        )


def make_plain(text: str | None) -> str | None:
    """Return a reply as it may be sent: the angle brackets of HTML written out, control characters left out."""
    if text is None:
        return None
    plain = _CONTROL.sub("", text)
    if not _HTML.search(plain):
        return plain
    return re.sub(r"(javascript|data):", r"\1 :", plain.replace("<", "&lt;"), flags=re.I)


def _error(number: int, message: str) -> SubmissionError:
    return SubmissionError(f"{PREDICTIONS_FILE}, line {number}: {message}")
