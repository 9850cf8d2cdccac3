"""Stage 6: histories: blocks in topological order, filled up at block boundaries only, padded for 128k."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from hub_toolkit.data.schema import ContextSize, Modality
from hub_toolkit.generate.config import SimulatorConfig
from hub_toolkit.generate.padding import Padding, draw_padding
from hub_toolkit.generate.records import Block, SimPersona
from hub_toolkit.generate.seeding import rng_for
from hub_toolkit.types import Message

_TWIN_MARGIN_TOKENS = 500
"""Left free, so that a twin's longer block fits as well."""


@dataclass(frozen=True)
class AssembledHistory:
    """A history: its pieces in order, and where each block ends.

    `ends` maps a block to (first message, message after its last, tokens up to its end); places count without the
    persona's system message.
    """

    size: ContextSize
    pieces: tuple[Block | Padding, ...]
    ends: dict[str, tuple[int, int, int]]
    tokens: int
    padding_tokens: int
    modality: Modality = "text"

    @property
    def messages(self) -> list[Message]:
        """All messages in order."""
        return [message for piece in self.pieces for message in piece.messages]


def order_blocks(blocks: tuple[Block, ...], rng: random.Random) -> list[Block]:
    """Draw an order: updates somewhere after their original, requests to forget right after their target."""
    keys: dict[str, float] = {}
    for block in blocks:
        drawn = rng.random()
        if block.after is None:
            keys[block.block_id] = drawn
        else:
            earlier = keys[block.after]
            keys[block.block_id] = earlier if block.is_adjacent else earlier + (1 - earlier) * drawn
    places = {block.block_id: place for place, block in enumerate(blocks)}
    return sorted(blocks, key=lambda block: (keys[block.block_id], block.is_adjacent, places[block.block_id]))


def choose_blocks(config: SimulatorConfig, blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    """Keep what bears questions, and fill up with the rest while whole blocks fit.

    Where even that is too long, other people's texts and repeated questions give way: a question needs neither.
    """
    budget = config.context_32k_tokens - _TWIN_MARGIN_TOKENS
    needed = {block.block_id: block for block in blocks if block.is_required}
    budget -= sum(block.counted_tokens for block in needed.values())
    for block in reversed([block for block in needed.values() if _can_give_way(block)]):
        if budget >= 0:
            break
        del needed[block.block_id]
        budget += block.counted_tokens
    kept = []
    for block in blocks:
        if block.block_id in needed:
            kept.append(block)
        elif not block.is_required and block.tokens <= budget:
            kept.append(block)
            budget -= block.tokens
    return tuple(kept)


def _can_give_way(block: Block) -> bool:
    number = block.block_id.rpartition(".ask")[2]
    return block.role == "trap" or (number.isdigit() and int(number) > 0)


def assemble(config: SimulatorConfig, persona: SimPersona, blocks: tuple[Block, ...]) -> list[AssembledHistory]:
    """Return a persona's histories. A twin's order and padding are those of its original."""
    order = order_blocks(choose_blocks(config, blocks), rng_for(config.seed, "order", persona.quad, persona.member))
    histories = [measure_history("32k", order)]
    if config.has_128k:
        rng = rng_for(config.seed, "pad", persona.quad, persona.member)
        padding = draw_padding(config, rng, config.context_128k_tokens - config.context_32k_tokens)
        histories.append(measure_history("128k", _mix(order, padding, rng)))
    return histories


def _mix(order: list[Block], padding: list[Padding], rng: random.Random) -> list[Block | Padding]:
    """Put padding between blocks; nothing goes between a block and the request to forget it."""
    gaps = [place for place in range(len(order) + 1) if place == len(order) or not order[place].is_adjacent]
    at: dict[int, list[Padding]] = {}
    for dialogue in padding:
        at.setdefault(rng.choice(gaps), []).append(dialogue)
    mixed: list[Block | Padding] = []
    for place in range(len(order) + 1):
        mixed += at.get(place, [])
        mixed += order[place : place + 1]
    return mixed


def measure_history(
    size: ContextSize, pieces: Sequence[Block | Padding], *, modality: Modality = "text"
) -> AssembledHistory:
    """Return a history of these pieces, with where each ends."""
    ends: dict[str, tuple[int, int, int]] = {}
    num = tokens = padding = 0
    for piece in pieces:
        start = num
        num += len(piece.messages)
        tokens += piece.tokens
        if isinstance(piece, Block):
            ends[piece.block_id] = (start, num, tokens)
        else:
            padding += piece.tokens
    return AssembledHistory(size, tuple(pieces), ends, tokens, padding, modality)
