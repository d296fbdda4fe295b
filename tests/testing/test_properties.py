"""Strategies and stock properties: they hold of the packs, refute what does not hold, and reach the edges."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from soaking import drawn

from guardrails import Guard
from guardrails.runtime.host import HostFunction
from guardrails.testing import (
    errors_never_loosen,
    events,
    histories,
    never_allows_more_than,
    order_never_matters,
)
from guardrails.testing.drawing import checked_of
from guardrails.testing.knowing import places_of

PACKS = Path(__file__).parents[2] / "policies"
NAMES = ("support", "coding", "database", "banking", "assistant")
FEWER = settings(max_examples=drawn(40))


def pack(name: str) -> str:
    return str(PACKS / name / f"{name}.guard")


@pytest.mark.parametrize("name", NAMES)
@FEWER
@given(st.data())
def test_the_stock_properties_hold_of_the_packs(name: str, data: st.DataObject) -> None:
    event = data.draw(events(pack(name)))
    order_never_matters(pack(name), event)
    errors_never_loosen(pack(name), event)
    never_allows_more_than(pack(name), pack(name), event)


POLICY = """\
type principal {{ id: string; tier: "gold" | "plain" }}
on call pay {{
  size: allow when args.amount <= {most} and principal.tier == "gold"
  to: deny when args.to.domain == "evil.example"
}}
on output {{ word: deny when text contains "open sesame" }}
"""
TOOLS = """{"tools": [{"name": "pay", "description": "", "inputSchema": {"type": "object",
 "required": ["amount", "to"], "properties": {"amount": {"type": "number"},
 "to": {"type": "string", "format": "email"}}}}]}"""


def guard_of(most: int) -> Guard:
    return Guard.from_text(POLICY.format(most=most), tools=TOOLS)


def test_events_reach_the_edges_of_a_policy() -> None:
    guard, seen = guard_of(730), set()

    @settings(max_examples=400)
    @given(events(guard))
    def collect(event: dict[str, Any]) -> None:
        decision = guard.decide(event)
        seen.add((event["type"], decision.outcome.value, bool(decision.errors)))
        seen.add(event.get("args", {}).get("amount").__class__)
        if event["type"] == "call" and event["args"].get("amount") in (730, 730.01):
            seen.add(event["args"]["amount"])
        seen.update(f"{event['type']} {reason.label}" for reason in decision.reasons)

    collect()
    assert seen >= {
        730,
        730.01,
        "call to",
        "output word",
        "call size",
        ("call", "allow", False),
        ("call", "deny", True),
    }


@FEWER
@given(events(guard_of(10), point="call", principal={"id": "a", "tier": "gold"}, broken=False))
def test_whole_events_are_of_the_tools_types(event: dict[str, Any]) -> None:
    assert event["principal"] == {"id": "a", "tier": "gold"}
    assert isinstance(event["args"]["amount"], int | float)
    assert isinstance(event["args"]["to"], str)


def test_places_and_mistakes() -> None:
    guard = guard_of(10)
    assert places_of(checked_of(guard)) == [("call", "pay"), ("output", None)]
    with pytest.raises(ValueError, match="says nothing of such events"):
        events(guard, tool="nothing")


def test_a_looser_policy_is_found_out() -> None:
    old, new = guard_of(100), guard_of(200)

    @given(events(new, point="call"))
    def stricter(event: dict[str, Any]) -> None:
        never_allows_more_than(new, old, event)

    stricter()

    @settings(max_examples=500)
    @given(events(new, point="call"))
    def looser(event: dict[str, Any]) -> None:
        never_allows_more_than(old, new, event)

    with pytest.raises(AssertionError, match="the new policy allows more"):
        looser()


def test_a_function_that_changes_its_mind_is_found_out() -> None:
    """Order matters only where the host gives another answer each time."""
    event = {"type": "call", "tool": "pay", "args": {"amount": 1}}
    text = "on call pay { allow\n  a: deny when moody(args.amount) }"
    answers = cycle([False, True])
    moody = HostFunction("moody", lambda _: next(answers), (("n", "decimal"),), "bool")
    with pytest.raises(
        AssertionError,
        match=r"the order of statements matters\n  event  .*\n  before allow .*\n  after  deny",
    ):
        order_never_matters(Guard.from_text(text, functions=[moody]), event)


def test_a_statement_that_errs_and_no_longer_restricts_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine has no such mistake, so one is made: a statement that could not be evaluated is dropped."""
    from guardrails.model import Applied, Decision, Failure, Outcome, Place

    place = Place("p", 1, 1, 1, 1)
    own = Applied("deny", Outcome.DENY, policy="p", label="own", message=None, place=place)

    def decided(_: Guard, event: dict[str, Any]) -> Decision:
        if event["principal"].get("tier") == "plain":
            return Decision(Outcome.DENY, "p", applied=(own,))
        return Decision(
            Outcome.ALLOW, "p", errors=(Failure("p.own", "missing", "`principal.tier` is missing", place),)
        )

    guard = guard_of(10)
    event = {"type": "call", "tool": "pay", "args": {}, "principal": {"tier": "plain"}}
    errors_never_loosen(guard, event)
    monkeypatch.setattr("guardrails.testing.properties._decided", decided)
    with pytest.raises(AssertionError, match=r"an error loosens p\.own\n  event  .*null"):
        errors_never_loosen(guard, event)


