"""Flights: requests of clients that are under way, and how one ends without a result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from guardrails.gateway.eras import ABILITIES_KEY, is_new
from guardrails.gateway.messages import INVALID_PARAMS, is_id, params_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from guardrails.gateway.links import Client, Id, Message


class Declined(Exception):
    """A request is answered with this error."""

    def __init__(self, why: str, code: int = INVALID_PARAMS, data: Any = None) -> None:
        super().__init__(why)
        self.code = code
        self.data = data


@dataclass(slots=True, eq=False)
class Flight:
    """A request of a client until it is answered.

    `token` is what the client wants progress to be told by; `abilities` what it can be asked. `tool` and `args` are
    the call as policies see it, once that is known: texts that come while it runs are judged by that tool's rules.
    """

    client: Client
    id: Id
    method: str
    params: dict[str, Any]
    new: bool
    abilities: Mapping[str, Any]
    token: Id | None = None
    tool: str = ""
    args: dict[str, Any] = field(default_factory=dict)
    cancelled: str | None = None

    @property
    def meta(self) -> dict[str, Any]:
        return self.params.get("_meta") or {}

    @property
    def can_fill_forms(self) -> bool:
        """Whether a person at the client can be shown a form; without a mode, forms are meant."""
        modes = self.abilities.get("elicitation")
        return modes.__class__ is dict and (not modes or "form" in modes)


def flight_of(message: Message, client: Client, abilities: Mapping[str, Any]) -> Flight:
    """The flight of a request; in the new era it says itself what its client can do."""
    params, new = params_of(message), is_new(message)
    meta = params.get("_meta") or {}
    token = meta.get("progressToken")
    said = meta.get(ABILITIES_KEY) if new else abilities
    return Flight(
        client,
        message["id"],
        message["method"],
        params,
        new,
        said if said.__class__ is dict else {},
        token if is_id(token) else None,
    )
