"""The calls of all hosts in the same words."""

from __future__ import annotations

from typing import Any

import pytest
from events import CALL, EDIT, READ, SHELL, WRITE
from hypothesis import given
from hypothesis import strategies as st

from guardrails import Guard
from guardrails.integrations.contract import Call
from guardrails.integrations.hosts import HOSTS, host_named
from guardrails.integrations.patches import PatchError, patched

ALL = list(HOSTS)


def calls(host: str, tool: str, args: Any, **more: Any) -> list[tuple[str, dict[str, Any]]]:
    moment = host_named(host).read(CALL[host](tool, args) | more, "/work")
    return [(call.tool, call.args) for call in moment.calls]


@pytest.mark.parametrize("host", ALL)
def test_the_same_calls_have_the_same_words_everywhere(host: str) -> None:
    read, field = READ[host]
    assert calls(host, SHELL[host], {"command": "ls"}) == [("run_command", {"command": "ls"})]
    assert calls(host, read, {field: "a.txt"}) == [("read_file", {"path": "/work/a.txt"})]
    assert calls(host, *WRITE[host]) == [("write_file", {"path": "/work/n.txt", "content": "x"})]
    assert calls(host, *EDIT[host]) == [("edit_file", {"path": "/work/n.txt", "old": "a", "new": "b"})]


@pytest.mark.parametrize("host", ALL)
def test_a_command_that_runs_elsewhere_says_so(host: str) -> None:
    found = calls(host, SHELL[host], {"command": "cat passwd"}, cwd="/etc")
    assert found == [("run_command", {"command": "cd /etc && cat passwd"})]


@pytest.mark.parametrize(
    ("host", "args"),
    [
        ("claude-code", {"command": "ls # x", "run_in_background": True}),
        ("gemini", {"command": "ls # x", "is_background": True}),
        ("cursor", {"command": "ls # x", "is_background": True}),
        ("copilot", {"command": "ls # x", "mode": "async"}),
    ],
)
def test_a_command_in_the_background_says_so(host: str, args: dict[str, Any]) -> None:
    ((tool, found),) = calls(host, SHELL[host], args)
    assert tool == "run_command"
    assert found["command"] == "(ls # x\n) &"
    policy = Guard.from_text("on call run_command { allow unless shell.background(args.command) }")
    assert not policy.session().check_call(tool, found).allowed


@pytest.mark.parametrize("host", ALL)
def test_a_folder_that_is_no_full_path_is_one_of_the_project(host: str) -> None:
    read, field = READ[host]
    assert calls(host, read, {field: "a.txt"}, cwd="sub") == [("read_file", {"path": "/work/sub/a.txt"})]


def test_folders_of_a_command_are_part_of_it() -> None:
    found = calls("gemini", "run_shell_command", {"command": "ls", "dir_path": "sub dir"})
    assert found == [("run_command", {"command": "cd '/work/sub dir' && ls"})]
    assert calls("cursor", "Shell", {"command": "ls", "working_directory": "/work"}) == [
        ("run_command", {"command": "ls"})
    ]


@pytest.mark.parametrize(
    ("host", "tool", "more", "expected"),
    [
        ("claude-code", "mcp__shop__buy_it", {}, "mcp.shop.buy_it"),
        ("codex", "mcp__shop__buy_it", {}, "mcp.shop.buy_it"),
        ("gemini", "mcp_shop_buy_it", {}, "mcp.shop.buy_it"),
        (
            "gemini",
            "buy_it",
            {"mcp_context": {"server_name": "shop", "tool_name": "buy_it"}},
            "mcp.shop.buy_it",
        ),
        ("gemini", "buy_it", {"mcp_context": {}}, "other.buy_it"),
        ("cursor", "MCP:shop:buy_it", {}, "mcp.shop.buy_it"),
        ("cursor", "MCP:buy_it", {}, "mcp.unnamed.buy_it"),
        ("copilot", "shop-buy_it", {}, "other.shop-buy_it"),
        ("claude-code", "mcp__shop", {}, "other.mcp__shop"),
    ],
)
def test_tools_of_servers_have_the_servers_name(
    host: str, tool: str, more: dict[str, Any], expected: str
) -> None:
    assert calls(host, tool, {"n": 1}, **more) == [(expected, {"n": 1})]


