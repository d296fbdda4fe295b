"""`guard lint --target HOST`: tools that no call there goes by, and only those."""

from __future__ import annotations

import json
from typing import Any

import pytest
from docs.blocks import ROOT
from events import CALL
from hook_runs import Guard
from hypothesis import given
from hypothesis import strategies as st

from guardrails.integrations.doors import DOORS, TARGETS
from guardrails.integrations.hosts import HOSTS, host_named
from guardrails.integrations.tool_names import BESIDE, RULE, uncalled
from guardrails.integrations.wire import HookError


def told(text: str, target: str) -> list[tuple[str, str]]:
    return [(found.message, found.help) for found in uncalled({"p.guard": text}, target)]


@pytest.mark.parametrize(
    ("host", "name", "message", "help"),
    [
        ("claude-code", "Bahs", "no tool of Claude Code is called `Bahs` in a policy",
         "did you mean `run_command`? That is its `Bash`"),
        ("claude-code", "Bash", "no tool of Claude Code is called `Bash` in a policy", "its `Bash` is `run_command`"),
        ("claude-code", "run_comand", "no tool of Claude Code is called `run_comand` in a policy",
         "did you mean `run_command`?"),
        ("claude-code", "MultiEdit", "no tool of Claude Code is called `MultiEdit` in a policy",
         "its `MultiEdit` is `edit_file`"),
        ("codex", "apply_patch", "no tool of Codex CLI is called `apply_patch` in a policy",
         "its `apply_patch` is `write_file`, `edit_file` or `delete_file`"),
        ("gemini", "web_fetch", "no tool of Gemini CLI is called `web_fetch` in a policy",
         "its `web_fetch` is `fetch_url`"),
        ("cursor", "Shel", "no tool of Cursor is called `Shel` in a policy",
         "did you mean `run_command`? That is its `Shell`"),
        ("copilot", "issue_refund", "no tool of GitHub Copilot CLI is called `issue_refund` in a policy",
         "tools of MCP servers are `mcp.SERVER.TOOL`, and those that guard does not know `other.NAME`"),
    ],
)  # fmt: skip
def test_a_name_that_no_call_goes_by_is_told(host: str, name: str, message: str, help: str) -> None:
    assert told(f'on call {name} {{ deny because "No." }}', host) == [(message, help)]


ANY = "tools of MCP servers are `mcp.SERVER.TOOL`, and those that guard does not know `other.NAME`"


@pytest.mark.parametrize(
    ("host", "name", "help"),
    [
        ("claude-code", "mcp__shop__buy", "its `mcp__shop__buy` is `mcp.shop.buy`"),
        ("claude-code", "mcp__my_shop__buy__all", "its `mcp__my_shop__buy__all` is `mcp.my_shop.buy__all`"),
        ("claude-code", "mcp__shop__*", "its `mcp__shop__*` is `mcp.shop.*`"),
        ("claude-code", "mcp__*__buy", "its `mcp__*__buy` is `mcp.*.buy`"),
        ("claude-code", "mcp__*", "its `mcp__*` is `mcp.*`"),
        ("claude-code", "mcp__shop", ANY),
        ("claude-code", "mcp__sh*", ANY),
        ("claude-code", "MCP:shop:buy", "did you mean `mcp.shop.buy`?"),
        ("claude-code", "mcp_shop_buy", "did you mean `mcp.shop.buy`?"),
        ("claude-code", "mcp_my_shop_buy", ANY),
        ("claude-code", "mcp_*", "did you mean `mcp.*`?"),
        ("claude-code", "MCP__shop__buy", ANY),
        ("claude-code", "mcp", ANY),
        ("codex", "mcp__shop__buy", "its `mcp__shop__buy` is `mcp.shop.buy`"),
        ("cursor", "MCP:shop:buy", "its `MCP:shop:buy` is `mcp.shop.buy`"),
        ("cursor", "MCP:a:b:buy", "its `MCP:a:b:buy` is `mcp.a:b.buy`"),
        ("cursor", "MCP:*", "its `MCP:*` is `mcp.*`"),
        ("cursor", "mcp__shop__buy", "did you mean `mcp.shop.buy`?"),
        ("gemini", "mcp_shop_buy", "its `mcp_shop_buy` is `mcp.shop.buy`"),
        ("gemini", "mcp_*", "its `mcp_*` is `mcp.*`"),
        ("gemini", "mcp_my_shop_buy", ANY),
        ("gemini", "mcp__shop__buy", "did you mean `mcp.shop.buy`?"),
        ("copilot", "mcp__shop__buy", ANY),
        ("copilot", "mcp__*", ANY),
    ],
)
def test_a_tool_of_a_server_in_the_hosts_own_spelling_is_told(host: str, name: str, help: str) -> None:
    """No call goes by it, so a `deny` for it beside an `allow` of everything stops nothing."""
    title = host_named(host).TITLE
    message = f"no tool of {title} is called `{name}` in a policy"
    assert told(f'default call allow\non call "{name}" {{ deny because "No." }}', host) == [(message, help)]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(
    "text",
    [
        "on call Bahs { allow }",
        "on result Bahs { label untrusted }",
        "shadow on call Bahs { deny }",
        'on call "Bahs*" { deny }',
        "on call run_command, Bahs { allow }",
        "on call run_command { deny when seen(call Bahs) }",
        "breaker slow on call Bahs { open after 5 failures in 1m; retry after 1m }",
        "flow untrusted to call Bahs only when true",
        "task t() { only call Bahs }",
        "reveal in call Bahs.path",
    ],
)
def test_it_is_told_wherever_a_policy_names_tools(host: str, text: str) -> None:
    found = uncalled({"p.guard": text}, host)
    assert [each.rule for each in found] == [RULE]
    assert [text[each.span.start : each.span.end].strip('"') for each in found] == [
        "Bahs*" if "*" in text else "Bahs"
    ]
    assert (found[0].severity, found[0].code) == ("warning", "G245")


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(
    "tools",
    [
        "run_command", "delete_file",  # words that all hosts share, whichever of them a host has
        '"mcp.shop.buy"', '"mcp.*"', '"mcp*"', '"mc*"', '"m*"', '"mcp.shop__buy"', '"*__buy"',
        '"other.frobnicate"', '"other.*"', '"o*"', '"*"', '"*_file"', '"read_*"', '"*.buy"',
    ],
)  # fmt: skip
def test_what_may_be_called_is_not_told(host: str, tools: str) -> None:
    assert told(f"on call {tools} {{ deny }}", host) == []


