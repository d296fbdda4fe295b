"""`guard mcp` as a process: servers that misbehave, clients that leave, signals."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from gateway_process import TERM, Process, children_of, is_alive, rogue

POLICY = 'policy p\non call "mcp.server.*" { allow }\n'
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def said(answer: object) -> str:
    return json.dumps(answer)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("dies", "exit code 3"),
        ("hangs", "did not answer within 0.5 s"),
        ("nan", "`NaN`, which is not JSON"),
        ("twice", "the key `content` twice"),
        ("huge", "more than 16,777,216 bytes"),
        ("shapeless", "a malformed `content`"),
    ],
)
def test_a_server_that_fails_in_a_call_is_a_stated_answer(how: str, words: str, tmp_path: Path) -> None:
    seconds = "0.5" if how == "hangs" else "60"
    with Process(tmp_path, POLICY, rogue(how), "--timeout", seconds) as gateway:
        answer = gateway.begin().call()
        assert words in said(answer)
        assert "SECRET" not in said(answer)
        assert answer.get("error") or answer["result"]["isError"]
        if how in ("dies", "huge"):
            assert "is gone" in said(gateway.call())
        assert gateway.end() == 0


def test_a_server_that_does_not_read_is_given_up(tmp_path: Path) -> None:
    with Process(tmp_path, POLICY, rogue("deaf"), "--timeout", "0.5") as gateway:
        answer = gateway.begin().call(args={"a": "x" * 4_000_000})
        assert "does not read what it is sent" in said(answer)
        assert gateway.end() == 0


def test_garbage_between_messages_is_dropped_and_said(tmp_path: Path) -> None:
    with Process(tmp_path, POLICY, rogue("garbage")) as gateway:
        assert gateway.begin().call(args={"a": 1})["result"]["content"][0]["text"] == '{"a": 1}'
        assert gateway.told().count("a line that is dropped") == 3


def test_a_server_that_does_not_begin_is_an_error(tmp_path: Path) -> None:
    with Process(tmp_path, POLICY, ["/no/such/program"]) as gateway:
        answer = gateway.ask("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}})
        assert "`/no/such/program` cannot be started" in said(answer)
        assert gateway.end() == 0


NONSENSE = [
    (b"not json", -32700),
    (b'{"jsonrpc":"2.0","id":1,"method":"ping","id":2}', -32700),
    (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"a":1e999}}', -32700),
    (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600),
    (b'\xff\xfe{"jsonrpc":"2.0"}', -32700),
    (b'{"jsonrpc":"2.0","id":1,"method":"x","params":' + b"[" * 200 + b"]" * 200 + b"}", -32700),
    (b"x" * 17_000_000, -32600),
]


def test_a_client_that_writes_nonsense_is_told_and_heard_on(tmp_path: Path) -> None:
    with Process(tmp_path, POLICY, rogue("fine")) as gateway:
        for line, code in NONSENSE:
            gateway.write(line + b"\n")
            assert gateway.read()["error"]["code"] == code, line[:60]
        assert gateway.begin().call()["result"]


@LINUX
@pytest.mark.parametrize("how", ["fine", "stays", "hangs"])
@pytest.mark.parametrize("signal", [None, TERM], ids=["end of input", "SIGTERM"])
def test_it_ends_in_time_and_leaves_no_server_behind(how: str, signal: int | None, tmp_path: Path) -> None:
    with Process(tmp_path, POLICY, rogue(how)) as gateway:
        gateway.begin()
        servers = children_of(gateway.process.pid)
        assert len(servers) == 1
        if how == "hangs":
            gateway.send({"id": 99, "method": "tools/call", "params": {"name": "do"}})
        assert gateway.end(signal) == 0
        assert not any(map(is_alive, servers))
        assert "Traceback" not in gateway.told()


def test_what_was_asked_before_the_input_ended_is_answered(tmp_path: Path) -> None:
    with Process(tmp_path, POLICY, rogue("fine")) as gateway:
        gateway.begin()
        gateway.send({"id": 7, "method": "tools/call", "params": {"name": "do"}})
        assert gateway.end() == 0
        assert gateway.read()["id"] == 7


@LINUX
def test_a_halted_session_ends_the_server(tmp_path: Path) -> None:
    with Process(tmp_path, 'policy p\non call "mcp.server.do" { halt }', rogue("fine")) as gateway:
        gateway.begin()
        (server,) = children_of(gateway.process.pid)
        first, second = (gateway.call()["result"]["_meta"]["guard/decision"] for _ in "ab")
        assert first["outcome"] == "halt"
        assert second["outcome"] in ("deny", "halt")
        gateway.end()
        assert not is_alive(server)


def test_a_server_does_not_see_our_own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from guardrails.gateway.links import Local
    from guardrails.gateway.stdio import environment

    monkeypatch.setenv("GUARD_KEY", "secret-secret-secret")
    monkeypatch.setenv("OTHER", "1")
    seen = environment(Local("a", "x", env={"MORE": "2"}))
    assert "GUARD_KEY" not in seen
    assert (seen["OTHER"], seen["MORE"]) == ("1", "2")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "named once"),
        (["--name", "a__b", "--", "x"], "no name for a server"),
        (["--as", "fixed", "--", "x"], "pattern with `{tool}`"),
        (["--principal", "[]", "--", "x"], "`--principal` is a JSON object"),
        (["--config", "no.json"], "cannot be read"),
    ],
)
def test_a_wrong_command_line_is_said(words: list[str], told: str, tmp_path: Path) -> None:
    with Process(tmp_path, POLICY, [], *words) as gateway:
        assert gateway.process.wait(30) in (64, 65)
        assert told in gateway.told()
