"""A visitor of the page without a browser: the requests that Gradio's own script sends, over plain HTTP."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

TIMEOUT_S = 120


class PageVisitor:
    """One open page. Components are found by their `elem_id`; `seen` is all that the server ever sent here."""

    def __init__(self, url: str, *, headers: dict[str, str] | None = None) -> None:
        # The page is on this machine, without TLS: certificates would only cost each visitor time to load.
        self.client = httpx.Client(base_url=url, timeout=TIMEOUT_S, headers=headers, trust_env=False, verify=False)
        self.session = secrets.token_hex(6)
        self.config = self.client.get("config").raise_for_status().json()
        self.seen: list[str] = []
        self.values = {part["id"]: part["props"].get("value") for part in self.config["components"]}
        self._types = {part["id"]: part["type"] for part in self.config["components"]}
        self.numbers = {
            part["props"]["elem_id"]: part["id"] for part in self.config["components"] if part["props"].get("elem_id")
        }

    def close(self) -> None:
        self.client.close()

    def __enter__(self) -> PageVisitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def component(self, elem_id: str) -> int:
        """Return a component's number."""
        return int(self.numbers[elem_id])

    def config_type(self, number: int) -> str:
        """Return what kind of component this is."""
        return str(self._types[number])

    def events(self, elem_id: str, kind: str) -> list[dict[str, Any]]:
        """Return what is connected to one kind of event of a component."""
        target = [self.component(elem_id), kind]
        return [event for event in self.config["dependencies"] if target in [list(t) for t in event["targets"]]]

    def send(
        self, fn_index: int, data: list[Any], *, event_data: Any = None, trigger: int | None = None
    ) -> httpx.Response:
        """Put one event into the queue."""
        body = {
            "data": data,
            "fn_index": fn_index,
            "session_hash": self.session,
            "event_data": event_data,
            "trigger_id": trigger,
        }
        return self.client.post("gradio_api/queue/join", json=body)

    def listen(self) -> Iterator[dict[str, Any]]:
        """Yield what the server says to this page until it has nothing under way."""
        with self.client.stream("GET", "gradio_api/queue/data", params={"session_hash": self.session}) as answer:
            for line in answer.iter_lines():
                if line.startswith("data:"):
                    self.seen.append(line)
                    yield json.loads(line.removeprefix("data:"))

    def run(self, event: dict[str, Any], *, event_data: Any = None, trigger: int | None = None) -> dict[str, Any]:
        """Send an event with what its inputs hold, wait for its end, keep its outputs; return its last message."""
        data = [self.values.get(number) for number in event["inputs"]]
        answer = self.send(event["id"], data, event_data=event_data, trigger=trigger)
        answer.raise_for_status()
        last: dict[str, Any] = {}
        for message in self.listen():
            if message["msg"] in ("process_generating", "process_completed"):
                last = message
            if message["msg"] == "process_completed":
                self._keep(event, message)
        return last

    def fire(self, elem_id: str, kind: str = "click", *, event_data: Any = None) -> dict[str, Any]:
        """Do what the page does at an event: all that is connected to it, and what follows upon that."""
        last: dict[str, Any] = {}
        todo = self.events(elem_id, kind)
        if not todo:
            raise KeyError(f"nothing is connected to {kind} of {elem_id}")
        while todo:
            event = todo.pop(0)
            last = self.run(event, event_data=event_data, trigger=self.component(elem_id))
            is_ok = bool(last.get("success"))
            todo += [
                follower
                for follower in self.config["dependencies"]
                if follower.get("trigger_after") == event["id"] and (is_ok or not follower["trigger_only_on_success"])
            ]
        return last

    def upload(self, path: Path) -> dict[str, Any]:
        """Send a file; return how an event names it."""
        with path.open("rb") as file:
            answer = self.client.post("gradio_api/upload", files={"files": (path.name, file)})
        answer.raise_for_status()
        return {"path": answer.json()[0], "orig_name": path.name, "meta": {"_type": "gradio.FileData"}}

    def _keep(self, event: dict[str, Any], message: dict[str, Any]) -> None:
        output = message.get("output") or {}
        for number, value in zip(event["outputs"], output.get("data") or (), strict=False):
            is_update = isinstance(value, dict) and value.get("__type__") == "update"
            if not is_update:
                self.values[number] = value
            elif "value" in value:
                self.values[number] = value["value"]

    @property
    def seen_text(self) -> str:
        return "\n".join(self.seen)
