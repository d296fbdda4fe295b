"""An MCP client over HTTP, made with the official SDK (either line): does a round of everything, and prints what it saw.

    python http_peer_client.py URL PREFIXES MODE [KEY]

PREFIXES stand before the names of tools, one for each round, with commas between them; MODE is `legacy` or `auto`. The
line that it prints is a JSON object of what it saw by prefix.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from typing import Any

try:
    import mcp_types as types
    from mcp import Client

    IS_NEW = True
except ImportError:
    from mcp import ClientSession, types
    from mcp.client.streamable_http import streamablehttp_client

    IS_NEW = False

ASKED: list[str] = []
TOLD = asyncio.Event()


async def fill(context: Any, params: Any) -> Any:
    """The person at the client agrees to everything."""
    ASKED.append(params.message)
    return types.ElicitResult(action="accept", content={"approve": True, "sure": True})


async def hear(message: Any) -> None:
    """What the server says of its own accord."""
    if type(getattr(message, "root", message)).__name__ == "ToolListChangedNotification":
        TOLD.set()


async def changed(client: Any, mode: str, call: Any) -> bool:
    """Whether a change of the tools is heard of."""
    async with asyncio.timeout(20):
        if mode == "auto":
            async with client.listen(tools_list_changed=True) as stream:
                await call("change", {})
                return type(await anext(stream)).__name__ == "ToolsListChanged"
        TOLD.clear()
        await call("change", {})
        return await TOLD.wait()


@asynccontextmanager
async def connected(url: str, mode: str, key: str) -> Any:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    if not IS_NEW:
        async with (
            streamablehttp_client(url, headers=headers) as (incoming, outgoing, _),
            ClientSession(incoming, outgoing, elicitation_callback=fill, message_handler=hear) as session,
        ):
            found = await session.initialize()
            yield session, found.protocolVersion
        return
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
        transport = streamable_http_client(url, http_client=http)
        async with Client(transport, mode=mode, elicitation_callback=fill, message_handler=hear) as client:
            yield client, client.protocol_version


def plain(result: Any) -> Any:
    return result.model_dump(by_alias=True, mode="json", exclude_none=True)


async def tried(work: Any) -> Any:
    try:
        return plain(await work)
    except Exception as error:
        return {"raised": type(error).__name__, "message": str(error)}


async def main(url: str, prefixes: str, mode: str, key: str = "") -> dict[str, Any]:
    async with connected(url, mode, key) as (client, version):
        tools = sorted(tool["name"] for tool in plain(await client.list_tools())["tools"])
        uris = [each["uri"] for each in plain(await client.list_resources())["resources"]]
        found = {"version": version, "tools": tools}
        return {prefix: found | await seen_at(client, prefix, mode, uris) for prefix in prefixes.split(",")}


async def seen_at(client: Any, prefix: str, mode: str, uris: list[str]) -> dict[str, Any]:
    ASKED.clear()
    seen: dict[str, Any] = {}
    steps: list[Any] = []

    async def step(progress: float, total: float | None, message: str | None) -> None:
        steps.append([progress, total, message])

    async def call(name: str, args: dict[str, Any], **more: Any) -> Any:
        return await tried(client.call_tool(prefix + name, args, **more))

    seen["add"] = await call("add", {"a": 1, "b": 2})
    seen["read_card"] = await call("read_card", {"name": "Zoë"})
    seen["delete_all"] = await call("delete_all", {})
    seen["fail"] = await call("fail", {})
    seen["route"] = await call("route", {"region": "eu 4111111111111111"})
    seen["count"] = await call("count", {"to": 3}, progress_callback=step)
    seen["steps"] = steps
    seen["pay"] = await call("pay", {"amount": 5})
    seen["confirm"] = await call("confirm", {}) if mode == "legacy" else None
    many = await asyncio.gather(*(call("add", {"a": each, "b": 0}) for each in range(20)))
    seen["many"] = [each["structuredContent"]["result"] for each in many]
    uri = next(each for each in uris if each.startswith(uri_start(prefix)))
    seen["resource"] = await tried(client.read_resource(uri))
    seen["prompt"] = await tried(client.get_prompt(prefix + "greet", {"name": "Zoë"}))
    try:
        await asyncio.wait_for(call("sleep", {"seconds": 30}), 0.2)
    except TimeoutError:
        seen["sleep"] = "given up"
    seen["after"] = await call("add", {"a": 2, "b": 2})
    seen["asked"] = list(ASKED)
    seen["changed"] = await changed(client, mode, call)
    return seen


def uri_start(prefix: str) -> str:
    return f"mcp+{prefix.removesuffix('__')}:" if prefix else ""


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(*sys.argv[1:]))) + "\n")
