"""Servers over HTTP: every request gets an answer, whatever the server does; nothing is sent where it should not be."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Coroutine
from typing import Any

import pytest
from http_rogue import Got, Script, Talk, talking

from guardrails.gateway.http.client import RemoteLink
from guardrails.gateway.links import Limits, LinkError, Remote

OLD = "2025-11-25"
NEW = "2026-07-28"
VERSION = "io.modelcontextprotocol/protocolVersion"


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 30))


def why(script: Script, limits: Limits | None = None, **place: Any) -> str:
    """Why one call to such a server has no answer."""
    found = []

    async def work() -> None:
        async with talking(script, limits, **place) as talk:
            found.append(await talk.why())

    run(work())
    return found[0]


# --- answers -----------------------------------------------------------------------------------------


def test_json_and_streams_are_answers() -> None:
    async def script(got: Got) -> None:
        if got.message["id"] == 1:
            await got.result(ok=True)
        else:
            note = got.event(method="notifications/progress", params={"progress": 1})
            await got.stream(note, got.event(id=2, result={"ok": False}), got.event(method="too/late"))

    async def work() -> None:
        async with talking(script) as talk:
            assert (await talk.ask(id=1))["result"] == {"ok": True}
            assert (await talk.ask(id=2))["result"] == {"ok": False}
            assert [(each.get("method"), about) for each, about in talk.heard.messages] == [
                (None, 1),
                ("notifications/progress", 2),
                (None, 2),
            ]

    run(work())


def test_an_error_in_a_refusal_is_the_answer() -> None:
    async def script(got: Got) -> None:
        error = {"code": -32022, "message": "no", "data": {"supported": [NEW]}}
        await got.json({"jsonrpc": "2.0", "id": None, "error": error}, "400 Bad Request")

    async def work() -> None:
        async with talking(script) as talk:
            answer = await talk.ask("server/discover")
            assert (answer["id"], answer["error"]["code"]) == (1, -32022)

    run(work())


async def _silence(got: Got) -> None:
    await asyncio.sleep(60)


async def _hang_up(got: Got) -> None:
    got.out.close()


async def _garbage(got: Got) -> None:
    await got.say(b"\x00\x01 hello\r\n\r\n")


async def _html(got: Got) -> None:
    await got.json(b"<html>", content_type="text/html")


async def _not_json(got: Got) -> None:
    await got.json(b'{"jsonrpc":"2.0","id":1,"result":{"a":1,"a":2}}')


async def _other_id(got: Got) -> None:
    await got.json({"jsonrpc": "2.0", "id": 2, "result": {}})


async def _text_id(got: Got) -> None:
    await got.json({"jsonrpc": "2.0", "id": "1", "result": {}})


async def _batch(got: Got) -> None:
    await got.json([{"jsonrpc": "2.0", "id": 1, "result": {}}])


async def _accepted(got: Got) -> None:
    await got.head("202 Accepted", content_length="0")


async def _denied(got: Got) -> None:
    await got.json({"error": "token abc"}, "401 Unauthorized")


async def _broken(got: Got) -> None:
    await got.json({}, "500 Internal Server Error")


async def _short(got: Got) -> None:
    await got.head(content_type="application/json", content_length="100")
    await got.say(b"{")
    got.out.close()


async def _no_answer(got: Got) -> None:
    await got.stream(got.event(method="notifications/message", params={}))
    got.out.close()


async def _endless_line(got: Got) -> None:
    await got.stream(*([b"data: " + b"x" * 9_000] * 200), end=False)


async def _endless_body(got: Got) -> None:
    await got.head(content_type="application/json", transfer_encoding="chunked")
    while True:
        await got.say(b"2328\r\n" + b" " * 9_000 + b"\r\n")


async def _endless_stream(got: Got) -> None:
    await got.head(content_type="text/event-stream", connection="close")
    while True:
        await got.say(b": nothing\n\n" * 100)


async def _drip(got: Got) -> None:
    await got.head(content_type="text/event-stream", connection="close")
    while True:
        await got.say(b": ping\n\n")
        await asyncio.sleep(0.01)


async def _packed(got: Got) -> None:
    await got.json(b"\x1f\x8b", content_encoding="gzip")


async def _not_utf8(got: Got) -> None:
    await got.stream(b"data: \xff\n\n", end=False)


async def _huge_head(got: Got) -> None:
    await got.head(x_big="x" * 300_000)


async def _elsewhere(got: Got) -> None:
    await got.head("307 Temporary Redirect", location="http://127.0.0.2:1/mcp?secret=1", content_length="0")


async def _to_get(got: Got) -> None:
    await got.head("302 Found", location="/other", content_length="0")


async def _round(got: Got) -> None:
    await got.head("307 Temporary Redirect", location="/mcp", content_length="0")


QUICK = Limits(most_bytes=100_000, most_stream=200_000, opening=0.5, answering=0.3)
PATIENT = Limits(most_bytes=100_000, most_stream=200_000, opening=20, answering=20)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (_silence, "did not answer within 0.3 seconds"),
        (_drip, "did not answer within 0.3 seconds"),
        (_hang_up, "broke off"),
        (_garbage, "broke off"),
        (_html, "type `text/html`"),
        (_not_json, "the key `a` twice"),
        (_other_id, "a request that is not this one"),
        (_text_id, "a request that is not this one"),
        (_batch, "batches"),
        (_accepted, "will not answer"),
        (_denied, "refuses the gateway (HTTP 401)"),
        (_broken, "HTTP 500"),
        (_short, "broke off"),
        (_no_answer, "broke off before the answer"),
        (_endless_line, "a line of the stream has more than 100,000 bytes"),
        (_endless_body, "more than 100,000 bytes"),
        (_endless_stream, "the stream has more than 200,000 bytes"),
        (_packed, "packed by `gzip`"),
        (_not_utf8, "not UTF-8"),
        (_huge_head, "broke off"),
        (_elsewhere, "sends elsewhere (HTTP 307)"),
        (_to_get, "sends elsewhere (HTTP 302)"),
        (_round, "sends elsewhere (HTTP 307)"),
    ],
)
def test_a_server_that_does_not_answer(script: Script, words: str) -> None:
    found = why(script, QUICK if "within" in words else PATIENT)
    assert words in found
    assert found.startswith("the server `shop` gave no answer: ")
    assert "secret" not in found
    assert "abc" not in found


def test_a_server_that_is_not_there() -> None:
    assert "cannot be reached" in why(_silence, url="http://127.0.0.1:1/mcp")


def test_a_redirect_on_the_same_server_is_followed() -> None:
    async def script(got: Got) -> None:
        if len(seen) < 2:
            seen.append(got.body)
            await got.head("308 Permanent Redirect", location="/mcp/", content_length="0")
        else:
            await got.result(body=got.body == seen[0])

    seen: list[bytes] = []

    async def work() -> None:
        async with talking(script) as talk:
            assert (await talk.ask())["result"] == {"body": True}

    run(work())


def test_a_question_gives_the_person_time() -> None:
    async def script(got: Got) -> None:
        await got.head(content_type="text/event-stream", connection="close")
        await got.say(got.event(id="q", method="elicitation/create", params={}))
        await asyncio.sleep(0.5)
        await got.say(got.event(id=1, result={}))

    async def work() -> None:
        async with talking(script, Limits(answering=0.2, asking=20)) as talk:
            assert (await talk.ask())["result"] == {}
            assert talk.heard.methods == ["elicitation/create"]

    run(work())


# --- the old era -------------------------------------------------------------------------------------


def old(calls: Script) -> Script:
    """A server of the old era: a session, no stream of its own, and what it does with calls."""

    async def script(got: Got) -> None:
        if got.method == "DELETE":
            await got.head("204 No Content", content_length="0")
        elif got.method == "GET" and "last-event-id" not in got.headers:
            await got.head("405 Method Not Allowed", content_length="0")
        elif got.method == "POST" and got.message.get("method") == "initialize":
            await got.json({"jsonrpc": "2.0", "id": got.message["id"], "result": {}}, mcp_session_id="s-1")
        elif got.method == "POST" and "id" not in got.message:
            await got.head("202 Accepted", content_length="0")
        else:
            await calls(got)

    return script


async def _fine(got: Got) -> None:
    await got.result()


def test_session_and_version_go_with_everything() -> None:
    async def work() -> None:
        async with talking(old(_fine)) as talk:
            await talk.greet()
            await talk.ask()
            await talk.link.close()
        first, *others = talk.requests
        assert "mcp-session-id" not in first.headers
        assert "mcp-protocol-version" not in first.headers
        assert [each.method for each in others].count("DELETE") == 1
        for each in others:
            assert (each.headers["mcp-session-id"], each.headers["mcp-protocol-version"]) == ("s-1", OLD)
            assert "mcp-method" not in each.headers
            assert each.headers["accept-encoding"] == "identity"

    run(work())


def test_nothing_overtakes_the_greeting() -> None:
    async def script(got: Got) -> None:
        if got.method == "POST" and got.message.get("method") == "notifications/initialized":
            await asyncio.sleep(0.1)
            order.append("greeted")
        elif got.method == "POST" and got.message.get("method") == "tools/call":
            order.append("called")
        await old(_fine)(got)

    order: list[str] = []

    async def work() -> None:
        async with talking(script) as talk:
            await talk.greet()
            await talk.ask()
        assert order == ["greeted", "called"]

    run(work())


def test_a_session_that_is_lost() -> None:
    async def gone(got: Got) -> None:
        await got.json({"jsonrpc": "2.0", "id": None, "error": {"code": 1, "message": "x"}}, "404 Not Found")

    async def work() -> None:
        async with talking(old(gone)) as talk:
            await talk.greet()
            assert "knows the session no more" in await talk.why()
            assert len(talk.heard.losses) == 1
            with pytest.raises(LinkError):
                await talk.tell("notifications/cancelled")

    run(work())


def test_to_cancel_is_to_say_so_and_to_wait_no_more() -> None:
    async def work() -> None:
        async with talking(old(_silence)) as talk:
            await talk.greet()
            await talk.link.send({"jsonrpc": "2.0", "id": 5, "method": "tools/call"})
            await asyncio.sleep(0.05)
            await talk.tell("notifications/cancelled", requestId=5)
            while talk.link._tasks:
                await asyncio.sleep(0.005)
            assert {"notifications/cancelled", "tools/call"} <= methods(talk)
            assert all(message.get("id") != 5 for message, _ in talk.heard.messages)

    run(work())


def methods(talk: Talk) -> set[str]:
    return {each.message["method"] for each in talk.requests if each.method == "POST"}


def test_a_stream_that_broke_off_is_taken_up() -> None:
    """As often as the server wants, as long as it goes on."""

    async def calls(got: Got) -> None:
        last = int(got.headers.get("last-event-id", "0"))
        taken_up.append(last)
        note = got.event(method="notifications/progress", params={"n": last})
        if last < 6:
            await got.stream(b"retry: 1\nid: %d\n" % (last + 1) + note)
        else:
            await got.stream(got.event(id=1, result={"at": last}))
        got.out.close()

    taken_up: list[int] = []

    async def work() -> None:
        async with talking(old(calls)) as talk:
            await talk.greet()
            assert (await talk.ask())["result"] == {"at": 6}
            assert taken_up == list(range(7))
            assert len(talk.heard.methods) == 6

    run(work())


def test_a_stream_that_breaks_off_again_and_again_is_given_up() -> None:
    async def calls(got: Got) -> None:
        await got.stream(b"retry: 1\nid: same\ndata:\n\n")
        got.out.close()

    async def work() -> None:
        async with talking(old(calls)) as talk:
            await talk.greet()
            assert "broke off before the answer" in await talk.why()
            assert len([each for each in talk.requests if "last-event-id" in each.headers]) <= 5

    run(work())


def test_what_the_server_says_unasked() -> None:
    async def script(got: Got) -> None:
        if got.method != "GET":
            await old(_fine)(got)
            return
        number = len([each for each in taken if each])
        taken.append(got.headers.get("last-event-id") or "first")
        note = got.event(id=number, method="roots/list") if number else got.event(method="notifications/x")
        await got.stream(b"retry: 1\nid: e%d\n" % number + note + got.event(id=9, result={}))
        got.out.close()
        if number:
            both.set()

    taken: list[str] = []
    both = asyncio.Event()

    async def work() -> None:
        async with talking(script) as talk:
            await talk.greet()
            await asyncio.wait_for(both.wait(), 10)
            while len(talk.heard.methods) < 2:
                await asyncio.sleep(0.005)
            assert talk.heard.methods[:2] == ["notifications/x", "roots/list"]
            assert all(about is None for message, about in talk.heard.messages if "method" in message)
            assert taken[:2] == ["first", "e0"]

    run(work())


@pytest.mark.parametrize("id", ["a b", "ü", "x" * 2_000])
def test_a_session_id_that_cannot_be_sent(id: str) -> None:
    async def script(got: Got) -> None:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {}}).encode()
        await got.say(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nmcp-session-id: " + id.encode("latin-1")
        )
        await got.say(b"\r\ncontent-length: %d\r\n\r\n" % len(body) + body)

    async def work() -> None:
        async with talking(script) as talk:
            assert "session id that cannot be sent" in await talk.why(method="initialize")

    run(work())


# --- the new era -------------------------------------------------------------------------------------


TOOL = {
    "name": "route",
    "inputSchema": {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}},
}


def test_headers_say_what_the_body_says() -> None:
    async def script(got: Got) -> None:
        await got.result(**({"tools": [TOOL]} if got.message["method"] == "tools/list" else {}))

    async def work() -> None:
        meta = {VERSION: NEW}
        async with talking(script) as talk:
            talk.link.agreed(NEW)
            await talk.ask("tools/list", 1, _meta=meta)
            await talk.ask("tools/call", 2, name="route", arguments={"region": "größe"}, _meta=meta)
            await talk.ask("resources/read", 3, uri="a://b", _meta=meta)
            await talk.tell("notifications/roots/list_changed")
        assert [each.headers["mcp-method"] for each in talk.requests] == [
            "tools/list",
            "tools/call",
            "resources/read",
        ]
        called, read = (each.headers for each in talk.requests[1:])
        assert called["mcp-name"] == "route"
        assert called["mcp-param-region"] == "=?base64?Z3LDtsOfZQ==?="
        assert (read["mcp-name"], read["mcp-protocol-version"]) == ("a://b", NEW)

    run(work())


def test_to_cancel_is_to_close_the_stream() -> None:
    async def script(got: Got) -> None:
        await got.head(content_type="text/event-stream", connection="close")
        begun.set()
        try:
            while True:
                await got.say(b": ping\n\n")
                await asyncio.sleep(0.01)
        except ConnectionError:
            closed.set()
            raise

    begun, closed = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        async with talking(script) as talk:
            talk.link.agreed(NEW)
            await talk.link.send(
                {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"_meta": {VERSION: NEW}}}
            )
            await begun.wait()
            await talk.tell("notifications/cancelled", requestId=1)
            await asyncio.wait_for(closed.wait(), 10)
        assert len(talk.requests) == 1

    run(work())


def test_listening_lasts() -> None:
    async def script(got: Got) -> None:
        await got.head(content_type="text/event-stream", connection="close")
        for number in range(30):
            await got.say(got.event(method="notifications/x", params={"n": number, "fill": "x" * 10_000}))
            await asyncio.sleep(0.02)
        await got.say(got.event(id=1, result={}))

    async def work() -> None:
        async with talking(script, QUICK) as talk:
            talk.link.agreed(NEW)
            assert "result" in await talk.ask("subscriptions/listen", _meta={VERSION: NEW})
            assert len(talk.heard.methods) == 30

    run(work())


# --- where and with what -------------------------------------------------------------------------------


def test_headers_of_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARD_TEST_TOKEN", "t0p")
    headers = {"Authorization": "Bearer ${GUARD_TEST_TOKEN}", "X-Team": "${GUARD_TEST_NO:-blue}"}

    async def work() -> None:
        async with talking(_fine, headers=headers) as talk:
            await talk.ask()
        assert talk.requests[0].headers["authorization"] == "Bearer t0p"
        assert talk.requests[0].headers["x-team"] == "blue"

    run(work())


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ({"headers": {"a": "${GUARD_TEST_NO}"}}, "environment variable `GUARD_TEST_NO`"),
        ({"headers": {"a": "secret\r\nb: c"}}, "characters that no header has"),
        ({"headers": {"a b": "secret"}}, "characters that no header has"),
        ({"headers": {"Mcp-Session-Id": "secret"}}, "set by the gateway"),
        ({"headers": {"Host": "secret"}}, "set by the gateway"),
        ({"url": "ftp://secret.example/"}, "begins with `https://`"),
        ({"url": "/mcp"}, "begins with `https://`"),
        ({"url": "http://secret:x/"}, "is no address"),
        ({"url": "${GUARD_TEST_NO}"}, "environment variable `GUARD_TEST_NO`"),
    ],
)
def test_what_cannot_be_sent_is_refused_before(place: dict[str, Any], words: str) -> None:
    async def work() -> None:
        link = RemoteLink(Remote("shop", **({"url": "http://127.0.0.1:1/mcp"} | place)))
        with pytest.raises(LinkError, match=words) as refused:
            await link.open(None)  # type: ignore[arg-type]  # nobody listens
        assert "secret" not in str(refused.value)

    run(work())


def test_without_the_package_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(LinkError, match=r"install `guard-policy\[mcp\]`"):
        asyncio.run(RemoteLink(Remote("shop", "http://127.0.0.1:1/mcp")).open(None))  # type: ignore[arg-type]


def test_no_proxy_sees_what_stays_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)

    async def work() -> None:
        async with talking(_fine) as talk:
            assert "result" in await talk.ask()
        async with talking(_fine, url="http://localhost:PORT/mcp") as talk:
            assert "result" in await talk.ask()
        async with talking(_fine, url="http://shop.example/mcp") as talk:
            assert "cannot be reached" in await talk.why()

    run(work())


def test_a_certificate_that_nobody_vouches_for(tmp_path: Any) -> None:
    ssl = pytest.importorskip("ssl")
    cert, key = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    async def work() -> None:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        async with talking(_fine, url=f"https://127.0.0.1:{port}/mcp") as talk:
            assert "CERTIFICATE_VERIFY_FAILED" in await talk.why()
        server.close()

    run(work())


def certificate(folder: Any) -> tuple[str, str]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    from datetime import UTC, datetime, timedelta
    from ipaddress import ip_address

    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "shop")])
    now = datetime(2020, 1, 1, tzinfo=UTC)
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = built.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=40_000))
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    signed = built.add_extension(names, critical=False).sign(key, hashes.SHA256())
    encoding = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(signed.public_bytes(encoding))
    plain = serialization.NoEncryption()
    data = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain)
    (folder / "key.pem").write_bytes(data)
    return str(folder / "cert.pem"), str(folder / "key.pem")
