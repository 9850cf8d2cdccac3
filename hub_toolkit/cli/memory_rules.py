"""`personamem memory rule` and `held`: what may never be remembered, and what waits for a decision."""

from __future__ import annotations

import click

from hub_toolkit.cli.memory_edit import report
from hub_toolkit.cli.memory_forget import render_preview
from hub_toolkit.cli.memory_options import Owner, echo_json, json_option, open_memory, owner_options, yes_option
from hub_toolkit.cli.memory_render import count_of, render_held, render_rule

BY_WORDS = (
    "note: it goes by words, and what is only implied can pass. A model can be asked\n"
    "too (`memory remember --policy-model`); a rule `only …` lets less through."
)


@click.group("rule")
def rule_group() -> None:
    """Say what may never be remembered, in plain words."""


@rule_group.command("add")
@click.argument("text")
@yes_option
@owner_options
@json_option
def rule_add(text: str, is_sure: bool, owner: Owner, is_json: bool) -> None:
    """Set a rule, for example "nothing about my health" or "only hobbies and work".

    What it refuses goes at once; a rule of the kind "never" takes it out of past versions too. It asks where something
    would go.
    """
    with open_memory(owner) as memory:
        preview = memory.preview_rule(text)
        if (preview.bullets or preview.held) and not is_sure:
            click.echo(render_preview(preview), err=is_json)
            click.confirm("set this rule?", abort=True, err=True)
        rule = memory.set_rule(text)
    if is_json:
        echo_json(rule)
        return
    click.echo(render_rule(rule))
    click.echo(f"removed: {count_of(len(preview.bullets), 'bullet')}, {len(preview.held)} held")
    if rule.effect == "never" and rule.categories:
        click.echo(BY_WORDS)


@rule_group.command("preview")
@click.argument("text")
@owner_options
@json_option
def rule_preview(text: str, owner: Owner, is_json: bool) -> None:
    """Show how a rule would be read and what it would remove; change nothing."""
    with open_memory(owner) as memory:
        preview = memory.preview_rule(text)
    if is_json:
        echo_json(preview)
        return
    if preview.rule:
        click.echo(render_rule(preview.rule))
    click.echo(render_preview(preview))


@rule_group.command("list")
@owner_options
@json_option
def rule_list(owner: Owner, is_json: bool) -> None:
    """List the rules and what each is compiled to."""
    with open_memory(owner) as memory:
        rules = memory.rules()
    if is_json:
        echo_json(rules)
        return
    click.echo("\n".join(map(render_rule, rules)) or "no rule yet")


@rule_group.command("remove")
@click.argument("rule_id")
@owner_options
@json_option
def rule_remove(rule_id: str, owner: Owner, is_json: bool) -> None:
    """Lift a rule. What it kept away does not come back by itself."""
    with open_memory(owner) as memory:
        done = memory.remove_rule(rule_id)
    if is_json:
        echo_json(done.version)
        return
    click.echo(f"version {done.version.number}: {rule_id} is lifted")


@click.group("held")
def held_group() -> None:
    """Decide on what looked like an instruction to the memory."""


@held_group.command("list")
@owner_options
@json_option
def held_list(owner: Owner, is_json: bool) -> None:
    """List what waits: pasted or hidden words that tell the memory what to do."""
    with open_memory(owner) as memory:
        held = memory.held()
    if is_json:
        echo_json(held)
        return
    click.echo("\n".join(map(render_held, held)) or "nothing waits")


@held_group.command("release")
@click.argument("held_id")
@owner_options
@json_option
def held_release(held_id: str, owner: Owner, is_json: bool) -> None:
    """Let it be remembered, as your own words."""
    with open_memory(owner) as memory:
        report(memory.release(held_id), is_json)


@held_group.command("discard")
@click.argument("held_id")
@owner_options
@json_option
def held_discard(held_id: str, owner: Owner, is_json: bool) -> None:
    """Drop it."""
    with open_memory(owner) as memory:
        done = memory.discard(held_id)
    if is_json:
        echo_json(done.version)
        return
    click.echo(f"version {done.version.number}: {held_id} is dropped")
