"""Stage 8: what fits into the histories, the histories themselves, and the rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from hub_toolkit.generate.conversations import count_tokens
from hub_toolkit.generate.histories import AssembledHistory, assemble, measure_history
from hub_toolkit.generate.layout import PersonaFiles, render_files
from hub_toolkit.generate.llm.cases import Case
from hub_toolkit.generate.llm.config import LlmConfig
from hub_toolkit.generate.llm.photos import show_photo
from hub_toolkit.generate.llm.preferences import plan_set
from hub_toolkit.generate.llm.records import PREF_TYPES, PreferenceSet, Question, Rejection, Told
from hub_toolkit.generate.llm.tally import Tally
from hub_toolkit.generate.padding import Padding
from hub_toolkit.generate.personas import TWIN_OFFSET
from hub_toolkit.generate.records import TWIN_KINDS, Block, SimPersona, TwinKind
from hub_toolkit.generate.rows import Row, base_row
from hub_toolkit.generate.seeding import rng_for

_MARGIN_TOKENS = 500
"""Left free in a 32k history, as the simulator leaves it."""


@dataclass(frozen=True)
class FinishedPersona:
    """A persona with all that is written of it."""

    persona: SimPersona
    blocks: tuple[Block, ...]
    histories: list[AssembledHistory]
    rows: list[Row]

    def as_files(self, out: Path) -> PersonaFiles:
        """Return what is to be written."""
        return render_files(out, self.persona, self.blocks, self.histories, self.rows)


@dataclass
class Quad:
    """What all stages before this one left of a quad."""

    config: LlmConfig
    people: Sequence[SimPersona]
    sets: Sequence[PreferenceSet]
    told: Sequence[Told]
    cases: Sequence[Case]
    questions: Sequence[Question]
    by_set: dict[str, list[Told]] = field(default_factory=dict)
    twins: dict[str, TwinKind | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for each in self.told:
            self.by_set.setdefault(each.set_id, []).append(each)
        self.twins = {each.set_id: plan_set(self.config, each).twin for each in self.sets}

    def member_of(self, told: Told) -> int | None:
        """Return whose history a block belongs to; None for a twin's."""
        if self.twins.get(told.set_id) is not None and told.place == _TWIN_PLACE:
            return None
        if told.set_id.count(".") > 2:  # upstream sets and secrets name their one member
            return int(told.set_id.split(".")[1][1:])
        return told.place


_TWIN_PLACE = 3


def finish_quad(quad: Quad, tally: Tally) -> list[FinishedPersona]:
    """Return the personas and twins of a quad with their histories and rows."""
    chosen, blocks = _choose(quad, tally)
    finished = []
    for person in quad.people:
        mine = tuple(blocks[person.member])
        if mine:
            finished += _finish(quad, person, mine, chosen)
    original = next((each for each in finished if each.persona.member == 0), None)
    for question in chosen:
        kind = quad.twins.get(question.set_id)
        if kind is not None and original is not None:
            finished += _finish_twin(quad, original, question, kind)
    return finished


def _choose(quad: Quad, tally: Tally) -> tuple[list[Question], dict[int, list[Block]]]:
    """Choose questions while every owner's evidence fits, in drawn order, then fill up with whole sets."""
    tally.enter("histories", len(quad.questions))
    room = {person.member: quad.config.context_32k_tokens - _MARGIN_TOKENS for person in quad.people}
    blocks: dict[int, list[Block]] = {person.member: [] for person in quad.people}
    chosen: list[Question] = []
    first = quad.people[0].quad if quad.people else 0
    for question in _shuffled(quad, quad.questions, first):
        if _take(quad, quad.by_set[question.set_id], room, blocks):
            chosen.append(question)
        else:
            tally.reject(Rejection("histories", "no_room", question.set_id, question.attempt))
    taken = {question.set_id for question in chosen}
    questioned = {question.set_id for question in quad.questions}
    for set_id, told in quad.by_set.items():
        if set_id not in taken | questioned:
            for person in quad.people:
                mine = [each for each in told if quad.member_of(each) == person.member]
                _take(quad, mine, room, blocks)
    return sorted(chosen, key=lambda question: question.set_id), blocks


def _shuffled(quad: Quad, questions: Sequence[Question], number: int) -> list[Question]:
    rng = rng_for(quad.config.seed, "choose", number)
    ordered = sorted(questions, key=lambda question: question.set_id)
    return rng.sample(ordered, len(ordered))


