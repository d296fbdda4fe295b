"""Wrong parameters at a session that somebody watches are refused as at one that nobody watches."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from guardrails.guard import Guard
from guardrails.observing import Observer
from guardrails.session import Session

POLICIES = {
    "counting": "policy shop\non call pay { allow; most: limit 5 per 1d }",
    "plain": "policy shop\non call pay { allow }",
}

WRONG: dict[str, Callable[[Any], object]] = {
    "report a mapping": lambda session: session.report({"output_tokens": 3}),
    "report nothing": lambda session: session.report(None),
    "reserve a number": lambda session: session.reserve(3),
    "settle a number": lambda session: session.settle(3),
    "settle nothing": lambda session: session.settle(None),
    "release a text": lambda session: session.release("pay"),
    "fail by a number": lambda session: session.failed("pay", {}, decision=3),
    "fail nothing": lambda session: session.failed(None, {}),
    "enforce a number": lambda session: session.enforce(3),
    "enforce without a name": lambda session: session.enforce(partial(print)),
    "enforce under no name": lambda session: session.enforce(print, tool=""),
}


def said_by(session: Session, mistake: str) -> tuple[str, str]:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is what is compared
        WRONG[mistake](session)
    return type(caught.value).__name__, str(caught.value)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("mistake", WRONG)
def test_whoever_is_watched_hears_the_same(mistake: str, policy: str) -> None:
    plain = Guard.from_text(POLICIES[policy])
    watched = Guard.from_text(POLICIES[policy])
    watched.observers = (Observer(), Observer())
    kind, words = said_by(plain.session(id="s"), mistake)
    assert said_by(watched.session(id="s"), mistake) == (kind, words)
    assert kind in ("EvaluationError", "TypeError")
    assert "attribute" not in words
