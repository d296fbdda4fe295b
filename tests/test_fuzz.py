"""Nothing but answers comes out: whatever the policy and the event are, it is diagnostics, a decision or a
clear error.

The mutation fuzzer's cases are numbers (`fuzz.cases`). A failing one says its number; `GUARD_FUZZ_FROM=N`
begins there. `make test` runs a few, `make soak` all 100,000.
"""

from __future__ import annotations

import os
from collections import OrderedDict, defaultdict
from decimal import Decimal
from typing import Any

import pytest
from fuzz import cases
from fuzz.values import Hostile, Number, Record, Text, cyclic, deep
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardrails.decision_text import render_decision
from guardrails.errors import EventError, PolicyError
from guardrails.guard import Guard
from guardrails.model import Decision, Outcome

FIRST = int(os.environ.get("GUARD_FUZZ_FROM", "0"))
BATCH = 250
BATCHES = 6
SOAKED = 100_000 // BATCH

soaked = [
    pytest.mark.soak,
    pytest.mark.skipif(os.environ.get("GUARD_SOAK") != "1", reason="only when soaking"),
]
EXAMPLES = settings(
    max_examples=5_000 if os.environ.get("GUARD_SOAK") == "1" else 60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

POLICY = """
type principal { id: string; customers: set<string> }
on call t {
  go: allow
  amount: deny when args.amount > 100 because "too much"
  total: deny when sum(x.price for x in args.items) > 10
  path: deny when args.path within "/etc"
  mail: deny when args.to.domain == "evil.com"
  note: deny when args.note matches /.*(secret|key).*/
  tags: deny when any tag in args.tags: tag in principal.customers
  deep: deny when args.a.b.c == 1
  query: deny when not sql.read_only(args.query)
}
on result t { only fields id, note, orders.*; redact /[0-9]{4}/ in result with mask }
on input { deny when text contains "secret" }
"""


@pytest.fixture(scope="module")
def guard() -> Guard:
    return Guard.from_text(POLICY)


# --- the mutation fuzzer -----------------------------------------------------------------------


def batches() -> list[Any]:
    plain = list(range(BATCHES))
    return [*plain, *(pytest.param(number, marks=soaked) for number in range(BATCHES, SOAKED))]


@pytest.mark.parametrize("batch", batches())
def test_mutated_policies_and_odd_events(batch: int) -> None:
    outcomes = set()
    start = FIRST + batch * BATCH
    for number in range(start, start + BATCH):
        try:
            outcomes.add(cases.run(number))
        except (Exception, cases.Stuck) as error:
            pytest.fail(
                f"case {number} (GUARD_FUZZ_FROM={number}): {type(error).__name__}\n{cases.shown(number)}"
            )
    assert outcomes == {"refused", "decided"}


def test_a_case_is_its_number() -> None:
    assert cases.shown(7) == cases.shown(7)
    assert len({cases.shown(number) for number in range(50)}) > 40


# --- hypothesis --------------------------------------------------------------------------------


LETTERS = st.characters(exclude_categories=())
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(LETTERS),
    st.binary(),
    st.decimals(),
    st.fractions(),
    st.complex_numbers(),
    st.datetimes(),
    st.sampled_from([Text("x"), Number(3), object(), ..., 10**4_000, int]),
)
KEYS = st.one_of(
    st.text(LETTERS, max_size=4), st.sampled_from(["amount", "items", "price", "a", "b", "id", "orders"])
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(KEYS, inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(KEYS, inner, max_size=3).map(OrderedDict),
        st.dictionaries(KEYS, inner, max_size=3).map(Record),
    ),
    max_leaves=12,
)
NAMES = ("amount", "items", "path", "to", "note", "tags", "a", "query")
ARGUMENTS = st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, ANYTHING))


@EXAMPLES
@given(st.text(LETTERS))
def test_any_text_is_a_policy_or_has_diagnostics(text: str) -> None:
    loaded = cases.guard_of(text)
    assert loaded is None or isinstance(loaded, Guard)


@EXAMPLES
@given(text=st.text(st.sampled_from("on calt{}()[]:,.;|&=<>+-*/\"'#\n 01aTx_\\é\ud800")))
def test_any_soup_of_the_languages_letters_is_a_policy_or_has_diagnostics(text: str) -> None:
    loaded = cases.guard_of(text)
    assert loaded is None or isinstance(loaded, Guard)


@EXAMPLES
@given(args=ARGUMENTS)
def test_any_arguments_get_a_decision(guard: Guard, args: dict[str, Any]) -> None:
    session = guard.session(principal={"id": "a", "customers": ["c"]})
    decision = cases.explained(session.check_call("t", args))
    assert decision.allowed is (not decision.errors and decision.outcome is Outcome.ALLOW)


