"""The task that `inspect eval` runs on the same core as `personamem eval run`, so that both score alike.

`inspect eval path/to/inspect_task.py@personamem --model … -T reader=memory`. Needs inspect.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, TypeVar, cast

from hub_toolkit.answer.protocol import load_protocol
from hub_toolkit.answer.readers import Reader
from hub_toolkit.cli import inspect_core
from hub_toolkit.data.schema import ContextSize, Split
from hub_toolkit.evaluate.plan import EvalConfig, protocol_defaults

Made = TypeVar("Made")
if TYPE_CHECKING:

    def task(function: Made) -> Made: ...
else:
    # `inspect eval` looks for functions decorated with a name that reads `task`.
    task = importlib.import_module("inspect_ai").task


@task
def personamem(  # noqa: PLR0913  (inspect passes -T options by name)
    dataset: str = "mini",
    split: str = "benchmark",
    reader: str = "oracle",
    protocol: str = "v1",
    context: str = "32k",
    builder: str = "extractive",
    seed: int = 0,
    limit: int | None = None,
) -> Any:
    """Ask a split's questions as multiple choice; the options are those of `personamem eval run`."""
    core = inspect_core.make_core(
        EvalConfig(
            dataset=dataset,
            split=cast(Split, split),
            reader=cast(Reader, reader),
            protocol=protocol,
            context=cast(ContextSize, context),
            builder=builder,
            seed=seed,
            limit=limit,
            model="inspect",
            **protocol_defaults(protocol),
        )
    )
    rules = load_protocol(protocol)
    make_task: Any = importlib.import_module("inspect_ai").Task
    return make_task(
        dataset=inspect_core.make_dataset(core, dataset),
        solver=inspect_core.read_and_ask(core),
        scorer=inspect_core.choice_scorer(core),
        config=inspect_core.generate_config(rules.generate_config(seed)),
        version=f"{rules.name}.{rules.version}",
        metadata={"protocol": rules.name, "digest": rules.digest, "reader": reader, "seed": seed},
    )
