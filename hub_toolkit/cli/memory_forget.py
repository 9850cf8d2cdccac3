"""`personamem memory forget` and `delete-user`: what does not come back."""

from __future__ import annotations

from pathlib import Path

import click

from hub_toolkit.cli.memory_options import (
    Owner,
    echo_json,
    json_option,
    open_memory,
    open_store,
    owner_options,
    store_option,
    yes_option,
)
from hub_toolkit.cli.memory_render import clean, count_of, render_bullets, render_held, render_receipt
from hub_toolkit.errors import StoreError
from hub_toolkit.memory.owner.owner_bounds import Preview


@click.command("forget")
@click.argument("text")
@click.option("--preview", "is_preview", is_flag=True, help="Show what would go; change nothing.")
@yes_option
@owner_options
@json_option
def forget_command(text: str, is_preview: bool, is_sure: bool, owner: Owner, is_json: bool) -> None:
    """Forget TEXT: a matter in plain words, or a bullet's id.

    It goes from the memory, from all past versions and from the file, and is not learnt again. That cannot be undone.
    """
    with open_memory(owner) as memory:
        preview = memory.preview_forget(text)
        if is_preview:
            if is_json:
                echo_json(preview)
            else:
                click.echo(render_preview(preview))
            return
        if not is_sure:
            click.echo(render_preview(preview), err=is_json)
            click.confirm("forget this for good?", abort=True, err=True)
        done = memory.forget(text)
    if is_json:
        echo_json(done)
        return
    kinds = f" ({', '.join(done.kinds)})" if done.kinds else ""
    click.echo(
        f"forgotten: {count_of(done.num_bullets, 'bullet')}{kinds}, {done.num_held} held; it is not learnt again"
    )
    click.echo("\n".join(map(render_receipt, done.receipts)))


def render_preview(preview: Preview) -> str:
    """Return what would go."""
    lines = [render_bullets(preview.bullets)] if preview.bullets else []
    lines += [render_held(held) for held in preview.held]
    if not lines:
        return "nothing that is remembered now would go; it would be kept away from now on"
    num = len(preview.bullets) + len(preview.held)
    return f"would go: {num}\n" + "\n".join(lines)


@click.command("delete-user")
@click.argument("user")
@yes_option
@store_option
def delete_user_command(user: str, is_sure: bool, store: Path | None) -> None:
    """Remove USER's memory whole: every version, receipt and session, from the file too. That cannot be undone."""
    with open_store(store) as opened:
        if user not in opened.users():
            raise StoreError(f"there is no memory of {clean(user)[:60]}; `users` lists those there are")
        if not is_sure:
            click.confirm(f"remove the memory of {clean(user)[:60]} for good?", abort=True, err=True)
        opened.delete_user(user)
    click.echo("removed")
