"""Use the page's tools: `pip install mcp`, then `python mcp_client.py https://OWNER-personamem.hf.space`."""

import asyncio
import json
import sys
from typing import Any

from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client


async def main(page: str) -> None:
    """Remember a chat, set a rule, recall, and look at the leaderboard."""
    url = f"{page.rstrip('/')}/gradio_api/mcp/"
    async with streamable_http_client(url) as (read, write, _), ClientSession(read, write) as session:
        await session.initialize()
        tools = [tool.name for tool in (await session.list_tools()).tools]

        async def use(name: str, **arguments: Any) -> Any:
            # On the Hub a tool's name begins with the Space's.
            tool = next(tool for tool in tools if tool == name or tool.endswith(f"_{name}"))
            content: list[Any] = (await session.call_tool(tool, arguments)).content
            return json.loads(content[0].text)

        chat = [{"role": "user", "content": "I bake sourdough bread every Saturday."}]
        memory = (await use("remember", memory=None, messages=chat))["memory"]
        memory = (await use("set_rule", memory=memory, text="never remember my health"))["memory"]
        print((await use("recall", memory=memory, query="Which bread could I bake?"))["text"])
        print([row["name"] for row in (await use("leaderboard", limit=5))["rows"]])


asyncio.run(main(sys.argv[1]))
