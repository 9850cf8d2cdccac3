"""The page's functions for programs: HTTP, `gradio_client` and MCP call these, typed and documented."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import wraps
from inspect import signature
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import gradio as gr
from gradio.events import api as offer

from hub_toolkit.answer.mcq import LETTERS, Question, question_messages
from hub_toolkit.answer.open_ended import open_messages
from hub_toolkit.answer.readers import Window, fit_messages, read_memory
from hub_toolkit.data.history import parse_history
from hub_toolkit.data.tokens import EstimateCounter
from hub_toolkit.errors import DataFormatError, PersonaMemError, SubmissionError
from hub_toolkit.hub.leaderboard.worker import preview_row
from hub_toolkit.leaderboard.rank import TableRow
from hub_toolkit.leaderboard.table_answers import compare_entries
from hub_toolkit.memory.build import build_memory
from hub_toolkit.memory.builders.extractive import ExtractiveBuilder
from hub_toolkit.memory.document import DEFAULT_CAP_TOKENS, MemoryDocument
from hub_toolkit.memory.owner.audit import rank_bullets
from hub_toolkit.models.base import GenerateConfig
from hub_toolkit.types import Message
from personamem_ui.answering import MAX_ANSWER_TOKENS, PageModel
from personamem_ui.board_source import BoardSource, Snapshot
from personamem_ui.board_status import find_status
from personamem_ui.board_view import View, select_rows
from personamem_ui.carried_memory import check_chat, open_carried
from personamem_ui.checking import list_problems
from personamem_ui.memory_api import make_calls
from personamem_ui.sending import RowAct, act_on_row, find_sender, score_sent, send_files
from personamem_ui.sessions import MAX_QUESTION_CHARACTERS, UPLOAD_LIMITS
from personamem_ui.support import measure_support, telling_text

API_CALLS, NUM_API_CALLS, NUM_SENDERS = "api", 4, 40
"""All calls of programs share one queue with this many places."""

MAX_ROWS = 1_000
MAX_OPTION_CHARACTERS = 4_000
USED_TOP = 5
_INTERNAL = ("choices", "format_version")

JsonObject = dict[str, Any]
Found = TypeVar("Found")


class PageApi:
    """What programs may call. Nothing is kept: a memory goes out with the answer, and comes back with the question."""

    def __init__(self, source: BoardSource, page_model: PageModel) -> None:
        self.source, self.page_model = source, page_model

    async def leaderboard(
        self, column: str = "", task: str = "mcq", context: str = "", tier: str = "", text: str = "", limit: int = 100
    ) -> JsonObject:
        """Return the leaderboard's rows, best first, with how old they are.

        Args:
            column: Which table (dataset, split and protocol); empty for the page's own. `columns` lists all.
            task: mcq or open.
            context: What was read: none, 32k, 128k, memory, rag, external or oracle; empty for any.
            tier: self_reported, recomputed or verified; empty for any.
            text: Part of a name, a model or a sender.
            limit: At most this many rows, up to 1,000.
        """

        def read() -> JsonObject:
            snapshot = self._table()
            view = View(
                column=column or self.source.board.column,
                task=_one_of("task", task, ("mcq", "open")),
                contexts=(context,) if context else (),
                tiers=(tier,) if tier else (),
                text=text[:100],
            )
            found = select_rows(snapshot.rows, view)
            count = min(MAX_ROWS, max(0, int(limit)))
            return {
                "column": view.column,
                "task": view.task,
                "columns": self._columns(snapshot),
                "age_s": snapshot.age_s,
                "error": snapshot.error,
                "num_waiting": snapshot.num_waiting,
                "num_rows": len(found.rows),
                "rows": [
                    {"place": found.places.get(row["submission"]), **public_row(row)} for row in found.rows[:count]
                ],
            }

        return await _answer(read)

    async def submission_status(self, digest: str) -> JsonObject:
        """Return what became of a submission: waiting, scored, pending_judges, disputed, refused, withdrawn or unknown.

        Args:
            digest: The receipt's 64 digits, or the first 8 or more once it is in the table.
        """

        def read() -> JsonObject:
            status = find_status(self.source, digest)
            row = public_row(status.row) if status.row is not None else None
            return {**{k: getattr(status, k) for k in ("digest", "status", "reason")}, "row": row, "log": status.log}

        return await _answer(read)

    async def validate_submission(self, predictions: str, meta: str) -> JsonObject:
        """Check a submission and return everything that is wrong, at most 20 problems; nothing is sent.

        Args:
            predictions: The text of predictions.jsonl.
            meta: The text of meta.yaml.
        """

        def check() -> JsonObject:
            files = _encode(predictions), _encode(meta)
            problems = list_problems(*files, self.source.boards)
            row = preview_row(*files, self.source.boards) if not problems else None
            return {
                "is_acceptable": not problems,
                "problems": problems,
                "digest": row["submission"] if row is not None else None,
            }

        return await _answer(check)

    async def score_predictions(self, predictions: str, meta: str) -> JsonObject:
        """Return the row that a submission would get, computed from its raw outputs; nothing is sent.

        Args:
            predictions: The text of predictions.jsonl.
            meta: The text of meta.yaml.
        """

        def score() -> JsonObject:
            files = _encode(predictions), _encode(meta)
            problems = list_problems(*files, self.source.boards)
            if problems:
                raise SubmissionError("; ".join(problems[:3]))
            return public_row(preview_row(*files, self.source.boards))

        return await _answer(score)

    async def submit(self, predictions: str, meta: str, name: str = "") -> JsonObject:
        """Send a submission, as the form does: in public, and for good; return its receipt and what became of it.

        Args:
            predictions: The text of predictions.jsonl.
            meta: The text of meta.yaml.
            name: Who sends, in a rehearsal on a Hub of this machine; elsewhere it is the account that is signed in.
        """

        def send() -> JsonObject:
            received = send_files(self.source, _encode(predictions), _encode(meta), find_sender(self.source, name))
            return {**asdict(received), "note": score_sent(self.source, received.digest)}

        return await _answer(send)

    async def dispute(self, digest: str, reason: str, name: str = "") -> JsonObject:
        """Mark a row as disputed, with a reason that the public log shows.

        Args:
            digest: Digest of a row, or its first 8 digits or more.
            reason: One line of at most 500 characters.
            name: Who asks, in a rehearsal; elsewhere it is the account that is signed in.
        """
        return await _answer(lambda: self._act("dispute", digest, reason, name))

    async def withdraw(self, digest: str, reason: str, name: str = "") -> JsonObject:
        """Take one's own row from the table; the public log keeps that it was there, and the reason.

        Args:
            digest: Digest of a row, or its first 8 digits or more.
            reason: One line of at most 500 characters.
            name: Who asks, in a rehearsal; elsewhere it is the account that is signed in.
        """
        return await _answer(lambda: self._act("withdraw", digest, reason, name))

    def _act(self, act: RowAct, digest: str, reason: str, name: str) -> JsonObject:
        sender = find_sender(self.source, name)
        done = act_on_row(self.source, act, _find(self._table(), digest)["submission"], sender=sender, reason=reason)
        status = find_status(self.source, done)
        return {"digest": done, "status": status.status, "reason": status.reason, "log": status.log}

    async def compare(self, a: str, b: str) -> JsonObject:
        """Return the paired comparison b - a of two rows of one table, overall and by slice, clustered by persona.

        Args:
            a: Digest of a row, or its first 8 digits or more.
            b: Digest of the other row.
        """

        def compare_two() -> JsonObject:
            snapshot = self._table()
            return compare_entries(_find(snapshot, a), _find(snapshot, b), self.source.boards)

        return await _answer(compare_two)

    async def build_memory(self, history: list[JsonObject], cap_tokens: int = DEFAULT_CAP_TOKENS) -> JsonObject:
        """Build a memory from a chat history, without any model, and return it; nothing is kept.

        Args:
            history: Messages, each {"role": "user" or "assistant", "content": text}, oldest first.
            cap_tokens: How large the memory may get, 64 to 2,048 tokens.
        """

        def build() -> JsonObject:
            parsed = parse_history(history, source="history", limits=UPLOAD_LIMITS)
            check_chat(parsed.messages)
            counter = EstimateCounter()
            if not 64 <= int(cap_tokens) <= DEFAULT_CAP_TOKENS:
                raise DataFormatError(f"cap_tokens is {cap_tokens}; give 64 to {DEFAULT_CAP_TOKENS}")
            builder = ExtractiveBuilder(counter, cap_tokens=int(cap_tokens))
            return asyncio.run(build_memory(parsed, builder, counter)).as_dict(counter)

        return await _answer(build)

    async def answer_question(self, memory: JsonObject, question: str, options: list[str] | None = None) -> JsonObject:
        """Answer a question with a memory: which bullets count, which option they point to, and the model's reply.

        Args:
            memory: What build_memory, or another call about a memory, returned.
            question: The question, at most 2,000 characters.
            options: Four options for multiple choice; leave it out for an open question.
        """
        asked = await _answer(lambda: _ask(memory, question, options))
        document, posed, found = asked
        if self.page_model.choice.kind == "none":
            return {**found, "model": None, "answer": None}
        return {**found, "model": self.page_model.choice.spec, "answer": await _wait(self._reply(document, posed))}

    async def _reply(self, document: MemoryDocument, messages: list[Message]) -> str:
        model = await self.page_model.open()
        config = GenerateConfig(max_tokens=MAX_ANSWER_TOKENS[self.page_model.choice.kind])
        window = Window(model.context_tokens, config.max_tokens)
        prompt = await asyncio.to_thread(fit_messages, read_memory(document), messages, model.counter, window)
        return "".join([piece async for piece in model.stream(prompt, config)])

    def _table(self) -> Snapshot:
        snapshot = self.source.read()
        if snapshot.age_s is None:
            raise SubmissionError(snapshot.error or "the table cannot be read")
        return snapshot

    def _columns(self, snapshot: Snapshot) -> list[str]:
        return sorted({board.column for board in self.source.boards} | {row["column"] for row in snapshot.rows})


def _ask(
    memory: JsonObject, question: str, options: list[str] | None
) -> tuple[MemoryDocument, list[Message], JsonObject]:
    document = open_carried(memory).show().document
    text = question.strip()
    if not text or len(text) > MAX_QUESTION_CHARACTERS:
        raise DataFormatError(f"the question has {len(text):,} characters; 1 to {MAX_QUESTION_CHARACTERS:,} are taken")
    if not options:
        used = rank_bullets(document, text, top=USED_TOP)
        return document, open_messages(Message("user", text)), {"used": [asdict(bullet) for bullet in used]}
    posed = _pose(text, options)
    support = measure_support(read_memory(document).text, posed)
    looked_for = telling_text(posed, support.pick) if support.pick is not None else text
    used = rank_bullets(document, looked_for, top=USED_TOP)
    found = {
        "used": [asdict(bullet) for bullet in used],
        "support": list(support.with_memory),
        "pick": LETTERS[support.pick] if support.pick is not None else None,
    }
    return document, question_messages(posed), found


def _pose(text: str, options: list[str]) -> Question:
    if len(options) != len(LETTERS) or not all(0 < len(option) <= MAX_OPTION_CHARACTERS for option in options):
        raise DataFormatError(f"give {len(LETTERS)} options of 1 to {MAX_OPTION_CHARACTERS:,} characters, or none")
    return Question(Message("user", text), tuple(options), gold="", key="")


def public_row(row: TableRow) -> JsonObject:
    """Return a row without what only the server needs."""
    return {name: value for name, value in row.items() if name not in _INTERNAL}


def _find(snapshot: Snapshot, digest: str) -> TableRow:
    row = snapshot.find(digest.strip().lower())
    if row is None:
        raise SubmissionError(
            f"{digest[:64]!r} names no row of the table; give its digest, or the first 8 digits or more"
        )
    return row


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise SubmissionError(f"{name} {value[:40]!r} is none of {', '.join(choices)}")
    return value


def _encode(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise SubmissionError("the text holds half a character (a lone surrogate); send it as UTF-8") from None


async def _answer(work: Callable[[], Found]) -> Found:
    """Do the work beside the event loop; what is wrong about the request becomes the call's error."""
    return await _wait(asyncio.to_thread(work))


