"""The gateway over HTTP toward clients: who comes in, which era, where answers go, and what hurts nobody else."""

from __future__ import annotations

import json
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
from http_scripted import BOTH, META, NEW, OLD, Running, called, in_new, initialize, routing

from guardrails.gateway.http.admission import Gate
from guardrails.gateway.http.server import Serving
from guardrails.gateway.http.sessions import Keeping
from guardrails.gateway.links import Limits, Who
from guardrails.server.keys import Keys, new_key

Run = Callable[..., Running]


def keys_of(*callers: tuple[str, str, str | None]) -> tuple[Gate, list[str]]:
    """A gate that knows these names, roles and agents, and their keys."""
    from guardrails.server.keys import _entry

    made = [new_key(*each) for each in callers]
    return Gate(Keys(dict(_entry("keys.json", entry) for _, entry in made))), [key for key, _ in made]


def until(true: Callable[[], Any]) -> None:
    """Wait for what happens in another thread; a test that waits in vain fails."""
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.005)


# --- who comes in ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "https://localhost.evil.example", "null", "file://", ""]
)
def test_a_page_of_somebody_else_may_not_call(scripted: Running, origin: str) -> None:
    heads = f"origin: {origin}\r\n"
    status, _, body = raw(scripted, post(initialize(), heads))
    assert status == 403
    assert b"Origin" in body


@pytest.mark.parametrize("origin", ["http://localhost:6274", "https://127.0.0.1", "http://[::1]:80"])
def test_a_page_of_this_machine_may(scripted: Running, origin: str) -> None:
    assert scripted.ask("POST", initialize(), origin=origin).status == 200


def test_a_page_that_was_named_may(run: Run) -> None:
    running = run(Gate(origins=("https://tools.example.com",)))
    assert running.ask("POST", initialize(), origin="https://tools.example.com").status == 200
    assert running.ask("POST", initialize(), origin="https://tools.example.com.evil").status == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "localhost.evil.example", "a@localhost", "[::1"]
)
def test_a_name_that_was_made_to_point_here_is_not_ours(scripted: Running, host: str) -> None:
    assert scripted.ask("POST", initialize(), host=host).status == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:99", "127.0.0.1", "[::1]:8", "gate.test"])
def test_names_of_this_machine(run: Run, host: str) -> None:
    assert run(Gate(hosts=("gate.test",))).ask("POST", initialize(), host=host).status == 200


