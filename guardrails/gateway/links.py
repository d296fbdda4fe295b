"""The port of the gateway: what carries messages to servers, and what carries answers to clients.

A `Link` carries messages to one MCP server, a `Client` carries them to whoever speaks to the gateway. Both deal in
messages that were read strictly (`messages.read`) and know nothing of policies. The `Exchange` in the middle
(`exchange.py`) is what a client's transport feeds; it never waits for the answer.

How stdio maps to it: one process, one `Exchange`, one `Client` that writes lines; one child and one `Link` for each
server.

How HTTP maps to it, toward clients:

- Old era (up to 2025-11-25): an `Mcp-Session-Id` is one `Exchange`, from `Hub.open(Who(...))` at `initialize` until
  DELETE, expiry or shutdown (`Exchange.close`). There is one `Client` for all of it. Its `send` gets `about`, the id
  of the client's request that a message answers or belongs to (progress, log lines and questions that come while a
  call runs): that POST's stream carries it. `about` None goes to the GET stream, or is dropped where there is none.
- New era (2026-07-28): every POST is on its own. The `Exchange` is the one of the caller's key and the policy's
  session (`Who.key` and `Who.session`), kept for a while; every POST has a `Client` of its own, so that equal request
  ids of two POSTs never meet. A client that closes the stream of a POST cancels: `Exchange.gone(client)`.

Toward servers: `open` gets the ears, `send` sends one message and returns once it is on its way. Whatever goes wrong
with a request after that (HTTP status, time-out, broken stream, malformed body) comes back as a JSON-RPC error to that
request (`messages.failure(id, LINK_FAILED, why)`), never as silence. Messages that arrive on the stream of a POST
are passed on with `about`, the id of the request of that POST. `agreed` is called once, after `server/discover` or
`initialize` succeeded (the core does both, through `send`), so that headers can say the version.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Message: TypeAlias = dict[str, Any]
"""One JSON-RPC request, notification or response."""

Id: TypeAlias = str | int
"""What a request is known by, to the side that sent it."""

LINK_FAILED = -32000
"""The code of errors that a link answers with when it could not bring back the server's own answer."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of a message, and of all that one answer's stream brings; seconds until a server is there, until it
    answers a request, and that a child may take to end; requests of one client that are under way at once; seconds
    in which a person may answer."""

    most_bytes: int = 16 * 2**20
    most_stream: int = 64 * 2**20
    opening: float = 30.0
    answering: float = 300.0
    closing: float = 3.0
    most_waiting: int = 256
    asking: float = 600.0


@dataclass(frozen=True, slots=True)
class Local:
    """A server that is started here, and spoken to over its standard input and output."""

    name: str
    command: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str | None = None


@dataclass(frozen=True, slots=True)
class Remote:
    """A server that is reached over streamable HTTP. `version` is the protocol it speaks, where that is known."""

    name: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    version: str = ""


Place: TypeAlias = Local | Remote


@dataclass(frozen=True, slots=True)
class Who:
    """For whom an exchange is: the name of the caller's key (empty over stdio), the session of the policy, and whom
    the agent works for and which agent it is, as the policy sees them."""

    key: str = ""
    session: str = ""
    principal: Mapping[str, Any] = field(default_factory=dict)
    agent: Mapping[str, Any] = field(default_factory=dict)


class Ears(Protocol):
    """Who listens to a server."""

    async def heard(self, message: Message, about: Id | None = None) -> None:
        """The server said this; `about` the request of ours on whose stream it came, where the transport knows."""
        ...

    async def lost(self, why: str) -> None:
        """Nothing more will come from this server, and nothing reaches it."""
        ...


class Link(Protocol):
    """The way to one MCP server."""

    name: str

    async def open(self, ears: Ears) -> None:
        """Start. Raises `LinkError` when the server cannot be reached at all."""
        ...

    async def send(self, message: Message) -> None:
        """Send one message. Raises `LinkError` when the link is closed."""
        ...

    def agreed(self, version: str) -> None:
        """The protocol version that holds from now on."""
        ...

    async def close(self) -> None:
        """End it, in bounded time."""
        ...


class Client(Protocol):
    """The way to whoever speaks to the gateway."""

    async def send(self, message: Message, *, about: Id | None = None) -> None:
        """Send one message. It does not raise: a client that is gone is found out by its transport."""
        ...


class LinkError(Exception):
    """A server cannot be reached, or is gone; says why, in words for the person at the client."""
