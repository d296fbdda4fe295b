"""Content through the engine: what is redacted is gone whatever else holds (L3), and redacting twice is once."""

from __future__ import annotations

from typing import Any

import pytest
from content_cases import METHODS, PLANTED, STATELESS, cuts, guard_of, named, pieces_of, redactions, texts
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails import Outcome
from guardrails.model import Decision

FEWER = settings(max_examples=120)

VERDICTS = ("", "flag x", "ask reviewer", "deny", 'deny when text contains "hello"', "halt")


def values_in(text: str, names: frozenset[str]) -> list[str]:
    return [value for name in names for value in PLANTED[name] if value in text]


def gone(payload: Any, names: frozenset[str]) -> bool:
    return not values_in(repr(payload), names - {"badge"})


def payload_of(decision: Decision, given: Any) -> Any:
    return decision.payload if decision.transforms else given


@FEWER
@given(redactions(), texts, st.sampled_from(VERDICTS))
def test_l3_an_output_goes_on_without_it_whatever_the_outcome(
    statements: tuple[str, ...], text: str, verdict: str
) -> None:
    guard = guard_of("on output {\n" + "\n".join((*statements, verdict)) + "\n}")
    decision = guard.session().check_output(text)
    assert not decision.errors
    assert gone(payload_of(decision, text), named(statements))


SHAPES = (
    ("args.note", lambda text: {"note": text, "to": "x"}),
    ("args.*", lambda text: {"note": text, "other": text}),
    ("args.rows.*.note", lambda text: {"rows": [{"note": text}, {"note": [text]}]}),
    ("args", lambda text: {"deep": {"er": [text, {text: text}]}}),
)


@FEWER
@given(st.sampled_from(SHAPES), st.data(), texts)
def test_l3_arguments_go_on_without_it(shape: tuple[str, Any], data: st.DataObject, text: str) -> None:
    target, made = shape
    statements = data.draw(redactions(STATELESS, f" in {target}"))
    guard = guard_of("on call send {\nallow\n" + "\n".join(statements) + "\n}")
    decision = guard.session().check_call("send", made(text))
    assert decision.outcome is Outcome.ALLOW
    assert gone(payload_of(decision, made(text)), named(statements))


@FEWER
@given(st.data(), texts)
def test_l3_results_go_on_without_it(data: st.DataObject, text: str) -> None:
    statements = data.draw(redactions(METHODS))
    guard = guard_of("on result read {\n" + "\n".join(statements) + "\n}")
    given_result = {"rows": [{"note": text}, text], "n": 3}
    decision = guard.session().check_result("read", given_result)
    found = payload_of(decision, given_result)
    assert gone(found, named(statements))
    assert found["n"] == 3


@FEWER
@given(redactions(), texts)
def test_redacting_twice_is_redacting_once(statements: tuple[str, ...], text: str) -> None:
    session = guard_of("on output {\n" + "\n".join(statements) + "\n}").session()
    once = payload_of(session.check_output(text), text)
    assert payload_of(session.check_output(once), once) == once


@FEWER
@given(redactions(STATELESS), texts, st.randoms(use_true_random=False))
def test_l1_the_order_of_redactions_means_nothing(
    statements: tuple[str, ...], text: str, random: Any
) -> None:
    other = list(statements)
    random.shuffle(other)
    both = [
        guard_of("on output {\n" + "\n".join(some) + "\n}").session().check_output(text)
        for some in (statements, tuple(other))
    ]
    assert payload_of(both[0], text) == payload_of(both[1], text)


# --- L8: streaming equals the whole -------------------------------------------------------------


@settings(max_examples=200)
@given(redactions(), texts, cuts)
def test_l8_a_stream_gives_what_the_whole_would(
    statements: tuple[str, ...], text: str, sizes: list[int]
) -> None:
    guard = guard_of("on output {\n" + "\n".join(statements) + "\n}")
    whole = guard.session(id="s").check_output(text)
    stream = guard.session(id="s").stream_output()
    assert stream.hold is not None
    out = "".join(map(stream.feed, pieces_of(text, sizes))) + stream.close()
    assert out == payload_of(whole, text)


DENYING = {
    "deny when secrets(text)": "secrets", "deny when pii(text)": "pii",
    "deny when text contains /order-[0-9]+/": "/order-[0-9]+/", 'deny when text contains "hello"': None,
}  # fmt: skip


@settings(max_examples=200)
@given(st.sampled_from(sorted(DENYING)), redactions(STATELESS), texts, cuts)
def test_l8_nothing_of_what_is_denied_went_on(
    denying: str, statements: tuple[str, ...], text: str, sizes: list[int]
) -> None:
    guard = guard_of("on output {\n" + "\n".join((denying, *statements)) + "\n}")
    whole = guard.session().check_output(text)
    stream = guard.session().stream_output()
    assert stream.hold is not None
    shown = "".join(map(stream.feed, pieces_of(text, sizes))) + stream.close()
    assert stream.denied is (whole.outcome is Outcome.DENY)
    if whole.outcome is Outcome.ALLOW:
        assert shown == payload_of(whole, text)
        return
    name = DENYING[denying]
    assert gone(shown, frozenset({name} if name else ()) | named(statements))
    if name is None:
        assert "hello" not in shown


WHOLE = (
    "deny when length(text) > 60", "deny when injection(text) >= 0.5", 'deny when not (text contains "hello")',
    'deny when pii(text) and not (text contains "hello")', 'allow when text contains "hello"',
)  # fmt: skip


@FEWER
@given(st.sampled_from(WHOLE), redactions(STATELESS), texts, cuts)
def test_l8_what_only_the_whole_can_tell_waits_for_it(
    whole: str, statements: tuple[str, ...], text: str, sizes: list[int]
) -> None:
    guard = guard_of("on output {\n" + "\n".join((whole, *statements)) + "\n}")
    decision = guard.session().check_output(text)
    stream = guard.session().stream_output()
    assert stream.hold is None
    assert "".join(map(stream.feed, pieces_of(text, sizes))) == ""
    last = stream.close()
    expected = payload_of(decision, text) if decision.outcome is Outcome.ALLOW else decision.message
    assert last == expected


PROSE = "The parcel left the warehouse on time and should reach its customer within a few days. " * 400


@pytest.mark.parametrize(
    "policy", ["redact pii", "deny when secrets(text)", "redact secrets; deny when badge(text)"]
)
@pytest.mark.parametrize(
    "text", ["", "hello", "x" * 40_000, "ana at example " * 3_000, "-----BEGIN PRIVATE KEY-----", PROSE]
)
def test_l8_only_so_much_is_held(policy: str, text: str) -> None:
    """Of texts in which nothing is found, so that what is shown is what was fed."""
    stream = guard_of(f"on output {{ {policy} }}").session().stream_output()
    held = most = 0
    for piece in pieces_of(text, [97]):
        held += len(piece) - len(stream.feed(piece))
        most = max(most, held)
    assert held == len(stream.close())
    assert stream.hold is not None
    assert most <= stream.hold
    assert text != PROSE or most < 1_500
