"""Servers from a file, and the names that tell them apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from guardrails.gateway.configuration import ConfigurationError, places_of, read_places
from guardrails.gateway.links import Local, Remote
from guardrails.gateway.naming import Naming, NamingError


def test_servers_of_both_kinds() -> None:
    data = {
        "mcpServers": {
            "git": {
                "command": "${BIN}/git",
                "args": ["--repo", "${REPO:-.}"],
                "env": {"T": "${T}"},
                "cwd": "/w",
            },
            "docs": {
                "type": "http",
                "url": "https://${HOST}/mcp",
                "headers": {"Authorization": "Bearer ${T}"},
            },
        }
    }
    assert places_of(data, {"BIN": "/bin", "T": "t"}) == (
        Local("git", "/bin/git", ("--repo", "."), {"T": "t"}, "/w"),
        Remote("docs", "https://${HOST}/mcp", {"Authorization": "Bearer ${T}"}),
    )


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({}, "`command` or a `url`"), ({"command": "x", "url": "y"}, "`command` or a `url`"),
        ("x", "`command` or a `url`"), ({"command": "x", "headers": {}}, "`headers` is not known"),
        ({"url": "x", "header": {}}, "did you mean `headers`?"), ({"url": "x", "type": "sse"}, "old SSE"),
        ({"command": "x", "type": "http"}, "the type of"), ({"command": "x", "args": "y"}, "`args` is a list"),
        ({"command": 3}, "`command` is a text"), ({"command": "x", "args": [1]}, "`args` is a text"),
        ({"command": "x", "env": []}, "`env` is an object"), ({"command": "${NO}"}, "variable `NO`"),
        ({"url": "x", "headers": []}, "`headers` is an object"), ({"url": 3}, "`url` is a text"),
    ],
)  # fmt: skip
def test_mistakes_are_said(entry: Any, why: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        places_of({"mcpServers": {"a": entry}}, {})
    assert why in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"mcpServers": {}}', '{"mcpServers": {"a": {}, "a": {}}}'])
def test_a_file_that_says_nothing_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "servers.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError):
        read_places(str(path))


def test_a_file_may_begin_with_a_mark(tmp_path: Path) -> None:
    path = tmp_path / "servers.json"
    path.write_text("\ufeff" + json.dumps({"mcpServers": {"a": {"command": "x"}}}), encoding="utf-8")
    assert read_places(str(path)) == (Local("a", "x"),)


@pytest.mark.parametrize("name", ["", "a.b", "a b", "a__b", "a_", "-a", "é", "x" * 65, "a/b"])
def test_names_that_could_be_mistaken_are_refused(name: str) -> None:
    with pytest.raises(NamingError):
        Naming([name])


@pytest.mark.parametrize(
    ("servers", "pattern"),
    [
        (["a", "A"], "mcp.{server}.{tool}"), (["a_b", "a-b"], "mcp.{server}.{tool}"), (["a", "b"], "{tool}"),
        (["a", "b"], "{server}{tool}"), (["a", "b"], "{server}_{tool}"), (["a"], "x"), (["a"], "{tool}{other}"),
    ],
)  # fmt: skip
def test_servers_that_cannot_be_told_apart_are_refused(servers: list[str], pattern: str) -> None:
    with pytest.raises(NamingError):
        Naming(servers, pattern)


def test_no_tool_has_the_name_of_something_else() -> None:
    naming = Naming(["a"], "{tool}")
    names = ["do", "resources/read", "server.a.sampling", "", "x" * 300, "a\tb", 3]
    assert [naming.is_tool("a", name) for name in names] == [True, *[False] * 6]


def test_names_go_there_and_back() -> None:
    naming = Naming(["a", "b_c"])
    for server in ("a", "b_c"):
        for own in ("do", "a__b", "_x"):
            assert naming.inward(naming.outward(server, own)) == (server, own)
        for uri in ("file:///x", "mcp+a:y", "x"):
            assert naming.uri_inward(naming.uri_outward(server, uri)) == (server, uri)
    alone = Naming(["a"])
    assert alone.inward("b_c__do") == ("a", "b_c__do")
    assert alone.uri_inward("mcp+a:x") == ("a", "mcp+a:x")
