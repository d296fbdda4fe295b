"""A guard in another process, asked over frames on a Unix socket: the same calls as in process, and the same decisions.

    guard = Guard.connect("unix:/run/guard-frames.sock")
    session = guard.session(principal={"id": "ana", "customers": ["c-17"]})
    decision = session.check_call("issue_refund", {"customer_id": "c-17", "amount": 40})

One connection answers in order, and is used by one thread at a time; a guard opens as many as threads ask at once. Without
an answer there is no decision: `ServerUnavailable` is raised, and whoever catches it has to refuse. What only a guard in
this process can do says so at once, and so does what JSON has no form for: a text of it may say something else than it
holds.
"""

from __future__ import annotations

from os import getpid
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from guardrails.errors import EvaluationError, EventError
from guardrails.server.binding import AddressError, check_length
from guardrails.server.connection import Connection, ServerUnavailable, answered, problem_in
from guardrails.server.decision_read import decision_of
from guardrails.server.remote_desk import RemoteApprovals, RemoteCounter
from guardrails.server.remote_parameters import check_connection, check_ids, check_scope, event_of
from guardrails.server.remote_session import RemoteSession
from guardrails.server.remote_writing import written

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from guardrails.model import Decision

__all__ = ["RemoteGuard", "RemoteSession", "ServerUnavailable"]

MOST_KEPT = 32
"""Connections that are kept for later."""

ELSEWHERE = {
    "load": "`guard serve` loads the policy",
    "from_text": "`guard serve` loads the policy",
    "connect": "this guard is connected",
    "watch": "the server watches the files of its policy",
    "write_to": "start the server with `--audit`",
    "state": "the server has the store",
    "is_stateful": "the server knows",
    "subject": "decide events, or open a session",
    "call": "decide events, or open a session",
    "now": "the server has the clock",
}
"""What a guard in process has beside, and where that is for one that is connected."""


