"""Nothing of an event goes out but names that the policy knows: no argument, no text, no result, no message."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telemetry_guards import Sdk, shop

from guardrails.errors import GuardError
from guardrails.runtime.usage import Usage

MARK = "Zq7"
"""Stands in every value below, and nowhere else."""

SECRETS = st.text("abcdefghij -@.'\"{}\\", min_size=1, max_size=30).map(lambda text: f"{MARK}{text}")
VALUES = st.recursive(
    SECRETS | st.integers(-(10**6), 10**6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SECRETS, inner, max_size=3),
    max_leaves=6,
)


@given(
    args=st.dictionaries(SECRETS | st.sampled_from(["amount", "note"]), VALUES, max_size=3),
    result=VALUES,
    text=SECRETS,
    tool=SECRETS | st.just("refund"),
    person=SECRETS,
)
def test_no_value_of_an_event_is_exported(args: Any, result: Any, text: str, tool: str, person: str) -> None:
    sdk = Sdk(conventions="draft")
    guard = shop(sdk.telemetry)
    session = guard.session(principal={"id": person}, agent={"id": "bot"}, id="s-1")
    session.check_call(tool, args)
    session.check_call("refund", {"amount": args.get("amount", 5), "note": text})
    session.check_result(tool, result, args=args)
    session.check_result("refund", result, args=args)
    session.check_input(text)
    session.check_output(f"{text} {text}@mail.test")
    stream = session.stream_output()
    stream.feed(text)
    stream.close()
    for event in ({"type": "call", "tool": tool, "args": args}, {"type": "output", "text": text}):
        guard.decide({**event, "principal": {"id": person}})
    _fails(session, text)
    session.report(Usage("small", input_tokens=5, tool="refund"))
    assert MARK not in sdk.everything()
    assert len(sdk.spans) >= 8


def _fails(session: Any, text: str) -> None:
    """A tool that breaks with the text in its message."""

    def refund(amount: int) -> None:
        raise ValueError(text)

    with pytest.raises((GuardError, ValueError)):
        session.enforce(refund)(5)


def test_the_test_above_can_fail() -> None:
    sdk = Sdk()
    guard = shop(sdk.telemetry)
    guard.session(agent={"id": f"{MARK}bot"}).check_output("x")
    assert MARK in sdk.everything(), "the name of an agent does go out"


def test_a_person_is_a_keyed_hash_unless_the_host_says_otherwise() -> None:
    def exported(key: str | None, **settings: Any) -> set[str]:
        sdk = Sdk(**settings)
        guard = shop(sdk.telemetry, key=key)
        guard.session(principal={"id": "ana"}).report(Usage("small", input_tokens=5))
        return {
            str(dict(labels)["guard.id"])
            for labels in sdk.points()["guard.top.tokens"]
            if dict(labels)["guard.by"] == "principal"
        }

    one = exported("a key of sixteen")
    assert one == exported("a key of sixteen")
    assert one != exported("another key, longer")
    assert exported(None) != exported(None), "without a key it is good for one process"
    assert exported(None, identities="plain") == {"ana"}
    plain = {hash(b"ana").hexdigest()[:16] for hash in (hashlib.sha256, hashlib.blake2b, hashlib.md5)}
    assert not one & plain
    assert one.isdisjoint({"ana"})