def _take(quad: Quad, told: Iterable[Told], room: dict[int, int], blocks: dict[int, list[Block]]) -> bool:
    """Take blocks where all of them fit; a twin's longer block must fit its original's history too."""
    wanted: dict[int, list[Block]] = {}
    needed: dict[int, int] = {}
    for each in told:
        member = quad.member_of(each)
        tokens = each.block.tokens
        if member is None:
            member, tokens = 0, max(0, tokens - each.block.counted_tokens)
        else:
            wanted.setdefault(member, []).append(each.block)
        needed[member] = needed.get(member, 0) + tokens
    if any(room[member] < tokens for member, tokens in needed.items()):
        return False
    for member, tokens in needed.items():
        room[member] -= tokens
    for member, mine in wanted.items():
        blocks[member] += mine
    return True


def _finish(
    quad: Quad, person: SimPersona, blocks: tuple[Block, ...], chosen: Sequence[Question]
) -> list[FinishedPersona]:
    asked: list[tuple[Question, int]] = []
    for question in chosen:
        places = {each.place for each in quad.by_set[question.set_id] if quad.member_of(each) == person.member}
        asked += [(question, place) for place in sorted(places)]
    return _write(quad, person, blocks, asked)


def _write(
    quad: Quad, person: SimPersona, blocks: tuple[Block, ...], asked: Sequence[tuple[Question, int]]
) -> list[FinishedPersona]:
    """Return a persona in text, and with the photos themselves where the dataset has images."""
    texts = assemble(quad.config.layout, person, blocks)
    images = {each.block: each.image for each in quad.told}
    finished = []
    for modality in quad.config.modalities:
        histories = texts if modality == "text" else [_show_photos(images, history) for history in texts]
        rows = [_row(quad, question, place, person, histories) for question, place in asked]
        finished.append(FinishedPersona(person, blocks, histories, rows))
    return finished


def _show_photos(images: Mapping[Block, str | None], history: AssembledHistory) -> AssembledHistory:
    """Return the history with every image in the place of its caption."""

    def show(piece: Block | Padding) -> Block | Padding:
        image = images.get(piece) if isinstance(piece, Block) else None
        if image is None:
            return piece
        messages = show_photo(piece.messages, image)
        return replace(piece, messages=messages, tokens=count_tokens(messages))

    return measure_history(history.size, [show(piece) for piece in history.pieces], modality="multimodal")


def _finish_twin(quad: Quad, original: FinishedPersona, question: Question, kind: TwinKind) -> list[FinishedPersona]:
    """Return the twin: its original's history with one block changed, and the one question that asks for it."""
    changed = next(each for each in quad.by_set[question.set_id] if quad.member_of(each) is None).block
    blocks = tuple(changed if block.block_id == changed.block_id else block for block in original.blocks)
    person = replace(
        original.persona,
        persona_id=original.persona.persona_id + TWIN_OFFSET * (TWIN_KINDS.index(kind) + 1),
        twin_of=original.persona.persona_id,
        twin_kind=kind,
    )
    return _write(quad, person, blocks, [(question, _TWIN_PLACE)])


def _row(quad: Quad, question: Question, place: int, person: SimPersona, histories: list[AssembledHistory]) -> Row:
    case = next(case for case in quad.cases if case.set_id == question.set_id)
    told = [each for each in quad.by_set[question.set_id] if each.place == place and each.block.role != "trap"]
    # Photos by their captions: a snippet in a table's cell should stay readable.
    blocks = {each.block.block_id: each.block for each in told}
    evidence = [blocks[block_id] for block_id in histories[0].ends if block_id in blocks]
    gold = question.gold[place]
    rubric = case.rubrics[place]
    shown, old = told[-1].shown, told[-1].old
    preference, prev_pref = shown, old or ""
    if rubric == "forget":
        preference, prev_pref = f"Do not remember '{shown}' in memory", shown
    elif rubric == "sensitive":
        preference = case.lines[0]
    return base_row(person, histories, evidence) | {
        "user_query": repr({"role": "user", "content": question.query}),
        "correct_answer": question.options[gold],
        "incorrect_answers": json.dumps(
            [text for number, text in enumerate(question.options) if number != gold], ensure_ascii=False
        ),
        "preference": preference,
        "prev_pref": prev_pref,
        "pref_type": _pref_type(quad, question.set_id, rubric),
        "topic_preference": case.topic,
        "topic_query": case.topic,
        "who": "others" if rubric == "others" else "self",
        "updated": str(bool(prev_pref)),
        "sensitive_info": str(rubric == "sensitive"),
        "group_id": question.set_id if case.is_swap else "",
    }


def _pref_type(quad: Quad, set_id: str, rubric: str) -> str:
    if rubric == "sensitive":
        return "sensitive_info"
    if rubric == "forget":
        return "ask_to_forget"
    return PREF_TYPES[next(each.kind for each in quad.sets if each.set_id == set_id)]
