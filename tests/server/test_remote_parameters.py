"""What a host gives a connected guard in the wrong type: the server judges what was given, or nothing at all."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from served import Served, make_key, policies

from guardrails import Guard, GuardError, Outcome
from guardrails.approvals.answering import Rejected
from guardrails.errors import EventError, Unavailable
from guardrails.runtime.usage import Usage
from guardrails.server.remote import RemoteGuard, RemoteSession

POLICY = """\
policy work
task help(customer: string) { only call pay }
on call pay { allow }
on call send { allow; deny when args.note contains "secret" }
on result pay { redact /[0-9]{16}/ }
on input { deny when text contains "secret" }
on session { tokens: budget tokens 1_000_000 }
"""


class Sealed:
    """Something whose text does not say what it holds."""

    def __init__(self, held: str) -> None:
        self.held = held

    def __str__(self) -> str:
        return "***"


ODD: dict[str, Any] = {
    "a number": 3, "a negative": -1, "no number": float("nan"), "an infinity": float("inf"), "true": True,
    "nothing": None, "bytes": b"pay", "a list": [1], "a mapping": {"a": 1}, "pairs": [("a", 1)], "an object": Sealed("x"),
    "a class": int, "an empty mapping": {}, "an empty list": [], "a path": Path("pay"), "a time": datetime(2026, 1, 1),
}  # fmt: skip


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RemoteGuard]:
    place = policies(tmp_path_factory.mktemp("odd"))
    (place / "work.guard").write_text(POLICY)
    key = make_key(place, "ana", "--role", "operator")
    server = Served(
        place, "work.guard", "--store", "memory:", "--keys", "keys.json", "--frames", f"unix:{place}/f.sock"
    )
    yield Guard.connect(f"unix:{place}/f.sock", key=key)
    code, err = server.stop()
    assert (code, "mistake" in err) == (0, False), err


@pytest.fixture(scope="module")
def session(there: RemoteGuard) -> RemoteSession:
    return there.session(principal={"id": "ana"})


MAPPINGS = ("nothing", "a mapping", "an empty mapping")
NOT_JSON = ("bytes", "an object", "a class", "a path", "a time", "no number", "an infinity")

OF_GUARDS: dict[str, tuple[Callable[[RemoteGuard, Any], Any], tuple[str, ...]]] = {
    "principal": (lambda guard, odd: guard.session(principal=odd), MAPPINGS),
    "agent": (lambda guard, odd: guard.session(agent=odd), MAPPINGS),
    "id": (lambda guard, odd: guard.session(id=odd), ("nothing",)),
    "tools": (lambda guard, odd: guard.session(tools=odd), ("nothing", "an empty list")),
    "facts": (lambda guard, odd: guard.session(facts=odd), MAPPINGS),
    "task": (lambda guard, odd: guard.session(task=odd), ("nothing",)),
    "given": (lambda guard, odd: guard.session(task="help", given=odd), ()),
    "allow": (lambda guard, odd: guard.session(allow=odd), ("nothing", "an empty list", "an empty mapping")),
    "event": (lambda guard, odd: guard.decide(odd), ()),
    "now": (lambda guard, odd: guard.decide({"type": "call", "tool": "pay", "args": {}}, now=odd), ("nothing",)),
    "limits of a session": (lambda guard, odd: guard.limits(session=odd), ("nothing",)),
    "limits of a principal": (lambda guard, odd: guard.limits(principal=odd), ("nothing",)),
    "scope": (lambda guard, odd: guard.halt(odd, why="a drill"), ()),
    "why": (lambda guard, odd: guard.halt("tool:x", why=odd), ()),
    "by": (lambda guard, odd: guard.halt("tool:x", by=odd, why="a drill"), ("nothing",)),
    "seconds": (lambda guard, odd: guard.halt("tool:x", why="a drill", seconds=odd), ("nothing", "a number")),
    "scope to resume": (lambda guard, odd: guard.resume(odd), ()),
    "states": (lambda guard, odd: guard.approvals.list(odd), ("nothing",)),
    "requests of a session": (lambda guard, odd: guard.approvals.list(session=odd), ("nothing",)),
    "shown to": (lambda guard, odd: guard.approvals.show("x", by=odd), ()),
    "request": (lambda guard, odd: guard.approvals.get(odd), ()),
    "state of": (lambda guard, odd: guard.approvals.state_of(odd), ()),
    "awaited": (lambda guard, odd: guard.approvals.wait(odd), ()),
    "approved": (lambda guard, odd: guard.approvals.approve(odd), ()),
    "denied": (lambda guard, odd: guard.approvals.deny(odd), ()),
}  # fmt: skip

OF_SESSIONS: dict[str, tuple[Callable[[RemoteSession, Any], Any], tuple[str, ...]]] = {
    "tool": (lambda session, odd: session.check_call(odd, {}), ()),
    "args": (lambda session, odd: session.check_call("pay", odd), ("a mapping", "an empty mapping")),
    "an argument": (lambda session, odd: session.check_call("pay", {"x": odd}),
                    tuple(what for what in ODD if what not in NOT_JSON)),
    "digest": (lambda session, odd: session.check_call("pay", {}, digest=odd), ("nothing",)),
    "call": (lambda session, odd: session.check_call("pay", {}, call_id=odd), ("nothing",)),
    "hold": (lambda session, odd: session.check_call("pay", {}, hold=odd), ("nothing", "a number")),
    "approval": (lambda session, odd: session.check_call("pay", {}, approval=odd), ("nothing",)),
    "tool of a result": (lambda session, odd: session.check_result(odd, {}), ()),
    "part of a result": (lambda session, odd: session.check_result("pay", [odd]),
                         tuple(what for what in ODD if what not in NOT_JSON)),
    "call of a result": (lambda session, odd: session.check_result("pay", {}, call_id=odd), ("nothing",)),
    "reservation": (lambda session, odd: session.check_result("pay", {}, reservation=odd), ()),
    "input": (lambda session, odd: session.check_input(odd), ()),
    "output": (lambda session, odd: session.check_output(odd), ()),
    "piece": (lambda session, odd: session.stream_output().feed(odd), ()),
    "tool of a stream": (lambda session, odd: session.stream_args(odd), ()),
    "piece of arguments": (lambda session, odd: session.stream_args("pay").feed(odd), ()),
    "settled": (lambda session, odd: session.settle(odd), ()),
    "used": (lambda session, odd: session.settle(session.check_call("pay", {}), odd), ("nothing",)),
    "released": (lambda session, odd: session.release(odd), ()),
    "failed tool": (lambda session, odd: session.failed(odd, {}), ()),
    "failed decision": (lambda session, odd: session.failed("pay", {}, decision=odd), ("nothing",)),
    "failed call": (lambda session, odd: session.failed("pay", {}, call_id=odd), ("nothing",)),
    "succeeded": (lambda session, odd: session.succeeded("pay", {}, decision=odd), ("nothing",)),
    "report": (lambda session, odd: session.report(odd), ()),
    "reserve": (lambda session, odd: session.reserve(odd), ()),
    "hold of usage": (lambda session, odd: session.reserve(Usage(input_tokens=1), hold=odd), ("nothing", "a number")),
    "function": (lambda session, odd: session.enforce(odd), ()),
    "name": (lambda session, odd: session.enforce(print, tool=odd), ("nothing",)),
    "agent below": (lambda session, odd: session.delegate(agent=odd), MAPPINGS),
    "tools below": (lambda session, odd: session.delegate(tools=odd), ("nothing", "an empty list")),
    "id below": (lambda session, odd: session.delegate(id=odd), ("nothing",)),
    "tool to run": (lambda session, odd: session.call(odd, dict, {}), ()),
    "function to run": (lambda session, odd: session.call("pay", odd, {}), ("a class",)),
    "arguments to run": (lambda session, odd: session.call("pay", dict, odd), ("a mapping", "an empty mapping")),
}  # fmt: skip


def refused_or_taken(give: Callable[[Any, Any], Any], asked: Any, takes: tuple[str, ...]) -> None:
    wrong = {}
    for what, odd in ODD.items():
        try:
            found = give(asked, odd)
        except Unavailable as error:
            if (
                "cannot be reached" in str(error)
                or "mistake" in str(error)
                or "does not answer" in str(error)
            ):
                wrong[what] = repr(error)
        except (GuardError, TypeError) as error:
            if what in takes or (
                isinstance(error, TypeError) and "function" not in str(error) and "tool" not in str(error)
            ):
                wrong[what] = repr(error)
        else:
            assert not inspect.iscoroutine(found)
            if what not in takes and getattr(found, "outcome", None) is not Outcome.DENY:
                wrong[what] = repr(found)
    assert wrong == {}


@pytest.mark.parametrize("what", OF_GUARDS)
def test_a_connected_guard_is_asked_with_what_it_takes(there: RemoteGuard, what: str) -> None:
    refused_or_taken(OF_GUARDS[what][0], there, OF_GUARDS[what][1])


@pytest.mark.parametrize("what", OF_SESSIONS)
def test_a_connected_session_is_asked_with_what_it_takes(session: RemoteSession, what: str) -> None:
    refused_or_taken(OF_SESSIONS[what][0], session, OF_SESSIONS[what][1])


def test_what_no_json_holds_is_not_judged_by_its_text(session: RemoteSession) -> None:
    """In process each of these is denied; written as a text it was judged by that, and let through."""
    here = Guard.from_text(POLICY).session()
    for odd in (Sealed("the secret"), "the secret".encode("utf-16")):
        assert here.check_call("send", {"note": odd}).outcome is Outcome.DENY
        assert here.check_result("pay", {"card": odd}).outcome is Outcome.DENY
        assert here.check_input(odd).outcome is Outcome.DENY  # type: ignore[arg-type]
        with pytest.raises(EventError, match="JSON"):
            session.check_call("send", {"note": odd})
        with pytest.raises(EventError, match="JSON"):
            session.check_result("pay", {"card": odd})
        with pytest.raises(EventError, match="`text` is a text"):
            session.check_input(odd)  # type: ignore[arg-type]


def test_decimals_sets_and_tuples_have_a_form(session: RemoteSession) -> None:
    assert session.check_call("pay", {"amount": Decimal("1.50"), "to": {"b", "a"}, "both": (1, 2)}).allowed


def test_a_request_is_named_by_its_id(there: RemoteGuard) -> None:
    for odd in (3, None, ["x"], ""):
        for ask in (
            there.approvals.get,
            there.approvals.state_of,
            there.approvals.wait,
            there.approvals.deny,
        ):
            with pytest.raises(Rejected, match="a request is named by its id"):
                ask(odd)  # type: ignore[arg-type]


def test_a_report_that_is_none_leaves_the_reservation_as_it_was(session: RemoteSession) -> None:
    reserved = session.reserve(Usage(output_tokens=60))
    with pytest.raises(GuardError, match="`usage` is a `Usage`"):
        session.settle(reserved, {"output_tokens": 10})  # type: ignore[arg-type]
    assert reserved.reservation in session._estimates
    assert session.settle(reserved, Usage(output_tokens=10))
