"""Eras: the two protocols that are both in the field, and what tells their messages apart.

Up to 2025-11-25 a client shakes hands (`initialize`), and both sides may ask the other. From 2026-07-28 every request
stands for itself: its `_meta` says version and abilities of the client, results say their `resultType`, and a server
that needs something answers `input_required`, whereupon the client calls again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guardrails.gateway.messages import INVALID_PARAMS, UNSUPPORTED_VERSION, failure, params_of
from guardrails.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from guardrails.gateway.links import Message

OLD_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
NEW_VERSIONS = ("2026-07-28",)

RESERVED = "io.modelcontextprotocol/"
VERSION_KEY = RESERVED + "protocolVersion"
ABILITIES_KEY = RESERVED + "clientCapabilities"
CLIENT_KEY = RESERVED + "clientInfo"
SERVER_KEY = RESERVED + "serverInfo"
LEVEL_KEY = RESERVED + "logLevel"
LISTENING_KEY = RESERVED + "subscriptionId"

DECISION_KEY = "guard/decision"
"""Where a result's `_meta` says what was decided."""

SESSION_KEY = "guard/session"
"""Where a request's `_meta` may name the policy's session, in the new era."""

ASKED = {"sampling/createMessage": "sampling", "elicitation/create": "elicitation", "roots/list": "roots"}
"""What a server may ask of a client -> what policies and capabilities call it."""

CACHED = (
    "prompts/list", "resources/list", "resources/read", "resources/templates/list", "server/discover", "tools/list",
)  # fmt: skip
"""Methods whose results say in the new era how long they hold."""

ONLY_NEW = ("resultType", "ttlMs", "cacheScope")

ME = {"name": "guard", "title": "Guard, an MCP gateway", "version": VERSION}


def is_new(message: Message) -> bool:
    """Whether a request or notification is of the new era. `initialize` never is."""
    if message.get("method") == "initialize":
        return False
    return VERSION_KEY in (params_of(message).get("_meta") or ())


def misfit(message: Message) -> Message | None:
    """The error that a request of the new era is answered with when its envelope is not whole."""
    meta = params_of(message)["_meta"]
    version = meta[VERSION_KEY]
    if version.__class__ is not str or version not in NEW_VERSIONS:
        data = {"supported": list(NEW_VERSIONS), "requested": str(version)[:100]}
        return failure(message["id"], UNSUPPORTED_VERSION, "this protocol version is not supported", data)
    if meta.get(ABILITIES_KEY).__class__ is not dict:
        why = f"`_meta` of a request has `{ABILITIES_KEY}`, an object"
        return failure(message["id"], INVALID_PARAMS, why)
    return None


def agreed_version(asked: Any) -> str:
    """The version of the old era that a client is answered with."""
    return asked if asked in OLD_VERSIONS else OLD_VERSIONS[-1]


def plain_meta(meta: Mapping[str, Any]) -> dict[str, Any]:
    """What a request's `_meta` says beside the envelope."""
    return {key: value for key, value in meta.items() if not key.startswith(RESERVED)}


def envelope(
    meta: Mapping[str, Any], abilities: Mapping[str, Any], client: Mapping[str, Any], level: str = ""
) -> dict[str, Any]:
    """The `_meta` of a request to a server of the new era."""
    found = {
        **plain_meta(meta),
        VERSION_KEY: NEW_VERSIONS[-1],
        ABILITIES_KEY: dict(abilities),
        CLIENT_KEY: dict(client),
    }
    return {**found, LEVEL_KEY: level} if level else found


def complete(result: dict[str, Any], *, new: bool, method: str = "") -> dict[str, Any]:
    """A result as the client's era has it. What a policy filtered for one caller is for no cache of others."""
    if not new:
        return {name: value for name, value in result.items() if name not in ONLY_NEW}
    meta = {SERVER_KEY: ME, **(result.get("_meta") or {})}
    if is_unfinished(result):
        return {**result, "_meta": meta}
    cache = {"ttlMs": 0, "cacheScope": "private"} if method in CACHED else {}
    return {**result, **cache, "resultType": "complete", "_meta": meta}


def is_unfinished(result: Mapping[str, Any]) -> bool:
    """Whether a server of the new era wants something before it answers."""
    return result.get("resultType") == "input_required"
