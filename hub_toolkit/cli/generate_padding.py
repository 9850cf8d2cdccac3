"""Dialogues of a named dataset, for `--padding`: a file of this machine, or a dataset of the Hub."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from hub_toolkit.errors import HubError
from hub_toolkit.evaluate.journal import write_atomically
from hub_toolkit.generate.padding_source import FORMS, PaddingSource, find_dialogues, open_padding
from hub_toolkit.hub.client import RepoRef, connect, hub_errors, parse_repo, require_packages, resolve_revision
from hub_toolkit.settings import Settings, load_settings

MAX_ROWS = 20_000
"""So many rows of a dataset are read; more than histories draw from."""
_SCHEME = "hf://"


def take_padding(spec: str) -> PaddingSource:
    """Open a file, or `hf://owner/name[@revision][#config/split]`.

    Raises: DataFormatError, HubError: it cannot be had, or holds no dialogues.
    """
    if not spec.startswith(_SCHEME):
        return open_padding(Path(spec))
    require_packages("huggingface_hub", "datasets")
    settings = load_settings()
    name, _, part = spec.partition("#")
    ref = parse_repo(name)
    sha = resolve_revision(connect(settings), ref)
    place = f"{ref.repo_id}@{sha}" + (f"#{part}" if part else "")
    path = settings.cache_dir / "padding" / f"{place.replace('/', '--')}.jsonl"
    if not path.is_file():
        write_atomically(path, b"".join(_read_hub(ref, sha, part, settings)))
    return open_padding(path, name=f"{_SCHEME}{place}")


def _read_hub(ref: RepoRef, sha: str, part: str, settings: Settings) -> Iterator[bytes]:
    """Yield a line a dialogue of a split: the one that is named, else the first config's first."""
    num = 0
    for row in islice(_rows(ref, sha, part, settings), MAX_ROWS):
        for dialogue in find_dialogues(row):
            num += 1
            line = json.dumps([message.as_dict() for message in dialogue], ensure_ascii=False)
            yield line.encode() + b"\n"
    if not num:
        raise HubError(f"the dataset {ref} holds no dialogue; {FORMS}")


def _rows(ref: RepoRef, sha: str, part: str, settings: Settings) -> Iterator[dict[str, Any]]:
    from datasets import disable_progress_bars, get_dataset_config_names, load_dataset

    disable_progress_bars()
    config, _, split = part.partition("/")
    with hub_errors(f"read the dataset {ref}"):
        try:
            config = config or get_dataset_config_names(ref.repo_id, revision=sha, token=settings.hub_token)[0]
            splits = load_dataset(ref.repo_id, config, revision=sha, streaming=True, token=settings.hub_token)
            yield from splits[split or next(iter(splits))]
        except (ValueError, KeyError) as error:
            raise HubError(
                f"cannot read the dataset {ref}: {error}; name config and split, as in #main/train"
            ) from error
