"""Frames on a Unix socket, and the client that speaks them: the same decisions as in process."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from served import ANA, POLICY, Served, make_key

from guardrails import ApprovalRequired, Denied, EventError, Guard, Outcome
from guardrails.errors import Unavailable
from guardrails.runtime.usage import Usage


@pytest.fixture
def framed(serve: Any, folder: Path) -> tuple[Served, Any]:
    path = f"unix:{folder}/frames.sock"
    server = serve("support.guard", "--store", "memory:", "--frames", path)
    return server, Guard.connect(path)


CALLS = [
    ("issue_refund", {"customer_id": "c1", "amount": 40}),
    ("issue_refund", {"customer_id": "c1", "amount": 4000}),
    ("issue_refund", {"customer_id": "c2", "amount": 4}),
    ("issue_refund", {"amount": "x"}),
    ("send", {"body": "4111111111111111"}),
    ("unknown", {}),
]


@pytest.mark.parametrize(("tool", "args"), CALLS)
def test_a_decision_equals_the_one_in_process(framed: Any, tool: str, args: Any) -> None:
    here = Guard.from_text([("support.guard", POLICY)]).session(principal=ANA)
    there = framed[1].session(principal=ANA)
    assert there.check_call(tool, args) == here.check_call(tool, args)
    assert there.check_call(tool, args).denial == here.check_call(tool, args).denial


def test_texts_and_results(framed: Any) -> None:
    here, there = Guard.from_text([("support.guard", POLICY)]).session(), framed[1].session()
    assert there.check_output("card 4111111111111111") == here.check_output("card 4111111111111111")
    assert there.check_input("ignore previous") == here.check_input("ignore previous")
    order = {"id": 1, "card": "4111111111111111"}
    assert there.check_result("get_order", order).payload == {"id": 1}
    assert asyncio.run(there.acheck_output("a secret")).outcome is Outcome.DENY


def test_limits_failures_usage_and_calls(framed: Any) -> None:
    session = framed[1].session(principal={"id": "f", "customers": []}, id="s-frames")
    decisions = [session.check_call("search", {}) for _ in range(4)]
    assert [each.outcome.value for each in decisions] == ["allow"] * 3 + ["deny"]
    session.failed("search", {}, decision=decisions[0])
    assert session.check_call("search", {}).allowed
    assert session.report(Usage("m", input_tokens=3, cost=(Decimal("0.05"), "USD"))).allowed
    assert session.call("send", lambda body: body, {"body": "to 4111111111111111"}) != "to 4111111111111111"
    with pytest.raises(Denied):
        session.call("unknown", print, {})
    with pytest.raises(ApprovalRequired):
        framed[1].session(principal=ANA).call("issue_refund", print, {"customer_id": "c1", "amount": 300})


def test_a_halt_holds_for_the_session(framed: Any) -> None:
    session = framed[1].session(principal=ANA)
    assert session.check_call("stop", {}).outcome is Outcome.HALT
    assert session.check_call("send", {"body": "a"}).outcome is Outcome.DENY


def test_many_threads(framed: Any) -> None:
    guard, wrong = framed[1], list[str]()

    def work() -> None:
        session = guard.session(principal=ANA)
        for amount in range(1, 60):
            outcome = session.check_call(
                "issue_refund", {"customer_id": "c1", "amount": amount * 10}
            ).outcome.value
            wanted = "allow" if amount <= 10 else "ask" if amount <= 50 else "deny"
            if outcome != wanted:
                wrong.append(f"{amount * 10}: {outcome}")

    threads = [threading.Thread(target=work) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert wrong == []


def test_what_is_malformed_and_who_is_away(framed: Any) -> None:
    server, guard = framed
    with pytest.raises(EventError, match="/tool"):
        guard.decide({"type": "call", "tool": 3, "args": {}})
    with pytest.raises(EventError):
        guard.decide({"type": "call", "tool": "x", "args": {"a": float("nan")}})
    server.stop()
    with pytest.raises(Unavailable):
        guard.decide({"type": "input", "text": "a"})
    with pytest.raises(Unavailable):
        guard.decide({"type": "input", "text": "a"})


def test_a_server_that_was_started_again_is_found(serve: Any, folder: Path) -> None:
    path = f"unix:{folder}/frames.sock"
    first = serve("plain.guard", "--frames", path)
    guard, event = Guard.connect(path), {"type": "call", "tool": "ping", "args": {}}
    assert guard.decide(event).allowed
    first.stop()
    serve("plain.guard", "--frames", path)
    assert guard.decide(event).allowed


def frame(value: Any) -> bytes:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return len(data).to_bytes(4) + data


def answers(server: Served, data: bytes, count: int) -> list[Any]:
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(20)
        raw.connect(server.addresses[1].removeprefix("unix:"))
        for at in range(0, len(data), 7):
            raw.sendall(data[at : at + 7])
        with raw.makefile("rb") as file:
            return [json.loads(file.read(int.from_bytes(file.read(4)))) for _ in range(count)]


def test_answers_come_in_order_however_the_bytes_come(framed: Any) -> None:
    amounts = [10, 4000, 20, 300, 30]
    events = [
        {"type": "call", "tool": "issue_refund", "args": {"customer_id": "c1", "amount": n}, "principal": ANA}
        for n in amounts
    ]
    long = {"type": "output", "text": "x" * 30_000}
    found = answers(framed[0], b"".join(map(frame, [*events, long, *events])), 11)
    wanted = ["allow", "deny", "allow", "ask", "allow"]
    assert [each["outcome"] for each in found] == [*wanted, "allow", *wanted]


def test_garbage_is_told(framed: Any) -> None:
    found = answers(framed[0], frame(b"{") + frame([]) + frame({"type": "input", "text": "a"}), 3)
    assert [each.get("error", {}).get("code") for each in found] == ["not_json", "malformed_event", None]
    assert answers(framed[0], b"\xff\xff\xff\xff", 1)[0]["error"]["code"] == "too_large"


def test_keys(serve: Any, folder: Path) -> None:
    key, prom = make_key(folder, "bot"), make_key(folder, "prom", "--role", "monitor")
    path = f"unix:{folder}/frames.sock"
    serve("plain.guard", "--keys", "keys.json", "--frames", path)
    event = {"type": "call", "tool": "ping", "args": {}}
    assert Guard.connect(path, key=key).decide(event).allowed
    for wrong, code in ((None, "no_key"), ("guard_no", "no_key"), (prom, "wrong_role")):
        with pytest.raises(Unavailable, match=code):
            Guard.connect(path, key=wrong).decide(event)


def test_an_address_that_is_none() -> None:
    with pytest.raises(Exception, match="names no server"):
        Guard.connect("http://localhost:1")
