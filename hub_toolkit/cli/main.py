"""The command `personamem`: its groups, loaded when called, and the one place where errors become exit statuses."""

from __future__ import annotations

import traceback
from typing import Any

import click

from hub_toolkit import __version__
from hub_toolkit.cli.lazy import Entry, LazyGroup
from hub_toolkit.errors import PersonaMemError
from hub_toolkit.settings import load_settings, prepare_hub_client

EXIT_ERROR = 1
EXIT_INTERRUPTED = 130


COMMANDS: dict[str, Entry] = {
    "ask": Entry("hub_toolkit.cli.ask", "ask", "Ask a question, answered with a memory."),
    "checkpoint": Entry("hub_toolkit.cli.checkpoint", "checkpoint", "Check, push and pull model checkpoints."),
    "data": Entry("hub_toolkit.cli.data", "data", "Check, convert, push and pull datasets."),
    "demo": Entry("hub_toolkit.cli.demo", "demo", "Open the page on this machine."),
    "doctor": Entry("hub_toolkit.cli.doctor", "doctor", "Say what is installed, reachable and missing."),
    "eval": Entry("hub_toolkit.cli.evaluate", "eval_group", "Run an evaluation and report on it."),
    "generate": Entry("hub_toolkit.cli.generate", "generate", "Write a new dataset in PersonaMem's layout."),
    "hub": Entry("hub_toolkit.cli.hub", "hub", "Serve a small Hub on this machine."),
    "jobs": Entry("hub_toolkit.cli.jobs", "jobs", "Run training and evaluation on the Hub's machines."),
    "judge": Entry("hub_toolkit.cli.judge", "judge", "Audit the judges of open answers."),
    "leaderboard": Entry("hub_toolkit.cli.leaderboard", "leaderboard", "Submit to the leaderboard, and read it."),
    "memory": Entry("hub_toolkit.cli.memory", "memory", "Build, audit, correct and bound personal memories."),
    "models": Entry("hub_toolkit.cli.models", "models", "List the backends; fetch the local model."),
    "space": Entry("hub_toolkit.cli.space", "space", "Deploy the page as a Space."),
}


def describe_error(error: PersonaMemError | OSError) -> str:
    """Return the error as one line; an OSError names its file first."""
    text = str(error)
    if isinstance(error, OSError) and error.filename is not None:
        text = f"{error.filename}: {error.strerror}"
    return " ".join(text.split())


class ToolkitGroup(LazyGroup):
    """Turns the toolkit's errors into one line and an exit status."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # click ends quietly: the reader has seen enough
        except (PersonaMemError, OSError) as error:
            if ctx.params["debug"]:
                click.echo(traceback.format_exc(), err=True, nl=False)
            click.echo("error: " + describe_error(error), err=True)
            ctx.exit(EXIT_ERROR)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(EXIT_INTERRUPTED)


@click.group(cls=ToolkitGroup, entries=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="personamem")
@click.option("--debug", is_flag=True, help="Show where an error came from.")
def main(debug: bool) -> None:  # noqa: ARG001  (read by ToolkitGroup)
    """Study and build personal memory for language models.

    Settings come from PERSONAMEM_BASE_URL, PERSONAMEM_API_KEY, PERSONAMEM_MODEL and PERSONAMEM_CACHE; a flag of a
    command comes before them. `personamem doctor` says what is set and what is missing.
    """
    prepare_hub_client()
    try:
        load_settings()
    except ValueError as error:
        raise click.UsageError(
            f"{error}: GRADIO_SERVER_PORT, PERSONAMEM_CONCURRENCY and PERSONAMEM_TIMEOUT_S must be numbers"
        ) from error


if __name__ == "__main__":
    main(prog_name="personamem")
