"""Which files of a repo a pull needs, and the way from the layout there to the layout wanted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hub_toolkit.data.fields import FieldError, parse_link
from hub_toolkit.data.parse import iter_rows
from hub_toolkit.errors import DataFormatError, HubError
from hub_toolkit.hub.layout.layout import CONFIGS, HUB_SPLIT, SPLIT_OF, Config, card_configs, parse_parquet_path

if TYPE_CHECKING:
    from hub_toolkit.hub.transfer.pull import PullOptions, Source

_PLAIN_KINDS = ("questions", "histories", "raw")


def fill_parquet(source: Source, stage: Path, options: PullOptions) -> Path:
    """Write the wanted configs and splits as Parquet; return the folder inside `stage`.

    Raises: HubError: the repo holds no dataset, or not the config or split.
    """
    got, made = stage / "got", stage / "made"
    if source.is_parquet:
        paths = parquet_paths(source, options)
        whole = set(paths) == {path for path in source.tree.files if parse_parquet_path(path)}
        source.copy([*paths, *(_present(source, ("README.md", "stats.json")) if whole else ())], got)
        name_configs(got)
        return got
    from hub_toolkit.hub.layout.convert import convert_dataset

    configs = upstream_configs(source, options)
    fetch_upstream(source, got, configs, _wanted_splits(options))
    convert_dataset(got, made, configs=configs, on_progress=options.on_event)
    name_configs(made)
    return made


def name_configs(folder: Path) -> None:
    """Name the configs that are in a folder, so that `load_dataset(folder, config)` finds them.

    A card that says anything else stays as it is.
    """
    import yaml

    path = folder / "README.md"
    if path.exists() and not _only_names_configs(path.read_text("utf-8")):
        return
    paths = [found.relative_to(folder).as_posix() for found in folder.rglob("*.parquet")]
    front = yaml.safe_dump({"configs": card_configs(paths)}, sort_keys=False)
    path.write_text(f"---\n{front}---\n", encoding="utf-8")


def _only_names_configs(card: str) -> bool:
    return (
        card.startswith("---\nconfigs:\n")
        and card.endswith("\n---\n")
        and not re.search(r"^(?!configs:)\w", card, re.M)
    )


def fill_upstream(source: Source, stage: Path, options: PullOptions) -> Path:
    """Write the wanted configs and splits as CSV and JSON files; return the folder inside `stage`.

    Raises: HubError: as `fill_parquet`.
    """
    got, made = stage / "got", stage / "made"
    if not source.is_parquet:
        fetch_upstream(source, got, upstream_configs(source, options), _wanted_splits(options))
        return got
    from hub_toolkit.hub.layout.upstream import write_upstream

    paths = parquet_paths(source, replace(options, configs=tuple(_plain_configs(source, options))))
    source.copy(paths, got)
    write_upstream(got, made, on_progress=options.on_event)
    return made


def parquet_paths(source: Source, options: PullOptions) -> list[str]:
    """Return the Parquet files that serve the wanted configs and splits.

    Raises: HubError: the repo has none of them.
    """
    wanted = _wanted_splits(options)
    configs = _wanted_configs(options)
    served = {path: parsed for path in source.tree.files if (parsed := parse_parquet_path(path))}
    for config in configs:
        if config not in {parsed.config for parsed in served.values()}:
            has = ", ".join(sorted({parsed.config for parsed in served.values()}))
            raise HubError(f"cannot pull {source.ref}: it has no config {config}; it has {has}")
    found = [
        path
        for path, parsed in sorted(served.items())
        if (not configs or parsed.config in configs) and (not wanted or wanted & set(parsed.splits))
    ]
    if not found:
        has = ", ".join(sorted({split for parsed in served.values() for split in parsed.splits}))
        raise HubError(f"cannot pull {source.ref}: it has no split {', '.join(sorted(wanted))}; it has {has}")
    return found


def upstream_configs(source: Source, options: PullOptions) -> list[str]:
    """Return the configs that a repo in upstream's layout can be converted to, or the wanted ones.

    Raises: HubError: the repo is no dataset of ours at all.
    """
    modalities = {path.split("/")[1] for path in _csv_paths(source)}
    if not modalities:
        raise HubError(f"cannot pull {source.ref}: it holds no PersonaMem dataset (neither Parquet files nor CSVs)")
    configs = _wanted_configs(options)
    missing = [name for name in configs if CONFIGS[name].modality not in modalities and name != "raw_personas"]
    if missing:
        raise HubError(f"cannot pull {source.ref}: it holds nothing for {missing[0]}; it has {', '.join(modalities)}")
    return configs or [name for name, config in CONFIGS.items() if config.modality in modalities]


def reading_configs(source: Source) -> list[str]:
    """Return the configs from which questions are read and answered: those of the text, else the multimodal ones."""
    if source.is_parquet:
        has = {parsed.config for path in source.tree.files if (parsed := parse_parquet_path(path))}
    else:
        modalities = {path.split("/")[1] for path in _csv_paths(source)}
        has = {name for name, config in CONFIGS.items() if config.modality in modalities or config.kind == "raw"}
    plain = [config for config in CONFIGS.values() if config.name in has and config.kind in _PLAIN_KINDS]
    text = [config.name for config in plain if config.modality == "text"]
    return text if "questions" in text else [config.name for config in plain]


def fetch_upstream(source: Source, folder: Path, configs: Sequence[str], splits: set[str]) -> None:
    """Get the CSVs of the wanted splits, and of the histories only those that their rows link to.

    Raises: HubError: a file is missing, DataFormatError: a CSV cannot be read.
    """
    wanted = [CONFIGS[name] for name in configs]
    modalities = {config.modality for config in wanted if config.kind != "raw"} or {"text", "multimodal"}
    tables = [
        path
        for path in _csv_paths(source)
        if path.split("/")[1] in modalities and (not splits or _split_of(path) in splits)
    ]
    if not tables:
        raise HubError(f"cannot pull {source.ref}: it has no split {', '.join(sorted(splits))}")
    source.copy(tables, folder)
    links = {link for table in tables for link in _links(folder, table, wanted)}
    missing = sorted(links - source.tree.files.keys())
    if missing:
        raise HubError(f"cannot pull {source.ref}: {missing[0]}, to which a row links, is not in the repo")
    source.copy(sorted(links), folder)


def _links(folder: Path, table: str, configs: Sequence[Config]) -> Iterator[str]:
    """Yield the files that a table's rows link to, as far as the configs need them."""
    modality = table.split("/")[1]
    columns = {
        f"chat_history_{config.context}_link" for config in configs if config.context and config.modality == modality
    }
    columns |= {"raw_persona_file" for config in configs if config.kind == "raw"}
    for row in iter_rows(folder / table, file=table):
        if isinstance(row, DataFormatError):
            raise row
        for column in sorted(columns & row.cells.keys()):
            try:
                yield parse_link(row.cells[column])
            except FieldError as error:
                raise DataFormatError(error.message, file=table, row=row.number, column=column) from None


