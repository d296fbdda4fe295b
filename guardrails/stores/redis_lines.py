"""Connections to Redis, and what is done when one breaks.

Takes a `Call`, gives what the script replied. The idea: a thread takes a connection off a stack, sends one
prebuilt command and puts the connection back; everything that can go wrong is worked out by `Tries`, which
the sync and the async side share. A call never waits longer than the time-out of the store: what has not
been answered by then is given up, and its connection with it.
"""

from __future__ import annotations

import os
from time import monotonic

import redis
from redis.backoff import NoBackoff
from redis.exceptions import (
    BusyLoadingError,
    MovedError,
    NoScriptError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import TimeoutError as TooSlow
from redis.retry import Retry

from guardrails.stores.redis_address import Route
from guardrails.stores.redis_answers import failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from guardrails.stores.redis_address import Address, Node
    from guardrails.stores.redis_calls import Call

# A script to be sent, a slot that moved, a node that went away: more than these is no state to wait for.
MOST_TRIES = 5


class Tries:
    """How one call is tried until it is answered. `same` says that the connection is good for the next try."""

    __slots__ = ("_call", "_left", "_may_have_run", "_route", "command", "same")

    def __init__(self, call: Call, route: Route) -> None:
        self._call = call
        self._route = route
        self._left = MOST_TRIES
        self._may_have_run = False
        self.command = call.packed()
        self.same = False

    def failed(self, error: RedisError) -> None:
        """Decide about another try after `error`; raises what the port says when there is none.

        Repeating a call is safe, because a script knows what it has done already.
        """
        self._left -= 1
        self.same = False
        if isinstance(error, Disconnected | TooSlow | ReadOnlyError):
            self._route.doubt()
        if not self._left or not self._again(error):
            raise failure(error) from error

    def _again(self, error: RedisError) -> bool:
        if isinstance(error, NoScriptError):
            self.same = True
            self.command = self._call.packed_again(whole=True, repeated=self._may_have_run)
        elif isinstance(error, MovedError):
            self._route.move((str(error.host), int(error.port)))
        elif isinstance(error, Disconnected | ReadOnlyError) and not isinstance(error, BusyLoadingError):
            # The server went away, or another one has taken over from it and now goes by its name. One more
            # try and one to send the script, except that each node of a Cluster may know where others went.
            self._left = min(self._left, len(self._route.known) + 1)
            self._may_have_run = True
            self.command = self._call.packed_again(whole=False, repeated=True)
        else:
            return False
        return True


class Lines:
    """The connections of a store to its server, for any number of threads."""

    def __init__(self, address: Address) -> None:
        self._timeout = address.timeout
        self._pool: Any = redis.ConnectionPool.from_url(
            address.url, retry=Retry(NoBackoff(), 0), **plain_protocol(address.url)
        )
        self._route = Route(address, seed_of(self._pool))
        self._idle: list[Any] = []
        self._process = os.getpid()
        self._closed = False

    def run(self, call: Call) -> Any:
        """What the script replied. Raises `StoreUnavailable`, and errors that the script found."""
        until = monotonic() + self._timeout
        if self._process != os.getpid():
            # The other process goes on using its connections.
            self._idle, self._process = [], os.getpid()
        try:
            line = self._idle.pop()
        except IndexError:
            return self._run_with_care(Tries(call, self._route), until)
        try:
            line.send_packed_command((call.packed(),), check_health=False)
            reply = line.read_response()
        except RedisError as error:
            return self._run_after(error, line, call, until)
        self._idle.append(line)
        return reply

    def close(self) -> None:
        self._closed = True
        self._drop_idle()

    def _run_after(self, error: RedisError, line: Any, call: Call, until: float) -> Any:
        tries = Tries(call, self._route)
        self._settle_line(line, error)
        tries.failed(error)
        return self._run_with_care(tries, until)

    def _run_with_care(self, tries: Tries, until: float) -> Any:
        line: Any = None
        while True:
            try:
                if line is None:
                    line = self._connected(tries, until)
                line.send_packed_command((tries.command,), check_health=False)
                reply = line.read_response(timeout=_left(until))
            except RedisError as error:
                self._settle_line(line, error)
                line = None
                tries.failed(error)
            else:
                self._keep(line)
                return reply

    def _settle_line(self, line: Any, error: RedisError) -> None:
        """Keep a connection that brought a clear answer; else it is worth nothing, nor are those that idle."""
        if line is None:
            return
        if is_clear(error):
            self._keep(line)
            return
        line.disconnect()
        if not isinstance(error, TooSlow):
            self._drop_idle()

    def _keep(self, line: Any) -> None:
        # One that was made in a hurry would be as hasty in later calls.
        if self._closed or line.socket_timeout < 0.9 * self._timeout:
            line.disconnect()
        else:
            self._idle.append(line)

    def _drop_idle(self) -> None:
        idle, self._idle = self._idle, []
        for line in idle:
            line.disconnect()

    def _connected(self, tries: Tries, until: float) -> Any:
        if tries.same and self._idle:
            return self._idle.pop()
        node = self._route.target
        if node is None and self._route.is_cluster:
            node = self._find(until)
        return self._line_to(node, until)

    def _line_to(self, node: Node | None, until: float) -> Any:
        left = _left(until)
        options = dict(self._pool.connection_kwargs, socket_timeout=left, socket_connect_timeout=left)
        if node is not None:
            options["host"], options["port"] = node
        line = self._pool.connection_class(**options)
        line.connect()
        return line

    def _find(self, until: float) -> Node | None:
        """Ask the nodes of the Cluster in turn where the slot is."""
        *others, last = self._route.known
        for node in others:
            try:
                return self._ask_for_slots(node, until)
            except RedisError:
                continue
        return self._ask_for_slots(last, until)

    def _ask_for_slots(self, node: Node, until: float) -> Node | None:
        line = self._line_to(node, until)
        try:
            line.send_command("CLUSTER", "SLOTS", check_health=False)
            self._route.learn(node, line.read_response())
        finally:
            line.disconnect()
        return self._route.target


def is_clear(error: RedisError) -> bool:
    """Whether the server said so, and would be the one to ask again."""
    return isinstance(error, ResponseError) and not isinstance(error, MovedError | ReadOnlyError)


def seed_of(pool: Any) -> Node:
    """The host and port that a URL names; for a socket on this machine they mean nothing."""
    options = pool.connection_kwargs
    return str(options.get("host", "")), int(options.get("port", 6379))


def plain_protocol(url: str) -> dict[str, Any]:
    """The older protocol needs one round trip less to connect, and scripts reply in its terms anyway."""
    return {} if "protocol=" in url else {"protocol": 2}


def _left(until: float) -> float:
    """Seconds until then; raises `TooSlow` when there are none."""
    left = until - monotonic()
    if left <= 0:
        raise TooSlow("the time-out of the store has passed")
    return left
