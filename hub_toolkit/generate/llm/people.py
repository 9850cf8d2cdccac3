"""Stage 1: personas, from a line and sampled demographics to a full description."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

from hub_toolkit.errors import DataFormatError
from hub_toolkit.generate.config import QUAD
from hub_toolkit.generate.llm.asking import Desk, NoReply, Prompt
from hub_toolkit.generate.llm.config import LlmConfig
from hub_toolkit.generate.llm.records import Rejection
from hub_toolkit.generate.llm.shapes import Fault, PersonaReply
from hub_toolkit.generate.llm.tally import Tally
from hub_toolkit.generate.personas import quad_split
from hub_toolkit.generate.records import SimPersona
from hub_toolkit.generate.seeding import rng_for
from hub_toolkit.prompts.render import load_prompt

_SHIPPED_LINES = Path(__file__).parent / "persona_lines.txt"
_SHARED = ("age", "occupation", "location", "home", "household", "education", "speaking_style")
"""What the four owners of a quad have in common (PROTOCOL §6): age, work and manner."""
_SHEET = ("name", "age", "occupation", "location", "household", "speaking_style_with_chatbot")


@lru_cache(maxsize=4)
def load_lines(path: str | None) -> tuple[str, ...]:
    """Read lines of text, empty ones and comments left out.

    Raises: DataFormatError: the file cannot be read, or holds none.
    """
    source = Path(path) if path else _SHIPPED_LINES
    try:
        lines = [line.strip() for line in source.read_text("utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataFormatError(f"cannot be read: {error}", file=str(source)) from error
    kept = tuple(line for line in lines if line and not line.startswith("#"))
    if not kept:
        raise DataFormatError("holds no line; give one a line", file=str(source))
    return kept


async def write_personas(desk: Desk, quad: int, tally: Tally) -> list[SimPersona]:
    """Return the four personas of a quad; of a swap quad, all or none."""
    tally.enter("personas", QUAD)
    people: list[SimPersona] = []
    given: dict[str, object] = {}
    for member in range(QUAD):
        try:
            reply = await _expand(desk, quad, member, given, [person.name for person in people])
        except NoReply as failed:
            tally.reject(Rejection("personas", failed.reason, f"q{quad:05}.m{member}", detail=failed.detail))
            continue
        people.append(_persona(desk.config, quad, member, reply))
        if desk.config.questions == "swap":
            given = given or {name: getattr(reply, name) for name in _SHARED}
    if desk.config.questions == "swap" and len(people) < QUAD:
        for person in people:
            tally.reject(Rejection("personas", "incomplete_quad", f"q{quad:05}.m{person.member}"))
        return []
    return people


async def _expand(desk: Desk, quad: int, member: int, given: dict[str, object], names: Sequence[str]) -> PersonaReply:
    config = desk.config
    is_swap = config.questions == "swap"
    rng = rng_for(config.seed, "line", quad, 0 if is_swap else member)
    line = rng.choice(load_lines(config.persona_lines))
    draw = rng_for(config.seed, "demographics", quad, member)
    demographics = {
        "gender": draw.choice(config.genders),
        "orientation": draw.choice(config.orientations),
        "race": draw.choice(config.races),
    }

    def check(reply: PersonaReply) -> None:
        changed = [name for name, value in given.items() if getattr(reply, name) != value]
        if changed:
            raise Fault("wrong_given", f'"{changed[0]}" must be {given[changed[0]]!r}, as it was given')
        if reply.name.split()[0] in {name.split()[0] for name in names}:
            raise Fault("name_taken", f"the first name must be none of {', '.join(names)}")
        if not 1 <= reply.age <= 110:
            raise Fault("bad_age", '"age" must be between 1 and 110')

    text = load_prompt("generate_persona").render(
        line=line,
        demographics=json.dumps(demographics, ensure_ascii=False),
        given=json.dumps(given | ({"other first names than": list(names)} if names else {}), ensure_ascii=False),
        language=config.language,
    )
    reply = await desk.ask(Prompt(f"persona:{quad}:{member}", "generate_persona", text), PersonaReply, check)
    return reply.model_copy(update={"details": {**reply.details, **demographics, "line": line}})


def _persona(config: LlmConfig, quad: int, member: int, reply: PersonaReply) -> SimPersona:
    expanded = {
        **{name: getattr(reply, name) for name in ("name", "age", "occupation", "location", "home", "household")},
        "education": reply.education,
        "values": reply.values,
        "speaking_style_with_chatbot": reply.speaking_style,
        **{name: text for name, text in reply.details.items() if name != "line"},
    }
    pronoun: Literal["he", "she"] = "she" if reply.pronoun == "she" else "he"
    split = quad_split(config.layout, quad)
    persona_id = quad * QUAD + member + 1
    return SimPersona(persona_id, quad, member, split, reply.name, pronoun, reply.details["line"], expanded)


def describe(persona: SimPersona, *, is_whole: bool = False) -> str:
    """Return a persona as prompts show it: what matters for writing as this person, or all of it."""
    shown = persona.expanded if is_whole else {name: persona.expanded[name] for name in _SHEET}
    return json.dumps(shown, ensure_ascii=False)
