"""Calls of a sub-agent with a policy of its own, told again by their id: they have the answer that they had, also where
they filled a limit of that policy themselves."""

from __future__ import annotations

from typing import Any

import pytest

from guardrails import Guard
from guardrails.runtime.clock import FrozenClock

NOW = 1_800_000_000_000_000
OWN = """
policy own
on call pay { allow; most: limit 1 per 1d; bad: deny when args.to == "x" }
on call look { allow; seen: review }
"""
PARENT = """
policy parent
on call pay, look { allow; most: limit 2 per 1d }
"""


def used(guard: Guard) -> list[Any]:
    return [level.used for level in guard.limits() if hasattr(level, "used")]


@pytest.fixture
def own() -> Guard:
    return Guard.from_text(OWN, clock=FrozenClock(NOW))


@pytest.fixture
def parent() -> Guard:
    return Guard.from_text(PARENT, clock=FrozenClock(NOW))


@pytest.fixture
def child(own: Guard, parent: Guard) -> Any:
    return parent.session(id="s").delegate(guard=own, id="child")


def test_a_call_that_filled_the_own_limit_is_allowed_again(child: Any, own: Guard, parent: Guard) -> None:
    first, again = (child.check_call("pay", {"to": "a"}, call_id="c") for _ in range(2))
    assert first.allowed
    assert again.allowed
    assert first.reservation == again.reservation
    assert (used(own), used(parent)) == ([1], [1])


def test_no_other_call_is(child: Any, own: Guard, parent: Guard) -> None:
    child.check_call("pay", {"to": "a"}, call_id="c")
    others = [({"to": "a"}, "d"), ({"to": "a"}, None), ({"to": "b"}, "c"), ({"to": "x"}, "c")]
    for args, call_id in others:
        assert not child.check_call("pay", args, call_id=call_id).allowed
    assert (used(own), used(parent)) == ([1], [1])


def test_one_that_the_parent_refuses_by_now_is_denied_and_stays_charged(
    child: Any, own: Guard, parent: Guard
) -> None:
    first = child.check_call("pay", {"to": "a"}, call_id="c")
    parent.halt("tool:pay", by="ana", why="test")
    denied = child.check_call("pay", {"to": "a"}, call_id="c")
    assert not denied.allowed
    assert not denied.reservation
    assert used(own) == [1]
    parent.resume("tool:pay")
    assert child.check_call("pay", {"to": "a"}, call_id="c").reservation == first.reservation


def test_one_that_was_given_back_is_charged_again(child: Any, own: Guard, parent: Guard) -> None:
    child.release(child.check_call("pay", {"to": "a"}, call_id="c"))
    assert child.check_call("pay", {"to": "b"}, call_id="d").allowed
    assert not child.check_call("pay", {"to": "a"}, call_id="c").allowed
    assert (used(own), used(parent)) == ([1], [1])


def test_what_was_not_delegated_stays_refused(own: Guard, parent: Guard) -> None:
    session = parent.session(id="s")
    assert session.delegate(guard=own, id="child").check_call("pay", {"to": "a"}, call_id="c").allowed
    narrow = session.delegate(guard=own, id="child", tools=["look"])
    assert not narrow.check_call("pay", {"to": "a"}, call_id="c").allowed
    parent.halt("session:child", by="ana", why="test")
    assert not session.delegate(guard=own, id="child").check_call("pay", {"to": "a"}, call_id="c").allowed


@pytest.mark.parametrize(("one", "other"), [(("a", "b/c"), ("a/b", "c")), (("a", "1,b/c"), ("a/1,b", "c"))])
def test_no_childs_call_looks_like_anothers(
    parent: Guard, one: tuple[str, str], other: tuple[str, str]
) -> None:
    session = parent.session(id="s")
    for child, call_id in (one, other):
        assert session.delegate(id=child).check_call("pay", {}, call_id=call_id).allowed
    assert used(parent) == [2]
