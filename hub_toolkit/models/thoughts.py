"""What a reasoning model wrote before its reply."""

from __future__ import annotations

_OPENED, _CLOSED = "<think>", "</think>"
_REPLY_BEGINS = ("{", "[", "```", "- ")


def leave_out_thoughts(reply: str) -> str:
    """Return a reply without the thoughts before it; a thought that never ended leaves nothing.

    Many chat templates open the thought in the prompt, so that a reply may only close it. A reply that begins as what
    was asked for (JSON, a list) is left as it is, whatever it quotes.
    Source: the format of Qwen3 and DeepSeek-R1, where a server is not told to part thought from reply.
    """
    text = reply.lstrip()
    if text.startswith(_REPLY_BEGINS):
        return reply
    thought, mark, rest = text.partition(_CLOSED)
    if mark:
        return rest.lstrip()
    return "" if thought.startswith(_OPENED) else reply