@EXAMPLES
@given(value=ANYTHING)
def test_anything_may_be_arguments_result_or_text(guard: Guard, value: Any) -> None:
    session = guard.session(principal={"id": "a", "customers": ["c"]})
    assert cases.explained(session.check_call("t", value)).outcome in Outcome
    assert cases.explained(session.check_result("t", value, args=value)).outcome in Outcome
    assert cases.explained(session.check_input(value)).allowed is (
        type(value) is str and "secret" not in value
    )


@EXAMPLES
@given(
    event=st.dictionaries(
        st.sampled_from(["type", "tool", "args", "text", "time", "session", "principal"]), ANYTHING
    )
)
def test_any_object_is_an_event_or_an_error(guard: Guard, event: dict[str, Any]) -> None:
    kind = event.get("type")
    asked = event | {"type": "call"} if type(kind) is not str else event
    decision = cases.decide(guard, asked)
    assert decision is None or isinstance(decision, Decision)


@EXAMPLES
@given(principal=st.dictionaries(st.sampled_from(["id", "customers", "x"]), ANYTHING))
def test_any_principal_gets_a_decision(guard: Guard, principal: dict[str, Any]) -> None:
    decision = guard.session(principal=principal).check_call("t", {"tags": ["c"]})
    assert cases.explained(decision).outcome is Outcome.DENY


# --- what is tried on purpose: events ----------------------------------------------------------


def checked(policy: str, value: Any) -> Decision:
    return cases.explained(Guard.from_text(policy).session().check_call("t", {"x": value}))


NUMERIC = "on call t { go: allow\n hit: deny when args.x > 100 }"
TEXTUAL = "on call t { go: allow\n hit: deny when args.x matches /(a|b)*c/ }"
WHOLE = "on call t { go: allow\n hit: deny when args.x == {1, 2} }"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")], ids=str)
def test_nan_and_infinities_are_errors_and_deny(value: float) -> None:
    decision = checked(NUMERIC, value)
    assert decision.outcome is Outcome.DENY
    assert [failure.kind for failure in decision.errors] == ["number"]


@pytest.mark.parametrize(
    "value",
    [True, "101", Text("101"), Decimal("NaN"), [101], {"n": 101}, None, Hostile(), 1j, b"101"],
    ids=lambda value: type(value).__name__,
)
def test_what_only_looks_like_a_number_is_an_error_and_denies(value: Any) -> None:
    decision = checked(NUMERIC, value)
    assert decision.outcome is Outcome.DENY
    assert len(decision.errors) == 1


def test_a_number_of_five_thousand_digits_is_still_more_than_a_hundred() -> None:
    assert checked(NUMERIC, 10**5_000).outcome is Outcome.DENY


def test_ten_megabytes_of_argument_are_matched_in_linear_time() -> None:
    assert checked(TEXTUAL, "ab" * 5_000_000).outcome is Outcome.ALLOW
    assert checked(TEXTUAL, "ab" * 5_000_000 + "c").outcome is Outcome.DENY


def test_ten_megabytes_of_another_type_are_an_error_without_the_ten_megabytes() -> None:
    decision = checked(NUMERIC, "9" * 10_000_000)
    assert decision.outcome is Outcome.DENY
    assert len(decision.errors[0].message) < 500
    assert len(decision.message) < 1_000


def test_a_text_beyond_the_limit_is_denied_with_the_limit(guard: Guard) -> None:
    decision = guard.session().check_input("x" * 16_000_001)
    assert decision.outcome is Outcome.DENY
    assert "16,000,000" in decision.errors[0].message


@pytest.mark.parametrize("policy", [NUMERIC, TEXTUAL, WHOLE])
@pytest.mark.parametrize(
    "make", [cyclic, lambda: deep(50_000, lambda inner: [inner])], ids=["cyclic", "deep"]
)
def test_cyclic_and_deep_arguments_are_errors(policy: str, make: Any) -> None:
    decision = checked(policy, make())
    assert decision.outcome is Outcome.DENY
    assert len(decision.errors) == 1


@pytest.mark.parametrize(
    "make", [cyclic, lambda: deep(50_000, lambda inner: {"id": inner})], ids=["cyclic", "deep"]
)
def test_a_result_that_cannot_be_filtered_is_withheld(guard: Guard, make: Any) -> None:
    decision = guard.session().check_result("t", {"id": make()})
    assert decision.outcome is Outcome.DENY
    assert decision.payload is None
    assert [failure.kind for failure in decision.errors] == ["size"]


