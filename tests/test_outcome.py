"""Outcomes are what they print as: whoever compares one with its word is not told that it is another."""

from __future__ import annotations

import json

import pytest

from guardrails import Guard, Outcome

WORDS = ("allow", "ask", "deny", "halt")


@pytest.mark.parametrize("word", WORDS)
def test_an_outcome_is_its_word(word: str) -> None:
    decision = Guard.from_text(f"policy p\non call x {{ {word} }}").session().check_call("x", {})
    assert decision.outcome == word
    assert decision.outcome in {word}
    assert decision.outcome not in set(WORDS) - {word}
    assert f"{decision.outcome}" == str(decision.outcome) == json.loads(json.dumps(decision.outcome)) == word


def test_outcomes_are_ordered_by_strictness_and_not_by_their_letters() -> None:
    ordered = [Outcome.ALLOW, Outcome.ASK, Outcome.DENY, Outcome.HALT]
    assert (
        [Outcome(word) for word in WORDS]
        == ordered
        == sorted([Outcome.DENY, Outcome.ALLOW, Outcome.HALT, Outcome.ASK])
    )
    for at, looser in enumerate(ordered):
        for stricter in ordered[at + 1 :]:
            assert looser < stricter
            assert looser <= stricter
            assert stricter > looser
            assert stricter >= looser
            assert not looser >= stricter
            assert not looser > stricter
    assert max(ordered) is Outcome.HALT
