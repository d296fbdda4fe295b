"""An MCP server made with the official SDK (either line): a peer for tests of the gateway.

Prints the port that it listens on, then serves `/mcp` until it is killed. With `--json` its answers are JSON where the
protocol leaves it to choose; with `--stdio` it speaks over its standard input and output instead.
"""

from __future__ import annotations

import socket
import sys
from typing import Annotated, Any

import anyio
import uvicorn
from pydantic import BaseModel, Field

try:
    from mcp.server.mcpserver import Context, MCPServer

    app: Any = MCPServer("shop", log_level="CRITICAL")
    IS_NEW = True
except ImportError:
    from mcp.server.fastmcp import (
        Context,  # type: ignore[no-redef]  # the old line
        FastMCP,
    )

    app = FastMCP("shop", log_level="CRITICAL")
    IS_NEW = False


@app.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@app.tool()
def read_card(name: str) -> str:
    """The card of a customer."""
    return f"{name} pays with 4111111111111111"


@app.tool()
def delete_all() -> str:
    """Delete everything."""
    return "deleted"


@app.tool()
def fail() -> str:
    """Fail."""
    raise ValueError("no such thing")


@app.tool()
def route(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})]) -> str:
    """Say where a request went."""
    return f"went to {region}"


class Sure(BaseModel):
    sure: bool


@app.tool()
async def confirm(ctx: Context) -> str:
    """Ask the person."""
    found = await ctx.elicit("Are you sure?", Sure)
    return f"{found.action}"


@app.tool()
def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


@app.tool()
async def change(ctx: Context) -> str:
    """Say that the tools have changed, to whom listens and to the session."""
    if IS_NEW:
        await ctx.notify_tools_changed()
    if getattr(ctx.session, "protocol_version", "2025") < "2026":
        await ctx.session.send_tool_list_changed()
    return "changed"


@app.tool()
async def count(to: int, ctx: Context) -> int:
    """Count, and say how far it is."""
    for each in range(1, to + 1):
        await ctx.report_progress(each, to, f"at {each}")
    return to


@app.tool()
async def sleep(seconds: float) -> str:
    """Sleep."""
    await anyio.sleep(seconds)
    return "slept"


@app.resource("shop://about")
def about() -> str:
    """About the shop."""
    return "A shop with 4111111111111111 in it."


@app.prompt()
def greet(name: str) -> str:
    """Greet somebody."""
    return f"Greet {name}."


def main() -> None:
    if "--stdio" in sys.argv:
        app.run("stdio")
        return
    is_json = "--json" in sys.argv
    if IS_NEW:
        web = app.streamable_http_app(json_response=is_json)
    else:
        app.settings.json_response = is_json
        web = app.streamable_http_app()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as found:
        found.bind(("127.0.0.1", 0))
        found.listen()
        sys.stdout.write(f"{found.getsockname()[1]}\n")
        sys.stdout.flush()
        uvicorn.Server(uvicorn.Config(web, log_level="error")).run([found])


if __name__ == "__main__":
    main()
