"""A server of the official library: `new` has both eras, and runs under the new line."""

from __future__ import annotations

from mcp.server.mcpserver import Context, MCPServer

app = MCPServer("backend")


@app.tool()
def read_file(path: str) -> str:
    """Read a file."""
    return f"content of {path}: token SECRET-ABC123 end"


@app.tool()
def delete_file(path: str) -> str:
    """Delete a file."""
    return f"DELETED {path}"


@app.tool()
def send_money(to: str, amount: float) -> str:
    """Send money."""
    return f"SENT {amount:g} to {to}"


@app.tool()
def people() -> list[dict[str, str]]:
    """People, as data."""
    return [{"name": "ana", "card": "SECRET-1"}, {"name": "bob", "card": "SECRET-2"}]


@app.tool()
async def slow(ctx: Context) -> str:  # type: ignore[type-arg]
    """Tells how far it is."""
    await ctx.report_progress(1, 2, "half of SECRET-ABC123")
    return "done"


@app.resource("notes://one")
def note() -> str:
    """A note."""
    return "remember SECRET-ABC123"


@app.prompt()
def ask(who: str) -> str:
    """A prompt."""
    return f"ask {who} for SECRET-ABC123"


app.run("stdio")