def test_lone_surrogates_are_text_like_any_other() -> None:
    assert checked('on call t { allow\n deny when args.x == "a" }', "\ud800").allowed
    assert checked("on call t { allow\n deny when args.x matches /a*/ }", "\ud800").outcome in Outcome


@pytest.mark.parametrize("make", [OrderedDict, Record, lambda items: defaultdict(int, items)])
def test_objects_that_are_no_plain_dict_are_refused_as_arguments(guard: Guard, make: Any) -> None:
    decision = guard.session().check_call("t", make({"amount": 1}))
    assert decision.outcome is Outcome.DENY
    assert "expected an object" in decision.errors[0].message


@pytest.mark.parametrize(
    "event",
    [
        None, [], "call", 5, {}, {"type": None}, {"type": ""}, {"type": "call"}, {"type": "call", "tool": 5, "args": {}},
        {"type": "call", "tool": "t", "args": []}, {"type": "input", "text": None}, {"type": "input", "text": "x", "odd": 1},
        {"type": "call", "tool": "t", "args": {}, "time": "yesterday"}, {1: 2},
        {"type": "input", "text": "x", 1: 2}, {"type": 10**5_000}, {"type": Hostile()},
        {"type": deep(5_000, lambda inner: [inner])},
    ],
)  # fmt: skip
def test_malformed_events_are_errors_of_the_event(guard: Guard, event: Any) -> None:
    with pytest.raises(EventError) as caught:
        guard.decide(event)
    assert caught.value.message


# --- what is tried on purpose: policies --------------------------------------------------------


def complaints(*files: str) -> list[str]:
    """The rules of all diagnostics of a policy that must not load."""
    names = ("a.guard", "b.guard", "c.guard")
    with pytest.raises(PolicyError) as caught:
        Guard.from_text(list(zip(names, files, strict=False)))
    return [diagnostic.rule for diagnostic in caught.value.diagnostics if diagnostic.is_error]


@pytest.mark.parametrize("pair", ["()", "[]", "{}", "f()", "not ", "-"])
@pytest.mark.parametrize("depth", [65, 20_000])
def test_deep_nesting_is_one_error(pair: str, depth: int) -> None:
    opening, closing = (pair[:-1], pair[-1]) if pair[-1] in ")]}" else (pair, "")
    text = f"on call t {{ deny when {opening * depth}x{closing * depth} }}"
    assert complaints(text) == ["nested-too-deep"]


def test_a_circle_of_files_is_one_error() -> None:
    assert complaints('use "a.guard"') == ["cyclic-use"]
    assert complaints('use "b.guard"', 'use "c.guard"', 'use "a.guard"') == ["cyclic-use"]


@pytest.mark.parametrize("letter", ["\ud800", "\x00"], ids=ascii)
@pytest.mark.parametrize(
    "text", ['on call t {{ deny when args.x == "{}" }}', "on call {} {{ allow }}", "# {}\non"]
)
def test_unreadable_characters_are_errors(text: str, letter: str) -> None:
    assert complaints(text.format(letter))


@pytest.mark.parametrize(
    "number", ["9" * 5_000, "9" * 1_000_000, "0." + "0" * 2_000 + "1", "1_000" * 2_000], ids=len
)
def test_huge_numbers_are_one_error(number: str) -> None:
    assert len(complaints(f"on call t {{ allow when args.x > {number} }}")) == 1


@pytest.mark.parametrize("joined", [" and ", " or ", " + ", " | ", ", "])
def test_long_chains_are_read_or_refused(joined: str) -> None:
    text = joined.join(["args.x"] * 3_000)
    found = cases.guard_of(f"on call t {{ deny when {{{text}}} == args.y }}")
    assert found is None or found.session().check_call("t", {}).outcome is Outcome.DENY


# --- what once got through ---------------------------------------------------------------------


ANY = "on call t { allow }\non result t { only fields id }"


@pytest.mark.parametrize(
    "value", [float("nan"), 10**5_000, {(1, 2): 3}, Hostile()], ids=["nan", "int", "key", "evil"]
)
def test_a_decision_can_always_be_shown(value: Any) -> None:
    decision = Guard.from_text(ANY).session().check_result("t", {"id": value, "note": 1})
    assert "allow" in render_decision(decision)


def test_a_tool_whose_name_is_a_list_is_denied() -> None:
    assert Guard.from_text(ANY).session().check_call(["t"], {}).outcome is Outcome.DENY  # type: ignore[arg-type]  # the point