def test_a_home_is_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ana")
    assert calls("claude-code", "Read", {"file_path": "~/.ssh/id"}) == [
        ("read_file", {"path": "/home/ana/.ssh/id"})
    ]


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("**/*.py", None, ("search_files", "/work/")),
        ("src/*.py", None, ("search_files", "/work/src")),
        ("/etc/*", None, ("search_files", "/etc/")),
        ("../*", None, ("search_files", "/work/..")),
        ("*/../../etc/*", None, ("other.glob", None)),
        ("~/*", None, ("other.glob", None)),
        ("*.py", "lib", ("search_files", "/work/lib/")),
    ],
)
def test_a_search_by_name_is_one_where_the_name_leads(
    pattern: str, path: str | None, expected: tuple[str, str | None]
) -> None:
    args = {"pattern": pattern} | ({"path": path} if path else {})
    ((tool, found),) = calls("claude-code", "Glob", args)
    assert tool == expected[0]
    if expected[1] is not None:
        assert found["path"] == expected[1]


def test_two_names_for_one_argument_are_an_unknown_call() -> None:
    assert calls("cursor", "Read", {"file_path": "/work/a", "path": "/etc/passwd"})[0][0].startswith("other.")


def test_a_field_that_nobody_knows_is_left_for_the_policy() -> None:
    assert calls("claude-code", "Bash", {"command": "ls", "sudo": True}) == [
        ("run_command", {"command": "ls", "sudo": True})
    ]


def test_every_address_of_a_fetch_is_a_call() -> None:
    found = calls("gemini", "web_fetch", {"prompt": "compare https://a.example/x and http://b.example now"})
    assert [args["url"] for _, args in found] == ["https://a.example/x", "http://b.example"]
    assert calls("gemini", "web_fetch", {"prompt": "the usual page"})[0][0] == "other.web_fetch"


def test_several_edits_are_several_calls() -> None:
    edits = [{"old_string": "a", "new_string": "b"}, {"old_string": "c", "new_string": "d"}]
    found = calls("claude-code", "MultiEdit", {"file_path": "n.txt", "edits": edits})
    assert [args["new"] for _, args in found] == ["b", "d"]
    assert calls("claude-code", "MultiEdit", {"file_path": "n.txt", "edits": []})[0][0] == "other.MultiEdit"


PATCH = """*** Begin Patch
*** Add File: new.py
+one
+two
*** Update File: old.py
*** Move to: /etc/moved.py
@@ def f
 keep
-gone
+come
*** Delete File: bad.py
*** End Patch
"""


def test_a_patch_is_a_call_for_every_file_in_it() -> None:
    found = calls("codex", "apply_patch", {"command": PATCH})
    assert [(tool, args["path"]) for tool, args in found] == [
        ("write_file", "/work/new.py"),
        ("edit_file", "/work/old.py"),
        ("write_file", "/etc/moved.py"),
        ("delete_file", "/work/bad.py"),
    ]
    assert found[0][1]["content"] == "one\ntwo"
    assert found[2][1]["content"] == "come"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*** Begin Patch\n*** End Patch",
        "*** Begin Patch\nstray\n*** Add File: a\n*** End Patch",
        "*** Begin Patch\n*** Add File: \n+x\n*** End Patch",
        "*** Begin Patch\n*** Rename File: a\n*** End Patch",
        "*** Begin Patch\n*** Add File: a\n+x\n*** Copy to: b\n*** End Patch",
        "cat <<EOF\n*** Begin Patch\n*** Add File: a\n+x\n*** End Patch\nEOF",
    ],
)
def test_a_patch_that_is_not_understood_is_an_unknown_call(text: str) -> None:
    with pytest.raises(PatchError):
        patched(text)
    assert calls("codex", "apply_patch", {"command": text}) == [("other.apply_patch", {"command": text})]


@given(st.sampled_from(ALL), st.text(max_size=30), st.dictionaries(st.text(max_size=8), st.text(max_size=8)))
def test_any_call_means_at_least_one(host: str, tool: str, args: dict[str, str]) -> None:
    event = CALL[host](tool or "x", args)
    found = host_named(host).read(event, "/work").calls
    assert found
    assert all(isinstance(call, Call) and call.tool for call in found)
