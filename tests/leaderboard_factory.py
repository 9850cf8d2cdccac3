"""What tests of the leaderboard share: submissions to the board of PersonaMem-mini, made by rules."""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Callable
from typing import Any

from hub_toolkit.hub.leaderboard.store import BoardRepos
from hub_toolkit.leaderboard.board import Board, open_board
from tests.push_client import repo

SHA = "0123456789abcdef0123456789abcdef01234567"
Rule = Callable[[Any], str]


@functools.cache
def mini_board() -> Board:
    """The board of the dataset that ships in the package."""
    return open_board("mini")


def make_repos(name: str) -> BoardRepos:
    """Return a pair of repos of a test's own."""
    return BoardRepos(repo(f"{name}-submissions"), repo(f"{name}-results"))


def make_meta(**changes: Any) -> bytes:
    """Return a `meta.yaml` (as JSON); a field that is None is left out."""
    board = mini_board()
    fields = {
        "name": "A system",
        "model": "owner/model",
        "revision": SHA,
        "dataset": board.dataset,
        "dataset_revision": board.revision,
        "protocol": "v1",
        "task": "mcq",
        "context": "memory",
        "harness": "a script 1.0",
        "licence": "apache-2.0",
        "contact": "somebody@example.org",
        **changes,
    }
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


def make_lines(rule: Rule, **fields: Any) -> list[dict[str, Any]]:
    """Return a line for every question; `rule` gives the letter that is chosen."""
    questions = mini_board().questions
    return [
        {"sample_id": name, "output": f"\\boxed{{{rule(question)}}}", **fields} for name, question in questions.items()
    ]


def dump_lines(lines: list[dict[str, Any]]) -> bytes:
    """Return `predictions.jsonl`."""
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


def guess(seed: int, accuracy: float = 0.4) -> Rule:
    """Return a rule that is right with this probability and else guesses, the same for every seed."""
    source = random.Random(seed)

    def rule(question: Any) -> str:
        return question.gold if source.random() < accuracy else source.choice("ABCD")

    return rule


def longest(question: Any) -> str:
    """Choose the longest option."""
    lengths = [len(option) for option in question.options]
    return "ABCD"[lengths.index(max(lengths))]


def gold(question: Any) -> str:
    """Choose the right option."""
    return str(question.gold)
