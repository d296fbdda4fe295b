"""The session's past: what is kept of it, what can no longer be said, and that both evaluators say the same."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from soaking import drawn
from test_corpus import NOW, in_words, note_of, trace_of

from guardrails.errors import MissingField, Unavailable
from guardrails.exact import exact
from guardrails.guard import Guard
from guardrails.language.parser import parse
from guardrails.model import Decision, Outcome
from guardrails.runtime.clock import FrozenClock
from guardrails.runtime.notes import LEFT_OUT, MOST_PAYLOAD, canonical, read_header, read_payloads
from guardrails.runtime.trace import Question, Trace, call_note, outcome_note, recall, result_note, text_note

MINUTE = 60_000_000


def question(kind: str, point: str, *tools: str, within: int | None = None, **beside: Any) -> Question:
    order, other = next(iter(beside.items()), (None, None))
    point_of, *others = other.split() if other else [None]
    return Question((kind, point, tools, within, order, point_of, tuple(others)))


def trace(*notes: str, first: int = 1) -> Trace:
    found = Trace()
    for number, note in enumerate(notes, first):
        found.add(number, note)
    return found


def decided(policy: str, past: Trace | None, args: dict[str, Any], tool: str = "pay") -> Decision:
    guard = Guard.from_text(policy)
    subject = guard.subject({}, {}, {})
    subject.trace = past
    return guard.engine.call(tool, args, subject, NOW)


# --- notes -------------------------------------------------------------------------------------

NUMBERS = (
    st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.decimals(allow_nan=False, allow_infinity=False)
)
PLAIN = st.none() | st.booleans() | NUMBERS | st.text()
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


def exactly(value: Any) -> Any:
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, list):
        return [exactly(item) for item in value]
    if isinstance(value, dict):
        return {name: exactly(item) for name, item in value.items()}
    return exact(value)


@given(st.dictionaries(st.text(), VALUES), VALUES)
def test_a_note_keeps_every_value_to_the_digit(args: dict[str, Any], result: Any) -> None:
    note = result_note("t", args, result, NOW, "c1")
    header, end = read_header(note)
    assert (header.point, header.tool, header.at, header.call_id) == ("result", "t", NOW, "c1")
    assert exactly(read_payloads(note, header, end)) == exactly([args, result])


@given(st.dictionaries(st.text(), VALUES))
def test_the_same_arguments_have_the_same_key(args: dict[str, Any]) -> None:
    note = call_note("t", dict(reversed(args.items())), NOW)
    header, end = read_header(note)
    assert canonical(read_payloads(note, header, end)[0]) == canonical(args)


def test_keys_go_by_what_the_language_calls_equal() -> None:
    assert canonical({"a": 5, "b": None}) == canonical({"a": 5.0}) == canonical({"a": Decimal("5.00")})
    different: list[Any] = [{"a": "5"}, {"a": 5}, {"a": True}, {"a": [5]}, {"a": 5.5}, {}]
    assert len({canonical(value) for value in different}) == len(different)


@pytest.mark.parametrize("value", ["x" * MOST_PAYLOAD, float("nan"), object()])
def test_a_payload_that_cannot_be_kept_is_left_out_and_says_so(value: Any) -> None:
    note = call_note("get", {"v": value}, NOW)
    header, end = read_header(note)
    assert read_payloads(note, header, end) == [LEFT_OUT]
    assert len(note) < 200
    decision = decided(
        "on call pay { allow; no: deny when seen(call get where call.args.v == 1) }", trace(note), {}
    )
    assert decision.outcome is Outcome.DENY
    assert [error.kind for error in decision.errors] == ["unavailable"]


def test_calls_with_arguments_that_were_left_out_still_find_their_results() -> None:
    large, other = {"v": "x" * MOST_PAYLOAD}, {"v": "y" * MOST_PAYLOAD}
    past = trace(call_note("a", large, NOW), call_note("a", other, NOW), result_note("a", large, 1, NOW))
    judged = [event.outcome for event in past._files.newest_first("call", ("a",))]
    assert judged == [None, True]


# --- what is gone ------------------------------------------------------------------------------

CALL, INPUT = call_note("a", {}, NOW - 5 * MINUTE), text_note("input", "hi", NOW - 3 * MINUTE)
GONE = [
    (question("seen", "call", "a"), True),
    (question("seen", "call", "b"), None),
    (question("count", "call", "a"), None),
    (question("seen", "call", "b", within=5 * MINUTE), False),
    (question("seen", "call", "b", within=5 * MINUTE + 1), None),
    (question("count", "call", "a", within=4 * MINUTE), 0),
    (question("seen", "call", "b", after="call a"), False),
    (question("seen", "input", after="call a"), True),
    (question("seen", "input", after="call b"), None),
    (question("seen", "call", "a", before="input"), None),
    (question("last", "input"), "hi"),
    (question("last", "output"), None),
]


@pytest.mark.parametrize(("asked", "answer"), GONE)
def test_what_older_events_could_change_is_not_said(asked: Question, answer: Any) -> None:
    past = trace(CALL, INPUT, first=7)
    assert past.dropped
    if answer is None:
        with pytest.raises(Unavailable):
            past.answer(asked, NOW, None)
    else:
        assert past.answer(asked, NOW, None) == answer


def test_a_gap_and_a_note_that_cannot_be_read_hide_what_came_before() -> None:
    for notes in (
        ((1, CALL), (3, INPUT)),
        ((1, CALL), (2, "[{"), (3, INPUT)),
        ((1, CALL), (2, '[{"at":1},{}]'), (3, INPUT)),
    ):
        past = Trace()
        for number, note in notes:
            past.add(number, note)
        assert (past.dropped, past.last) == (True, 3)
        assert past.answer(question("last", "input"), NOW, None) == "hi"
        with pytest.raises(Unavailable):
            past.answer(question("seen", "call", "a"), NOW, None)


def test_a_process_keeps_a_bounded_past(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardrails.runtime.trace.MOST_KEPT", 4)
    past = trace(*[call_note("a", {"n": n}, NOW + n) for n in range(9)])
    assert (past.dropped, past.last, len(past._texts)) == (True, 9, 3)
    assert past.answer(question("last", "call", "a"), NOW, None) == {"n": 8}
    assert past.answer(question("count", "call", "a", within=4), NOW + 10, None) == 2


def test_a_result_without_its_call_has_no_place_among_older_events() -> None:
    past = trace(INPUT, result_note("a", {}, 1, NOW), first=2)
    assert past.answer(question("seen", "call", "a"), NOW, None) is True
    with pytest.raises(Unavailable):
        past.answer(question("seen", "call", "a", within=MINUTE), NOW, None)
    with pytest.raises(Unavailable):
        past.answer(question("seen", "input", after="call a"), NOW, None)


def test_nothing_is_said_of_a_past_that_nobody_keeps() -> None:
    decision = decided("on call pay { allow unless seen(call pay) }", None, {})
    assert decision.outcome is Outcome.DENY
    assert [(error.kind, error.message) for error in decision.errors] == [
        ("unavailable", "the session's past is not known here; give the session an id and a store")
    ]


MISSING = [
    (
        question("last", "result", "get"),
        None,
        "there is no result of `get` in this session; call `get` first",
    ),
    (question("last", "result", "get"), bool, "no result of `get` in this session fits; call `get` first"),
    (question("last", "call"), None, "there is no call in this session"),
    (question("last", "result", "get.*"), bool, "no result in this session fits"),
    (question("last", "input"), None, "there is no input in this session"),
]


@pytest.mark.parametrize(("asked", "test", "message"), MISSING)
def test_a_last_event_that_is_missing_says_what_would_supply_it(
    asked: Question, test: Any, message: str
) -> None:
    with pytest.raises(MissingField, match="^" + message.replace("*", r"\*") + "$"):
        trace().answer(asked, NOW, test)


# --- failing calls -----------------------------------------------------------------------------


def failed(tool: str, **args: Any) -> str:
    return outcome_note(tool, args, ok=False, at=NOW)


def test_failures_are_those_of_the_same_call_since_it_succeeded() -> None:
    past = trace(
        failed("a", n=1),
        result_note("a", {"n": 1}, 0, NOW),
        failed("a", n=1.0),
        failed("a", n=2),
        failed("a", n=1),
    )
    counts = [past.failures("a", {"n": n}) for n in (1, 2, 3)]
    assert (counts, past.failures("b", {"n": 1})) == ([2, 1, 0], 0)


def test_what_a_failed_call_said_does_not_make_it_succeed() -> None:
    """The text of a failure is checked like a result, after the failure was told."""
    notes: list[str] = []
    for id in ("c1", "c2"):
        notes += [
            call_note("pay", {"a": 1}, NOW, id),
            outcome_note("pay", {"a": 1}, ok=False, at=NOW, call_id=id),
            result_note("pay", {"a": 1}, "no such account", NOW, id),
        ]
    past = trace(*notes)
    assert past.failures("pay", {"a": 1}) == 2
    assert past.streak() == 1


STREAKS = [
    ([], 0),
    ([failed("a", n=1), failed("a", n=1)], 1),
    ([failed("a", n=1), failed("a", n=2), failed("b", n=1)], 3),
    ([failed("a", n=1), text_note("input", "x", NOW), failed("a", n=2)], 1),
    ([failed("a", n=1), text_note("output", "x", NOW), failed("a", n=2)], 2),
    ([failed("a", n=1), result_note("c", {}, 0, NOW), failed("a", n=2)], 1),
    ([failed("a", n=1), call_note("c", {}, NOW), failed("a", n=2)], 2),
]


@pytest.mark.parametrize(("notes", "length"), STREAKS)
def test_a_streak_is_of_different_failing_calls_in_a_row(notes: list[str], length: int) -> None:
    assert trace(*notes).streak() == length


# --- in a session ------------------------------------------------------------------------------


def test_a_question_is_asked_once_in_a_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    whole = Trace.answer

    def counted(self: Trace, question: Question, now: int, test: Any) -> Any:
        asked.append(question.kind)
        return whole(self, question, now, test)

    monkeypatch.setattr(Trace, "answer", counted)
    policy = """let booking = last result of get where result.id == args.id
    on call pay {
      allow when booking.paid < booking.total and any x in args.xs: x == booking.paid
      deny when booking.total + booking.paid > 90 or seen(call pay where call.args.n == booking.paid)
    }"""
    past = trace(
        result_note("get", {}, {"id": 1, "paid": 2, "total": 9}, NOW), call_note("pay", {"n": 1}, NOW)
    )
    assert decided(policy, past, {"id": 1, "xs": [1, 2]}).outcome is Outcome.ALLOW
    assert sorted(asked) == ["last", "seen"]


def test_a_session_remembers_across_processes_what_it_did() -> None:
    from guardrails.stores import open_store

    policy = """on call get { allow }
    on call pay {
      allow
      known: require (last result of get where call.args.id == args.id).total == args.total
      once: deny when seen(call pay where call.args.id == args.id within 1h)
    }"""
    store, clock = open_store("memory:"), FrozenClock(NOW)

    def session() -> Any:
        return Guard.from_text(policy, store=store, clock=clock).session(id="s1")

    payment = {"id": "a", "total": 5}
    assert not session().check_call("pay", payment).allowed
    assert session().check_call("get", {"id": "a"}).allowed
    session().check_result("get", {"total": 5}, args={"id": "a"})
    one = session()
    assert one.check_call("pay", payment).allowed
    assert not one.check_call("pay", payment).allowed
    assert not session().check_call("pay", payment).allowed
    clock.advance(60 * MINUTE)
    assert one.check_call("pay", payment).allowed


# --- both evaluators ---------------------------------------------------------------------------

ASKED = """
let booking = last result of t where result.x == args.x
on call pay {
  go: allow when not seen(call t where call.args.x == args.x)
  a: deny when count(call t where call.args.x == 1 within 2m) > 1
  b: deny when seen(call t after call u)
  c: deny when seen(result t where result.x == call.args.x before input)
  d: require booking.y >= 2
  e: ask boss when count(call "*" where call.tool == "u") > 1
  f: deny when seen(input where text == "x" after result t)
  g: deny when (last call of u).x == 2
  h: ask boss when count(call t, u where call.ok) == 2
  i: deny when count(result "t*" where result.x > args.x within 3m) > 1
  j: deny when seen(call t where seen(call u where call.args.x == 1) and call.args.x == 2)
  k: halt when last output == last input
}
"""
SMALL = st.sampled_from([0, 1, 2, 2.0, "x", None])
RECORDS = st.dictionaries(st.sampled_from("xy"), SMALL, max_size=2)
TOOLS = st.sampled_from("tu")
AGO = st.integers(0, 4)
HAPPENED = st.one_of(
    st.fixed_dictionaries({"type": st.just("call"), "tool": TOOLS, "args": RECORDS}),
    st.fixed_dictionaries({"type": st.just("result"), "tool": TOOLS, "args": RECORDS, "result": RECORDS}),
    st.fixed_dictionaries(
        {
            "type": st.just("outcome"),
            "tool": TOOLS,
            "args": RECORDS,
            "outcome": st.sampled_from(["ok", "failed"]),
        }
    ),
    st.fixed_dictionaries({"type": st.sampled_from(["input", "output"]), "text": st.sampled_from("xy")}),
)


def timed(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**event, "at": NOW - (len(events) - index) * MINUTE} for index, event in enumerate(events)]


GUARD = Guard.from_text(ASKED)
TREE = parse(ASKED, "policy.guard")[0]


def engine_on(args: dict[str, Any], past: list[dict[str, Any]]) -> Decision:
    subject = GUARD.subject({}, {}, {})
    subject.trace = trace_of(past)
    return GUARD.engine.call("pay", args, subject, NOW)


@settings(max_examples=drawn(400))
@given(RECORDS, st.lists(HAPPENED, max_size=7).map(timed))
def test_both_evaluators_answer_alike(args: dict[str, Any], past: list[dict[str, Any]]) -> None:
    assert TREE is not None
    found = in_words(engine_on(args, past))
    wanted = reference.decide([TREE], {"type": "call", "tool": "pay", "args": args}, now=NOW, past=past)
    assert found["outcome"] == wanted.outcome
    assert found["labels"] == sorted(label for label, _, _ in wanted.applied)
    assert {label for label, _ in found["errors"]} == {label for label, _ in wanted.errors}


@st.composite
def worsened(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A past, and the same with a field of one event deleted or of another type."""
    calls = draw(st.lists(st.tuples(TOOLS, RECORDS, st.none() | RECORDS), min_size=1, max_size=5))
    past: list[dict[str, Any]] = []
    for number, (tool, args, result) in enumerate(calls):
        head = {"tool": tool, "args": args, "call_id": str(number)}
        past.append({**head, "type": "call"})
        past += [] if result is None else [{**head, "type": "result", "result": result}]
    index = draw(st.integers(0, len(past) - 1))
    part = draw(st.sampled_from([part for part in ("args", "result") if part in past[index]]))
    name = draw(st.sampled_from("xy"))
    worse = dict(past[index][part])
    worse.pop(name, None)
    if draw(st.booleans()):
        worse[name] = [worse]
    changed = [*past[:index], {**past[index], part: worse}, *past[index + 1 :]]
    return timed(past), timed(changed)


@settings(max_examples=drawn(400))
@given(RECORDS, worsened())
def test_what_is_wrong_in_the_past_never_loosens(
    args: dict[str, Any], pasts: tuple[list[dict[str, Any]], list[dict[str, Any]]]
) -> None:
    before, after = pasts
    assert engine_on(args, after).outcome >= engine_on(args, before).outcome


def test_a_subject_with_a_past_answers() -> None:
    class Subject:
        trace = trace_of(timed([{"type": "input", "text": "x"}]))

    assert recall(Subject(), ("seen", "input", (), None, None, None, ()), NOW, None) is True
    assert note_of({"type": "input", "text": "x", "at": 1}) == text_note("input", "x", 1)
