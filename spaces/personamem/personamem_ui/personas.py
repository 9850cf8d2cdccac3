"""The people of the sample dataset, named in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hub_toolkit.data.history import load_history
from hub_toolkit.data.parse import history_path, load_personas, resolve_dataset
from hub_toolkit.data.schema import ContextSize, History, Persona, Sample

DATASET = "mini"


@dataclass(frozen=True)
class PersonaChoice:
    """One entry of the list: a persona, or a twin of one, with one of their histories."""

    key: str
    label: str
    history_file: Path
    samples: tuple[Sample, ...]

    def load(self) -> History:
        """Read the history. Raises: DataFormatError."""
        return load_history(self.history_file)


@cache
def persona_choices() -> tuple[PersonaChoice, ...]:
    """Return all entries: each person, their long history where there is one, then their twins."""
    folder = resolve_dataset(DATASET)
    personas = load_personas(folder)
    ordered = sorted(personas, key=lambda p: (p.samples[0].cluster, p.persona_id))
    return tuple(choice for persona in ordered for choice in _choices_of(persona, folder))


def find_choice(key: str) -> PersonaChoice | None:
    """Return the entry with this key."""
    return next((choice for choice in persona_choices() if choice.key == key), None)


def _choices_of(persona: Persona, folder: Path) -> list[PersonaChoice]:
    choices = [_choice(persona, folder, "32k", f"{persona.name}, {describe_persona(persona)}")]
    links = persona.samples[0].history_links
    if links["128k"] != links["32k"]:
        label = f"{persona.name}, a long history with maths and code in between"
        choices.append(_choice(persona, folder, "128k", label))
    return choices


def _choice(persona: Persona, folder: Path, size: ContextSize, label: str) -> PersonaChoice:
    link = persona.samples[0].history_links[size]
    return PersonaChoice(f"{persona.persona_id}-{size}", label, history_path(folder, link), persona.samples)


def describe_persona(persona: Persona) -> str:
    """Return what tells this entry from the others: the work, or how a twin differs from the original."""
    if persona.samples[0].twin_of is None:
        work = persona.expanded_persona.get("occupation")
        title = work.get("title") if isinstance(work, dict) else work
        return str(title or persona.short_persona)
    if any(sample.pref_type == "ask_to_forget" for sample in persona.samples):
        return "twin who asked to forget something"
    if any(sample.who == "others" for sample in persona.samples):
        return "twin for whom one hobby is a friend's, not their own"
    if any(sample.is_updated for sample in persona.samples):
        return "twin who changed a preference on the way"
    return "twin"
