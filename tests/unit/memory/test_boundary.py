"""Secrets and forget requests."""

from __future__ import annotations

import pytest

from hub_toolkit.memory.boundary import concerns, forget_request, has_secret, hash_stems


@pytest.mark.parametrize(
    "text",
    [
        "Driver's License Number: D39284715029",
        "IBAN DE44 5001 0517 5407 3249 31",
        "my card is 4111 1111 1111 1111",
        "call me on +44 7700 900123",
        "write to jo.smith@example.org",
        "the wifi password is hunter2",
        "sk-abcdEFGH1234567890",
        "7423 Ashfield Court NW, Washington",
        "SSN 078-05-1120",
        "Passport number 53 1188 20",
    ],
)
def test_secrets_are_seen(text: str) -> None:
    assert has_secret(text)


@pytest.mark.parametrize(
    "text", ["I ran 12 km in 1 hour 20", "the 1990s were loud", "Chapter 3, page 210", "forty laps by 9:30"]
)
def test_plain_numbers_are_no_secrets(text: str) -> None:
    assert not has_secret(text)


@pytest.mark.parametrize(
    "text",
    [
        "Please forget that I enjoy strong coffee from local roasters.",
        "One thing: please forget everything about the roller rink.",
        "Do not remember that I participate in dance workshops",
        "Could you forget I go to karaoke?",
        "Thank you. One thing, though: please forget that I go to karaoke.",
        "I'd like you to forget about my teapots.",
    ],
)
def test_forget_requests_are_seen(text: str) -> None:
    assert forget_request(text)


@pytest.mark.parametrize(
    "text",
    [
        "Don't forget the milk",
        "I forget names all the time",
        "remind me not to forget my keys",
        "I'll never forget that day",
    ],
)
def test_other_forgetting_is_no_request(text: str) -> None:
    assert forget_request(text) is None


def test_hashes_recognise_but_do_not_tell() -> None:
    wish = forget_request("Please forget that I collect porcelain teapots")
    assert wish is not None
    hashes = hash_stems(wish)
    assert concerns("another teapot in thin porcelain", hashes)
    assert not concerns("a ride on the harbour ferry", hashes)
    assert "teapot" not in str(hashes)
