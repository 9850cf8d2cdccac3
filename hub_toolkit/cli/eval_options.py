"""What `eval run` and `eval estimate` are asked alike, and the configuration that comes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from hub_toolkit.answer.protocol import DEFAULT_PROTOCOL, protocol_names
from hub_toolkit.answer.readers import READERS, TRUNCATIONS
from hub_toolkit.data.schema import CONTEXT_SIZES, SPLITS
from hub_toolkit.evaluate.budget import Price, load_prices
from hub_toolkit.evaluate.plan import LEXICAL, METHODS, TASKS, EvalConfig, protocol_defaults
from hub_toolkit.hub.transfer.pull import name_dataset, open_dataset
from hub_toolkit.memory.builders.embedding import EMBEDDERS
from hub_toolkit.settings import load_settings

Command = TypeVar("Command", bound=Callable[..., Any])

_FROM_PROTOCOL = "Default: the protocol's."
_ASKING = (
    click.option("--data", required=True, help="A dataset's folder, or `mini` for the one that is shipped."),
    click.option("--split", type=click.Choice(SPLITS), default="benchmark", show_default=True),
    click.option("--protocol", type=click.Choice(protocol_names()), default=DEFAULT_PROTOCOL, show_default=True),
    click.option("--reader", type=click.Choice(READERS), default="memory", show_default=True, help="What is read."),
    click.option("--task", type=click.Choice(TASKS), default="mcq", show_default=True),
    click.option("--method", type=click.Choice(METHODS), default="generate", show_default=True),
    click.option(
        "--permutations",
        "num_permutations",
        type=click.Choice(["1", "4"]),
        default="1",
        show_default=True,
        help="4: every question in four orders of its options, averaged.",
    ),
    click.option(
        "--model",
        default=LEXICAL,
        show_default=True,
        help="`lexical` (no LLM), openai/…, hf/…, vllm/…, local/… or fake/….",
    ),
    click.option("--adapter", help="A LoRA adapter for hf/… or vllm/…: a folder or a Hub id."),
    click.option(
        "--builder",
        default="extractive",
        show_default=True,
        help="Of the memory: extractive, agentic, or module:function of your own.",
    ),
    click.option("--external", help="For --reader external: bm25, `mem0,infer=false`, or a module of your own."),
    click.option("--context", type=click.Choice(CONTEXT_SIZES), default="32k", show_default=True),
    click.option("--seed", type=int, default=0, show_default=True),
    click.option("--limit", type=click.IntRange(1), help="Ask only the first rows, in the order of personas."),
    click.option("--cap", "cap_tokens", type=click.IntRange(16), help=f"Of the memory. {_FROM_PROTOCOL}"),
    click.option("--chunk-tokens", type=click.IntRange(64), help=_FROM_PROTOCOL),
    click.option("--rag-tokens", type=click.IntRange(16), help=f"What --reader rag may add. {_FROM_PROTOCOL}"),
    click.option(
        "--rag-embed", type=click.Choice(EMBEDDERS), help="Rank by meaning beside BM25 too (rag). Default: none."
    ),
    click.option("--persona-system", type=click.Choice(["drop", "keep"]), help=_FROM_PROTOCOL),
    click.option(
        "--truncate", type=click.Choice(TRUNCATIONS), help="What to do when a prompt is too long; else: an error."
    ),
    click.option("--reply-tokens", type=click.IntRange(1), help=f"The longest reply. {_FROM_PROTOCOL}"),
    click.option(
        "--counterfactual/--no-counterfactual",
        "is_counterfactual",
        default=None,
        help="Ask everything with another owner's memory too. Default: on for `lexical`, where it is free.",
    ),
)
_ASKED = (
    *("split", "protocol", "reader", "task", "method", "num_permutations", "model", "adapter", "builder", "external"),
    *(
        "context",
        "seed",
        "limit",
        "cap_tokens",
        "chunk_tokens",
        "rag_tokens",
        "rag_embed",
        "persona_system",
        "truncate",
    ),
    *("reply_tokens", "is_counterfactual"),
)


def asking_options(command: Command) -> Command:
    """Add the options that say what is asked."""
    for option in reversed(_ASKING):
        command = option(command)
    return command


def read_prices(_: click.Context, __: click.Parameter, path: Path | None) -> dict[str, Price]:
    """Read the file of `--prices`."""
    return load_prices(path) if path is not None else {}


prices_option = click.option(
    "--prices",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    callback=read_prices,
    help="TOML file with USD per million tokens, by model.",
)


def take_config(data: str, options: dict[str, Any]) -> tuple[EvalConfig, Path]:
    """Take what is asked out of a command's options; return it with the dataset's folder.

    Raises: PersonaMemError: the parts do not go together, or there is no such dataset.
    """
    asked = {name: options.pop(name) for name in _ASKED}
    asked["num_permutations"] = int(asked["num_permutations"])
    for name, value in protocol_defaults(asked["protocol"]).items():
        if asked[name] is None:
            asked[name] = value
    if asked["is_counterfactual"] is None:
        asked["is_counterfactual"] = asked["model"] == LEXICAL and asked["reader"] != "none"
    folder = open_dataset(data, load_settings())
    name, revision = name_dataset(data, folder)
    return EvalConfig(dataset=name, dataset_revision=revision, **asked), folder