def test_keys(run: Run) -> None:
    gate, (agent, desk) = keys_of(("bot", "agent", None), ("ana", "desk", None))
    running = run(gate)
    refused = running.ask("POST", initialize())
    assert (refused.status, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert running.ask("POST", initialize(), authorization="Bearer wrong").status == 401
    assert running.ask("POST", initialize(), authorization=f"Bearer {desk}").status == 403
    assert running.ask("POST", initialize(), authorization=f"Basic {agent}").status == 401
    assert running.ask("POST", initialize(), authorization=f"bearer {agent}").status == 200
    assert running.ask("POST", initialize(), x_guard_key=agent).status == 200
    assert (
        running.ask("POST", initialize(), authorization=f"Bearer {agent}", host="gate.example").status == 200
    )
    assert len(running.hub.exchanges) == 3


def test_a_header_that_stands_there_twice_is_refused(run: Run) -> None:
    gate, (key, other) = keys_of(("bot", "agent", None), ("eve", "agent", None))
    running = run(gate)
    heads = f"authorization: Bearer {key}\r\nauthorization: Bearer {other}\r\n"
    assert raw(running, post(initialize(), heads))[0] == 400
    assert not running.hub.exchanges


def test_a_stolen_session_is_not_there_for_another_key(run: Run) -> None:
    gate, (mine, theirs) = keys_of(("bot", "agent", None), ("eve", "agent", None))
    running = run(gate)
    session = running.begin(authorization=f"Bearer {mine}")
    stolen = running.call(session, "echo", authorization=f"Bearer {theirs}")
    unknown = running.call("x" * 43, "echo", authorization=f"Bearer {theirs}")
    assert (stolen.status, stolen.data) == (unknown.status, unknown.data) == (404, unknown.data)
    assert running.ask("GET", mcp_session_id=session, authorization=f"Bearer {theirs}").status == 404
    assert running.ask("DELETE", mcp_session_id=session, authorization=f"Bearer {theirs}").status == 404
    assert running.call(session, "echo", authorization=f"Bearer {mine}").status == 200
    assert [each["method"] for each in running.hub.exchanges[0].heard_of] == ["initialize", "tools/call"]


def test_whom_an_exchange_is_for(run: Run) -> None:
    gate, (key,) = keys_of(("bot", "agent", "support-bot"))
    base = Who(session="all", principal={"id": "ana"}, agent={"id": "x", "team": "t"})
    running = run(gate, Serving(base))
    running.begin(authorization=f"Bearer {key}")
    running.begin(authorization=f"Bearer {key}", guard_session="s-1")
    first, second = (each.who for each in running.hub.exchanges)
    assert first == Who("bot", "all", {"id": "ana"}, {"id": "support-bot", "team": "t"})
    assert second.session == "bot:s-1"


# --- types, sizes, times ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["", "text/plain", "application/jsonp", "application/json; charset=utf-16"])
def test_a_body_that_is_not_json_is_not_read(scripted: Running, kind: str) -> None:
    assert scripted.ask("POST", b"{}", content_type=kind).status == 415


def test_a_packed_body_is_not_read(scripted: Running) -> None:
    assert scripted.ask("POST", b"{}", content_encoding="gzip").status == 415


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream", "text/html"])
def test_a_client_takes_both_types(scripted: Running, accept: str) -> None:
    assert scripted.ask("POST", initialize(), accept=accept).status == 406


@pytest.mark.parametrize("accept", [BOTH, "*/*", "application/*, text/*;q=0.5", ""])
def test_clients_that_take_both(scripted: Running, accept: str) -> None:
    assert scripted.ask("POST", initialize(), accept=accept).status == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"[]", -32600),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600),
        (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":NaN}}', -32700),
        (b"\xff{}", -32700),
        (b"", -32700),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', -32602),
    ],
)
def test_what_is_no_message(scripted: Running, body: bytes, code: int) -> None:
    reply = scripted.ask("POST", body)
    assert (reply.status, reply.error) == (400, code)


def test_a_huge_body_is_not_kept(run: Run) -> None:
    running = run(serving=Serving(limits=Limits(most_bytes=1_000)))
    assert running.ask("POST", b" " * 2_000).status == 413
    head = b"POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    chunked = head + b"transfer-encoding: chunked\r\n\r\n"
    assert raw(running, chunked + b"7d0\r\n" + b" " * 2_000 + b"\r\n")[0] == 413


def test_a_body_that_does_not_come_is_not_waited_for(run: Run) -> None:
    running = run(serving=Serving(patience=0.05))
    head = (
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n"
    )
    assert raw(running, head.encode() + b"{")[0] == 408


