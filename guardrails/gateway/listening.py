"""Listening: `subscriptions/listen`, the stream on which clients of the new era hear of changes.

The first message on it says what the client will hear of; then come the changes, until client or gateway ends it.
Servers of the new era are listened to for it, one stream each; those of the old one tell by themselves.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from guardrails.gateway import eras, messages
from guardrails.gateway.calls import subscribed
from guardrails.gateway.flights import Declined
from guardrails.gateway.greeting import joined
from guardrails.gateway.telling import CHANGES

if TYPE_CHECKING:
    from guardrails.gateway.exchange import Exchange
    from guardrails.gateway.flights import Flight
    from guardrails.gateway.upstream import Upstream

MOST_LISTENERS = 16
MOST_URIS = 200
READY = 2.0
"""Seconds in which servers say that they tell; one that never says so is listened to all the same."""

ABILITIES = {
    "toolsListChanged": "tools",
    "promptsListChanged": "prompts",
    "resourcesListChanged": "resources",
}


async def listen(exchange: Exchange, flight: Flight) -> dict[str, Any]:
    """Tell of changes until it ends."""
    wants = flight.params.get("notifications")
    if wants.__class__ is not dict:
        raise Declined("`notifications` is an object that says what to hear of")
    if len(exchange.teller.listeners) >= MOST_LISTENERS:
        raise Declined(f"there are {MOST_LISTENERS} such streams already", messages.INTERNAL_ERROR)
    servers = await exchange.servers()
    honoured, places = await _honoured(exchange, flight, servers, wants)
    listener = (flight, honoured)
    waiting: list[asyncio.Task[Any]] = []
    exchange.teller.listeners.append(listener)
    try:
        waiting = await _begun(exchange, flight, servers, (honoured, places))
        meta = {eras.LISTENING_KEY: flight.id}
        note = messages.notification(
            "notifications/subscriptions/acknowledged", {"notifications": honoured, "_meta": meta}
        )
        await flight.client.send(note, about=flight.id)
        await asyncio.gather(*waiting)
        return {"_meta": meta}
    finally:
        for task in waiting:
            task.cancel()
        exchange.teller.listeners.remove(listener)


async def _honoured(
    exchange: Exchange, flight: Flight, servers: list[Upstream], wants: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """What the client will hear of, and the resources by server. A resource that the policy does not let it hear of
    is left out."""
    abilities = joined(servers)
    found: dict[str, Any] = {
        kind: True
        for kind in CHANGES.values()
        if wants.get(kind) is True and abilities.get(ABILITIES[kind], {}).get("listChanged")
    }
    uris = wants.get("resourceSubscriptions") or []
    if uris.__class__ is not list or len(uris) > MOST_URIS:
        raise Declined(f"`resourceSubscriptions` is a list of at most {MOST_URIS} resources")
    ready, places, kept = {each.name: each for each in servers}, dict[str, list[str]](), []
    for uri in uris:
        place = exchange.naming.uri_inward(uri)
        if place is None or place[0] not in ready:
            continue
        try:
            await subscribed(exchange, flight, ready[place[0]], place[1])
        except Declined:
            continue
        places.setdefault(place[0], []).append(place[1])
        kept.append(uri)
    return found | ({"resourceSubscriptions": kept} if kept else {}), places


async def _begun(
    exchange: Exchange,
    flight: Flight,
    servers: list[Upstream],
    what: tuple[dict[str, Any], dict[str, list[str]]],
) -> list[asyncio.Task[Any]]:
    """Begin to listen to the servers, each until it ends that; those of the old era never do. A server of the new era has
    said that it tells before the client is told so: what changes in between would be heard by nobody."""
    honoured, places = what
    flags = {kind: True for kind in CHANGES.values() if kind in honoured}
    waiting, ready = [], []
    for upstream in servers:
        uris = places.get(upstream.name, [])
        if upstream.new:
            wanted = flags | ({"resourceSubscriptions": uris} if uris else {})
            waiting.append(
                exchange.begin(upstream.ask("subscriptions/listen", {"notifications": wanted}, flight))
            )
            ready.append(exchange.teller.acknowledged(upstream, flight))
        else:
            for uri in uris:
                await upstream.ask("resources/subscribe", {"uri": uri})
            waiting.append(exchange.begin(_forever()))
    if ready:
        said = asyncio.gather(*ready)
        try:
            await asyncio.wait((said, *waiting), timeout=READY, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            for task in waiting:
                task.cancel()
            raise
        finally:
            said.cancel()
    return waiting


async def _forever() -> dict[str, Any]:
    await asyncio.Event().wait()
    return {}


LISTENING = {"subscriptions/listen": listen}
