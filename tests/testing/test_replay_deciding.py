"""A replay decides as the guard does (law L7): with records bound ahead, sessions kept open, and names of
reservations that are not those of the recording."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails import EventError, Guard
from guardrails.model import Decision
from guardrails.testing import replay_deciding
from guardrails.testing.replay_deciding import Decider, OpenCalls
from guardrails.testing.replay_items import APPROVED, REJECTED, STOPPED

PACKS = sorted(Path(__file__).parents[2].glob("policies/*/*.guard"))
NOW = 1_767_268_800_000_000

PAST = """policy p
on call send {
  allow
  cards: redact /[0-9]{4}/ in args.text with token
  once: limit 2 per 1h
  two: limit 1 per 10m by args.text
}
on call stop { over: halt when args.text == "a" }
on call gone { allow when count(call send where call.ok else false) < 3 }
on session {
  limit 5 calls
  limit retries 2
}
breaker b on call send {
  open after 2 failures in 10m
  retry after 5m
}
"""


def plain(decision: Decision) -> tuple[Any, ...]:
    """All of a decision but the names of requests and reservations, which are drawn."""
    errors = [(each.statement, each.kind, each.message) for each in decision.errors]
    duties = [each for each in decision.obligations if each.kind != "review"]
    return (
        decision.outcome, decision.applied, errors, decision.transforms, duties, decision.approvals, decision.payload,
        bool(decision.reservation),
    )  # fmt: skip


@pytest.mark.parametrize("path", PACKS, ids=lambda path: path.parent.name)
def test_events_of_the_packs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every event of a pack, in every order of the policy's own events, one after the other and once more."""
    recorded = path.with_name("events.jsonl")
    if not recorded.exists():
        pytest.skip(f"{path.parent.name} has no recorded events")
    monkeypatch.setenv("GUARD_KEY", "a key of replayed packs")
    guard, decider = Guard.load(path), Decider(Guard.load(path))
    events = [json.loads(line) for line in recorded.read_text(encoding="utf-8").splitlines()]
    for step, event in enumerate([*events, *reversed(events)]):
        at = NOW + step * 1_000_000
        assert plain(decider.decide(event, at)) == plain(guard.decide(event, now=at)), event


def call(session: int, tool: str, text: str) -> dict[str, Any]:
    return {
        "type": "call",
        "tool": tool,
        "args": {"text": text},
        "session": f"s{session}",
        "principal": {"id": "p"},
    }


def outcome(session: int, tool: str, text: str, what: str) -> dict[str, Any]:
    return {**call(session, tool, text), "type": "outcome", "outcome": what}


EVENTS = st.lists(
    st.builds(call, st.integers(0, 4), st.sampled_from(["send", "stop", "gone"]), st.sampled_from(["a", "b", "1234"]))
    | st.builds(
        outcome, st.integers(0, 4), st.just("send"), st.sampled_from(["a", "b"]),
        st.sampled_from(["ok", "failed", "not run"]),
    ),
    max_size=25,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(EVENTS)
def test_sessions_that_are_kept_open_and_those_that_are_not(events: list[dict[str, Any]]) -> None:
    """The same as a guard that opens a session for every event; also where hardly any can be kept."""
    policy = PAST.replace(" with token", "")
    guard, deciders = (
        Guard.from_text(policy, store="memory:", strict_halts=True),
        [Decider(Guard.from_text(policy)) for _ in range(2)],
    )
    for step, event in enumerate(events):
        at = NOW + step * 60_000_000
        wanted = plain(guard.decide(event, now=at))
        for most, decider in zip((1, 2_000), deciders, strict=True):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(replay_deciding, "MOST_SESSIONS", most)
                found = plain(decider.decide(event, at))
            assert found[0] == wanted[0], (event, found, wanted)
            assert found[2:] == wanted[2:]


def test_names_of_reservations_lead_to_those_of_the_replay() -> None:
    decider = Decider(Guard.from_text("policy p\non call pay {\n  allow\n  one: limit 1 per 1d\n}\n"))
    pay = {"type": "call", "tool": "pay", "args": {}, "session": "s"}
    assert decider.decide(pay, NOW, reservation="r-77").allowed
    assert not decider.decide(pay, NOW + 1).allowed
    failed = {**pay, "type": "outcome", "outcome": "failed"}
    decider.decide({**failed, "args": {"x": 1}, "reservation": "r-1"}, NOW + 2)
    assert not decider.decide(pay, NOW + 3).allowed, "nobody knows that name"
    decider.decide({**failed, "args": {"x": 1}, "reservation": "r-77"}, NOW + 4)
    assert decider.decide(pay, NOW + 5).allowed


ASKS = "policy p\non call pay {\n  big: ask boss within 1h\n  few: limit 1 per 1d\n}\n"


@pytest.mark.parametrize(
    "policy", [ASKS, ASKS.replace("  few: limit 1 per 1d\n", "")], ids=["counts", "counts nothing"]
)
def test_what_people_said_holds(policy: str) -> None:
    decider = Decider(Guard.from_text(policy))
    pay: dict[str, Any] = {"type": "call", "tool": "pay", "args": {"n": 1}, "session": "s"}
    assert decider.decide(pay, NOW).outcome.value == "ask"
    assert decider.decide(pay, NOW + 1, said=APPROVED).outcome.value == "allow"
    other = {**pay, "args": {"n": 2}, "session": "t"}
    rejected = decider.decide(other, NOW + 2, said=REJECTED)
    assert [each.name for each in rejected.applied][-1] in ("guard.approval", "p.few")
    stopped = decider.decide({**pay, "session": "u"}, NOW + 3, said=STOPPED)
    assert [each.name for each in stopped.applied] == ["guard.halt"]
    assert decider.decide({**pay, "session": "v"}, NOW + 4, said=STOPPED).outcome.value == "deny"
    if "few" in policy:
        assert decider.decide({**pay, "session": "w"}, NOW + 5, said=APPROVED).outcome.value == "deny", (
            "it was charged"
        )


def broken() -> Iterator[Any]:
    yield from ([], {}, {"type": "call"}, {"type": 3}, {"type": "call", "tool": 1, "args": {}})
    yield {"type": "call", "tool": "x", "args": {}, "session": {"id": 1}}
    yield {"type": "call", "tool": "x", "args": {}, "what": 1}


def test_events_are_checked_each_time() -> None:
    """Also after a well-formed one with the same fields has come by."""
    decider = Decider(Guard.from_text("policy p\non call x { allow }\n"))
    good = {"type": "call", "tool": "x", "args": {}, "session": "s"}
    for _ in range(2):
        assert decider.decide(good, NOW).allowed
        for event in broken():
            with pytest.raises(EventError):
                decider.decide(event, NOW)
        with pytest.raises(EventError):
            decider.decide({**good, "args": []}, NOW)


def test_open_calls_are_bounded_for_each_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_deciding, "MOST_OPEN", 2)
    calls = OpenCalls()
    for session in ("s", "t"):
        for number in range(3):
            calls.keep(session, f"c{number}", f"{session}{number}")
    assert [calls.take(session, f"c{n}") for session in ("s", "t") for n in range(3)] == [
        "",
        "s1",
        "s2",
        "",
        "t1",
        "t2",
    ]
    calls.keep("s", "c", "r")
    calls.drop("r")
    assert calls.take("s", "c") == ""
    assert not calls
