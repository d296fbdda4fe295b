"""Clients and servers of the official SDK, of both lines and in both eras, with the gateway between them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from http_gateway import ECHO, HERE, Gateway, PeerServer, inspector, peer, visit

from guardrails.server.keys import new_key

SERVERS = ["new", "plain", "old", "pipe"]
CARD = "4111111111111111"


class Behind(NamedTuple):
    gateway: Gateway
    servers: dict[str, Any]


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    """A gateway before servers of the new line (streams, and JSON), the old line, and one over stdio."""
    first, second = peer(2), peer(1)
    peers = [PeerServer(first), PeerServer(first, "--json"), PeerServer(second)]
    pipe = {"command": second, "args": [str(HERE / "http_peer_server.py"), "--stdio"]}
    servers = {name: {"url": each.url} for name, each in zip(SERVERS, peers, strict=False)} | {"pipe": pipe}
    gateway = Gateway(tmp_path_factory.mktemp("gateway"), servers, "--present", "owner")
    yield Behind(gateway, servers)
    code = gateway.stop()
    for each in peers:
        each.stop()
    assert code == 0


@pytest.fixture(scope="module", params=[(2, "auto"), (2, "legacy"), (1, "legacy")], ids=str)
def seen(request: pytest.FixtureRequest, behind: Behind) -> dict[str, Any]:
    line, mode = request.param
    found = visit(peer(line), behind.gateway.url, [f"{name}__" for name in SERVERS], mode)
    return {"mode": mode, **found}


@pytest.mark.parametrize("server", SERVERS)
def test_a_round_of_everything(seen: dict[str, Any], server: str) -> None:
    """A server that answers in JSON has no place for progress."""
    here, mode = seen[f"{server}__"], seen["mode"]
    assert here["version"] == ("2026-07-28" if mode == "auto" else "2025-11-25")
    assert f"{server}__add" in here["tools"]
    assert f"{server}__delete_all" not in here["tools"]
    assert here["add"]["structuredContent"] == {"result": 3}
    assert here["many"] == list(range(20))
    assert here["after"]["structuredContent"] == {"result": 4}
    all_steps = [[1.0, 3.0, "at 1"], [2.0, 3.0, "at 2"], [3.0, 3.0, "at 3"]]
    assert here["steps"] == ([] if server == "plain" else all_steps)
    assert here["prompt"]["messages"][0]["content"]["text"] == "Greet Zoë."
    assert here["fail"]["isError"] is True


@pytest.mark.parametrize("server", SERVERS)
def test_what_the_policy_makes_of_it(seen: dict[str, Any], server: str) -> None:
    here = seen[f"{server}__"]
    denied = here["delete_all"]
    assert denied["isError"] is True
    assert f"`mcp.{server}.delete_all` is denied" in denied["content"][0]["text"]
    assert denied["_meta"]["guard/decision"]["outcome"] == "deny"
    assert here["read_card"]["structuredContent"] == {"result": "Zoë pays with [REDACTED]"}
    assert here["read_card"]["content"][0]["text"] == "Zoë pays with [REDACTED]"
    assert here["resource"]["contents"][0]["text"] == "A shop with [REDACTED] in it."
    assert CARD not in json.dumps(here)


@pytest.mark.parametrize("server", SERVERS)
def test_a_header_follows_a_changed_argument(seen: dict[str, Any], server: str) -> None:
    """The client's `Mcp-Param-Region` had the card in it; the server refuses a header that differs from the body."""
    assert seen[f"{server}__"]["route"]["structuredContent"] == {"result": "went to eu [REDACTED]"}


@pytest.mark.parametrize("server", SERVERS)
def test_questions_reach_the_person(seen: dict[str, Any], server: str) -> None:
    here, mode = seen[f"{server}__"], seen["mode"]
    assert here["pay"]["structuredContent"] == {"result": "paid 5"}
    assert f"mcp.{server}.pay" in here["asked"][0]
    if mode == "legacy" and server != "plain":
        assert here["confirm"]["structuredContent"] == {"result": "accept"}
        assert here["asked"][1] == "Are you sure?"


@pytest.mark.parametrize("server", SERVERS)
def test_changes_are_heard_of(seen: dict[str, Any], server: str) -> None:
    """In the old era on the session's own stream, in the new one by listening."""
    assert seen[f"{server}__"]["changed"] is True


def test_the_inspector(tmp_path: Path) -> None:
    """The command line of the MCP Inspector, over HTTP."""
    program = inspector()
    servers = {"echo": {"command": ECHO[0], "args": ECHO[1:]}}
    policy = (
        'policy small\non call "mcp.echo.add" { allow }\non result "mcp.echo.add" { redact /[0-9]{2}/ }\n'
    )
    gateway = Gateway(tmp_path, servers, policy=policy)

    def asked(*words: str) -> Any:
        line = [program, "--cli", gateway.url, "--transport", "http", "--method", *words]
        done = subprocess.run(line, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    try:
        assert [tool["name"] for tool in asked("tools/list")["tools"]] == ["add"]
        call = asked("tools/call", "--tool-name", "add", "--tool-arg", "a=1", "b=2")
        assert call["content"] == [{"type": "text", "text": "[REDACTED]"}]
    finally:
        assert gateway.stop() == 0


def test_a_client_with_a_key(tmp_path: Path, behind: Behind) -> None:
    key, entry = new_key("bot", "agent")
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [entry]}))
    (tmp_path / "keys.json").chmod(0o600)
    servers = {"shop": behind.servers["new"]}
    gateway = Gateway(tmp_path, servers, "--keys", "keys.json", "--present", "owner")
    try:
        here = visit(peer(2), gateway.url, [""], "auto", key)[""]
        assert here["add"]["structuredContent"] == {"result": 3}
        assert "add" in here["tools"]
    finally:
        assert gateway.stop() == 0
