"""The quick way and the application give the same bytes for the same requests, however they come."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as runs
from hypothesis import strategies as st
from served import ANA, POLICY
from threaded import One

from guardrails import Guard
from guardrails.server import quick
from guardrails.server.keys import Caller, Keys
from guardrails.server.patience import PatientProtocol
from guardrails.server.quick import QuickProtocol
from guardrails.server.service import Settings


@pytest.fixture(scope="module", params=["without keys", "with keys"])
def both(request: Any) -> Iterator[tuple[One, One]]:
    keys = None if request.param == "without keys" else Keeper()
    with (
        pytest.MonkeyPatch.context() as patch
    ):  # functions and logs of other tests in this process would make it slow
        patch.setattr("guardrails.hosting.REGISTERED", {})
        for name in ("GUARD_AUDIT", "GUARD_TELEMETRY", "GUARD_STORE"):
            patch.delenv(name, raising=False)
        guards = [Guard.from_text([("support.guard", POLICY)], store="memory:") for _ in range(2)]
    settings = Settings(most_body=30_000)
    pair = (
        One(guards[0], QuickProtocol, keys=keys, settings=settings),
        One(guards[1], PatientProtocol, keys=keys, settings=settings),
    )
    yield pair
    for each in pair:
        each.stop()


class Keeper(Keys):
    def __init__(self) -> None:
        super().__init__({})

    def caller(self, key: str) -> Caller | None:
        known = {
            "bot": Caller("bot", "agent"),
            "b1": Caller("b1", "agent", "b1"),
            "prom": Caller("prom", "monitor"),
        }
        return known.get(key)


def refund(amount: Any, **more: Any) -> bytes:
    args = {"customer_id": "c1", "amount": amount}
    return json.dumps(
        {"type": "call", "tool": "issue_refund", "args": args, "principal": ANA, **more}
    ).encode()


def request(body: bytes, *headers: str, line: str = "POST /v1/check HTTP/1.1", key: str = "bot") -> bytes:
    lines = [line, "host: x", f"content-length: {len(body)}", *headers]
    lines += [f"authorization: Bearer {key}"] if key else []
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


LAST = "connection: close"
REQUESTS = {
    "allowed": request(refund(40), LAST),
    "denied": request(refund(4000), LAST),
    "asked": request(refund(300), LAST),
    "a wrong type": request(refund("x"), LAST),
    "changed": request(b'{"type": "output", "text": "4111111111111111 \xc3\xa9"}', LAST),
    "an outcome": request(b'{"tool": "search", "outcome": "ok"}', LAST, line="POST /v1/outcome HTTP/1.1"),
    "a usage": request(b'{"input_tokens": 3.0}', LAST, line="POST /v1/usage HTTP/1.1"),
    "a wrong usage": request(b'{"input_tokens": -3}', LAST, line="POST /v1/usage HTTP/1.1"),
    "another type": request(b'{"type": "usage"}', LAST),
    "no json": request(b"{", LAST),
    "a name twice": request(b'{"type": "input", "type": "input"}', LAST),
    "no utf-8": request(b"\xff", LAST),
    "nothing": request(b"", LAST),
    "a list": request(b"[]", LAST),
    "long": request(b'{"type": "output", "text": "%b"}' % (b"x" * 25_000), LAST),
    "too large": request(b'{"type": "output", "text": "%b"}' % (b"x" * 40_000), LAST),
    "a page": request(refund(40), LAST, "origin: http://evil.example"),
    "an id": request(refund(40), LAST, "x-request-id: r-1"),
    "a known id": request(refund(40), LAST, "traceparent: 00-1-2-3"),
    "expecting": request(refund(40), LAST, "expect: 100-continue"),
    "gzip": request(refund(40), LAST, "content-encoding: gzip"),
    "brotli": request(refund(40), LAST, "content-encoding: br"),
    "upgrading": request(refund(40), "connection: upgrade, close", "upgrade: websocket"),
    "old": request(refund(40), line="POST /v1/check HTTP/1.0"),
    "a query": request(refund(40), LAST, line="POST /v1/check?a=b HTTP/1.1"),
    "escaped": request(refund(40), LAST, line="POST /v1/%63heck HTTP/1.1"),
    "a whole address": request(refund(40), LAST, line="POST http://x/v1/check HTTP/1.1"),
    "get": request(b"", LAST, line="GET /v1/check HTTP/1.1"),
    "put": request(refund(40), LAST, line="PUT /v1/check HTTP/1.1"),
    "no key": request(refund(40), LAST, key=""),
    "a wrong key": request(refund(40), LAST, key="no"),
    "a wrong role": request(refund(40), LAST, key="prom"),
    "another agent": request(refund(40, agent={"id": "b2"}), LAST, key="b1"),
    "its own agent": request(refund(40), LAST, key="b1"),
    "a key twice": request(refund(40), LAST, "x-api-key: prom", "x-guard-key: bot", key=""),
    "a time": request(refund(40, time="2026-01-01T00:00:00Z"), LAST),
    "health": request(b"", LAST, line="GET /health HTTP/1.1"),
    "chunked": (
        b"POST /v1/check HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer bot\r\n"
        b"transfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(refund(40)), refund(40))
    ),
    "both lengths": request(refund(40), LAST, "transfer-encoding: chunked"),
    "two lengths": request(refund(40), LAST, "content-length: 3"),
    "garbage": b"\x00\x01\r\n\r\n",
    "several": request(refund(40)) + request(refund(4000)) + request(b"{") + request(refund(40), LAST),
    "several, one of them slow": request(refund(40))
    + request(b"", line="GET /ready HTTP/1.1")
    + request(refund(3), LAST),
    "many": request(refund(40)) * 40 + request(refund(4000), LAST),
    "after the last": request(refund(40), LAST) + request(refund(4000), LAST),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_the_same_bytes_come_back(both: tuple[One, One], name: str) -> None:
    quickly, slowly = (each.ask(REQUESTS[name]) for each in both)
    assert quickly == slowly
    assert slowly.startswith(b"HTTP/1.1 ")


@given(st.sampled_from(["allowed", "several", "many", "chunked", "several, one of them slow"]), st.data())
@runs(max_examples=30, deadline=None)
def test_however_the_bytes_are_cut(both: tuple[One, One], name: str, data: st.DataObject) -> None:
    whole = REQUESTS[name]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=4)))
    parts = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert both[0].ask(*[part for part in parts if part]) == both[1].ask(whole)


def test_what_is_quick_goes_the_quick_way(both: tuple[One, One], monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    answered = quick._answered

    def counted(*args: Any) -> Any:
        seen.append(args)
        return answered(*args)

    monkeypatch.setattr(quick, "_answered", counted)
    for _ in range(100):  # on a busy machine the head and the body of a request may come apart
        both[0].ask(REQUESTS["allowed"])
        if seen:
            break
    assert len(seen) == 1
    for _ in range(100):
        before = len(seen)
        both[0].ask(REQUESTS["many"])
        if len(seen) - before >= quick.AT_ONCE:
            break
    assert quick.AT_ONCE <= len(seen) - before < 41
    before = len(seen)
    for name in ("long", "an id", "chunked", "expecting", "old", "health"):
        both[0].ask(REQUESTS[name])
    assert len(seen) == before


def test_a_mistake_of_the_server_is_told_the_same_way(
    both: tuple[One, One], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(Guard, "decide", broken)
    quickly, slowly = (each.ask(REQUESTS["allowed"]) for each in both)
    assert quickly == slowly
    assert quickly.startswith(b"HTTP/1.1 500 ")
    assert capfd.readouterr().err.count("guard serve: mistake") == 2
