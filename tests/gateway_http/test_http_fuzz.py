"""Whatever is sent, the endpoint answers it with a status of its own, and goes on serving."""

from __future__ import annotations

import json
import socket

from http_scripted import BOTH, META, NEW, OLD, Running
from hypothesis import given, settings
from hypothesis import strategies as st

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
IDS = st.one_of(st.integers(-3, 3), st.text(max_size=3), JSON)
VERSIONS = st.sampled_from([NEW, OLD, "2025-03-26", "1", ""])
META_PARTS = st.fixed_dictionaries(
    {},
    optional={
        META + "protocolVersion": VERSIONS | JSON,
        META + "clientCapabilities": st.just({}) | JSON,
        "guard/session": JSON,
    },
)
PARAMS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["echo", "route", "progress", "general"]),
        "arguments": st.just({"region": "eu"}) | JSON,
        "_meta": META_PARTS | JSON,
        "protocolVersion": VERSIONS,
        "capabilities": st.just({}),
        "requestId": IDS,
    },
)
METHODS = st.sampled_from(
    ["initialize", "tools/list", "tools/call", "notifications/cancelled", "ping", "resources/read", ""]
)
MESSAGES = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0") | JSON},
    optional={
        "id": IDS,
        "method": METHODS | st.text(max_size=3),
        "params": PARAMS | JSON,
        "result": JSON,
        "error": JSON,
    },
)
BODIES = (
    MESSAGES.map(lambda each: json.dumps(each).encode())
    | JSON.map(lambda each: json.dumps(each).encode())
    | st.binary()
)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=8)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "mcp-protocol-version": VERSIONS | VALUES,
        "mcp-method": METHODS | VALUES,
        "mcp-name": st.sampled_from(["echo", "route"]) | VALUES,
        "mcp-param-region": st.just("eu") | VALUES,
        "mcp-session-id": VALUES | st.just("{session}"),
        "guard-session": VALUES,
        "accept": st.sampled_from([BOTH, "*/*"]) | VALUES,
        "content-type": st.just("application/json") | VALUES,
        "origin": VALUES,
        "host": st.just("localhost") | VALUES,
        "last-event-id": VALUES,
    },
)


@settings(max_examples=150, deadline=None)
@given(
    method=st.sampled_from(["POST", "POST", "POST", "GET", "DELETE", "PUT"]),
    body=BODIES,
    headers=HEADERS,
)
def test_messages_of_any_kind(scripted: Running, method: str, body: bytes, headers: dict[str, str]) -> None:
    session = sessions.get(id(scripted)) or scripted.begin()
    sent = {"host": "localhost", "accept": BOTH, "content-type": "application/json"} | headers
    sent = {name: value.replace("{session}", session) for name, value in sent.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    head = f"{method} /mcp HTTP/1.1\r\nconnection: close\r\ncontent-length: {len(body)}\r\n{lines}\r\n"
    status = status_of(scripted, head.encode("latin-1") + body)
    assert status in (200, 202, 204, 400, 403, 404, 405, 406, 409, 413, 415, 421)
    sessions[id(scripted)] = session if scripted.call(session, "echo", id="alive").status == 200 else ""


sessions: dict[int, str] = {}


def status_of(running: Running, data: bytes) -> int:
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as stream:
        stream.sendall(data)
        found = stream.recv(65_536)
        while b"\r\n\r\n" not in found:
            part = stream.recv(65_536)
            assert part, found
            found += part
    return int(found[9:12])


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_bytes_of_any_kind(scripted: Running, data: bytes, begins: bool) -> None:  # noqa: FBT001
    head = b"POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-length: 50\r\n" if begins else b""
    with socket.create_connection(("127.0.0.1", scripted.port), timeout=20) as stream:
        stream.sendall(head + data)
    assert scripted.ask("DELETE").status == 400
