"""Tokens of owners."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub_toolkit.errors import DataFormatError
from hub_toolkit.serve.auth import Accounts, load_accounts, make_token

ALICE, BOB = "alice-token-0123456789", "bob-token-0123456789ab"


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text, "utf-8")
    path.chmod(mode)
    return path


def test_a_token_names_its_owner(tmp_path: Path) -> None:
    accounts = load_accounts(write(tmp_path / "t", f"# two\n{ALICE} alice\n\n{BOB} Bob Ünal\n"))
    assert [accounts.owner(token) for token in (ALICE, BOB)] == ["alice", "Bob Ünal"]
    for token in ("", ALICE[:-1], ALICE + "x", ALICE.upper(), "x" * 10_000_000, "\ud800"):
        assert accounts.owner(token) is None


def test_new_tokens_differ_and_are_long() -> None:
    tokens = {make_token() for _ in range(50)}
    assert len(tokens) == 50 and min(map(len, tokens)) >= 40
    assert Accounts(dict.fromkeys(tokens, "me")).owner(min(tokens)) == "me"


@pytest.mark.parametrize(
    ("text", "mode", "says"),
    [
        ("", 0o600, "there is no token"),
        (f"{ALICE} alice", 0o640, "chmod 600"),
        (f"{ALICE}\n", 0o600, "row 1.*no owner"),
        ("short alice", 0o600, "5 characters"),
        (f"{ALICE} alice\n{ALICE} bob", 0o600, "row 2.*twice"),
    ],
)
def test_a_bad_file_of_tokens_is_refused(tmp_path: Path, text: str, mode: int, says: str) -> None:
    with pytest.raises(DataFormatError, match=says) as caught:
        load_accounts(write(tmp_path / "t", text, mode))
    assert ALICE not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match="cannot be read"):
        load_accounts(tmp_path / "none")
