"""From groups and histories to rows with the published columns."""

from __future__ import annotations

import json
from typing import Any

from hub_toolkit.data.schema import ContextSize, Modality
from hub_toolkit.generate.blocks import draw_secret
from hub_toolkit.generate.config import QUAD, SimulatorConfig
from hub_toolkit.generate.grammar import capitalise, load_grammar
from hub_toolkit.generate.histories import AssembledHistory
from hub_toolkit.generate.questions import is_generic, make_group
from hub_toolkit.generate.records import Assignment, Block, QuadPlan, SimPersona
from hub_toolkit.generate.seeding import rng_for

Row = dict[str, Any]
_TYPES = {"health": "health_and_medical_conditions", "worries": "therapy_background"}


def history_link(persona: SimPersona, size: ContextSize, modality: Modality = "text") -> str:
    """Return the path of a history inside the dataset."""
    folder = f"chat_history_{size}" if modality == "text" else f"chat_history_{modality}_{size}"
    return f"data/{folder}/chat_history_persona{persona.persona_id}.json"


def raw_link(persona: SimPersona) -> str:
    """Return the path of a persona's raw file inside the dataset."""
    return f"data/raw_data/raw_data_persona{persona.persona_id}.json"


def make_rows(
    config: SimulatorConfig, persona: SimPersona, plan: QuadPlan, histories: list[AssembledHistory]
) -> list[Row]:
    """Return a persona's rows; a twin answers only the question on which it differs."""
    rows = []
    if persona.twin_of is None:
        rows = [_group_row(config, persona, assignment, persona.member, histories) for assignment in plan.asked]
        twins = [a for a in plan.twins if persona.member != QUAD - 1]
        rows += [_group_row(config, persona, assignment, persona.member, histories) for assignment in twins]
        rows.append(_secret_row(config, persona, histories))
    else:
        mine = [a for a in plan.twins if a.group_id.endswith(f".{persona.twin_kind}")]
        rows = [_group_row(config, persona, assignment, QUAD - 1, histories) for assignment in mine]
    return rows


def _group_row(
    config: SimulatorConfig,
    persona: SimPersona,
    assignment: Assignment,
    place: int,
    histories: list[AssembledHistory],
) -> Row:
    group = make_group(config, assignment)
    gold = group.gold[place]
    evidence = _blocks_of(histories[0], lambda block: block.group_id == assignment.group_id)
    preference, prev_pref, pref_type = _labels(assignment, place)
    is_special = place == assignment.special
    return base_row(persona, histories, evidence) | {
        "user_query": repr({"role": "user", "content": group.query}),
        "correct_answer": group.options[gold],
        "incorrect_answers": _json([text for number, text in enumerate(group.options) if number != gold]),
        "preference": preference,
        "prev_pref": prev_pref,
        "pref_type": pref_type,
        "topic_preference": assignment.topic.key,
        "topic_query": assignment.topic.key,
        "who": "others" if is_special and assignment.kind == "others" else "self",
        "updated": str(is_special and assignment.kind in ("update", "forget")),
        "sensitive_info": "False",
        "group_id": group.group_id,
    }


def _labels(assignment: Assignment, place: int) -> tuple[str, str, str]:
    """Return preference, previous preference and type, as the published rows read."""
    topic = assignment.topic
    liked = f"Goes for {topic.alternatives[assignment.liked[place]].name} ({topic.key})"
    pref_type = _TYPES.get(topic.family, "neutral_preferences")
    if place != assignment.special or assignment.kind == "plain":
        return liked, "", pref_type
    if assignment.kind == "forget":
        return f"Do not remember '{liked}' in memory", liked, "ask_to_forget"
    if assignment.kind == "update":
        old = f"Goes for {topic.alternatives[assignment.liked[assignment.source]].name} ({topic.key})"
        return liked, old, pref_type
    assert is_generic(assignment, place)
    return f"A friend goes for {topic.alternatives[assignment.liked[place]].name} ({topic.key})", "", pref_type


def _secret_row(config: SimulatorConfig, persona: SimPersona, histories: list[AssembledHistory]) -> Row:
    """A row on a secret: masking is always right, so it is a safety measure and in no group."""
    label, secret = draw_secret(config, persona)
    rng = rng_for(config.seed, "secret-row", persona.quad, persona.member)
    false = "".join(rng.choice("0123456789") if char.isdigit() else char for char in secret)
    grammar = load_grammar()
    slots = {"label": label, "P": grammar.expand("friend_she", {}, rng)}
    query, head, tail, mask, refusal = (
        capitalise(grammar.expand(f"secret_row.{part}", slots, rng))
        for part in ("query", "head", "tail", "mask", "refusal")
    )
    evidence = _blocks_of(histories[0], lambda block: block.role == "secret")
    return base_row(persona, histories, evidence) | {
        "user_query": repr({"role": "user", "content": query}),
        "correct_answer": f"{head}: {mask}",
        "incorrect_answers": _json([f"{head}: {secret}. {tail}", f"{head}: {false}. {tail}", refusal]),
        "preference": f"{label}: {secret}",
        "prev_pref": "",
        "pref_type": "sensitive_info",
        "topic_preference": "personal data",
        "topic_query": "personal data",
        "who": "self",
        "updated": "False",
        "sensitive_info": "True",
        "group_id": "",
    }


def _blocks_of(history: AssembledHistory, is_wanted: Any) -> list[Block]:
    return [piece for piece in history.pieces if isinstance(piece, Block) and is_wanted(piece)]


def base_row(persona: SimPersona, histories: list[AssembledHistory], evidence: list[Block]) -> Row:
    """Return the cells that every row of a persona has, and the figures about its evidence."""
    row: Row = {
        "persona_id": persona.persona_id,
        "raw_persona_file": raw_link(persona),
        "short_persona": persona.short_persona,
        "expanded_persona": json.dumps(persona.expanded, ensure_ascii=False, indent=2),
        "related_conversation_snippet": _json([m.as_dict() for block in evidence for m in block.messages]),
        "conversation_scenario": evidence[-1].scenario,
        "twin_of": "" if persona.twin_of is None else persona.twin_of,
    }
    for size in ("32k", "128k"):
        history = histories[-1] if size == "128k" else histories[0]
        row[f"chat_history_{size}_link"] = history_link(persona, history.size, history.modality)
        row[f"total_tokens_in_chat_history_{size}"] = history.tokens
        row[f"distance_from_related_snippet_to_query_{size}"] = history.tokens - history.ends[evidence[-1].block_id][2]
        row[f"num_persona_relevant_tokens_{size}"] = history.tokens - history.padding_tokens
        row[f"num_persona_irrelevant_tokens_{size}"] = history.padding_tokens
    return row


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
