"""`personamem memory add`, `edit`, `pin`, `unpin`, `merge`, `delete`, `undo`, `redo`: correcting a memory."""

from __future__ import annotations

import click

from hub_toolkit.cli.memory_options import Owner, echo_json, json_option, open_memory, owner_options, yes_option
from hub_toolkit.cli.memory_render import render_diff
from hub_toolkit.memory.builders.drafts import Committed
from hub_toolkit.memory.owner.audit import Diff, diff_documents
from hub_toolkit.memory.owner.edits import render_editable
from hub_toolkit.memory.owner.owner_bounds import diff_of
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
            report(memory.edit(bullet_id, text), is_json)
            return
        _, state = memory.version(None)
        opened = render_editable(state.document)
        edited = click.edit(opened, editor=load_settings().editor, extension=".md")
        if edited is None or edited == opened:
            click.echo("nothing was changed")
            return
        after = memory.parse_edited(edited, state, allow_empty=allow_empty)
        diff = diff_documents(state.document, after)
        if diff.is_empty:
            click.echo("nothing was changed")
            return
        _confirm(diff, is_sure=is_sure, is_quiet=is_json)
        report(memory.replace_edited(edited, state, allow_empty=allow_empty), is_json)


def _confirm(diff: Diff, *, is_sure: bool, is_quiet: bool) -> None:
    if is_sure:
        return
    click.echo(render_diff(diff), err=is_quiet)
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
