"""Whose memory a command is about, and where it is kept: options that the `memory` commands share."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import click

from hub_toolkit.data.tokens import TokenCounter
from hub_toolkit.memory.build import MemoryBuilder
from hub_toolkit.memory.personal import PersonalMemory
from hub_toolkit.memory.stores.sqlite_store import SqliteStore
from hub_toolkit.memory.stores.store import MemoryStore
from hub_toolkit.models.base import ChatModel
from hub_toolkit.settings import load_settings

DEFAULT_USER = "me"
Command = TypeVar("Command", bound=Callable[..., Any])


def store_option(command: Command) -> Command:
    """Add `--store`."""
    return click.option(
        "--store",
        type=click.Path(path_type=Path, dir_okay=False),
        help="File of the memories; without it PERSONAMEM_MEMORY, else ~/.local/share/personamem/memory.db.",
    )(command)


@dataclass(frozen=True)
class Owner:
    """Whose memory a command is about, and in which file (None: that of the settings)."""

    user: str
    store: Path | None


def owner_options(command: Command) -> Command:
    """Add `--user` and `--store`, which come to the command as its `owner`."""

    @functools.wraps(command)
    def run(*args: Any, user: str, store: Path | None, **options: Any) -> Any:
        return command(*args, owner=Owner(user, store), **options)

    option = click.option("--user", default=DEFAULT_USER, show_default=True, help="Whose memory.")
    return cast(Command, option(store_option(run)))


def json_option(command: Command) -> Command:
    """Add `--json`."""
    return click.option("--json", "is_json", is_flag=True, help="Print JSON for a program.")(command)


def yes_option(command: Command) -> Command:
    """Add `--yes`."""
    return click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")(command)


@contextmanager
def open_store(path: Path | None) -> Iterator[MemoryStore]:
    """Open the store in a file, made where there is none.

    Raises: StoreError.
    """
    with SqliteStore(path or load_settings().memory_file) as store:
        yield store


@contextmanager
def open_memory(
    owner: Owner,
    *,
    builder: MemoryBuilder | None = None,
    counter: TokenCounter | None = None,
    policy_model: ChatModel | Literal["builder"] | None = "builder",
) -> Iterator[PersonalMemory]:
    """Open one owner's memory.

    Raises: StoreError.
    """
    with open_store(owner.store) as store:
        yield PersonalMemory(store, owner.user, builder=builder, counter=counter, policy_model=policy_model)


def echo_json(value: Any) -> None:
    """Print a dataclass, or a list of them, as JSON."""
    click.echo(json.dumps(_plain(value), ensure_ascii=False, indent=1))


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
