"""`personamem memory add`, `edit`, `pin`, `unpin`, `merge`, `delete`, `undo`, `redo`: correcting a memory."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import click

from hub_toolkit.cli.memory_options import Owner, echo_json, json_option, open_memory, owner_options, yes_option
from hub_toolkit.cli.memory_render import render_diff
from hub_toolkit.errors import BoundaryError, ConflictError, DataFormatError
from hub_toolkit.memory.builders.drafts import Committed
from hub_toolkit.memory.owner.audit import Diff, diff_documents
from hub_toolkit.memory.owner.edits import FILE_NAME, render_editable
from hub_toolkit.memory.owner.owner_bounds import diff_of
from hub_toolkit.memory.personal import PersonalMemory
from hub_toolkit.settings import load_settings


def report(done: Committed, is_json: bool) -> None:
    """Print what a change did."""
    if is_json:
        echo_json({"version": done.version, "diff": diff_of(done), "receipts": done.draft.change.receipts})
        return
    click.echo(f"version {done.version.number}")
    click.echo(render_diff(diff_of(done)))
    for receipt in done.draft.change.receipts:
        click.echo(f"kept out: {receipt.count} ({receipt.reason})")


@click.command("add")
@click.argument("text")
@owner_options
@json_option
def add_command(text: str, owner: Owner, is_json: bool) -> None:
    """Write a bullet; no update changes it."""
    with open_memory(owner) as memory:
        report(memory.add(text), is_json)


@click.command("edit")
@click.argument("bullet_id", required=False)
@click.argument("text", required=False)
@click.option("--allow-empty", is_flag=True, help="An emptied file deletes all bullets.")
@yes_option
@owner_options
@json_option
def edit_command(
    bullet_id: str | None,
    text: str | None,
    allow_empty: bool,
    is_sure: bool,
    owner: Owner,
    is_json: bool,
) -> None:
    """Change a bullet's words: BULLET_ID TEXT. Without them, $VISUAL or $EDITOR opens on the whole memory.

    No later chat undoes what is changed here.
    """
    if (bullet_id is None) != (text is None):
        raise click.UsageError("name a bullet and its new text, or neither to open your editor")
    with open_memory(owner) as memory:
        if bullet_id is not None and text is not None:
            done: Committed | None = memory.edit(bullet_id, text)
        else:
            done = _edit_as_file(memory, allow_empty=allow_empty, is_sure=is_sure, is_quiet=is_json)
    if done is None:
        click.echo("nothing was changed", err=is_json)
        return
    report(done, is_json)


def _edit_as_file(memory: PersonalMemory, *, allow_empty: bool, is_sure: bool, is_quiet: bool) -> Committed | None:
    """Let the owner edit the whole memory in an editor; what is refused may be mended there. None: no change.

    Raises: DataFormatError, BoundaryError: refused, and not mended. ConflictError.
    """
    _, state = memory.version(None)
    opened = text = render_editable(state.document)
    while True:
        before, text = text, _open_editor(text)
        if text == opened:
            return None
        try:
            after = memory.parse_edited(text, state, allow_empty=allow_empty)
            if after == state.document:
                return None
            _confirm(diff_documents(state.document, after), is_sure=is_sure, is_quiet=is_quiet)
            return memory.replace_edited(text, state, allow_empty=allow_empty)
        except (DataFormatError, BoundaryError) as error:
            if is_sure or text == before or not _wants_to_mend(error):
                raise
        except ConflictError as error:
            raise ConflictError(
                f"{error}. Your text is kept in {_keep(text)}: take it from there, then delete it"
            ) from error


def _keep(text: str) -> Path:
    """Write a text where only its owner can read it."""
    handle, name = tempfile.mkstemp(prefix="personamem-edit-", suffix=".md")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    return Path(name)


def _open_editor(text: str) -> str:
    """Return a text as an editor leaves it; an editor that writes nothing leaves it as it is.

    Raises: DataFormatError: the editor failed, or what it left cannot be read.
    """
    try:
        edited = click.edit(text, editor=load_settings().editor, extension=".md")
    except (click.ClickException, OSError) as error:
        reason = error.message if isinstance(error, click.ClickException) else error.strerror
        raise DataFormatError(f"the editor failed ({reason}); nothing was changed", file=FILE_NAME) from error
    except UnicodeDecodeError as error:
        raise DataFormatError("not UTF-8; nothing was changed: save it as UTF-8", file=FILE_NAME) from error
    return text if edited is None else edited


def _wants_to_mend(error: Exception) -> bool:
    """Ask whether to open the editor again on what was refused: a long edit is not lost for one line."""
    click.echo(f"refused: {error}", err=True)
    try:
        return click.confirm("open the editor again?", default=True, err=True)
    except click.Abort:  # nobody is there to answer
        return False


def _confirm(diff: Diff, *, is_sure: bool, is_quiet: bool) -> None:
    if is_sure:
        return
    click.echo("another order" if diff.is_empty else render_diff(diff), err=is_quiet)
    click.confirm("keep these changes?", abort=True, err=True)


@click.command("pin")
@click.argument("bullet_id")
@owner_options
@json_option
def pin_command(bullet_id: str, owner: Owner, is_json: bool) -> None:
    """Keep a bullet as it is, whatever later chats say; it goes last when room is short."""
    with open_memory(owner) as memory:
        report(memory.pin(bullet_id), is_json)


@click.command("unpin")
@click.argument("bullet_id")
@owner_options
@json_option
def unpin_command(bullet_id: str, owner: Owner, is_json: bool) -> None:
    """Let go of a pinned bullet."""
    with open_memory(owner) as memory:
        report(memory.pin(bullet_id, False), is_json)


@click.command("merge")
@click.argument("bullet_ids", nargs=-1, required=True)
@click.option("--text", required=True, help="The words that stand for all of them.")
@owner_options
@json_option
def merge_command(bullet_ids: tuple[str, ...], text: str, owner: Owner, is_json: bool) -> None:
    """Put bullets together under new words; the sources of all stay."""
    with open_memory(owner) as memory:
        report(memory.merge(bullet_ids, text), is_json)


@click.command("delete")
@click.argument("bullet_id")
@owner_options
@json_option
def delete_command(bullet_id: str, owner: Owner, is_json: bool) -> None:
    """Remove a bullet. Past versions keep it, so that `undo` brings it back: `forget` removes it for good."""
    with open_memory(owner) as memory:
        report(memory.delete(bullet_id), is_json)


@click.command("undo")
@click.option("--to", "number", type=click.IntRange(0), help="Go back to this version; 0 is the empty memory.")
@owner_options
@json_option
def undo_command(number: int | None, owner: Owner, is_json: bool) -> None:
    """Go back one change, or to a version. Rules stay, and what was forgotten stays away."""
    with open_memory(owner) as memory:
        report(memory.undo(number), is_json)


@click.command("redo")
@owner_options
@json_option
def redo_command(owner: Owner, is_json: bool) -> None:
    """Take an undo back, as long as nothing else was changed since."""
    with open_memory(owner) as memory:
        report(memory.redo(), is_json)
