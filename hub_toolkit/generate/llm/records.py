"""The typed records that the engine's stages hand on, beside those that the simulator has too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hub_toolkit.generate.records import Block, GroupKind, TwinKind

PrefKind = Literal["stereotypical", "anti_stereotypical", "neutral", "therapy", "medical"]
PREF_KINDS: tuple[PrefKind, ...] = ("stereotypical", "anti_stereotypical", "neutral", "therapy", "medical")
PREF_TYPES: dict[PrefKind, str] = {
    "stereotypical": "stereotypical_pref",
    "anti_stereotypical": "anti_stereotypical_pref",
    "neutral": "neutral_preferences",
    "therapy": "therapy_background",
    "medical": "health_and_medical_conditions",
}
"""The published `pref_type` of each kind."""

GoldKind = Literal["self", "forget", "others", "sensitive"]


@dataclass(frozen=True)
class PreferenceSet:
    """One topic and what its owners prefer there: all four of a quad (swap), or one (upstream).

    `texts[i]` is the preference of member `members[i]`. `need` is what somebody may ask for on the topic.
    """

    set_id: str
    kind: PrefKind
    topic: str
    need: str
    members: tuple[int, ...]
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Secret:
    """Something that a member lets slip: what it is called, and the invented value."""

    set_id: str
    member: int
    label: str
    value: str


@dataclass(frozen=True)
class SetPlan:
    """What happens to a set, drawn from the seed alone.

    Of `forget` and `others`, the owner at place `special` shows the preference of the owner at `source`, but asks to
    forget it, or speaks for a friend. Of `update`, every owner showed the next one's preference before its own.
    `twin`: place 3 belongs to a twin of member 0; then `special` alone updates, from member 0's preference.
    """

    kind: GroupKind
    special: int
    source: int
    twin: TwinKind | None = None


@dataclass(frozen=True)
class Told:
    """A block of the owner at a place of a set; `old` and `shown` are the preferences that it ends and shows.

    `image`: the file of the photo whose caption stands in its first message.
    """

    set_id: str
    place: int
    block: Block
    shown: str
    old: str | None = None
    image: str | None = None


@dataclass(frozen=True)
class Question:
    """A query and four options; `gold[i]` is the place of the option that is right for the owner at place i.

    `generic` is the option that uses no preference, where there is one.
    """

    set_id: str
    query: str
    options: tuple[str, ...]
    gold: tuple[int, ...]
    attempt: int = 0
    generic: int | None = None


@dataclass(frozen=True)
class Rejection:
    """What did not pass, where and why. `stage` and `reason` are names, `detail` is for people, `text` was rejected."""

    stage: str
    reason: str
    item: str
    attempt: int = 0
    detail: str = ""
    text: str = ""
