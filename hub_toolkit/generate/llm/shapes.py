"""What each reply must look like: strict JSON, no further keys, nothing converted."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError

from hub_toolkit.errors import JudgeError
from hub_toolkit.judge.verdict import read_object
from hub_toolkit.models.thoughts import leave_out_thoughts

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def _check_letters(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("it holds a control character; write plain text")
    return text


_Plain = AfterValidator(_check_letters)
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=12_000), _Plain]
ShortText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=400), _Plain]

_REFUSAL = re.compile(
    r"^\W*(i['’]?m (really |very )?sorry|sorry,|i (can(no|['’])t|cannot|won['’]t|am (not able|unable))|"
    r"as an ai\b|unfortunately, i|i must decline)",
    re.I,
)


class Fault(Exception):  # noqa: N818  (an outcome that its caller always handles)
    """A reply that cannot be used. `reason` is a name, `text` says it to the model that is asked to repair it."""

    def __init__(self, reason: str, text: str) -> None:
        self.reason, self.text = reason, text
        super().__init__(f"{reason}: {text}")


class Shape(BaseModel):
    """Base of all shapes."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class PersonaReply(Shape):
    """One expanded persona; `details` holds whatever else belongs to this person."""

    name: ShortText
    age: int
    occupation: ShortText
    location: ShortText
    home: ShortText
    household: ShortText
    education: ShortText
    values: ShortText
    speaking_style: ShortText
    pronoun: Literal["he", "she", "they"]
    details: dict[ShortText, Text]


class TopicReply(Shape):
    """One topic with a preference of each person, in their order."""

    topic: ShortText
    need: ShortText
    preferences: list[ShortText]


class TopicsReply(Shape):
    """Several topics."""

    topics: list[TopicReply]


class SecretReply(Shape):
    """One secret."""

    label: ShortText
    value: Annotated[str, StringConstraints(strip_whitespace=True, min_length=4, max_length=200), _Plain]


class SecretsReply(Shape):
    """Several secrets."""

    secrets: list[SecretReply]


class OppositeReply(Shape):
    """A preference that turned into its opposite."""

    preference: ShortText


class MessageReply(Shape):
    """One message."""

    role: Literal["user", "assistant"]
    content: Text


class ConversationReply(Shape):
    """A conversation."""

    messages: list[MessageReply]


class ExchangeReply(Shape):
    """A question and its answer."""

    question: Text
    answer: Text


class ExchangesReply(Shape):
    """Several questions that stand alone."""

    exchanges: list[ExchangeReply]


class GroupReply(Shape):
    """A query and the answers, in the order of what they were asked for."""

    query: Text
    answers: list[Text]


class GoldReply(Shape):
    """A query, its right answer and three others."""

    query: Text
    correct: Text
    incorrect: list[Text]


class InferReply(Shape):
    """Who most likely has a preference."""

    person: Text


class VoteReply(Shape):
    """A verdict out of those that the prompt names."""

    reason: str
    verdict: ShortText


class FitsReply(Shape):
    """A verdict on every option, in their order."""

    reason: str
    fits: list[bool]


class ChoiceReply(Shape):
    """An option's letter."""

    choice: ShortText


def read_shape(text: str, shape: type[Any], *, is_cut: bool) -> Any:
    """Return a reply in its shape, thoughts before it left out. Raises: Fault: it is none, and why."""
    if is_cut:
        raise Fault("cut", "it was too long and broke off; be shorter")
    body = leave_out_thoughts(text).strip()
    try:
        read_object(body)
        return shape.model_validate_json(body[body.index("{") : body.rindex("}") + 1])
    except JudgeError as error:
        reason = "refusal" if _REFUSAL.match(body) else "bad_json"
        raise Fault(reason, str(error)) from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Fault("bad_json", f"{place}: {first['msg']}" if place else first["msg"]) from None
