"""The command `personamem`: its groups, loaded when called, and the one place where errors become exit statuses."""

from __future__ import annotations

import importlib
import traceback
from typing import Any, NamedTuple

import click

from hub_toolkit import __version__
from hub_toolkit.errors import PersonaMemError
from hub_toolkit.settings import load_settings

EXIT_ERROR = 1
EXIT_INTERRUPTED = 130


class Entry(NamedTuple):
    """Where a command lives, and its line in the help, so that `--help` imports none of them."""

    module: str
    attribute: str
    short_help: str


COMMANDS: dict[str, Entry] = {
    "ask": Entry("hub_toolkit.cli.memory", "ask", "Ask a question, answered with a memory."),
    "data": Entry("hub_toolkit.cli.data", "data", "Check and show datasets in PersonaMem's layout."),
    "demo": Entry("hub_toolkit.cli.demo", "demo", "Open the page on this machine."),
    "doctor": Entry("hub_toolkit.cli.doctor", "doctor", "Say what is installed, reachable and missing."),
    "eval": Entry("hub_toolkit.cli.evaluate", "eval_group", "Run an evaluation and report on it."),
    "memory": Entry("hub_toolkit.cli.memory", "memory", "Build a memory from a chat history."),
    "models": Entry("hub_toolkit.cli.models", "models", "List the backends; fetch the local model."),
}


def describe_error(error: PersonaMemError | OSError) -> str:
    """Return the error as one line; an OSError names its file first."""
    text = str(error)
    if isinstance(error, OSError) and error.filename is not None:
        text = f"{error.filename}: {error.strerror}"
    return " ".join(text.split())


class ToolkitGroup(click.Group):
    """Imports a command when it is called; turns the toolkit's errors into one line and an exit status."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command: click.Command = getattr(importlib.import_module(entry.module), entry.attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name].short_help) for name in self.list_commands(ctx)])

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


@click.group(cls=ToolkitGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="personamem")
@click.option("--debug", is_flag=True, help="Show where an error came from.")
def main(debug: bool) -> None:  # noqa: ARG001  (read by ToolkitGroup)
    """Study and build personal memory for language models.

    Settings come from PERSONAMEM_BASE_URL, PERSONAMEM_API_KEY, PERSONAMEM_MODEL and PERSONAMEM_CACHE; a flag of a
    command comes before them. `personamem doctor` says what is set and what is missing.
    """
    try:
        load_settings()
    except ValueError as error:
        raise click.UsageError(
            f"{error}: GRADIO_SERVER_PORT, PERSONAMEM_CONCURRENCY and PERSONAMEM_TIMEOUT_S must be numbers"
        ) from error


if __name__ == "__main__":
    main(prog_name="personamem")
