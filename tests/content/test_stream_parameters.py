"""Streams that are fed something else than text: it goes on nowhere, whether a rule looks at it or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from odd_values import TEXTS, Place, Sub, judge

from guardrails import Guard
from guardrails.errors import EvaluationError
from guardrails.observing import Observer
from guardrails.session import Session

POLICIES = {
    "nothing looks": "policy p\non call pay { allow }",
    "a redaction": "policy p\non call pay { allow; redact /[0-9]{4}/ in args.x }\non output { redact /[0-9]{4}/ }",
    "a detector": "policy p\non call pay { allow }\non output { deny when secrets(text) }",
    "the whole": "policy p\non call pay { allow; redact /[0-9]/ in args.x when args.y == 1 }\n"
                 "on output { deny when length(text) > 400 }",
    "counting": "policy p\non call pay { allow }\non session { t: budget tokens 9 }",
}  # fmt: skip


def opened(policy: str, *, by: str = "plain") -> Session:
    guard = Guard.from_text(POLICIES[policy])
    if by == "watched":
        guard.observers = (Observer(),)
    session = guard.session(id="s")
    return session.delegate() if by == "delegated" else session


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("by", ["plain", "delegated", "watched"])
def test_an_output_is_fed_with_text(policy: str, by: str) -> None:
    session = opened(policy, by=by)
    judge(Place("piece", lambda odd: session.stream_output().feed(odd), TEXTS))
    judge(Place("piece", lambda odd: list(session.stream_output().pieces([odd])), TEXTS))
    with pytest.raises(EvaluationError, match="`piece` is a text, and not `None`"):
        session.stream_output().feed(None)  # type: ignore[arg-type]  # as hosts have it for a piece without text


@pytest.mark.parametrize("policy", POLICIES)
def test_what_is_no_piece_changes_nothing(policy: str) -> None:
    stream = opened(policy).stream_output()
    out = stream.feed("call 12")
    odd: Any
    for odd in (b"34", ["34"], 34, None):
        with pytest.raises(EvaluationError, match="`piece` is a text"):
            stream.feed(odd)
    out += stream.feed(Sub("34 now")) + stream.close()
    assert out == ("call [REDACTED] now" if policy == "a redaction" else "call 1234 now")
    assert type(out) is str


@pytest.mark.parametrize("policy", POLICIES)
def test_pieces_come_from_something_that_has_them(policy: str) -> None:
    stream = opened(policy).stream_output()
    odd: Any
    for odd in (3, None, object(), list, b"text", {"text": 1}):
        with pytest.raises(EvaluationError, match="`source` is"):
            stream.pieces(odd)
    for odd in (3, None, object(), ["text"], "text"):
        with pytest.raises(EvaluationError, match="`source` is"):
            stream.apieces(odd)
    assert "".join(stream.pieces(iter(["hello ", "there"]))) == "hello there"


def test_pieces_that_are_awaited_are_text() -> None:
    async def source() -> AsyncIterator[Any]:
        yield "hello "
        yield b"there"

    async def left() -> list[str]:
        return [piece async for piece in opened("nothing looks").stream_output().apieces(source())]

    with pytest.raises(EvaluationError, match="`piece` is a text, and not `bytes`"):
        asyncio.run(left())


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("by", ["plain", "delegated"])
def test_arguments_are_fed_with_text(policy: str, by: str) -> None:
    session = opened(policy, by=by)
    judge(Place("piece", lambda odd: session.stream_args("pay").feed(odd), TEXTS))


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("by", ["plain", "delegated", "watched"])
def test_arguments_are_those_of_a_tool(policy: str, by: str) -> None:
    """Under another name no rule of the tool would have been asked, and all of it shown."""
    session = opened(policy, by=by)
    judge(Place("tool", session.stream_args, ("a word",)))
    with pytest.raises(EvaluationError, match="`tool` is a name of 1 to 256 characters"):
        session.stream_args(None)  # type: ignore[arg-type]  # that is what is tried


def test_what_is_no_piece_of_arguments_changes_nothing() -> None:
    stream = opened("a redaction").stream_args("pay")
    out = stream.feed('{"x": "12')
    for odd in (b"34", 34, None):
        with pytest.raises(EvaluationError, match="`piece` is a text"):
            stream.feed(odd)  # type: ignore[arg-type]  # that is what is tried
    assert out + stream.feed('34"}') + stream.close() == '{"x":"[REDACTED]"}'
    assert stream.error is None