def test_other_places_and_methods(scripted: Running) -> None:
    assert scripted.ask("PUT", b"{}").headers["allow"] == "POST, GET, DELETE"
    assert scripted.ask("OPTIONS").status == 405
    assert raw(scripted, b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")[0] == 404


# --- the old era -------------------------------------------------------------------------------------


def test_a_session_from_beginning_to_end(scripted: Running) -> None:
    session = scripted.begin()
    assert len(session) >= 43
    assert scripted.begin() != session
    note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    told = scripted.ask("POST", note, mcp_session_id=session, mcp_protocol_version=OLD)
    assert (told.status, told.data) == (202, b"")
    reply = scripted.call(session, "echo", {"a": "é\u2028"})
    assert reply.headers["content-type"] == "application/json"
    assert json.loads(reply.json["result"]["content"][0]["text"]) == {"a": "é\u2028"}
    assert scripted.ask("DELETE", mcp_session_id=session).status == 204
    assert scripted.call(session, "echo").status == 404
    assert scripted.ask("DELETE", mcp_session_id=session).status == 404


def test_a_session_has_to_be_named(scripted: Running) -> None:
    assert scripted.ask("POST", called("echo")).status == 400
    assert scripted.ask("GET").status == 400
    assert scripted.ask("DELETE").status == 400


def test_no_session_begins_with_an_error(run: Run) -> None:
    running = run()
    reply = running.ask("POST", initialize(capabilities=None))
    assert reply.error == -32602
    assert "mcp-session-id" not in reply.headers
    until(lambda: running.hub.exchanges[0].is_closed)


def test_a_session_cannot_begin_in_a_session(scripted: Running) -> None:
    assert scripted.ask("POST", initialize(), mcp_session_id=scripted.begin()).status == 400


def test_two_requests_with_one_id(scripted: Running) -> None:
    session = scripted.begin()
    with opened(scripted, post(called("never", id=7), at(session))):
        until(lambda: scripted.hub.exchanges[-1].heard_of[-1]["method"] == "tools/call")
        assert scripted.call(session, "echo", id=7).status == 400
        assert scripted.call(session, "echo", id="7").status == 200


def test_what_comes_before_the_answer_makes_it_a_stream(scripted: Running) -> None:
    reply = scripted.call(scripted.begin(), "progress")
    assert [each.get("method", "answer") for each in reply.events] == ["notifications/progress", "answer"]
    assert reply.headers["cache-control"] == "no-cache, no-transform"


def test_a_question_on_the_stream_of_the_call(scripted: Running) -> None:
    session = scripted.begin()
    with opened(scripted, post(called("ask", {"about": True}), at(session))) as stream:
        question = json.loads(seen(stream, b"\n\n").partition(b"data: ")[2])
        assert question["method"] == "elicitation/create"
        answer = {"jsonrpc": "2.0", "id": question["id"], "result": {"action": "accept"}}
        assert scripted.ask("POST", answer, mcp_session_id=session).status == 202
        assert b"accept" in seen(stream, b"0\r\n\r\n")


def test_what_belongs_to_no_call_comes_on_the_own_stream(scripted: Running) -> None:
    session = scripted.begin()
    assert scripted.call(session, "general").status == 200
    with opened(scripted, get(session)) as stream:
        assert b"list_changed" in seen(stream, b"\n\n", after=b"list")
        assert scripted.ask("GET", mcp_session_id=session).status == 409
        assert scripted.call(session, "general", id=3).status == 200
        assert b"list_changed" in seen(stream, b"\n\n", after=b"list")
    until(lambda: scripted.inside(lambda: scripted.endpoint._sessions._old[session].general.is_over))
    with opened(scripted, get(session)) as stream:
        assert b"200 OK" in seen(stream, b"\r\n\r\n")


def test_a_question_that_reaches_nobody_is_answered(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardrails.gateway.http.sessions.GENERAL_WAIT", 0.05)
    running = run()
    reply = running.call(running.begin(), "ask")
    assert "no open stream" in reply.data.decode()


def test_a_request_that_was_taken_back_ends_its_stream(scripted: Running) -> None:
    session = scripted.begin()
    note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 2}}
    with opened(scripted, post(called("never"), at(session))) as stream:
        until(lambda: scripted.hub.exchanges[-1].heard_of[-1]["method"] == "tools/call")
        assert scripted.ask("POST", note, mcp_session_id=session).status == 202
        assert b'"code":-32800' in seen(stream, b"}}")


def test_in_the_old_era_who_leaves_does_not_cancel(scripted: Running) -> None:
    session = scripted.begin()
    with opened(scripted, post(called("never"), at(session))):
        until(lambda: scripted.hub.exchanges[-1].heard_of[-1]["method"] == "tools/call")
    until(lambda: not scripted.inside(lambda: scripted.endpoint._sessions._old[session].streams))
    assert scripted.hub.exchanges[-1].gone_clients == 0
    assert scripted.call(session, "echo").status == 200


@pytest.mark.parametrize("version", ["1999-01-01", "x"])
def test_versions_that_nobody_knows(scripted: Running, version: str) -> None:
    reply = scripted.call(scripted.begin(), "echo", mcp_protocol_version=version)
    assert (reply.status, reply.error) == (400, -32022)
    assert reply.json["error"]["data"]["supported"] == [NEW]


