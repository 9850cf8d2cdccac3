"""`personamem memory show`, `why`, `log`, `diff`, `search`, `recall`, `receipts` and `users`: they change nothing."""

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
)
from hub_toolkit.cli.memory_render import (
    clean,
    count_of,
    render_bullet,
    render_bullets,
    render_diff,
    render_receipt,
    render_version,
    wrap,
)
from hub_toolkit.memory.owner.sessions import session_of
from hub_toolkit.memory.personal import PersonalMemory


@click.command("show")
@click.option("--at", "number", type=click.IntRange(0), help="A past version, as `log` numbers them.")
@click.option("--kind", help="Only bullets of this kind, for example health.")
@owner_options
@json_option
def show_command(number: int | None, kind: str | None, owner: Owner, is_json: bool) -> None:
    """Print what is remembered: ids, kinds, sources, what is pinned and what nothing supports."""
    with open_memory(owner) as memory:
        newest, state = memory.version(number)
        document = state.document
        bullets = [bullet for bullet in document.bullets if kind in (None, bullet.kind)]
        if is_json:
            fields = document.as_dict(memory.counter)
            fields["bullets"] = [b for b in fields["bullets"] if kind in (None, b["kind"])]
            fields.update(user=owner.user, version=newest, rules=state.rules, held=state.held)
            echo_json(fields)
            return
        size = f"{document.tokens(memory.counter):,} of {document.cap_tokens:,} tokens"
        parts = [clean(owner.user), f"version {newest}", count_of(len(document.bullets), "bullet"), size]
        if state.rules:
            parts.append(count_of(len(state.rules), "rule"))
        if state.held:
            parts.append(f"{len(state.held)} held (see `held list`)")
        click.echo(wrap(" · ".join(parts), first="", indent=0))
        click.echo("\n" + (render_bullets(bullets) or "nothing is remembered" + " of this kind" * bool(kind)))


@click.command("why")
@click.argument("bullet_id")
@owner_options
@json_option
def why_command(bullet_id: str, owner: Owner, is_json: bool) -> None:
    """Say where a bullet comes from: the messages, the words in them, and whether they bear it out."""
    with open_memory(owner) as memory:
        why = memory.why(bullet_id)
        if is_json:
            echo_json(why)
            return
        click.echo(render_bullet(why.bullet))
        click.echo(
            f"      confidence {why.bullet.confidence:.2f} · {'supported' if why.is_supported else 'UNSUPPORTED'}"
        )
        sessions = memory.store.sessions(owner.user)
        for check in why.checks:
            session = session_of(sessions, check.source.index)
            when = f" ({session.started_at[:10]})" if session and session.started_at else ""
            does = "bears it out" if check.is_support else "does not bear it out"
            click.echo(f"\nmessage {check.source.index}{when}: {does}")
            click.echo(wrap(f"“{check.source.span}”", first=""))
        if not why.checks:
            click.echo("\n" + ("you wrote it" if why.bullet.author == "user" else "no message is cited"))


@click.command("log")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="The newest so many.")
@owner_options
@json_option
def log_command(limit: int, owner: Owner, is_json: bool) -> None:
    """List the versions: when, by whom, and how many bullets were added (+), changed (~) and removed (-)."""
    with open_memory(owner) as memory:
        versions = memory.log()[-limit:]
    if is_json:
        echo_json(versions)
        return
    click.echo("\n".join(map(render_version, versions)) or "no version yet")


@click.command("diff")
@click.argument("a", type=click.IntRange(0))
@click.argument("b", type=click.IntRange(0))
@owner_options
@json_option
def diff_command(a: int, b: int, owner: Owner, is_json: bool) -> None:
    """Show what changed from version A to version B; 0 is the empty memory."""
    with open_memory(owner) as memory:
        diff = memory.diff(a, b)
    if is_json:
        echo_json(diff)
        return
    click.echo(render_diff(diff))


@click.command("search")
@click.argument("text")
@click.option("--top", type=click.IntRange(1), default=20, show_default=True, help="At most so many.")
@owner_options
@json_option
def search_command(text: str, top: int, owner: Owner, is_json: bool) -> None:
    """Find the bullets that a text is about, best first."""
    with open_memory(owner) as memory:
        found = memory.search(text, top=top)
    if is_json:
        echo_json(found)
        return
    click.echo(render_bullets(found) or "no bullet shares a word with that")


@click.command("recall")
@click.argument("text")
@click.option("--max-tokens", type=click.IntRange(16), default=512, show_default=True, help="Longest text.")
@owner_options
@json_option
def recall_command(text: str, max_tokens: int, owner: Owner, is_json: bool) -> None:
    """Print what a prompt may know for a question: delimited, and checked against today's rules."""
    with open_memory(owner) as memory:
        found = memory.recall(text, max_tokens=max_tokens)
    if is_json:
        echo_json(found)
        return
    click.echo(found.text)


@click.command("receipts")
@owner_options
@json_option
def receipts_command(owner: Owner, is_json: bool) -> None:
    """List what was refused, held, forgotten and purged: when, why and how many, never what it said."""
    with open_memory(owner) as memory:
        receipts = memory.receipts()
    if is_json:
        echo_json(receipts)
        return
    click.echo("\n".join(map(render_receipt, receipts)) or "no receipt yet")


@click.command("users")
@store_option
@json_option
def users_command(store: Path | None, is_json: bool) -> None:
    """List whose memories the file holds."""
    with open_store(store) as opened:
        users = opened.users()
        if is_json:
            echo_json(users)
            return
        for user in users:
            number, state = PersonalMemory(opened, user).version(None)
            click.echo(f"{clean(user):<30} version {number:<6} {count_of(len(state.document.bullets), 'bullet')}")
        if not users:
            click.echo("nobody yet")