@pytest.mark.parametrize("door", DOORS)
def test_where_tools_are_whatever_the_application_has_nothing_is_told(door: str) -> None:
    assert told("on call Bahs { deny }", door) == []


SHOP = {"tools": [{"name": "buy", "inputSchema": {"type": "object", "properties": {}}}]}


@pytest.mark.parametrize("pattern", ["buy", '"bu*"'])
def test_a_tool_that_the_policy_describes_is_for_another_door(pattern: str) -> None:
    texts = {
        "sub/p.guard": f'use tools "tools.json"\non call {pattern} {{ deny }}\non call by {{ deny }}',
        "sub/tools.json": json.dumps(SHOP),
    }
    assert [(each.severity, each.span.line) for each in uncalled(texts, "codex")] == [
        ("info", 2),
        ("warning", 3),
    ]


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_in_the_coding_pack_is_taken_for_a_mistake(target: str) -> None:
    folder = ROOT / "policies/coding"
    texts = {name: (folder / name).read_text() for name in ("coding.guard", "tools.json")}
    assert not [each for each in uncalled(texts, target) if each.severity != "info"]


def names_of(host: str) -> list[str]:
    return [*host_named(host).TOOLS, *BESIDE.get(host, {})]


NAMES = st.sampled_from([(host, name) for host in HOSTS for name in names_of(host)])
ODD = st.tuples(
    st.sampled_from(list(HOSTS)),
    st.from_regex(r"\A(mcp__?|MCP:)?[a-z_.:]{1,8}\Z") | st.text(min_size=1, max_size=6),
)
ARGS = st.dictionaries(
    st.sampled_from(["command", "path", "file_path", "pattern", "url", "prompt", "edits", "target_file"]),
    st.sampled_from(["ls", "../x", "https://a.example", ["x"], [{"old_string": "a", "new_string": "b"}],
                     "*** Begin Patch\n*** Add File: a\n+x\n*** Delete File: b\n*** End Patch"]),
    max_size=3,
)  # fmt: skip


@given(NAMES | ODD, ARGS)
def test_nothing_that_a_host_calls_is_told(called: tuple[str, str], args: dict[str, Any]) -> None:
    """However a host calls its tools, a policy may name what it is called here."""
    host, name = called
    try:
        moment = host_named(host).read(CALL[host](name, args), "/work")
    except HookError:
        return
    for call in moment.calls:
        assert told(f"on call {json.dumps(call.tool)} {{ deny }}", host) == []


@given(NAMES, ARGS)
def test_what_is_told_of_the_hosts_own_names_is_what_they_are_called(
    called: tuple[str, str], args: dict[str, Any]
) -> None:
    host, name = called
    moment = host_named(host).read(CALL[host](name, args), "/work")
    for message, help in told(f"on call {name} {{ deny }}", host):
        assert f"`{name}`" in message
        assert all(f"`{call.tool}`" in help for call in moment.calls if not call.tool.startswith("other."))


SERVED = st.tuples(
    st.sampled_from(
        [("claude-code", "mcp__", "__"), ("codex", "mcp__", "__"), ("gemini", "mcp_", "_"), ("cursor", "MCP:", ":")]
    ),
    st.from_regex(r"\A[a-z_:]{0,6}\Z"), st.from_regex(r"\A[a-z_:]{0,6}\Z"),
)  # fmt: skip


@given(SERVED)
def test_what_is_told_of_a_tool_of_a_server_is_what_it_is_called(
    named: tuple[tuple[str, str, str], str, str],
) -> None:
    (host, begin, between), server, tool = named
    name = f"{begin}{server}{between}{tool}"
    called = [call.tool for call in host_named(host).read(CALL[host](name, {}), "/work").calls]
    ((_, help),) = told(f"on call {json.dumps(name)} {{ deny }}", host)
    assert not help.startswith("its ") or help == f"its `{name}` is `{called[0]}`"
    is_plain = server and tool and not any(sign in f"{server}{tool}" for sign in "_:")
    assert not is_plain or help == f"its `{name}` is `mcp.{server}.{tool}`"


def test_lint_tells_it_with_all_else(guard: Guard) -> None:
    (guard.folder / "bash.guard").write_text(
        'default call allow\non call Bash { deny because "No shell." }\n'
    )
    event = {
        "session_id": "s1", "cwd": ".", "hook_event_name": "PreToolUse", "tool_use_id": "t1", "tool_name": "Bash",
        "tool_input": {"command": "ls"},
    }  # fmt: skip
    assert guard("hook", "claude-code", "bash.guard", stdin=json.dumps(event)).out.strip() in ("", "{}")
    said = guard("lint", "bash.guard", "--target", "claude-code")
    assert said.code == 1
    assert "warning[unknown-at-host]: no tool of Claude Code is called `Bash` in a policy" in said.out
    assert "its `Bash` is `run_command`" in said.out
    assert RULE not in guard("lint", "bash.guard").out
