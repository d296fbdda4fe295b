"""Calls that name themselves: the same one is charged once, and another one under its name on its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from guardrails import Guard
from guardrails.runtime.clock import FrozenClock

NOW = 1_800_000_000_000_000
POLICY = """
on call pay { allow }
on call send { allow }
on session { all: limit 2 calls }
"""


@pytest.fixture(params=["memory", "sqlite", "redis"])
def guard(request: Any, tmp_path: Path) -> Guard:
    url = {"memory": "memory:", "sqlite": f"sqlite://{tmp_path}/s.db"}.get(request.param)
    if url is None:
        url = f"{request.getfixturevalue('redis_url')}?clock=caller&timeout=10&prefix=test-{uuid4().hex}"
    return Guard.from_text(POLICY, store=url, clock=FrozenClock(NOW))


def test_another_tool_under_the_same_id_is_another_call(guard: Guard) -> None:
    session = guard.session(id="s")
    first = session.check_call("pay", {}, call_id="c")
    second = session.check_call("send", {}, call_id="c")
    assert first.reservation != second.reservation
    assert not session.check_call("pay", {}, call_id="d").allowed
    assert session.check_call("pay", {}, call_id="c").reservation == first.reservation
    assert session.check_call("send", {}, call_id="c").reservation == second.reservation


def test_no_id_looks_like_another_tool_or_session(guard: Guard) -> None:
    names = [("s", "a\x1fpay"), ("s\x1fa", "pay"), ("s", "a"), ("s\x1f", "a"), ("s", "\x1fa")]
    held = [guard.session(id=id).check_call("pay", {}, call_id=call).reservation for id, call in names[:2]]
    held += [
        guard.session(id=f"{id}2").check_call("pay", {}, call_id=call).reservation for id, call in names[2:]
    ]
    assert len(set(held)) == len(names)
