"""What people are asked, and how full counters are, as a connected guard sees them: what the HTTP API tells, by name."""

from __future__ import annotations

from time import sleep
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from guardrails.approvals.answering import Rejected
from guardrails.approvals.request import WAITING
from guardrails.errors import EvaluationError
from guardrails.parameters import shown, text, text_if_any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Ask = Callable[..., dict[str, Any]]

ELSEWHERE = {
    "batches": "`guard approvals` beside the store groups them",
    "report": "`guard approvals report` beside the store makes it",
    "problems": "`guard approvals` beside the store shows them",
    "answer_all": "answer each of them",
    "watch": "ask `list` again and again, or `wait` for one",
}
"""What approvals in process have beside, and where that is."""


class Told:
    """A record of the server, whose members are attributes; `data` is all of it as the API wrote it."""

    __slots__ = ("data",)

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data

    def __getattr__(self, name: str) -> Any:
        try:
            return self.data[name]
        except KeyError:
            raise AttributeError(f"the server says nothing of `{name}`") from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Told) and other.__class__ is self.__class__ and self.data == other.data

    __hash__ = None  # type: ignore[assignment]  # a record can be changed by whoever has it

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({dict(self.data)!r})"


class RemoteCounter(Told):
    """A limit, budget or breaker, as `guard limits --format json` writes it: `used`, `limit`, `per` and so on. What is
    no whole number is a text, so that it stays exact."""

    @property
    def name(self) -> str:
        """The statement that counts."""
        return str(self.data["statement"])


class RemoteRequest(Told):
    """A request, as `guard approvals show --format json` writes it: `id`, `state`, `subject`, `needs`, `answers`."""


class RemoteApprovals:
    """Requests, asked over a connection; see `guardrails.approvals`. Raises `Rejected` for what is not there or does
    not count, and `ServerUnavailable` for what the key may not do."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def __getattr__(self, name: str) -> Any:
        if name in ELSEWHERE:
            raise EvaluationError(f"`{name}` is not asked over a connection: {ELSEWHERE[name]}")
        raise AttributeError(f"approvals over a connection have no `{name}`")

    def list(
        self, *states: str, session: str | None = None, kind: str | None = None
    ) -> tuple[RemoteRequest, ...]:
        """Requests in one of these states (those that wait for an answer, where none is named), the oldest first."""
        found: dict[str, RemoteRequest] = {}
        for state in states or (None,):
            for each in self._listed({"state": state, "session": session, "kind": kind}):
                found[each.id] = each
        return tuple(sorted(found.values(), key=lambda each: (each.created, each.id)))

    def _listed(self, asked: dict[str, str | None]) -> tuple[RemoteRequest, ...]:
        for name, value in asked.items():
            text_if_any(name, value)
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        return tuple([RemoteRequest(each) for each in self._ask("GET", f"/v1/approvals?{query}")["requests"]])

    def get(self, id: str) -> RemoteRequest:
        """The request of this id. With the key of an operator it is kept that they were shown it."""
        return self.show(id)

    def show(self, id: str, *, by: str | None = None) -> RemoteRequest:
        """The request; with `by` a desk says who was shown it."""
        query = "" if by is None else f"?{urlencode({'by': text('by', by)})}"
        return RemoteRequest(self._ask("GET", f"{_path(id)}{query}"))

    def state_of(self, request: RemoteRequest | str) -> str:
        """What became of a request by now; an agent may ask for this as well."""
        id = request.id if isinstance(request, RemoteRequest) else request
        return str(self._ask("GET", f"{_path(id)}/state")["state"])

    def wait(self, id: str, *, interval: float = 1.0, wait: Callable[[float], None] = sleep) -> RemoteRequest:
        """What became of a request, once it no longer waits: its `id`, `state` and `why`. An agent may ask for it."""
        while (found := RemoteRequest(self._ask("GET", f"{_path(id)}/state"))).state in WAITING:
            wait(interval)
        return found

    def approve(
        self, id: str, *, by: str | None = None, reason: str = "", seconds: float | None = None, **more: Any
    ) -> RemoteRequest:
        return self._answer(id, "approve", by=by, reason=reason, seconds=seconds, **more)

    def deny(self, id: str, *, by: str | None = None, reason: str = "", **more: Any) -> RemoteRequest:
        return self._answer(id, "deny", by=by, reason=reason, **more)

    def judge(self, id: str, verdict: str, *, by: str | None = None, reason: str = "") -> RemoteRequest:
        """Answer a review: `upheld` or `wrong`."""
        return self._answer(id, verdict, by=by, reason=reason)

    def _answer(self, id: str, verdict: str, **said: Any) -> RemoteRequest:
        body = {name: value for name, value in said.items() if value is not None}
        return RemoteRequest(self._ask("POST", f"{_path(id)}/answer", {"verdict": verdict, **body}))


def _path(id: str) -> str:
    if not isinstance(id, str):
        advice = ": give its `id`" if isinstance(id, Told) else ""
        raise Rejected(f"a request is named by its id, and not by {shown(id)}{advice}")
    if not id:
        raise Rejected("a request is named by its id")
    return f"/v1/approvals/{quote(id, safe='')}"
