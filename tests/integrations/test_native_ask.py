"""A person at the host agrees in the host's own words: limits count that call like any other (law L6)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hook_runs import Guard

POLICY = """\
policy team

on call "mcp.shop.*" { most: limit 1 per 1d by session.id; ask because "Buy it?" }
on call "mcp.bank.*" { ask finance because "Pay it?"; once: limit 1 per 1d by session.id }
"""


@pytest.fixture
def shop(guard: Guard) -> Guard:
    (guard.folder / "team.guard").write_text(POLICY)
    return guard


def before(id: str, tool: str = "mcp__shop__buy") -> dict[str, Any]:
    return {
        "session_id": "s-1", "cwd": "/work", "hook_event_name": "PreToolUse", "tool_use_id": id,
        "tool_name": tool, "tool_input": {"item": id},
    }  # fmt: skip


def after(id: str, tool: str = "mcp__shop__buy") -> dict[str, Any]:
    return {**before(id, tool), "hook_event_name": "PostToolUse", "tool_response": "bought"}


def verdict(said: Any) -> str:
    if said.code:
        return f"broken: {said.err}"
    return str(json.loads(said.out)["hookSpecificOutput"]["permissionDecision"]) if said.out else "go"


def test_a_call_that_the_person_there_agreed_to_is_charged(shop: Guard) -> None:
    assert verdict(shop.hook("claude-code", before("t1"))) == "ask"
    assert verdict(shop.hook("claude-code", after("t1"))) == "go"
    assert verdict(shop.hook("claude-code", before("t2"))) == "deny"


def test_it_is_charged_while_the_person_thinks(shop: Guard) -> None:
    assert verdict(shop.hook("claude-code", before("t1"))) == "ask"
    assert verdict(shop.hook("claude-code", before("t2"))) == "deny"


def test_a_hook_that_fires_twice_asks_twice_and_is_charged_once(shop: Guard) -> None:
    assert verdict(shop.hook("claude-code", before("t1"))) == "ask"
    assert verdict(shop.hook("claude-code", before("t1"))) == "ask"


def test_a_denial_that_came_since_wins(shop: Guard) -> None:
    (shop.folder / "team.guard").write_text("""\
policy team

on call "mcp.shop.buy" {
  most: limit 1 per 1d by session.id
  ask because "Buy it?"
  closed: deny when seen(call "mcp.shop.close") because "The shop is closed."
}
on call "mcp.shop.close" { allow }
""")
    assert verdict(shop.hook("claude-code", before("t1"))) == "ask"
    assert verdict(shop.hook("claude-code", before("t2", "mcp__shop__close"))) == "go"
    assert verdict(shop.hook("claude-code", before("t1"))) == "deny"


def test_a_call_that_failed_is_given_back(shop: Guard) -> None:
    assert verdict(shop.hook("claude-code", before("t1"))) == "ask"
    shop.hook("claude-code", {**before("t1"), "hook_event_name": "PostToolUseFailure", "error": "no"})
    assert verdict(shop.hook("claude-code", before("t2"))) == "ask"


def test_no_request_is_left_waiting(shop: Guard) -> None:
    shop.hook("claude-code", before("t1"))
    assert "nothing waits" in shop("approvals", "list").out


@pytest.mark.parametrize("present", [(), ("--present", "security")])
def test_who_is_not_there_is_not_asked_there(shop: Guard, present: tuple[str, ...]) -> None:
    assert verdict(shop.hook("claude-code", before("t1", "mcp__bank__pay"), *present)) == "deny"


def test_whoever_is_there_answers_for_the_groups_that_are_there(shop: Guard) -> None:
    words = ("--present", "finance")
    assert verdict(shop.hook("claude-code", before("t1", "mcp__bank__pay"), *words)) == "ask"
    assert verdict(shop.hook("claude-code", before("t2", "mcp__bank__pay"), *words)) == "deny"
