"""The memories behind all doors: one call for one owner, in a thread of its own."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hub_toolkit.memory.personal import PersonalMemory
from hub_toolkit.serve.failures import Failure, RequestError
from hub_toolkit.serve.functions import FUNCTIONS, to_json
from hub_toolkit.serve.schema import parse_arguments

NUM_THREADS = 8

OpenMemory = Callable[[str], PersonalMemory]
"""Opens the memory of one owner. Called for each call, so that no two share a builder."""


class MemoryService:
    """Calls functions by name. What an owner writes happens in turn; owners do not wait for one another."""

    def __init__(self, open_memory: OpenMemory, *, num_threads: int = NUM_THREADS) -> None:
        self._open = open_memory
        self._threads = ThreadPoolExecutor(num_threads, thread_name_prefix="memory")
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def call(self, owner: str, name: str, arguments: object) -> dict[str, Any]:
        """Run a function on the memory of `owner` and return its result for JSON.

        Raises: PersonaMemError: as the function; RequestError: there is no such function.
        """
        kind = FUNCTIONS.get(name)
        if kind is None:
            raise RequestError(
                Failure(404, "not_found", "there is no such function", f"take one of {', '.join(FUNCTIONS)}")
            )
        function = parse_arguments(kind, arguments)

        def run() -> dict[str, Any]:
            return to_json(function.run(self._open(owner)))

        loop = asyncio.get_running_loop()
        if kind.is_read_only:
            return await loop.run_in_executor(self._threads, run)
        async with self._turns[owner]:
            return await loop.run_in_executor(self._threads, run)

    def close(self) -> None:
        """Wait for the calls that run."""
        self._threads.shutdown()
