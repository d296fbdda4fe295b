"""The official client of the old line, in a process of its own: a script on standard input, what it saw on standard
output. `[["tool", {...}], ...]` are the calls; the command line is the server."""

import asyncio
import json
import sys
from typing import Any

from mcp import ClientSession, StdioServerParameters, types
from mcp.client.stdio import stdio_client


async def main() -> None:
    script = json.loads(sys.stdin.read())
    seen: dict[str, Any] = {"results": [], "asked": [], "progress": []}

    async def elicit(_: Any, params: Any) -> Any:
        seen["asked"].append(params.message)
        return types.ElicitResult(action="accept", content={"approve": True})

    async def progress(done: float, total: float | None, message: str | None) -> None:
        seen["progress"].append([done, total, message])

    server = StdioServerParameters(command=sys.argv[1], args=sys.argv[2:])
    async with (
        stdio_client(server) as (read, write),
        ClientSession(read, write, elicitation_callback=elicit) as c,
    ):
        begun = await c.initialize()
        seen["version"] = begun.protocolVersion
        seen["tools"] = [each.name for each in (await c.list_tools()).tools]
        for name, arguments in script:
            result = await c.call_tool(name, arguments, progress_callback=progress)
            seen["results"].append(result.model_dump(mode="json", by_alias=True, exclude_none=True))
    print(json.dumps(seen))


asyncio.run(main())
