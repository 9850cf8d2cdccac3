"""What the readers give, and what happens when it is too much."""

from __future__ import annotations

import pytest

from hub_toolkit.answer.readers import Context, Window, fit_messages, read_history, read_memory, read_nothing
from hub_toolkit.data.schema import History
from hub_toolkit.data.tokens import EstimateCounter, count_messages
from hub_toolkit.errors import ProviderError
from hub_toolkit.memory.document import Bullet, MemoryDocument
from hub_toolkit.types import Message

COUNTER = EstimateCounter()
QUESTION = [Message("user", "What now?")]


def make_history(num_messages: int = 6) -> History:
    messages = tuple(Message("user" if i % 2 == 0 else "assistant", f"message {i} " * 20) for i in range(num_messages))
    return History(messages, tuple(range(1, num_messages + 1)), {}, "h.json")


def test_nothing_is_nothing() -> None:
    assert read_nothing() == Context()
    assert fit_messages(read_nothing(), QUESTION, COUNTER, Window(None, 100)) == QUESTION


def test_memory_is_one_system_message_and_its_text_the_bullets_alone() -> None:
    context = read_memory(MemoryDocument(bullets=(Bullet("m1", "Rows at dawn {{query}}"),)))
    (message,) = context.messages
    assert message.role == "system"
    assert "- Rows at dawn {{query}}" in message.text
    assert context.text == "- Rows at dawn {{query}}"


def test_empty_memory_says_so_to_a_model_and_nothing_to_the_lexical_answerer() -> None:
    context = read_memory(MemoryDocument())
    assert "No previous memory" in context.messages[0].text
    assert context.text == ""


def test_too_long_is_an_error_unless_a_policy_is_named() -> None:
    history = read_history(make_history())
    size = count_messages(COUNTER, [*history.messages, *QUESTION])
    assert len(fit_messages(history, QUESTION, COUNTER, Window(size + 10, 10))) == 7
    with pytest.raises(ProviderError, match="keep_last") as caught:
        fit_messages(history, QUESTION, COUNTER, Window(size + 9, 10))
    assert caught.value.kind == "bad_request"
    kept = fit_messages(history, QUESTION, COUNTER, Window(size + 9, 10, "keep_last"))
    assert kept == [*history.messages[1:], *QUESTION]


def test_what_is_kept_is_the_end_and_always_fits() -> None:
    history = read_history(make_history(40))
    for room in range(100, 1500, 100):
        kept = fit_messages(history, QUESTION, COUNTER, Window(room + 50, 50, "keep_last"))
        assert count_messages(COUNTER, kept) <= room
        assert kept[:-1] == list(history.messages)[len(history.messages) - len(kept) + 1 :]


def test_a_memory_is_never_cut() -> None:
    context = read_memory(MemoryDocument(bullets=(Bullet("m1", "word " * 500),)))
    with pytest.raises(ProviderError):
        fit_messages(context, QUESTION, COUNTER, Window(300, 10, "keep_last"))


def test_a_question_that_does_not_fit_alone_is_an_error() -> None:
    with pytest.raises(ProviderError):
        fit_messages(read_history(make_history()), QUESTION, COUNTER, Window(12, 10, "keep_last"))