def test_the_session_of_the_policy_cannot_change(scripted: Running) -> None:
    session = scripted.begin(guard_session="one")
    assert scripted.call(session, "echo", guard_session="one").status == 200
    assert scripted.call(session, "echo", guard_session="two").status == 400
    assert scripted.ask("POST", initialize(), guard_session="a b").status == 400


def test_sessions_that_nobody_uses_end(run: Run) -> None:
    running = run(serving=Serving(keeping=Keeping(idle=0.0, most=2)))
    first, second = running.begin(), running.begin()
    with opened(running, get(first)) as stream:
        seen(stream, b"\r\n\r\n")
        running.begin()  # one too many: the unused one has to go
        assert running.call(second, "echo").status == 404
        with opened(running, post(called("never"), at(running_last(running)))):
            until(lambda: running.hub.exchanges[-1].heard_of[-1]["method"] == "tools/call")
            assert running.ask("POST", initialize()).status == 503
            running.sweep()
            assert running.call(first, "echo").status == 200
    until(
        lambda: not running.inside(lambda: [e for e in running.endpoint._sessions._old.values() if e.is_busy])
    )
    running.sweep()
    assert running.call(first, "echo").status == 404
    assert all(each.is_closed for each in running.hub.exchanges)


def running_last(running: Running) -> str:
    return running.inside(lambda: list(running.endpoint._sessions._old)[-1])


# --- the new era -------------------------------------------------------------------------------------


def test_a_request_stands_for_itself(scripted: Running) -> None:
    reply = scripted.call_new("echo", {"a": 1})
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert "mcp-session-id" not in reply.headers
    before = len(scripted.hub.exchanges)
    assert scripted.call_new("progress").events[-1]["id"] == 2
    assert len(scripted.hub.exchanges) == before


def test_codes_have_their_status(scripted: Running) -> None:
    reply = scripted.ask(
        "POST", in_new({"jsonrpc": "2.0", "id": 1, "method": "no/such"}), **routing("no/such")
    )
    assert (reply.status, reply.error) == (404, -32601)


CALL = routing("tools/call", "echo")


@pytest.mark.parametrize(
    "headers",
    [
        {"mcp_protocol_version": ""},
        {"mcp_protocol_version": OLD},
        {"mcp_protocol_version": "2027-01-01"},
        {"mcp_method": ""},
        {"mcp_method": "tools/list"},
        {"mcp_name": ""},
        {"mcp_name": "route"},
        {"mcp_name": "=?base64?ZWNobw?="},
        {"mcp_name": "=?base64?!!!!?="},
    ],
)
def test_headers_that_do_not_say_what_the_body_says(scripted: Running, headers: dict[str, str]) -> None:
    reply = scripted.ask("POST", in_new(called("echo")), **(CALL | headers))
    assert (reply.status, reply.error, reply.json["id"]) == (400, -32020, 2)


@pytest.mark.parametrize("header", ["mcp-name", "mcp-method", "mcp-protocol-version"])
def test_a_routing_header_twice(scripted: Running, header: str) -> None:
    heads = "".join(f"{name.replace('_', '-')}: {each}\r\n" for name, each in CALL.items())
    again = f"{header}: {CALL[header.replace('-', '_')]}\r\n"
    status, _, body = raw(scripted, post(in_new(called("echo")), heads + again))
    assert (status, json.loads(body)["error"]["code"]) == (400, -32020)


def test_a_name_in_base64(scripted: Running) -> None:
    coded = f"=?base64?{b64encode('größe'.encode()).decode()}?="
    assert scripted.ask("POST", in_new(called("größe")), **(CALL | {"mcp_name": coded})).status == 200
    assert (
        scripted.ask("POST", in_new(called("größe")), **(CALL | {"mcp_name": "gr\xf6\xdfe"})).error == -32020
    )


