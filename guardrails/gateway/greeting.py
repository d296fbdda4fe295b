"""Greeting: how a client begins, in both eras, and what it is told of all servers together.

What several servers can do is joined; what the gateway does not carry (tasks, experiments, extensions) is not offered.
The servers' instructions go to the model, so they are judged as results of `mcp.SERVER.instructions`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guardrails.gateway import eras
from guardrails.gateway.flights import Declined
from guardrails.gateway.messages import INVALID_REQUEST
from guardrails.gateway.naming import INSTRUCTIONS
from guardrails.gateway.passing import text_judged
from guardrails.gateway.stdio import say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guardrails.gateway.exchange import Exchange
    from guardrails.gateway.flights import Flight
    from guardrails.gateway.upstream import Upstream

FLAGS = {
    "tools": ("listChanged",),
    "prompts": ("listChanged",),
    "resources": ("subscribe", "listChanged"),
    "completions": (),
    "logging": (),
}
"""What servers can do that passes the gateway, and what they may say of it."""

LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")


async def initialize(exchange: Exchange, flight: Flight) -> dict[str, Any]:
    """The handshake of the old era."""
    if exchange.version:
        raise Declined("this connection has begun already", INVALID_REQUEST)
    abilities, client = flight.params.get("capabilities"), flight.params.get("clientInfo")
    exchange.abilities = abilities if abilities.__class__ is dict else {}
    exchange.client_info = client if client.__class__ is dict else eras.ME
    exchange.client = flight.client
    servers = await exchange.servers()
    spoken = [each.version for each in servers if each.version in eras.OLD_VERSIONS]
    exchange.version = min([eras.agreed_version(flight.params.get("protocolVersion")), *spoken])
    return {"protocolVersion": exchange.version, "serverInfo": eras.ME, **await _offer(exchange, servers)}


async def discover(exchange: Exchange, _: Flight) -> dict[str, Any]:
    """What takes the place of the handshake in the new era."""
    servers = await exchange.servers()
    return {"supportedVersions": list(eras.NEW_VERSIONS), **await _offer(exchange, servers)}


async def _offer(exchange: Exchange, servers: list[Upstream]) -> dict[str, Any]:
    offer: dict[str, Any] = {"capabilities": joined(servers)}
    said = [await _instructions(exchange, upstream) for upstream in servers if upstream.instructions]
    told = "\n\n".join(filter(None, said))
    return {**offer, "instructions": told} if told else offer


async def _instructions(exchange: Exchange, upstream: Upstream) -> str:
    tool = exchange.naming.in_policy(upstream.name, INSTRUCTIONS)
    text = await text_judged(exchange, tool, upstream.instructions)
    if text is None:
        say(f"the instructions of `{upstream.name}` are withheld by the policy")
        return ""
    return f"{upstream.name}: {text}" if len(exchange.upstreams) > 1 else text


def joined(servers: Iterable[Upstream]) -> dict[str, Any]:
    """What any of the servers can do, as far as it passes here."""
    found: dict[str, dict[str, bool]] = {}
    for upstream in servers:
        for ability in (name for name in FLAGS if upstream.has(name)):
            flags = found.setdefault(ability, {})
            flags |= {name: True for name in FLAGS[ability] if upstream.abilities[ability].get(name) is True}
    return found


async def ping(_: Exchange, __: Flight) -> dict[str, Any]:
    return {}


async def set_level(exchange: Exchange, flight: Flight) -> dict[str, Any]:
    """From which level on servers tell what they do."""
    level = flight.params.get("level")
    if level not in LEVELS:
        raise Declined(f"a level is one of {', '.join(LEVELS)}")
    for upstream in await exchange.servers():
        upstream.level = level
        if not upstream.new and upstream.has("logging"):
            await upstream.ask("logging/setLevel", {"level": level}, flight)
    return {}


GREETINGS = {
    "initialize": initialize,
    "server/discover": discover,
    "ping": ping,
    "logging/setLevel": set_level,
}
