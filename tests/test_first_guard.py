"""What a new user gives a guard or a session in the first minutes, and what they are told."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from guardrails import Guard, PolicyError
from guardrails.session import Session


def pay(amount: float) -> float:
    return amount


@pytest.fixture
def sessions() -> list[Any]:
    near = Guard.from_text("policy p\non call pay { allow }").session()
    assert isinstance(near, Session)
    return [near, Guard.connect("unix:/nowhere.sock").session()]


def test_a_guard_has_a_policy() -> None:
    """`Guard.load(*glob("*.guard"))` in the wrong folder would let every text through."""
    with pytest.raises(PolicyError, match="no policy is named"):
        Guard.load()


def test_a_tool_is_a_function(sessions: list[Any]) -> None:
    for session in sessions:
        for wrap in (session.tool, session.enforce):
            with pytest.raises(TypeError, match="a tool is a function, and not `str`"):
                wrap("pay")


def test_what_has_no_name_is_given_one(sessions: list[Any]) -> None:
    for session in sessions:
        with pytest.raises(TypeError, match="`partial` has no name"):
            session.tool(partial(pay, 3))
    assert sessions[0].enforce(partial(pay), tool="pay")(amount=3) == 3
