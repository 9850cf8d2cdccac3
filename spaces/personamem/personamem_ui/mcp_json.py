"""What the page's MCP tools answer, as JSON: left alone, Gradio writes Python's own notation, which no client reads."""

from __future__ import annotations

import json
from typing import Any


def answer_in_json(server: Any) -> None:
    """Have a Gradio MCP server answer in JSON, from now on."""
    as_before, types = server.postprocess_output_data, server.types

    def answer(data: list[Any], root_url: str) -> list[Any]:
        if not all(isinstance(value, dict) for value in data):
            return list(as_before(data, root_url))
        return [types.TextContent(type="text", text=json.dumps(value, ensure_ascii=False)) for value in data]

    server.postprocess_output_data = answer
