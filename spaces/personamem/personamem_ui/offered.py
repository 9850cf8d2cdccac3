"""What can be called on this page, known before Gradio looks: it answers what is not there with a fault of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import Signature
from typing import Any

from personamem_ui.request_body import BodyError

_NAMED = re.compile(r"/gradio_api/(?:call|run|api)/(v2/)?([^/]+)/?")
_DIRECT = re.compile(r"/gradio_api/(?:queue/join|(?:run|api)/predict)/?")
_HELP = "/gradio_api/info says what there is"


def is_event(path: str) -> bool:
    """Whether the page itself sends its events there, by number: queued, or at once."""
    return bool(_DIRECT.fullmatch(path))


@dataclass(frozen=True)
class Offered:
    """The API's functions by name, with what each takes, and the page's events by number."""

    functions: Mapping[str, Signature]
    events: frozenset[int]

    def check(self, path: str, value: Any) -> None:
        """Raises: BodyError: nothing of that name or number, or not called with what it takes."""
        if not isinstance(value, dict):  # Gradio says what it wants instead
            return
        if is_event(path):
            self._check_number(value.get("fn_index"))
        elif named := _NAMED.fullmatch(path):
            self._check_call(named[2], value if named[1] else value.get("data"))

    def _check_number(self, number: Any) -> None:
        if not isinstance(number, int | float) or number not in self.events:
            raise BodyError(404, "there is no such event on this page: load the page anew")

    def _check_call(self, name: str, values: Any) -> None:
        signature = self.functions.get(name)
        if signature is None:
            raise BodyError(404, f"there is no function {name[:60]!r}: {_HELP}")
        try:
            if isinstance(values, dict):
                signature.bind(**values)
        except TypeError as error:
            raise BodyError(422, f"{name}: {error}: {_HELP}") from None
        wanted = ", ".join(signature.parameters)
        if isinstance(values, list) and len(values) != len(signature.parameters):
            raise BodyError(422, f"{name} takes {len(signature.parameters)} values ({wanted}), not {len(values)}")