@pytest.mark.parametrize(
    ("args", "headers", "is_right"),
    [
        ({"region": "eu"}, {"mcp_param_region": "eu"}, True),
        ({"region": "eu"}, {}, False),
        ({"region": "eu"}, {"mcp_param_region": "us"}, False),
        ({}, {"mcp_param_region": "eu"}, False),
        ({"region": None}, {}, True),
        ({"level": 42}, {"mcp_param_level": "42.0"}, True),
        ({"level": 42}, {"mcp_param_level": "42.1"}, False),
        ({"level": 42.0}, {"mcp_param_level": "42"}, True),
        ({"where": {"deep": True}}, {"mcp_param_deep": "true"}, True),
        ({"where": {"deep": True}}, {"mcp_param_deep": "True"}, False),
        ({"region": "größe"}, {"mcp_param_region": "=?base64?Z3LDtsOfZQ==?="}, True),
        ({"region": {"x": 1}}, {"mcp_param_region": "x"}, False),
        ({}, {}, True),
    ],
)
def test_marked_arguments(scripted: Running, args: Any, headers: dict[str, str], is_right: bool) -> None:  # noqa: FBT001
    reply = scripted.call_new("route", args, **headers)
    assert (reply.status == 200) is is_right
    assert is_right or (reply.status, reply.error) == (400, -32020)


def test_tools_are_listed_once_for_who_never_did(run: Run) -> None:
    running = run()
    assert running.call_new("route", {"region": "eu"}).error == -32020
    assert running.call_new("route", {"region": "eu"}, mcp_param_region="eu").status == 200
    assert running.call_new("other", {"region": "eu"}).status == 200
    assert running.hub.lists == 1


def test_what_cannot_be_compared_is_refused(run: Run) -> None:
    running = run()
    running.hub.cannot_list = True
    assert running.call_new("route", {"region": "eu"}, mcp_param_region="eu").error == -32020
    assert running.call_new("route", {"region": "eu"}).status == 200


@pytest.mark.parametrize(
    ("message", "headers", "code"),
    [
        (called("echo"), CALL, -32602),
        (in_new(called("echo"), **{META + "clientCapabilities": None}), CALL, -32602),
        (
            in_new(called("echo"), **{META + "protocolVersion": "2027-01-01"}),
            CALL | {"mcp_protocol_version": "2027-01-01"},
            -32022,
        ),
        ({"jsonrpc": "2.0", "id": 1, "result": {}}, CALL, -32600),
        (in_new(called("echo"), **{"guard/session": "a"}), CALL | {"guard_session": "b"}, -32020),
        (in_new(called("echo"), **{"guard/session": 1}), CALL, -32600),
    ],
)
def test_envelopes_that_are_not_whole(
    scripted: Running, message: Any, headers: dict[str, str], code: int
) -> None:
    reply = scripted.ask("POST", message, **headers)
    assert (reply.status, reply.error) == (400, code)


def test_the_policy_has_a_session_for_each_name(run: Run) -> None:
    gate, (mine, theirs) = keys_of(("bot", "agent", None), ("eve", "agent", None))
    running = run(gate)
    for key in (mine, theirs):
        for name in ("a", "b", "a"):
            assert running.call_new("echo", guard_session=name, authorization=f"Bearer {key}").status == 200
    message = in_new(called("echo"), **{"guard/session": "a"})
    assert running.ask("POST", message, authorization=f"Bearer {mine}", **CALL).status == 200
    assert [each.who.session for each in running.hub.exchanges] == ["bot:a", "bot:b", "eve:a", "eve:b"]


def test_notifications_are_taken_and_go_nowhere(scripted: Running) -> None:
    note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 2}}
    assert scripted.ask("POST", note, mcp_protocol_version=NEW).status == 202


def test_get_and_delete_are_of_the_old_era(scripted: Running) -> None:
    session = scripted.begin()
    for method in ("GET", "DELETE"):
        reply = scripted.ask(method, mcp_session_id=session, mcp_protocol_version=NEW)
        assert (reply.status, reply.headers["allow"]) == (405, "POST")


