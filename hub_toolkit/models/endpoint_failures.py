"""What went wrong at an endpoint, in one sentence that names the endpoint and the remedy, never the key."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from hub_toolkit.errors import ProviderError

CUT_REPLY = "the stream ended before the reply did"
_MAX_EXCERPT = 200
_TRANSIENT = frozenset({408, 409, 429})
_MIN_KEY_CHARS = 8
"""A shorter key is a placeholder such as `none`; cutting it out of a message would only garble that."""


@dataclass(frozen=True)
class Failure:
    """One failed try. `is_transient`: the same request may succeed later."""

    error: ProviderError
    is_transient: bool = False
    retry_after_s: float | None = None
    detail: str = ""


class BadReplyError(Exception):
    """An answer is no chat completion. `is_lasting`: asking again is no use."""

    def __init__(self, reason: str, *, is_lasting: bool = False) -> None:
        self.reason, self.is_lasting = reason, is_lasting
        super().__init__(reason)


def classify(error: Exception, *, place: str, model: str, key: str) -> Failure:
    """Turn what the client raised into a failure; `key` is cut out wherever the server repeats it."""
    from aiohttp import ClientError, ServerTimeoutError
    from openai import APIConnectionError, APIStatusError, APITimeoutError

    if isinstance(error, BadReplyError):
        return Failure(bad_reply(place, error.reason), is_transient=not error.is_lasting)
    detail = redact(_detail(error), key)
    # What aiohttp could not connect to or was cut off from, the client calls a timeout.
    is_cut = any(isinstance(e, ClientError) and not isinstance(e, ServerTimeoutError) for e in _causes(error))
    if isinstance(error, APITimeoutError | TimeoutError) and not is_cut:
        remedy = "ask for less at once, or raise PERSONAMEM_TIMEOUT_S"
        return Failure(ProviderError(f"{place} did not answer in time: {remedy}", kind="timeout"), is_transient=True)
    if isinstance(error, APIStatusError):
        return _classify_status(error, f"{place} answered {error.status_code}", model=model, detail=detail)
    if is_cut or isinstance(error, APIConnectionError):
        message = f"{place} could not be reached ({detail}): start the server, or correct --base-url"
        return Failure(ProviderError(message, kind="refused"), is_transient=True)
    if isinstance(error, UnicodeEncodeError):
        message = f"the messages for {place} hold text that is no valid Unicode: repair the history"
        return Failure(ProviderError(message, kind="bad_request"))
    if isinstance(error, ValueError | RecursionError):
        return Failure(bad_reply(place, f"it is not valid JSON ({detail})"), is_transient=True)
    return Failure(ProviderError(f"{place} reported an error: {detail}", kind="server"), is_transient=True)


def bad_reply(place: str, reason: str) -> ProviderError:
    """Return the error for an answer that is no chat completion."""
    return ProviderError(
        f"{place} did not send a usable reply, {reason}: check that --base-url is the endpoint's API "
        "(it often ends in /v1)",
        kind="bad_reply",
    )


def redact(text: str, key: str) -> str:
    """Return the start of what a server said, without the key."""
    shown = text.replace(key, "[key]") if len(key) >= _MIN_KEY_CHARS else text
    return shown[:_MAX_EXCERPT]


def learn_quirks(failure: Failure) -> set[str]:
    """Return the parameters that the endpoint named as the reason of its refusal and that can be done without."""
    if failure.error.kind != "bad_request" or _is_overflow(failure.detail):
        return set()
    if "max_completion_tokens" in failure.detail:
        return {"max_tokens"}
    return {"seed"} if "seed" in failure.detail else set()


def _classify_status(error: Exception, start: str, *, model: str, detail: str) -> Failure:
    from openai import APIStatusError

    assert isinstance(error, APIStatusError)
    status = error.status_code
    said = f" ({detail})" if detail else ""
    if status == 429 and "insufficient_quota" in detail:
        return Failure(ProviderError(f"{start}{said}: add credit to the account of this key", kind="rate_limit"))
    if status == 429:
        kind, remedy = "rate_limit", "wait, or lower PERSONAMEM_CONCURRENCY"
    elif status in (401, 403):
        kind, remedy = "auth", "check PERSONAMEM_API_KEY and what it may use"
    elif status == 404:
        kind, remedy = "bad_request", f"check --base-url (it often ends in /v1) and that it has the model {model!r}"
    elif status == 408:
        kind, remedy = "timeout", "try again later, or ask for less at once"
    elif status >= 500 or status in _TRANSIENT:
        kind, remedy = "server", "try again later, or look into the server's log"
    elif _is_overflow(detail):
        kind, remedy = (
            "bad_request",
            "the prompt is longer than the model reads: read less, or cut with --truncate",
        )
    else:
        kind, remedy = "bad_request", "the endpoint does not take this request; shorten or change it"
    is_transient = status >= 500 or status in _TRANSIENT
    retry_after_s = _parse_retry_after(error.response.headers.get("retry-after"))
    return Failure(ProviderError(f"{start}{said}: {remedy}", kind=kind), is_transient, retry_after_s, detail)


def _is_overflow(detail: str) -> bool:
    """Whether a server refuses a prompt for its length; vLLM names parameters there that are not to blame."""
    return "context_length_exceeded" in detail or "context length" in detail


def _parse_retry_after(value: str | None) -> float | None:
    """Return the seconds to wait; the header holds seconds or a date."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except ValueError:
            return None
    return max(0.0, seconds) if seconds == seconds else None


def _detail(error: Exception) -> str:
    """Return what the server said, or the innermost reason why it could not be asked."""
    body = getattr(error, "body", None)
    if isinstance(body, dict):
        # The client unwraps {"error": {...}}; other servers say `message` or `detail` at the top.
        inner = body.get("message") or body.get("detail") or body.get("error") or body
        code = body.get("code")
        text = inner if isinstance(inner, str) else json.dumps(inner)
        text = f"{code}: {text}" if isinstance(code, str) and code not in text else text
    elif isinstance(body, str):
        text = "an HTML page" if body.lstrip()[:1] == "<" else body
    else:
        text = str(list(_causes(error))[-1]) or type(error).__name__
    return " ".join(text.split())


def _causes(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