class RemoteGuard:
    """A guard behind a socket. Thread-safe. `timeout` is how many seconds an answer may take."""

    def __init__(self, address: str, *, key: str | None = None, timeout: float = 10.0) -> None:
        check_connection(address, key, timeout)
        if not address.startswith("unix:") or not address.removeprefix("unix:").removeprefix("//"):
            raise EvaluationError(f"`{address}` names no server: write `unix:/run/guard-frames.sock`")
        self._path = address.removeprefix("unix:").removeprefix("//")
        try:
            check_length(self._path)
        except AddressError as error:
            raise EvaluationError(str(error)) from None
        self._key = key
        self._timeout = timeout
        self._idle: list[Connection] = []
        self._process = getpid()
        self._facts: dict[str, Any] = {}
        self._newest = ""

    def __getattr__(self, name: str) -> Any:
        if name in ELSEWHERE:
            raise EvaluationError(f"`{name}` is for a guard in this process: {ELSEWHERE[name]}")
        raise AttributeError(f"a guard that is connected has no `{name}`")

    # --- deciding ------------------------------------------------------------------------------

    def session(
        self,
        *,
        principal: Mapping[str, Any] | None = None,
        agent: Mapping[str, Any] | None = None,
        id: str | None = None,
        tools: Iterable[Mapping[str, Any]] | None = None,
        facts: Mapping[str, Any] | None = None,
        task: str | None = None,
        given: Mapping[str, Any] | None = None,
        allow: Iterable[str] | Mapping[str, Mapping[str, Any] | None] | None = None,
    ) -> RemoteSession:
        """A session of an agent that works for `principal`; see `Guard.session`. Raises `EvaluationError` for a task
        that the policy does not have, and `ServerUnavailable` where that cannot be asked."""
        opening: dict[str, Any] = {"task": task, "given": given, "allow": allow}
        session = RemoteSession(self, principal, agent, id, tools=tools, facts=facts, **opening)
        if any(part is not None for part in opening.values()):
            session.open()
        return session

    def decide(self, event: Mapping[str, Any], *, now: int | None = None) -> Decision:
        """The decision on one event as data. Raises `EventError` for a malformed one, `ServerUnavailable`."""
        if now is not None:
            raise EventError("the server knows what time it is: leave `now` out")
        decision = decision_of(self.ask(event_of(event)))
        self.saw(decision)
        return decision

    def saw(self, decision: Decision) -> None:
        """Which policy is in force, as a decision tells it."""
        self._newest = decision.policy

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """The answer to whatever a frame may ask. Raises `ServerUnavailable`, and what the answer tells."""
        request = written(question)
        connection = self.take()
        try:
            answer = connection.ask(request)
        except (OSError, ServerUnavailable) as error:
            connection.close()
            raise ServerUnavailable(f"the server at `unix:{self._path}` does not answer: {error}") from None
        except BaseException:
            connection.close()  # an answer that nobody waited for would be taken for that to the next question
            raise
        self.keep(connection)
        return answered(answer)

    def take(self) -> Connection:
        """A connection that nobody uses, and that the server has not closed; else a new one. An event is sent once
        only: what was sent may have been decided, and charged. After a fork those that were open are the parent's:
        two that ask on one would get each other's decisions."""
        if self._process != getpid():
            self._process, self._idle = getpid(), []
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return Connection(self._path, self._key, self._timeout)
            if connection.is_open:
                return connection
            connection.close()

    def keep(self, connection: Connection) -> None:
        if len(self._idle) < MOST_KEPT:
            self._idle.append(connection)
        else:
            connection.close()

    # --- what the server knows -----------------------------------------------------------------

    def needs(self) -> dict[str, Any]:
        """What the policy wants to hear of calls; asked again once a decision came from another policy."""
        if not self._facts or self._facts["policy"] != (self._newest or self._facts["policy"]):
            self._facts = self.ask({"do": "facts"})["done"]
        return self._facts

    @property
    def name(self) -> str:
        """The name of the policy in force, for keys that may act as monitor."""
        return str(self._asked("GET", "/v1/policy")["name"])

    @property
    def digest(self) -> str:
        """The identity of the policy in force."""
        return str(self.ask({"do": "facts"})["done"]["policy"])

    def limits(
        self, *, session: str | None = None, principal: str | None = None
    ) -> tuple[RemoteCounter, ...]:
        """How full limits, budgets and breakers are, for keys that may act as monitor; see `Guard.limits`."""
        check_ids(session, principal)
        asked = {"session": session, "principal": principal}
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        return tuple([RemoteCounter(each) for each in self._asked("GET", f"/v1/limits?{query}")["limits"]])

    @property
    def approvals(self) -> RemoteApprovals:
        """What people are asked, and where their answers come in, for keys of a desk or an operator."""
        return RemoteApprovals(self._asked)

    # --- running it ----------------------------------------------------------------------------

    def halt(
        self, scope: str = "all", *, by: str | None = None, why: str, seconds: float | None = None
    ) -> None:
        """Stop `all` or one scope, in the name of an operator's key; see `Guard.halt`. Raises `EvaluationError` for
        a `by` that is somebody else."""
        check_scope(scope)
        if by is not None and by != self._who():
            raise EvaluationError(
                f"over a connection the key halts, and that is `{self._who()}`: leave `by` out"
            )
        body = {"scope": scope, "why": why} | ({} if seconds is None else {"seconds": seconds})
        self._asked("POST", "/v1/halts", body)

    def resume(self, scope: str = "all") -> bool:
        """Lift a halt, with an operator's key; False: there was none of that scope."""
        check_scope(scope)
        status, body = self._told("DELETE", f"/v1/halts?{urlencode({'scope': scope}, quote_via=quote)}")
        if status == 404:
            return False
        _ = _good(status, body)
        return True

    def reload(self) -> bool:
        """Let the server load its policy anew, with an operator's key. Raises `PolicyError` where it does not load."""
        return bool(self._asked("POST", "/v1/reload", {})["changed"])

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def __enter__(self) -> RemoteGuard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- paths ---------------------------------------------------------------------------------

    def _who(self) -> str:
        """The name of the key that this guard has."""
        connection = self.take()
        self.keep(connection)
        return connection.name

    def _asked(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        return _good(*self._told(method, path, body))

    def _told(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        question = {"method": method, "path": path.removesuffix("?")}
        answer = self.ask(question if body is None else question | {"body": body})
        return answer.get("status", 500), answer.get("body")


def _good(status: int, body: Any) -> dict[str, Any]:
    if status >= 400 or not isinstance(body, dict):
        raise problem_in(body.get("error") if isinstance(body, dict) else None)
    return body
