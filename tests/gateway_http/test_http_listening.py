"""`guard mcp --listen` as a process: where it may listen, how it ends, what it does when servers are not there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from http_gateway import ECHO, ENVIRONMENT, POLICY, SCRIPT, Gateway
from http_scripted import called, in_new, initialize, routing
from test_endpoint import at, get, opened, post, raw, seen, until

from guardrails.server.keys import new_key

Start = Callable[..., Gateway]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Gateway] = []

    def begin(servers: dict[str, Any] | None = None, *words: str) -> Gateway:
        echo = {"echo": {"command": ECHO[0], "args": ECHO[1:]}}
        started.append(Gateway(tmp_path, servers or echo, *words))
        return started[-1]

    yield begin
    for each in started:
        if not each.errors.closed:
            each.stop()


def keys_in(folder: Path, *names: str) -> list[str]:
    made = [new_key(name, "agent") for name in names]
    path = folder / "keys.json"
    path.write_text(json.dumps({"keys": [entry for _, entry in made]}))
    path.chmod(0o600)
    return [key for key, _ in made]


def refused(folder: Path, *words: str) -> tuple[int, str]:
    """Exit code and words of a command that does not begin to listen."""
    (folder / "shop.guard").write_text(POLICY)
    line = [str(SCRIPT), "mcp", "shop.guard", *words, "--", *ECHO]
    environment = ENVIRONMENT | {"XDG_STATE_HOME": str(folder / "state")}
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, env=environment, timeout=60)
    assert done.stdout == ""
    return done.returncode, done.stderr


def test_others_may_not_reach_it_without_keys(tmp_path: Path) -> None:
    code, said = refused(tmp_path, "--listen", "0.0.0.0:0")
    assert code != 0
    assert "--keys" in said


def test_keys_that_cannot_be_read(tmp_path: Path) -> None:
    code, said = refused(tmp_path, "--listen", "127.0.0.1:0", "--keys", "none.json")
    assert code != 0
    assert "`none.json`" in said


@pytest.mark.parametrize("address", ["8080", "localhost:x", "unix:"])
def test_what_is_no_address(tmp_path: Path, address: str) -> None:
    code, said = refused(tmp_path, "--listen", address)
    assert code != 0
    assert "127.0.0.1" in said


def test_it_ends_with_streams_open_and_calls_under_way(start: Start, tmp_path: Path) -> None:
    gateway, begun = start(), tmp_path / "begun"
    status, head, _ = raw(gateway, post(initialize()))
    assert status == 200
    session = next(line[16:] for line in head.decode().split("\r\n") if line.startswith("mcp-session-id"))
    assert (
        raw(gateway, post({"jsonrpc": "2.0", "method": "notifications/initialized"}, at(session)))[0] == 202
    )
    with (
        opened(gateway, get(session)) as stream,
        opened(gateway, post(called("sleep", {"begun": str(begun)}), at(session))) as calling,
    ):
        seen(stream, b"\r\n\r\n")
        until(begun.exists)
        children = children_of(gateway.process.pid)
        gateway.process.send_signal(signal.SIGTERM)
        assert seen(stream, b"0\r\n\r\n")
        gateway.process.send_signal(signal.SIGTERM)
        assert b"the session has ended" in seen(calling, b"}}")
        assert gateway.process.wait(20) == 0
    until(lambda: not any(alive(each) for each in children))
    assert "Traceback" not in gateway.said


def children_of(process: int) -> list[int]:
    path = Path(f"/proc/{process}/task/{process}/children")
    if not path.exists():
        pytest.skip("this system does not tell of children")
    return [int(word) for word in path.read_text().split()]


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_keys_are_read_anew(start: Start, tmp_path: Path) -> None:
    (before,) = keys_in(tmp_path, "bot")
    gateway = start(None, "--keys", "keys.json")
    assert raw(gateway, post(initialize(), bearer(before)))[0] == 200
    (after,) = keys_in(tmp_path, "bot")
    gateway.process.send_signal(signal.SIGHUP)
    until(lambda: raw(gateway, post(initialize(), bearer(after)))[0] == 200)
    assert raw(gateway, post(initialize(), bearer(before)))[0] == 401
    (tmp_path / "keys.json").write_text("{}")
    gateway.process.send_signal(signal.SIGHUP)
    until(lambda: "the keys stay" in gateway.said)
    assert raw(gateway, post(initialize(), bearer(after)))[0] == 200


def bearer(key: str) -> str:
    return f"authorization: Bearer {key}\r\n"


@pytest.mark.parametrize(
    ("server", "words"),
    [
        ({"url": "http://127.0.0.1:1/mcp"}, "cannot be reached"),
        ({"url": "http://127.0.0.1:1/mcp", "headers": {"a": "${GUARD_NO_SUCH}"}}, "`GUARD_NO_SUCH`"),
        ({"command": "/no/such/command"}, "cannot be started"),
    ],
)
def test_a_server_that_is_not_there_is_a_result_that_the_model_can_read(
    start: Start, server: dict[str, Any], words: str
) -> None:
    gateway = start({"shop": server})
    status, _, body = raw(gateway, post(in_new(called("add")), heads_of("tools/call", "add")))
    result = json.loads(body)["result"]
    assert (status, result["isError"]) == (200, True)
    assert words in result["content"][0]["text"]


def test_sessions_of_the_policy_go_by_key_and_name(start: Start, tmp_path: Path) -> None:
    """500 calls is what the policy gives one session; a name that another key uses is another session."""
    mine, theirs = keys_in(tmp_path, "bot", "eve")
    (tmp_path / "narrow.guard").write_text(
        'policy narrow\non call "mcp.*.add" { allow }\non session { limit 2 calls }\n'
    )
    gateway = start(None, "--keys", "keys.json", "narrow.guard")

    def call(key: str, name: str) -> bool:
        heads = heads_of("tools/call", "add") + bearer(key) + f"guard-session: {name}\r\n"
        _, _, body = raw(gateway, post(in_new(called("add", {"a": 1, "b": 2})), heads))
        return json.loads(body)["result"].get("isError", False) is False

    assert [call(mine, "a") for _ in range(3)] == [True, True, False]
    assert call(theirs, "a")
    assert call(mine, "b")
    assert not call(mine, "a")


def test_a_change_is_heard_of_while_a_call_runs(start: Start) -> None:
    """An old server does not say what its notification belongs to; the only call under way is none of it."""
    gateway = start()
    message = in_new({"jsonrpc": "2.0", "id": "l", "method": "subscriptions/listen"})
    message["params"]["notifications"] = {"toolsListChanged": True}
    with opened(gateway, post(message, heads_of("subscriptions/listen"))) as stream:
        seen(stream, b"acknowledged")
        raw(gateway, post(in_new(called("change")), heads_of("tools/call", "change")))
        assert b"list_changed" in seen(stream, b"list_changed")


def test_a_server_that_comes_back(start: Start, tmp_path: Path) -> None:
    """An exchange of the new era outlives servers: what is not there now may be there later."""
    flag = tmp_path / "there"
    gateway = start({"echo": {"command": ECHO[0], "args": [ECHO[1], str(flag)]}})

    def call(name: str) -> bool:
        heads = heads_of("tools/call", name)
        _, _, body = raw(gateway, post(in_new(called(name, {"a": 1, "b": 2})), heads))
        return json.loads(body)["result"].get("isError", False) is False

    assert not call("add")
    flag.touch()
    until(lambda: call("add"))
    assert not call("stop")
    until(lambda: call("add"))


def heads_of(method: str, name: str = "") -> str:
    return "".join(f"{each.replace('_', '-')}: {value}\r\n" for each, value in routing(method, name).items())
