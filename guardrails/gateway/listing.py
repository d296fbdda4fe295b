"""Listing: what clients are shown of tools, prompts and resources.

The lists of all servers become one list, without pages. A tool that no statement could allow is left out, and so is
one that is quarantined; prompts and resources are left out where no statement could allow them to be read. What is
left can be judged as results of `mcp.SERVER.tools/list` and the like, entry by entry: descriptions go to the model.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from guardrails.gateway.catalogue import all_pages
from guardrails.gateway.flights import Declined
from guardrails.gateway.passing import Withheld, passed
from guardrails.gateway.results import Part, Unwritable
from guardrails.gateway.stdio import say
from guardrails.gateway.upstream import ServerError, Unanswered, Upstream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from guardrails.gateway.exchange import Exchange
    from guardrails.gateway.flights import Flight


async def _joined(
    exchange: Exchange,
    flight: Flight,
    key: str,
    listed: Callable[[Exchange, Upstream, Flight], Awaitable[list[dict[str, Any]]]],
) -> dict[str, Any]:
    """The lists of all servers as one. A server that fails lists nothing, unless it is the only one."""
    if flight.params.get("cursor") is not None:
        raise Declined("this list has one page: leave `cursor` out")
    if exchange.judge.halted is not None:
        return {key: []}
    servers = await exchange.servers()
    found = await asyncio.gather(
        *(listed(exchange, each, flight) for each in servers), return_exceptions=True
    )
    for each in found:
        if isinstance(each, BaseException):
            if len(servers) == 1 or not isinstance(each, ServerError | Unanswered):
                raise each
            say(f"`{flight.method}` lacks a server: {each}")
    entries = [entry for each in found if not isinstance(each, BaseException) for entry in each]
    return {key: entries}


async def list_tools(exchange: Exchange, flight: Flight) -> dict[str, Any]:
    return await _joined(exchange, flight, "tools", _tools)


async def _tools(exchange: Exchange, upstream: Upstream, flight: Flight) -> list[dict[str, Any]]:
    tools = await exchange.catalogues[upstream.name].tools(flight)
    allowed = {name: each for name, each in tools.items() if exchange.judge.may_ever(each.policy_name)}
    if tools and not allowed:
        exchange.catalogues[upstream.name].say_closed()
    usable = [
        {**each.definition, "name": exchange.naming.outward(upstream.name, name)}
        for name, each in allowed.items()
        if not each.trouble
    ]
    return await _judged(exchange, upstream, "tools/list", usable)


async def list_prompts(exchange: Exchange, flight: Flight) -> dict[str, Any]:
    return await _joined(exchange, flight, "prompts", _prompts)


async def _prompts(exchange: Exchange, upstream: Upstream, flight: Flight) -> list[dict[str, Any]]:
    found = await _readable(exchange, upstream, flight, ("prompts", "prompts/list", "prompts", "prompts/get"))
    named = [
        {**each, "name": exchange.naming.outward(upstream.name, each["name"])}
        for each in found
        if each.get("name").__class__ is str
    ]
    return await _judged(exchange, upstream, "prompts/list", named)


async def list_resources(exchange: Exchange, flight: Flight) -> dict[str, Any]:
    return await _joined(exchange, flight, "resources", _resources)


async def _resources(exchange: Exchange, upstream: Upstream, flight: Flight) -> list[dict[str, Any]]:
    return await _located(exchange, upstream, flight, ("resources/list", "resources", "uri"))


async def list_templates(exchange: Exchange, flight: Flight) -> dict[str, Any]:
    return await _joined(exchange, flight, "resourceTemplates", _templates)


async def _templates(exchange: Exchange, upstream: Upstream, flight: Flight) -> list[dict[str, Any]]:
    how = ("resources/templates/list", "resourceTemplates", "uriTemplate")
    return await _located(exchange, upstream, flight, how)


async def _located(
    exchange: Exchange, upstream: Upstream, flight: Flight, how: tuple[str, str, str]
) -> list[dict[str, Any]]:
    method, key, where = how
    found = await _readable(exchange, upstream, flight, ("resources", method, key, "resources/read"))
    placed = [
        {**each, where: exchange.naming.uri_outward(upstream.name, each[where])}
        for each in found
        if each.get(where).__class__ is str
    ]
    return await _judged(exchange, upstream, method, placed)


async def _readable(
    exchange: Exchange, upstream: Upstream, flight: Flight, how: tuple[str, str, str, str]
) -> list[dict[str, Any]]:
    """The entries of a server's list, where some statement could allow to read one."""
    ability, method, key, reading = how
    if not upstream.has(ability) or not exchange.judge.may_ever(
        exchange.naming.in_policy(upstream.name, reading)
    ):
        return []
    return await all_pages(upstream, method, key, flight)


async def _judged(
    exchange: Exchange, upstream: Upstream, method: str, entries: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    tool = exchange.naming.in_policy(upstream.name, method)
    if not exchange.judge.rules_results(tool):
        return entries
    found = await asyncio.gather(*(_entry(exchange, tool, entry) for entry in entries))
    return [entry for entry in found if entry is not None]


async def _entry(exchange: Exchange, tool: str, entry: dict[str, Any]) -> dict[str, Any] | None:
    """An entry as the policy lets it through; None where it is left out. Many are judged at once, so that a log that
    is written before a decision is told waits for the disk once for all of them."""
    part = Part(entry, lambda value: {"entry": _same_entry(value, entry)})
    try:
        changed = await passed(exchange, tool, {}, [part])
    except Withheld as withheld:
        say(f"`{_name_of(entry)}` of `{tool}` is left out: {withheld}")
        return None
    return dict(changed.get("entry", entry))


def _name_of(entry: dict[str, Any]) -> str:
    named = (entry[key] for key in ("name", "uri", "uriTemplate") if key in entry)
    return str(next(named, ""))[:100]


def _same_entry(value: Any, entry: dict[str, Any]) -> dict[str, Any]:
    """An entry may lose words and members, and stays the same entry."""
    named = [key for key in ("name", "uri", "uriTemplate", "inputSchema") if key in entry]
    if value.__class__ is not dict or any(value.get(key) != entry[key] for key in named):
        raise Unwritable("an entry of a list keeps its name, place and schema")
    return dict(value)


LISTS = {
    "tools/list": list_tools,
    "prompts/list": list_prompts,
    "resources/list": list_resources,
    "resources/templates/list": list_templates,
}