def test_to_close_the_stream_is_to_cancel(run: Run) -> None:
    running = run()
    heads = "".join(
        f"{name.replace('_', '-')}: {each}\r\n" for name, each in routing("tools/call", "never").items()
    )
    with opened(running, post(in_new(called("never")), heads)):
        until(lambda: running.hub.exchanges and running.hub.exchanges[-1].heard_of)
    until(lambda: running.hub.exchanges[-1].gone_clients == 1)


def test_half_closed_is_closed(run: Run) -> None:
    running = run()
    heads = "".join(
        f"{name.replace('_', '-')}: {each}\r\n" for name, each in routing("tools/call", "never").items()
    )
    with opened(running, post(in_new(called("never")), heads)) as stream:
        until(lambda: running.hub.exchanges and running.hub.exchanges[-1].heard_of)
        stream.shutdown(socket.SHUT_WR)
        until(lambda: running.hub.exchanges[-1].gone_clients == 1)


def test_listening(run: Run) -> None:
    running = run()
    heads = "".join(
        f"{n.replace('_', '-')}: {each}\r\n" for n, each in routing("subscriptions/listen").items()
    )
    message = in_new({"jsonrpc": "2.0", "id": "l", "method": "subscriptions/listen"})
    with opened(running, post(message, heads)) as stream:
        assert b"acknowledged" in seen(stream, b"\n\n", after=b"acknowledged")
        running.inside(running.endpoint.hush)
        assert seen(stream, b"0\r\n\r\n")
    assert running.call_new("echo").status == 503


# --- who is slow or never ends hurts nobody else -----------------------------------------------------


def test_who_does_not_read_is_cut_off(run: Run) -> None:
    running = run(serving=Serving(limits=Limits(most_bytes=50_000)))
    session = running.begin()
    with opened(running, post(called("flood", {"times": 2_000, "size": 40_000}), at(session))) as stream:
        answered = running.call(session, "echo", id=9)
        assert answered.status == 200
        until(lambda: not running.inside(lambda: running.endpoint._sessions._old[session].streams))
        assert b"0\r\n\r\n" not in everything(stream)