def test_a_field_whose_absence_is_asked_for_may_be_left_out() -> None:
    """Without the note nothing is denied, and something else cannot be evaluated: no error loosened anything."""
    text = "on call pay { allow\n  noted: deny when args.note != null\n  long: flag long when length(args.note) > 3 }"
    guard = Guard.from_text(text)
    event = {"type": "call", "tool": "pay", "args": {"note": "abc"}}
    assert guard.decide(event).outcome.value == "deny"
    errors_never_loosen(guard, event)


def test_a_policy_of_the_same_name_elsewhere_is_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = {"type": "call", "tool": "pay", "args": {"n": 7}}
    for name, most in (("new", 5), ("old", 9)):
        (tmp_path / name).mkdir()
        policy = f"on call pay {{ allow when args.n <= {most} }}"
        (tmp_path / name / "pay.guard").write_text(policy, encoding="utf-8")
    strict = str(tmp_path / "new" / "pay.guard")
    monkeypatch.chdir(tmp_path / "new")
    never_allows_more_than(strict, "pay.guard", event)
    monkeypatch.chdir(tmp_path / "old")
    with pytest.raises(AssertionError, match="the new policy allows more"):
        never_allows_more_than(strict, "pay.guard", event)


def test_limits_are_counted_anew_for_each_question() -> None:
    guard = Guard.from_text("on call pay { allow\n  often: limit 1 per 1d }")
    for _ in range(3):
        never_allows_more_than(guard, guard, {"type": "call", "tool": "pay", "args": {}})
        order_never_matters(guard, {"type": "call", "tool": "pay", "args": {}})
    assert guard.decide({"type": "call", "tool": "pay", "args": {}}).allowed


def test_tools_that_nobody_described_are_known_by_their_blocks() -> None:
    guard = Guard.from_text('on call pay, "mail.*" { deny when args.n > 3 }\non result look { allow }')
    assert places_of(checked_of(guard)) == [("call", "mail.x"), ("call", "pay"), ("result", "look")]
    seen: set[Any] = set()

    @given(events(guard, tool="mail.x"))
    def collect(event: dict[str, Any]) -> None:
        seen.add(repr(event["args"].get("n")))

    collect()
    assert seen >= {"3", "3.01", "2.99", "None"}


def test_nested_fields_and_lists_of_strange_tools_are_drawn() -> None:
    text = """on call pay { allow when all i in args.order.items: i.price <= 50
      who: require principal.team.name in {"a", "b"} }
    on result rows { only rows where row.tenant == "t" }"""
    guard, seen = Guard.from_text(text), set()

    @settings(max_examples=300)
    @given(events(guard))
    def collect(event: dict[str, Any]) -> None:
        decision = guard.decide(event)
        seen.add((event["type"], decision.outcome.value, bool(decision.errors)))
        if decision.transforms and decision.payload == [] != event.get("result"):
            seen.add("row filtered")

    collect()
    assert seen >= {("call", "allow", False), ("call", "deny", False), ("call", "deny", True), "row filtered"}


# --- sessions ----------------------------------------------------------------------------------

LABELLED = """\
policy p
on call get_order, pay { allow }
on result get_order { label records }
on call pay {
  payee: require origin(args.iban) in {user, records}
  told: ask when context has untrusted
}
task refund(most: decimal) { on call pay { value: require args.amount <= most } }
"""


def test_histories_bring_values_in_from_everybody() -> None:
    guard, decided, authors = Guard.from_text(LABELLED), set(), set()

    @settings(max_examples=150)
    @given(histories(guard))
    def collect(session: list[dict[str, Any]]) -> None:
        fresh = Guard(guard.engine.program, source=guard.source)
        decisions = [fresh.decide(event) for event in session]
        assert session[-1]["type"] == "call"
        assert session[-1]["tool"] == "pay"
        assert len({repr(event["session"]) for event in session}) == 1
        decided.add(decisions[-1].outcome.value)
        authors.update(event.get("by", "user") for event in session if event["type"] == "input")

    collect()
    assert decided == {"allow", "ask", "deny"}
    assert authors == {"user", "agent"}


def test_histories_of_what_asks_of_no_origin() -> None:
    with pytest.raises(ValueError, match="where its values came from"):
        histories(guard_of(10))
    with pytest.raises(ValueError, match="where its values came from"):
        histories(Guard.from_text(LABELLED), tool="get_order")


def test_events_of_a_task_are_in_sessions_for_it() -> None:
    guard, seen = Guard.from_text(LABELLED), set()

    @settings(max_examples=100)
    @given(events(guard, point="call", tool="pay"))
    def collect(event: dict[str, Any]) -> None:
        order_never_matters(guard, event)
        if "session" in event:
            assert event["session"]["task"] == "refund"
            seen.update(each.label for each in guard.decide(event).applied)
        else:
            seen.add("no task")

    collect()
    assert {"value", "no task"} <= seen
