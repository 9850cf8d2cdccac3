"""The estimate: high, never low, and quick."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hub_toolkit.data.tokens import (
    IMAGE_TOKENS,
    MESSAGE_OVERHEAD_TOKENS,
    EstimateCounter,
    count_message,
    count_messages,
)
from hub_toolkit.types import Message

HISTORIES = {"persona11": 82_878, "persona20": 260_241}
MAX_EXCESS = 1.10

# Counts by gpt-4o's own tokenizer (o200k_base).
MEASURED = {
    "chinese": ("今天早上我在厨房里一边煮咖啡一边看新闻，突然想起周末要去拜访我的祖母。", 32),
    "japanese": ("今朝、台所でコーヒーを淹れながらニュースを読んでいたら、祖母を思い出しました。", 32),
    "korean": ("오늘 아침 부엌에서 커피를 끓이면서 뉴스를 읽다가 할머니가 생각났습니다.", 25),
    "hebrew": ("הבוקר במטבח, בזמן שהכנתי קפה וקראתי חדשות, נזכרתי בסבתא שלי.", 28),
    "emoji": ("😀😃😄🌱🌍🚀🎉🔥💯👍🏽👩‍👩‍👧‍👦🏳️‍🌈🇫🇷🇮🇱🦄🪴", 50),
    "digits": ("31415926535897932384626433832795028841971693993751" * 4, 67),
    "python": ("for i, x in enumerate(xs):\n    total += x ** 2  # squares\nreturn total / len(xs)\n", 25),
    "latex": (r"$\sum_{k=1}^{n} k^2 = \frac{n(n+1)(2n+1)}{6}$ where $\alpha,\beta\in\mathbb{R}^{n}$", 44),
    "hash": ("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", 35),
}


def history_contents(folder: Path, persona: str) -> list[Message]:
    (path,) = (folder / "personamem_evo" / "histories").glob(f"*{persona}.json")
    raw: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["chat_history"]
    return [Message(message["role"], message["content"]) for message in raw]


@pytest.mark.parametrize("persona", sorted(HISTORIES))
def test_it_errs_high_by_at_most_ten_percent_on_real_histories(real_data: Path, persona: str) -> None:
    messages, counter = history_contents(real_data, persona), EstimateCounter()
    contents = sum(counter.count(message.text) for message in messages)
    assert HISTORIES[persona] <= contents <= MAX_EXCESS * HISTORIES[persona]
    assert contents <= count_messages(counter, messages) <= MAX_EXCESS * HISTORIES[persona]


@pytest.mark.parametrize("kind", sorted(MEASURED))
def test_it_does_not_fall_below_on_other_text(kind: str) -> None:
    text, measured = MEASURED[kind]
    assert EstimateCounter().count(text) >= measured


def test_small_texts() -> None:
    counter = EstimateCounter()
    assert counter.name == "estimate-v1"
    assert [counter.count(text) for text in ("", "a", " ", "\n", "123")] == [0, 1, 1, 1, 1]


@pytest.mark.parametrize("text", ["x" * 1_000_000, " " * 1_000_000, "\r" * 1_000_000, "a b" * 300_000])
def test_odd_long_texts_are_counted_in_linear_time(text: str) -> None:
    # A quadratic count would run into the suite's timeout.
    assert EstimateCounter().count(text) > 0


def test_a_message_adds_its_overhead_and_its_images() -> None:
    counter = EstimateCounter()
    assert count_message(counter, Message("user", "")) == MESSAGE_OVERHEAD_TOKENS
    image: dict[str, Any] = {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64," + "A" * 10_000}}
    message = Message("user", [{"type": "text", "text": "a"}, image])
    assert count_message(counter, message) == 1 + IMAGE_TOKENS + MESSAGE_OVERHEAD_TOKENS
    assert count_messages(counter, [message, message]) == 2 * count_message(counter, message)