def _csv_paths(source: Source) -> list[str]:
    paths = (f"benchmark/{kind}/{split}.csv" for kind in ("text", "multimodal") for split in HUB_SPLIT)
    return _present(source, tuple(paths))


def _split_of(path: str) -> str:
    """Return the name on the Hub of the split that a CSV holds."""
    name = path.rpartition("/")[2].removesuffix(".csv")
    return next(hub_name for split, hub_name in HUB_SPLIT.items() if split == name)


def _present(source: Source, paths: Sequence[str]) -> list[str]:
    return [path for path in paths if path in source.tree.files]


def _wanted_configs(options: PullOptions) -> list[str]:
    for name in options.configs:
        if name not in CONFIGS:
            raise HubError(f"unknown config {name!r}; use one of {', '.join(CONFIGS)}")
    return list(dict.fromkeys(options.configs))


def _wanted_splits(options: PullOptions) -> set[str]:
    """Return the wanted splits by their names on the Hub."""
    for name in options.splits:
        if name not in HUB_SPLIT and name not in SPLIT_OF:
            raise HubError(f"unknown split {name!r}; use one of {', '.join(SPLIT_OF)}")
    return {next((hub for split, hub in HUB_SPLIT.items() if split == name), name) for name in options.splits}


def _plain_configs(source: Source, options: PullOptions) -> list[str]:
    """Return the configs that upstream's layout is made of; the embedded ones only repeat them."""
    wanted = [CONFIGS[name] for name in _wanted_configs(options)]
    has = {parsed.config for path in source.tree.files if (parsed := parse_parquet_path(path))}
    plain = [config for config in CONFIGS.values() if config.kind in _PLAIN_KINDS]
    if not wanted:
        return [config.name for config in plain if config.name in has]
    return [config.name for config in plain if any(_is_part(config, whole) for whole in wanted)]


def _is_part(plain: Config, wanted: Config) -> bool:
    if wanted.kind in _PLAIN_KINDS:
        return plain == wanted
    is_questions = plain.kind == "questions"
    return (
        plain.kind != "raw" and plain.modality == wanted.modality and (is_questions or plain.context == wanted.context)
    )
