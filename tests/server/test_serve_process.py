"""The server as a process: signals, reloads, workers, sockets, and clients that misbehave."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from served import PLAIN, Served, make_key

ASK = b'{"type": "call", "tool": "ping", "args": {}}'


def until(condition: Callable[[], Any]) -> Any:
    """What `condition` gives, once it gives something."""
    for _ in range(400):
        found = condition()
        if found:
            return found
        sleep(0.05)
    raise AssertionError("it does not happen")


def digest(server: Served) -> str:
    return str(server.get("/v1/policy").json["digest"])


def test_it_ends_orderly_and_takes_its_socket_away(serve: Any, folder: Path) -> None:
    path = folder / "guard.sock"
    server = serve("plain.guard", binds=(f"unix:{path}", "127.0.0.1:0"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert server.call("ping", {})["outcome"] == "allow"
    code, err = server.stop()
    assert (code, err) == (0, "")
    assert not path.exists()


def test_a_socket_that_was_left_behind_is_no_hindrance_but_one_in_use_is(serve: Any, folder: Path) -> None:
    path = folder / "guard.sock"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    server = serve("plain.guard", binds=(f"unix:{path}",))
    with pytest.raises(AssertionError, match="already"):
        Served(folder, "plain.guard", binds=(f"unix:{path}",))
    assert server.call("ping", {})["outcome"] == "allow"


def test_a_changed_file_is_loaded_and_a_broken_one_is_not(serve: Any, folder: Path) -> None:
    server = serve("plain.guard")
    first = digest(server)
    (folder / "plain.guard").write_text("policy plain\non call ping { deny }\n")
    second = until(lambda: digest(server) if digest(server) != first else "")
    assert server.call("ping", {})["outcome"] == "deny"
    (folder / "plain.guard").write_text("policy plain\non call ping { allow\n")
    until(lambda: server.get("/v1/policy").json["problem"])
    assert (digest(server), server.call("ping", {})["outcome"]) == (second, "deny")
    assert "problem" in server.get("/ready").json["policy"]
    (folder / "plain.guard").write_text(PLAIN)
    assert until(lambda: digest(server) == first)
    assert server.get("/v1/policy").json["problem"] is None


def test_sighup_loads_policy_and_keys(serve: Any, folder: Path) -> None:
    operator = make_key(folder, "ana", "--role", "operator")
    server = serve("plain.guard", "--keys", "keys.json", "--no-watch")
    server.key = operator
    first = digest(server)
    (folder / "plain.guard").write_text("policy plain\non call ping { deny }\n")
    bot = make_key(folder, "bot")
    server.process.send_signal(signal.SIGHUP)
    assert until(lambda: digest(server) != first)
    server.key = bot
    assert until(lambda: server.post("/v1/check", ASK).status == 200)
    (folder / "keys.json").write_text("broken")
    server.process.send_signal(signal.SIGHUP)
    (folder / "plain.guard").write_text(PLAIN)
    server.key = operator
    assert server.post("/v1/reload", {}).json["changed"] in (True, False)
    assert until(lambda: digest(server) == first)
    _, err = server.stop()
    assert "the keys stay" in err


def test_reload_tells_why_a_policy_does_not_load(serve: Any, folder: Path) -> None:
    key = make_key(folder, "ana", "--role", "operator")
    server = serve("plain.guard", "--keys", "keys.json", "--no-watch")
    server.key = key
    (folder / "plain.guard").write_text("policy plain\non call ping { allow when args.x > }\n")
    reply = server.post("/v1/reload", {})
    assert (reply.status, reply.code) == (422, "policy_error")
    assert "plain.guard:2" in reply.json["error"]["message"]
    assert server.call("ping", {})["outcome"] == "allow"


def test_what_is_under_way_is_finished(serve: Any) -> None:
    server = serve("plain.guard")
    with socket.create_connection(("127.0.0.1", server.port)) as slow:
        slow.sendall(b"POST /v1/check HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(ASK))
        assert server.call("ping", {})["outcome"] == "allow"
        server.process.send_signal(signal.SIGTERM)
        sleep(0.3)
        slow.sendall(ASK)
        answer = b""
        while part := slow.recv(65_536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"allow"' in answer
    assert server.stop()[0] == 0


def test_workers_share_what_is_counted_and_the_lost_are_replaced(serve: Any, folder: Path) -> None:
    key = make_key(folder, "ana", "--role", "operator")
    server = serve(
        "support.guard", "--workers", "2", "--store", f"sqlite://{folder}/guard.db", "--keys", "keys.json"
    )
    server.key = key
    who = {"principal": {"id": "x", "customers": []}, "session": "s"}
    outcomes: list[str] = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(server.call("search", {}, **who)["outcome"]))
        for _ in range(8)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(outcomes) == ["allow"] * 3 + ["deny"] * 5
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    assert len(children) == 2
    os.kill(int(children[0]), signal.SIGKILL)
    children_path = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    until(lambda: len(set(children_path.read_text().split()) - {children[0]}) == 2)
    assert server.call("search", {}, **who)["outcome"] == "deny"
    first = digest(server)
    (folder / "support.guard").write_text(PLAIN)
    assert server.post("/v1/reload", {}).status == 200
    assert until(
        lambda: (
            {digest(server) for _ in range(12)} != {first} and len({digest(server) for _ in range(12)}) == 1
        )
    )
    code, err = server.stop()
    assert code == 0
    assert "another one takes its place" in err


def test_clients_that_misbehave_hurt_only_themselves(serve: Any) -> None:
    server = serve("plain.guard")
    place = ("127.0.0.1", server.port)
    crowd = [socket.create_connection(place) for _ in range(50)]
    for each in crowd:
        each.sendall(b"POST /v1/check HTTP/1.1\r\nhost: x\r\nx-slow: ")
    for garbage in (
        b"\x00\x01\x02\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"POST / HTTP/9.9\r\n\r\n",
    ):
        with socket.create_connection(place) as odd:
            odd.sendall(garbage)
            assert not odd.recv(65_536).startswith(b"HTTP/1.1 200")
    with socket.create_connection(place) as half:
        half.sendall(b"POST /v1/check HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\n{")
        half.shutdown(socket.SHUT_WR)
    assert server.call("ping", {})["outcome"] == "allow"
    for each in crowd:
        each.close()
    assert server.get("/health").status == 200


def test_a_slow_request_line_is_cut_off(serve: Any) -> None:
    server = serve("plain.guard")
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as slow:
        slow.sendall(b"POST /v1/ch")
        assert slow.recv(100) == b""


def test_a_durable_log_has_what_was_told(serve: Any, folder: Path) -> None:
    server = serve("plain.guard", "--audit", f"file://{folder}/log")
    assert server.call("ping", {})["outcome"] == "allow"
    assert server.get("/ready").json["audit"] == {"ready": True}
    server.process.kill()
    server.process.wait()
    records = [
        json.loads(line)
        for part in (folder / "log").glob("*.jsonl")
        for line in part.read_text().splitlines()
    ]
    assert any(record.get("tool") == "ping" for record in records), [
        p.name for p in (folder / "log").iterdir()
    ]