async def _wait(work: Awaitable[Found]) -> Found:
    try:
        return await work
    except PersonaMemError as error:
        raise gr.Error(str(error), print_exception=False) from None


def checked(call: Callable[..., Awaitable[JsonObject]]) -> Callable[..., Awaitable[JsonObject]]:
    """Return the function with its arguments looked at first: what is of another kind is named, and why."""
    kinds = get_type_hints(call)

    @wraps(call)
    async def call_checked(*values: Any, **named: Any) -> JsonObject:
        given = signature(call).bind(*values, **named).arguments
        wrong = [name for name, value in given.items() if not _is_of(value, kinds[name])]
        if wrong:
            said = f"{wrong[0]} is {str(given[wrong[0]])[:40]!r}: give {_name_kind(kinds[wrong[0]])}"
            raise gr.Error(said, print_exception=False)
        return await call(*values, **named)

    return call_checked


_KINDS = {str: "a text", int: "a whole number", dict: "an object", list: "a list"}


def _split(kind: Any) -> tuple[Any, Any]:
    """Return a kind and what it is made of: `list[str] | None` is a list of texts."""
    first = get_args(kind)[0] if isinstance(kind, UnionType) else kind
    inner = get_args(first)
    return get_origin(first) or first, _split(inner[0])[0] if inner else None


def _name_kind(kind: Any) -> str:
    plain, inner = _split(kind)
    return f"{_KINDS[plain]}, each {_KINDS[inner]}" if plain is list else _KINDS[plain]


def _is_of(value: Any, kind: Any) -> bool:
    if value is None:
        return isinstance(kind, UnionType)
    plain, inner = _split(kind)
    if isinstance(value, bool) or not isinstance(value, plain):
        return False
    return plain is not list or all(isinstance(part, inner) for part in value)


def add_api(source: BoardSource, page_model: PageModel) -> None:
    """Offer the functions under their own names; call it inside the page's block."""
    api = PageApi(source, page_model)
    calls: tuple[Callable[..., Any], ...] = (
        *(api.leaderboard, api.submission_status, api.validate_submission, api.score_predictions),
        *(api.compare, api.build_memory, api.answer_question, api.dispute, api.withdraw),
    )
    # Whoever sends together shares one commit, and waits for it: not in the queue of the rest.
    offer(checked(api.submit), api_name="submit", concurrency_limit=NUM_SENDERS)
    for call in (*map(checked, calls), *make_calls(_answer)):
        offer(call, api_name=call.__name__, concurrency_id=API_CALLS, concurrency_limit=NUM_API_CALLS)