def test_who_does_not_read_a_whole_answer_is_cut_off(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardrails.gateway.http.serving.STUCK", 0.05)
    running = run()
    session = running.begin()
    with opened(running, post(called("echo", {"a": "x" * 8_000_000}), at(session))):
        until(lambda: running.hub.exchanges[0].heard_of[-1]["method"] == "tools/call")
        until(lambda: not running.server.server_state.connections)


def test_who_reads_slowly_gets_it_all(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardrails.gateway.http.serving.STUCK", 0.1)
    running = run()
    session = running.begin()
    with opened(running, post(called("echo", {"a": "x" * 8_000_000}), at(session))) as stream:
        found = 0
        while found < 8_000_000:
            time.sleep(0.02)
            part = stream.recv(400_000)
            assert part, found
            found += len(part)


def test_who_is_refused_before_the_body_sends_no_more(scripted: Running) -> None:
    head = (
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\ncontent-length: 1000000\r\n\r\n"
    )
    with opened(scripted, head.encode()) as stream:
        assert b"connection: close" in seen(stream, b"}}").lower()
        assert everything(stream) == b""


def test_a_key_that_is_gone_hears_nothing_more(run: Run) -> None:
    gate, (key,) = keys_of(("bot", "agent", None))
    running = run(gate)
    heads = f"authorization: Bearer {key}\r\n"
    session = running.begin(authorization=f"Bearer {key}")
    listening = in_new({"jsonrpc": "2.0", "id": "l", "method": "subscriptions/listen"})
    named = "".join(
        f"{n.replace('_', '-')}: {each}\r\n" for n, each in routing("subscriptions/listen").items()
    )
    with opened(running, get(session, heads)) as old, opened(running, post(listening, named + heads)) as new:
        seen(old, b"\r\n\r\n")
        seen(new, b"acknowledged")
        other, _ = keys_of(("eve", "agent", None))
        running.inside(lambda: running.endpoint.let_in(other))
        assert seen(old, b"0\r\n\r\n")
        assert seen(new, b"0\r\n\r\n")
    assert running.call(session, "echo", authorization=f"Bearer {key}").status == 401


def test_who_reads_gets_it_all(run: Run) -> None:
    running = run(serving=Serving(limits=Limits(most_bytes=4_000_000)))
    reply = running.call(running.begin(), "flood", {"times": 50, "size": 40_000})
    assert [each["params"]["n"] for each in reply.events[:-1]] == list(range(50))


def test_connections_are_kept(scripted: Running) -> None:
    session = scripted.begin()
    with opened(scripted, b"") as stream:
        for number in range(3):
            stream.sendall(post(called("echo", id=f"j{number}"), at(session)))
            assert b"connection: close" not in seen(stream, b"}}", after=b'"result"').lower()
            stream.sendall(post(called("progress", id=f"s{number}"), at(session)))
            assert b"text/event-stream" in seen(stream, b"0\r\n\r\n")


def test_who_lists_in_vain_is_told(run: Run) -> None:
    """The tools are listed for a client that did not; a gateway that ends meanwhile answers it."""
    running = run(serving=Serving(limits=Limits(answering=0.05)))
    running.hub.lists_for_ever = True
    assert running.call_new("route", {"region": "eu"}, mcp_param_region="eu").error == -32020
    assert running.hub.exchanges[0].gone_clients == 1


def test_silence_is_filled(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardrails.gateway.http.outlet.PAUSE", 0.02)
    running = run()
    with opened(running, post(called("never"), at(running.begin()))) as stream:
        assert seen(stream, b": ping").count(b"text/event-stream") == 1


def test_all_ends_with_the_server(run: Run) -> None:
    running = run()
    session = running.begin()
    replies: list[Any] = []
    waiting = threading.Thread(target=lambda: replies.append(running.call(session, "never")))
    with opened(running, get(session)) as stream:
        seen(stream, b"\r\n\r\n")
        waiting.start()
        until(lambda: running.hub.exchanges[-1].heard_of[-1]["method"] == "tools/call")
        running.inside(running.endpoint.hush)
        assert seen(stream, b"0\r\n\r\n")
    running.await_inside(running.endpoint.close)
    waiting.join(20)
    assert replies[0].status == 404
    assert running.hub.exchanges[0].is_closed


# --- raw HTTP ----------------------------------------------------------------------------------------


def post(message: Any, heads: str = "") -> bytes:
    body = json.dumps(message).encode()
    fixed = f"host: localhost\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
    return f"POST /mcp HTTP/1.1\r\n{fixed}{heads}\r\n".encode("latin-1") + body


def get(session: str, heads: str = "") -> bytes:
    return f"GET /mcp HTTP/1.1\r\nhost: localhost\r\n{at(session)}{heads}\r\n".encode()


def at(session: str) -> str:
    return f"mcp-session-id: {session}\r\n"


def opened(running: Running, data: bytes) -> socket.socket:
    found = socket.create_connection(("127.0.0.1", running.port), timeout=20)
    found.sendall(data)
    return found


def seen(stream: socket.socket, end: bytes, *, after: bytes = b"") -> bytes:
    """What comes until `end` did, and `after` before it."""
    found, until = b"", time.monotonic() + 20
    while end not in found[found.find(after) if after in found else len(found) :]:
        assert time.monotonic() < until, f"{end!r} does not come after {found!r}"
        part = stream.recv(65_536)
        assert part, f"it ended after {found!r}"
        found += part
    return found


def everything(stream: socket.socket) -> bytes:
    """The end of what comes until the connection ends, however it does."""
    found = b""
    try:
        while part := stream.recv(1 << 20):
            found = (found + part)[-100:]
    except ConnectionError:
        return found
    return found


def raw(running: Running, data: bytes) -> tuple[int, bytes, bytes]:
    """Status, head and body of the answer to these bytes."""
    with opened(running, data) as stream:
        found = seen(stream, b"\r\n\r\n")
        head, _, body = found.partition(b"\r\n\r\n")
        length = next(
            int(line[16:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
        )
        while len(body) < length:
            body += stream.recv(65_536)
    return int(head[9:12]), head, body
