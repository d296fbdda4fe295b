"""Real peers: the official clients of both lines, servers that people use, and the Inspector's command line.

What is not of this project's own environment is in `.peers` (`make peers`); without it these tests are skipped, and
fail under CI=true.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from gateway_process import SCRIPT
from parser_tables import with_tables

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
BACKEND = [sys.executable, str(HERE / "gateway_sdk_server.py")]
PEERS = ROOT / ".peers"
SECONDS = 90

POLICY = """
policy p
on call "mcp.server.read_file" { allow when args.path within "/w" }
on call "mcp.server.send_money" {
  threshold args.amount {
    up to 100: allow
    up to 1000: ask
    above: deny because "Too much."
  }
}
on call "mcp.server.people", "mcp.server.slow" { allow }
on call "mcp.server.resources/read", "mcp.server.prompts/get" { allow }
on result "mcp.*" { redact /SECRET-[A-Z0-9]+/ }
"""


def peer(path: Path) -> str:
    if path.exists():
        return str(path)
    if os.environ.get("CI") == "true" and path.parts[-4:-3] != (
        "node",
    ):  # programs from npm are not asked of anybody
        pytest.fail(f"`{path}` is not there: run `make peers`")
    pytest.skip(f"`{path}` is not there: `make peers` fetches it")


def old_python() -> str:
    return peer(Path(os.environ.get("GUARD_TEST_MCP1") or PEERS / "mcp1/bin/python"))


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A gateway's command line, up to the server's."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("GUARD_CACHE", with_tables(tmp_path / "cache"))
    path = tmp_path / "p.guard"
    path.write_text(POLICY)
    return [str(SCRIPT), "mcp", str(path), "--store", f"sqlite:///{tmp_path}/guard.db"]


# --- the new line, in both eras ----------------------------------------------------------------


@pytest.mark.parametrize(("mode", "approves"), [("legacy", True), ("auto", True), ("auto", False)])
def test_the_official_client_in_both_eras(mode: Any, approves: bool, words: list[str]) -> None:  # noqa: FBT001
    import mcp_types as types
    from mcp import Client, StdioServerParameters

    asked: list[str] = []
    told: list[Any] = []

    async def elicit(_: Any, params: Any) -> Any:
        asked.append(params.message)
        if approves:
            return types.ElicitResult(action="accept", content={"approve": True})
        return types.ElicitResult(action="decline")

    async def progress(done: float, total: float | None, message: str | None) -> None:
        told.append((done, total, message))

    async def work() -> None:
        server = StdioServerParameters(
            command=words[0], args=[*words[1:], "--", *BACKEND], env=dict(os.environ)
        )
        async with Client(server, mode=mode, elicitation_callback=elicit) as client:
            names = [tool.name for tool in (await client.list_tools()).tools]
            assert names == ["read_file", "send_money", "people", "slow"]

            result = await client.call_tool("read_file", {"path": "/w/a"})
            assert "SECRET" not in result.model_dump_json()
            assert result.structured_content == {"result": "content of /w/a: token [REDACTED] end"}
            assert (await client.call_tool("read_file", {"path": "/etc/a"})).is_error
            assert (await client.call_tool("delete_file", {"path": "/w/a"})).is_error

            people = await client.call_tool("people", {})
            assert "SECRET" not in people.model_dump_json()
            assert people.structured_content["result"][1] == {"name": "bob", "card": "[REDACTED]"}

            assert not (await client.call_tool("send_money", {"to": "bob", "amount": 5})).is_error
            assert not asked
            paid = await client.call_tool("send_money", {"to": "bob", "amount": 500})
            assert ("SENT 500 to bob" in paid.model_dump_json()) is approves
            assert len(asked) == 1
            over = await client.call_tool("send_money", {"to": "bob", "amount": 5000})
            assert "Too much." in over.content[0].text

            await client.call_tool("slow", {}, progress_callback=progress)
            assert told == [(1.0, 2.0, "half of [REDACTED]")]

            read = await client.read_resource("notes://one")
            assert read.contents[0].text == "remember [REDACTED]"
            prompt = await client.get_prompt("ask", {"who": "bob"})
            assert prompt.messages[0].content.text == "ask bob for [REDACTED]"

    asyncio.run(asyncio.wait_for(work(), SECONDS))


# --- the old line, and servers that people use -------------------------------------------------


def seen_by_old_client(command: list[str], script: list[Any]) -> Any:
    found = subprocess.run(
        [old_python(), str(HERE / "gateway_old_client.py"), *command], input=json.dumps(script),
        capture_output=True, text=True, timeout=SECONDS, env=dict(os.environ), check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


def test_the_official_client_of_the_old_line(words: list[str]) -> None:
    script = [
        ["read_file", {"path": "/w/a"}], ["delete_file", {"path": "/w/a"}], ["send_money", {"to": "b", "amount": 500}],
        ["slow", {}],
    ]  # fmt: skip
    seen = seen_by_old_client([*words, "--", *BACKEND], script)
    assert seen["version"] == "2025-11-25"
    assert seen["tools"] == ["read_file", "send_money", "people", "slow"]
    read, deleted, paid, _ = seen["results"]
    assert "SECRET" not in json.dumps(seen["results"])
    assert read["structuredContent"] == {"result": "content of /w/a: token [REDACTED] end"}
    assert deleted["isError"]
    assert paid["content"][0]["text"] == "SENT 500 to b"
    assert len(seen["asked"]) == 1
    assert seen["progress"] == [[1.0, 2.0, "half of [REDACTED]"]]


REAL = """
policy real
on call "mcp.git.git_status", "mcp.git.git_log" { allow when args.repo_path within "FOLDER/repo" }
on call "mcp.git.git_reset" { deny because "History stays." }
on call "mcp.time.get_current_time" { allow when args.timezone in {"UTC", "Europe/Paris"} }
on call "mcp.fetch.fetch" { allow when args.url.host == "127.0.0.1" }
on call "mcp.files.read_text_file", "mcp.files.list_directory" { allow when args.path within "FOLDER/files" }
on result "mcp.*" { redact /SECRET-[A-Z0-9]+/ }
"""


def repository(folder: Path) -> Path:
    folder.mkdir()
    for line in (
        "init -q", "config user.email a@b.c", "config user.name ana", "commit -q --allow-empty -m SECRET-ABC123",
    ):  # fmt: skip
        subprocess.run(["git", "-C", str(folder), *line.split()], check=True, capture_output=True)
    return folder


def test_servers_that_people_use_behind_one_gateway(words: list[str], tmp_path: Path) -> None:
    bin = Path(old_python()).parent
    repo = repository(tmp_path / "repo")
    (tmp_path / "p.guard").write_text(REAL.replace("FOLDER", str(tmp_path)))
    config = tmp_path / "servers.json"
    config.write_text(json.dumps({"mcpServers": {
        "git": {"command": str(bin / "mcp-server-git"), "args": ["--repository", str(repo)]},
        "time": {"command": str(bin / "mcp-server-time")},
        "fetch": {"command": str(bin / "mcp-server-fetch")},
    }}))  # fmt: skip
    script = [
        ["git__git_log", {"repo_path": str(repo)}], ["git__git_status", {"repo_path": "/etc"}],
        ["git__git_reset", {"repo_path": str(repo)}], ["time__get_current_time", {"timezone": "UTC"}],
        ["time__get_current_time", {"timezone": "Asia/Tokyo"}], ["fetch__fetch", {"url": "https://example.com/"}],
    ]  # fmt: skip
    seen = seen_by_old_client([*words, "--config", str(config)], script)
    assert {"git__git_log", "time__get_current_time", "fetch__fetch"} <= set(seen["tools"])
    assert not {"git__git_commit", "time__convert_time"} & set(seen["tools"])
    log, outside, reset, utc, tokyo, fetch = seen["results"]
    assert not log.get("isError")
    assert "[REDACTED]" in json.dumps(log)
    assert "SECRET" not in json.dumps(log)
    assert "UTC" in json.dumps(utc)
    assert not utc.get("isError")
    assert [each["isError"] for each in (outside, reset, tokyo, fetch)] == [True] * 4
    assert "History stays." in json.dumps(reset)


# --- the Inspector, and the filesystem server --------------------------------------------------


def inspected(config: Path, *more: str) -> Any:
    program = peer(PEERS / "node/node_modules/.bin/mcp-inspector")
    found = subprocess.run(
        [program, "--cli", "--config", str(config), "--server", "guarded", *more],
        capture_output=True, text=True, timeout=SECONDS, env=dict(os.environ), check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr + found.stdout
    return json.loads(found.stdout)


def test_the_inspector_and_the_filesystem_server(words: list[str], tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (files / "a.txt").write_text("token SECRET-ABC123")
    (tmp_path / "p.guard").write_text(REAL.replace("FOLDER", str(tmp_path)))
    server = peer(PEERS / "node/node_modules/.bin/mcp-server-filesystem")
    config = tmp_path / "servers.json"
    config.write_text(json.dumps({"mcpServers": {"files": {"command": server, "args": [str(tmp_path)]}}}))
    command = tmp_path / "inspector.json"
    args = [*words[1:], "--config", str(config)]
    entry = {"command": words[0], "args": args, "env": {"XDG_STATE_HOME": os.environ["XDG_STATE_HOME"]}}
    command.write_text(json.dumps({"mcpServers": {"guarded": entry}}))
    listed = inspected(command, "--method", "tools/list")
    assert {each["name"] for each in listed["tools"]} == {"read_text_file", "list_directory"}
    call = ("--method", "tools/call", "--tool-name", "read_text_file", "--tool-arg")
    read = inspected(command, *call, f"path={files}/a.txt")
    assert "[REDACTED]" in json.dumps(read)
    assert "SECRET" not in json.dumps(read)
    denied = inspected(command, *call, f"path={tmp_path}/p.guard")
    assert denied["isError"]
