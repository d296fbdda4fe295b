"""The catalogue: the tools of a server as they are now, and which of them may be used.

Takes the answers to `tools/list`, gives tools with their digests. A tool is left out when its name or definition is
malformed, and quarantined when it is not what was pinned. What is denied here is denied by name too: hiding is no
protection.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from guardrails.errors import GuardError
from guardrails.gateway.pins import digest_of_tool
from guardrails.gateway.stdio import say
from guardrails.gateway.upstream import ServerError
from guardrails.language.toolfile import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guardrails.gateway.flights import Flight
    from guardrails.gateway.links import Place
    from guardrails.gateway.naming import Naming
    from guardrails.gateway.pins import Pins
    from guardrails.gateway.upstream import Upstream

MOST_PAGES = 100
MOST_ITEMS = 10_000


@dataclass(frozen=True, slots=True)
class Offered:
    """A tool: its definition, what policies call it, its digest as policies' tool files have it, and why it cannot
    be used (empty where it can)."""

    definition: dict[str, Any]
    policy_name: str
    digest: str
    trouble: str = ""


class Catalogue:
    """The tools of one server in one exchange."""

    def __init__(
        self, upstream: Upstream, place: Place, naming: Naming, pins: Pins, *, accepts: bool = False
    ) -> None:
        self._upstream = upstream
        self._place = place
        self._naming = naming
        self._pins = pins
        self._accepts = accepts
        self._tools: dict[str, Offered] = {}
        self._is_stale = True
        self._is_said = False
        self._lock = asyncio.Lock()

    def spoil(self) -> None:
        """The server says that its tools have changed."""
        self._is_stale = True

    def say_closed(self) -> None:
        """Say, once, that the policy speaks of none of these tools: most often it calls the server something else."""
        if self._is_said:
            return
        self._is_said = True
        name = self._place.name
        first = next(iter(self._tools.values())).policy_name
        say(
            f"the policy allows no tool of `{name}`, so none is shown: in policies one is called `{first}` (`--name` or the "
            "name in the file of servers says the middle of it, `--as` all of it)"
        )

    async def tools(self, flight: Flight | None = None) -> dict[str, Offered]:
        """All tools, asked for anew. Raises `ServerError` or `Unanswered`."""
        async with self._lock:
            self._is_stale = True
            await self._load(flight)
            return self._tools

    async def tool(self, name: str) -> Offered | None:
        """The tool of this name; None where the server offers none."""
        if self._is_stale or name not in self._tools:
            async with self._lock:
                if self._is_stale or name not in self._tools:
                    await self._load(None)
        return self._tools.get(name)

    async def _load(self, flight: Flight | None) -> None:
        if not self._upstream.has("tools"):
            self._tools, self._is_stale = {}, False
            return
        self._is_stale = False
        try:
            found = await all_pages(self._upstream, "tools/list", "tools", flight)
            tools = {tool["name"]: tool for tool in found if self._is_whole(tool)}
            troubles = await asyncio.to_thread(self._troubles, tools)
        except BaseException:
            self._is_stale = True
            raise
        self._tools = {name: self._offered(tool, troubles.get(name, "")) for name, tool in tools.items()}

    def _is_whole(self, tool: Any) -> bool:
        whole = (
            tool.__class__ is dict
            and self._naming.is_tool(self._place.name, tool.get("name"))
            and all(
                tool.get(key, {}).__class__ is dict for key in ("inputSchema", "outputSchema", "annotations")
            )
            and tool.get("description", "").__class__ is str
        )
        if not whole:
            name = tool.get("name") if tool.__class__ is dict else None
            say(
                f"`{self._place.name}` offers a tool that is left out, because it is malformed: {str(name)[:80]!r}"
            )
        return whole

    def _troubles(self, tools: dict[str, Any]) -> dict[str, str]:
        """Why tools cannot be used: they have changed, or nobody can tell."""
        digests = {name: digest_of_tool(tool) for name, tool in tools.items()}
        try:
            changed = self._pins.compared(self._place, digests, accept=self._accepts)
        except (GuardError, ValueError) as error:
            say(
                f"the tools of `{self._place.name}` are left out, because whether they have changed cannot be told: {error}"
            )
            return dict.fromkeys(tools, f"whether it has changed cannot be told: {error}")
        if changed:
            named = ", ".join(f"`{name}`" for name in sorted(changed))
            say(f"tools of `{self._place.name}` have changed, and are quarantined: {named}")
        why = (
            f"its definition has changed since it was first seen; review it, then `guard mcp pins accept "
            f"{self._place.name}`"
        )
        return dict.fromkeys(changed, why)

    def _offered(self, tool: dict[str, Any], trouble: str) -> Offered:
        name = self._naming.in_policy(self._place.name, tool["name"])
        return Offered(tool, name, digest_of({**tool, "name": name}), trouble)


async def all_pages(upstream: Upstream, method: str, key: str, flight: Flight | None) -> list[dict[str, Any]]:
    """All entries of a list, page by page. Raises `ServerError` for a list without an end."""
    found: list[dict[str, Any]] = []
    cursor: Any = None
    for _ in range(MOST_PAGES):
        page = await upstream.ask(method, {} if cursor is None else {"cursor": cursor}, flight)
        entries = page.get(key)
        found += _objects(entries if entries.__class__ is list else ())
        cursor = page.get("nextCursor")
        if cursor is None:
            return found
        if cursor.__class__ is not str or len(found) > MOST_ITEMS:
            break
    raise ServerError(-32603, f"`{method}` of the server `{upstream.name}` has no end")


def _objects(entries: Iterable[Any]) -> list[dict[str, Any]]:
    return [each for each in entries if each.__class__ is dict]
