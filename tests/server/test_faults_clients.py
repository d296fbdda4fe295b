"""Clients that are slow, huge, half-closed or malformed: each gets a stated answer, and hurts itself at most."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Any

import pytest
from served import PLAIN, Served
from threaded import One, everything

from guardrails import Guard
from guardrails.hosting import host_function
from guardrails.server import patience
from guardrails.server.service import Settings

PING = b'{"type": "call", "tool": "ping", "args": {}}'
POST = b"POST /v1/check HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n"


def resident(server: Served) -> int:
    """The bytes of memory that the server holds."""
    for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("there is no VmRSS")


def test_a_long_body_that_comes_at_once_is_answered(serve: Any, folder: Path) -> None:
    serve("plain.guard", binds=(f"unix:{folder}/guard.sock",))
    text = json.dumps({"type": "output", "text": "x" * 200_000}).encode()
    with socket.socket(socket.AF_UNIX) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1_000_000)
        raw.settimeout(20)
        raw.connect(f"{folder}/guard.sock")
        raw.sendall(POST % len(text) + text)
        assert raw.recv(65_536).startswith(b"HTTP/1.1 200")


def push(raw: socket.socket, data: bytes, most: int) -> int:
    """Send the same again and again until the other side takes nothing any more; gives how much it took."""
    raw.setblocking(False)
    sent, quiet = 0, monotonic()
    while sent < most and monotonic() - quiet < 0.5:
        try:
            sent += raw.send(data[sent % len(data) :])
            quiet = monotonic()
        except BlockingIOError:
            sleep(0.01)
    return sent


def test_who_sends_frames_and_never_reads_is_not_read_any_more(serve: Any, folder: Path) -> None:
    path = f"{folder}/frames.sock"
    server = serve("plain.guard", "--frames", f"unix:{path}")
    before = resident(server)
    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(path)
        taken = push(raw, (len(PING).to_bytes(4) + PING) * 500, 20_000_000)
        assert taken < 10_000_000
        assert resident(server) - before < 30_000_000
        assert server.call("ping", {})["outcome"] == "allow"


def test_who_sends_requests_and_never_reads_is_not_read_any_more(serve: Any) -> None:
    server = serve("plain.guard")
    before = resident(server)
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        taken = push(raw, (POST % len(PING) + PING) * 300, 40_000_000)
        assert taken < 30_000_000
        assert resident(server) - before < 30_000_000
        assert server.call("ping", {})["outcome"] == "allow"


# --- slow --------------------------------------------------------------------------------------


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> Iterator[One]:
    """A server with little patience."""
    monkeypatch.setattr(patience, "HEADERS", 0.3)
    monkeypatch.setattr(patience, "LINGER", 0.3)
    server = One(Guard.from_text(PLAIN), settings=Settings(patience=0.3))
    yield server
    server.stop()


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"", b""),
        (b"POST /v1/check HT", b""),
        (b"POST /v1/check HTTP/1.1\r\nhost: x\r\nx-slow: ", b""),
        (POST % len(PING), b"408"),
        (POST % len(PING) + PING[:-1], b"408"),
        (POST % len(PING) + PING + POST % 9, b"408"),
        (POST % len(PING) + PING + b"POST /v1", b"200"),
    ],
)
def test_who_is_slow_is_cut_off(hasty: One, sent: bytes, said: bytes) -> None:
    with socket.create_connection(hasty.address) as raw:
        raw.settimeout(20)
        raw.sendall(sent)
        answer = everything(raw)
        assert said in answer
        assert (b'"allow"' in answer) == (PING in sent)


def test_headers_without_an_end_are_cut_off(hasty: One) -> None:
    with socket.create_connection(hasty.address) as raw:
        raw.settimeout(20)
        raw.sendall(b"POST /v1/check HTTP/1.1\r\n")
        endless = b"".join([b"x-%d: %b\r\n" % (number, b"y" * 1_000) for number in range(10_000)])
        with pytest.raises(OSError, match=r"reset|pipe"):
            raw.sendall(endless)
    assert b'"allow"' in hasty.ask(ASK_LAST)


def test_a_trickle_of_headers_is_cut_off_while_others_are_served(hasty: One) -> None:
    crowd = [socket.create_connection(hasty.address) for _ in range(100)]
    for each in crowd:
        each.sendall(b"POST /v1/check HTTP/1.1\r\n")
    begun, is_open = monotonic(), True
    with crowd[0] as slow:
        slow.settimeout(0.02)
        while is_open:
            assert monotonic() - begun < 10
            assert b'"allow"' in hasty.ask(ASK_LAST)
            try:
                slow.sendall(b"x-a: b\r\n")
                is_open = slow.recv(100) != b""
            except TimeoutError:
                continue
            except OSError:
                is_open = False
    for each in crowd:
        each.close()


ASK_LAST = (POST % len(PING)).replace(b"host", b"connection: close\r\nhost") + PING


def test_a_frame_that_is_not_whole_in_time_is_told(hasty: One, tmp_path: Path) -> None:
    with framed(hasty, tmp_path) as raw:
        raw.sendall(len(PING).to_bytes(4) + PING + b"\x00\x00")
        found = frames(everything(raw))
    assert [each.get("outcome") or each["error"]["code"] for each in found] == ["allow", "too_slow"]


def framed(one: One, folder: Path) -> socket.socket:
    """A connection to frames of the same service."""
    import asyncio

    from guardrails.server.frames import open_frames

    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{folder}/frames.sock")
    listener.listen()

    async def begin() -> None:
        await open_frames(one.app.service, listener)

    until(lambda: one.server.started)
    (loop,) = {server.get_loop() for server in one.server.servers}
    asyncio.run_coroutine_threadsafe(begin(), loop).result(10)
    raw = socket.socket(socket.AF_UNIX)
    raw.settimeout(20)
    raw.connect(f"{folder}/frames.sock")
    return raw


def until(condition: Any) -> Any:
    for _ in range(400):
        if found := condition():
            return found
        sleep(0.02)
    raise AssertionError("it does not happen")


def frames(data: bytes) -> list[Any]:
    found = []
    while data:
        length = int.from_bytes(data[:4])
        found.append(json.loads(data[4 : 4 + length]))
        data = data[4 + length :]
    return found


# --- huge --------------------------------------------------------------------------------------

GIGABYTE = 1_000_000_000


def test_a_gigabyte_is_refused_before_it_is_read(serve: Any) -> None:
    server = serve("plain.guard")
    before = resident(server)
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.settimeout(20)
        raw.sendall(POST % GIGABYTE)
        assert raw.recv(65_536).startswith(b"HTTP/1.1 413 ")
        with pytest.raises(OSError, match=r"reset|pipe"):
            push(raw, b"x" * 65_536, 200_000_000)
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.settimeout(20)
        raw.sendall(b"POST /v1/check HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        pusher = Thread(target=keep_pushing, args=(raw, b"10000\r\n" + b"x" * 65_536 + b"\r\n"))
        pusher.start()
        assert raw.recv(65_536).startswith(b"HTTP/1.1 413 ")
        assert resident(server) - before < 40_000_000
        raw.shutdown(socket.SHUT_RDWR)
        pusher.join()
    assert server.call("ping", {})["outcome"] == "allow"


def keep_pushing(raw: socket.socket, data: bytes) -> None:
    try:
        for _ in range(GIGABYTE // len(data)):
            raw.sendall(data)
    except OSError:
        return


def test_a_frame_of_a_gigabyte_is_refused_behind_what_came_before(serve: Any, folder: Path) -> None:
    serve("plain.guard", "--frames", f"unix:{folder}/frames.sock")
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(20)
        raw.connect(f"{folder}/frames.sock")
        long = json.dumps({"type": "output", "text": "x" * 50_000}).encode()
        raw.sendall(len(long).to_bytes(4) + long + GIGABYTE.to_bytes(4) + b"x" * 1000)
        found = frames(everything(raw))
    assert [each.get("outcome") or each["error"]["code"] for each in found] == ["allow", "too_large"]


# --- malformed ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (POST % 3 + b"\xff{}", b"400"),
        (POST % 7 + b'{"\xed\xa0\x80"}', b"400"),
        (b"GET /v1/sessions/%ff%fe HTTP/1.1\r\nhost: x\r\n\r\n", b"404"),
        (b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n", b"400"),
        (b"GET /v1/limits?session=%ff HTTP/1.1\r\nhost: x\r\n\r\n", b"400"),
        (b"GET /health HTTP/1.1\r\nhost: x\r\nx-request-id: \xff\xfe\r\n\r\n", b"200"),
        (b"POST /v1/check HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n", b"400"),
        (b"POST /v1/check HTTP/1.1\r\nhost: x\r\ncontent-length: 1e3\r\n\r\n", b"400"),
        (b"POST /v1/check HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", b"400"),
    ],
)
def test_bytes_that_are_no_text_get_an_answer(hasty: One, request_: bytes, status: bytes) -> None:
    last = request_.replace(b"host: x", b"host: x\r\nconnection: close", 1)
    assert hasty.ask(last).startswith(b"HTTP/1.1 " + status)


def test_frames_that_are_no_text_get_an_answer_each(hasty: One, tmp_path: Path) -> None:
    with framed(hasty, tmp_path) as raw:
        for body in (b"\xff", b"", b"{", b"[]", b'{"type": "\xed\xa0\x80"}', PING):
            raw.sendall(len(body).to_bytes(4) + body)
        raw.shutdown(socket.SHUT_WR)
        found = frames(everything(raw))
    codes = [each.get("outcome") or each["error"]["code"] for each in found]
    assert codes == ["not_utf8", "no_body", "not_json", "malformed_event", "not_utf8", "allow"]


# --- half-closed -------------------------------------------------------------------------------


def takes_a_while(name: str) -> bool:
    sleep(0.2)
    return True


@pytest.fixture
def slow_policy() -> Iterator[One]:
    """A server whose decisions take a while."""
    slow = host_function(takes_a_while, "takes_a_while", pure=False, budget=10.0)
    text = "policy slow\non call ping { allow when takes_a_while(tool.name) }\n"
    server = One(Guard.from_text(text, functions=[slow]))
    yield server
    server.stop()


def test_who_sends_nothing_more_gets_what_was_asked(hasty: One, slow_policy: One) -> None:
    for server in (hasty, slow_policy):
        with socket.create_connection(server.address) as raw:
            raw.settimeout(20)
            raw.sendall(POST % len(PING) + PING)
            raw.shutdown(socket.SHUT_WR)
            assert b'"outcome": "allow"' in everything(raw)


def test_who_stops_in_the_middle_gets_no_decision(slow_policy: One) -> None:
    with socket.create_connection(slow_policy.address) as raw:
        raw.settimeout(20)
        raw.sendall(POST % len(PING) + PING[:-1])
        raw.shutdown(socket.SHUT_WR)
        assert everything(raw) == b""


def test_frames_before_the_end_are_answered_all_and_a_part_is_told(slow_policy: One, tmp_path: Path) -> None:
    with framed(slow_policy, tmp_path) as raw:
        raw.sendall((len(PING).to_bytes(4) + PING) * 3 + b"\x00\x00\x01")
        raw.shutdown(socket.SHUT_WR)
        found = frames(everything(raw))
    assert [each.get("outcome") or each["error"]["code"] for each in found] == ["allow"] * 3 + ["cut_short"]


def test_who_leaves_before_the_answer_hurts_nobody(slow_policy: One) -> None:
    for _ in range(10):
        with socket.create_connection(slow_policy.address) as raw:
            raw.sendall(POST % len(PING) + PING)
    assert b'"outcome": "allow"' in slow_policy.ask(ASK_LAST)


def test_more_than_can_wait_are_told_to_come_again() -> None:
    slow = host_function(takes_a_while, "takes_a_while", pure=False, budget=10.0)
    text = "policy slow\non call ping { allow when takes_a_while(tool.name) }\n"
    server = One(Guard.from_text(text, functions=[slow]), settings=Settings(threads=1, most_waiting=2))
    try:
        crowd = [socket.create_connection(server.address) for _ in range(12)]
        for each in crowd:
            each.sendall(ASK_LAST)
        found = [everything(each) for each in crowd]
    finally:
        server.stop()
    kinds = [b'"outcome": "allow"' in each or (b" 503 " in each and b'"busy"' in each) for each in found]
    assert all(kinds), found
    assert sum(b'"busy"' in each for each in found) >= 8
    assert sum(b'"allow"' in each for each in found) >= 2
    for each in crowd:
        each.close()
