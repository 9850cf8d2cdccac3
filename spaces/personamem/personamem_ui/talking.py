"""Talking on the page: what is said is remembered at once, and answered where there is a model."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from hub_toolkit.errors import PersonaMemError
from hub_toolkit.memory.owner.remembering import Remembered
from hub_toolkit.models.base import GenerateConfig
from hub_toolkit.types import Message
from personamem_ui.answering import MAX_ANSWER_TOKENS, REFRESH_S, PageModel
from personamem_ui.building import remember_said
from personamem_ui.sessions import MAX_TALK_MESSAGES, Session

MAX_SAID_CHARACTERS = 4_000


async def hear(session: Session, text: str) -> bool:
    """Take a message into the memory at once; return whether it was taken."""
    text = text.strip()[:MAX_SAID_CHARACTERS]
    session.talk_error, session.talk_note = "", ""
    if not text:
        session.talk_error = "Write something first."
    elif session.is_busy or session.talk_reply is not None:
        session.talk_error = "One moment: a chat is being read, or an answer is being written."
    elif len(session.talk) >= MAX_TALK_MESSAGES:
        session.talk_error = f"This talk has {MAX_TALK_MESSAGES} messages, which is as many as the page keeps."
    if session.talk_error:
        return False
    session.talk_reply = ""
    memory = session.memory
    try:
        done = await remember_said(session, Message("user", text))
    except PersonaMemError as error:
        session.talk_error = str(error)
        return False
    finally:
        if session.memory is memory:
            session.talk_reply = None
    session.talk_note = _say_remembered(done)
    return True


def _say_remembered(done: Remembered) -> str:
    diff = done.diff
    counts = ((len(diff.added), "new"), (len(diff.changed), "changed"), (len(diff.removed), "removed"))
    said = ", ".join(f"{num} {what}" for num, what in counts if num)
    kept_out = "".join(f"; {receipt.count} {receipt.kind} ({receipt.reason})" for receipt in done.receipts)
    return f"Remembered: {said or 'nothing new, for it says too little about you by itself'}{kept_out}."


async def reply(session: Session, page_model: PageModel) -> AsyncIterator[None]:
    """Answer the last message with the memory, where there is a model; the answer is remembered too."""
    if page_model.choice.kind == "none" or not session.talk or session.talk[-1].role != "user" or session.talk_error:
        return
    memory, shown_s = session.memory, 0.0
    session.talk_reply = ""
    try:
        yield
        config = GenerateConfig(max_tokens=MAX_ANSWER_TOKENS[page_model.choice.kind])
        model = await page_model.open()
        messages = [Message("system", await asyncio.to_thread(memory.context)), *session.talk]
        async for piece in model.stream(messages, config):
            if session.memory is not memory:
                return
            session.talk_reply += piece
            if time.monotonic() - shown_s > REFRESH_S:
                shown_s = time.monotonic()
                yield
        if session.talk_reply and session.memory is memory:
            await remember_said(session, Message("assistant", session.talk_reply))
    except PersonaMemError as error:
        session.talk_error = str(error)
    finally:
        if session.memory is memory:
            session.talk_reply = None
    yield
