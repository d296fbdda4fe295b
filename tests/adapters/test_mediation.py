"""What every adapter rests on: calls, results and texts between a session and a framework, and their receipts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from guardrails import Guard
from guardrails.errors import EvaluationError, Halted
from guardrails.integrations.answers import Answer, answer_of
from guardrails.integrations.mediation import Mediation
from guardrails.integrations.receipts import Unmediated
from guardrails.integrations.seats import Seats

POLICY = """
policy shop

on call pay {
  allow
  small: ask finance when args.amount > 60
  most: limit sum(args.amount) to 500 per 1d by session.id
  redact /secret-[0-9]+/ in args.note
}
on call look { allow }
on call burn { halt because "No." }
on result look { redact /secret-[0-9]+/ }
on input { deny when text contains "attack" because "No attacks." }
on output { redact /secret-[0-9]+/ }
"""


@pytest.fixture
def guard() -> Guard:
    return Guard.from_text(POLICY, reviewers={"finance": ["fay"]})


@pytest.fixture
def mediation(guard: Guard) -> Mediation:
    return Mediation(guard.session(principal={"id": "ana"}))


def used(mediation: Mediation) -> Any:
    guard: Any = mediation.session.guard
    (state,) = guard.limits()
    return state.used


def test_an_allowed_call_runs_with_what_the_policy_made_of_it(mediation: Mediation) -> None:
    passage = mediation.call("pay", '{"amount": 40, "note": "secret-1"}', "c1")
    assert passage.allowed
    assert passage.is_changed
    assert "secret-1" not in passage.args["note"]
    assert mediation.result("c1", "pay", "done").value == "done"
    mediation.receipts.finished()


def test_a_denied_call_has_a_text_for_the_model(mediation: Mediation) -> None:
    passage = mediation.call("unknown", {}, "c1")
    assert passage.outcome == "deny"
    assert "unknown" in passage.text


def test_a_halt_can_be_raised_and_stays(mediation: Mediation) -> None:
    passage = mediation.call("burn", {}, "c1")
    with pytest.raises(Halted, match="No"):
        passage.raise_if_halted()
    assert not mediation.call("look", {}, "c2").allowed


@pytest.mark.parametrize("args", ["{", '{"amount": 1, "amount": 2}', "[1]", '"x"', b"\xff", 7])
def test_arguments_that_cannot_be_read_are_refused(mediation: Mediation, args: Any) -> None:
    passage = mediation.call("look", args, "c1")
    assert not passage.allowed
    assert "arguments" in passage.text


def test_a_step_that_runs_again_is_charged_once(mediation: Mediation) -> None:
    for _ in range(3):
        assert mediation.call("pay", {"amount": 50, "note": ""}, "c1").allowed
    assert used(mediation) == 50


def test_another_call_with_the_same_id_is_charged_too(mediation: Mediation) -> None:
    for _ in range(2):
        assert mediation.call("pay", {"amount": 50, "note": ""}, "c1").allowed
        mediation.result("c1", "pay", "ok")
    assert used(mediation) == 100


def test_arguments_that_were_edited_take_the_place_of_the_call(mediation: Mediation) -> None:
    mediation.call("pay", {"amount": 50, "note": ""}, "c1")
    mediation.call("pay", {"amount": 10, "note": ""}, "c1")
    assert used(mediation) == 10


def test_a_call_that_failed_or_was_dropped_is_given_back(mediation: Mediation) -> None:
    mediation.call("pay", {"amount": 50, "note": ""}, "c1")
    mediation.failed("c1", "pay")
    mediation.dropped(mediation.call("pay", {"amount": 20, "note": ""}, "c2"))
    assert used(mediation) == 0
    mediation.receipts.finished()


def test_what_a_failed_call_says_is_judged_and_charges_nothing(mediation: Mediation) -> None:
    mediation.call("pay", {"amount": 50, "note": ""}, "c1")
    mediation.failed("c1", "pay")
    assert mediation.error("c1", "pay", "no funds").value == "no funds"
    assert used(mediation) == 0
    mediation.call("look", {}, "c2")
    mediation.failed("c2", "look")
    assert "secret-1" not in mediation.error("c2", "look", "no file secret-1").value
    assert "secret-1" not in asyncio.run(mediation.aerror("c2", "look", "no file secret-1")).value


def test_a_person_at_the_host_lets_a_call_through_once(mediation: Mediation) -> None:
    asking = mediation.call("pay", {"amount": 90, "note": ""}, "c1")
    assert asking.outcome == "ask"
    assert asking.question["reviewers"] == ["finance"]
    assert asking.request in asking.text
    passage = mediation.answered(asking, Answer(approves=True, by="fay"))
    assert passage.allowed
    mediation.result("c1", "pay", "ok")
    assert mediation.call("pay", {"amount": 90, "note": ""}, "c2").outcome == "ask"


@pytest.mark.parametrize(("by", "why"), [("bob", "not asked"), ("ana", "four eyes"), ("", "say `by`")])
def test_an_answer_that_does_not_count_lets_nothing_through(mediation: Mediation, by: str, why: str) -> None:
    asking = mediation.call("pay", {"amount": 90, "note": ""}, "c1")
    passage = mediation.answered(asking, Answer(approves=True, by=by))
    assert not passage.allowed
    assert why in passage.text


def test_a_person_who_says_no_is_heard(mediation: Mediation) -> None:
    asking = mediation.call("pay", {"amount": 90, "note": ""}, "c1")
    assert mediation.answered(asking, Answer(approves=False, by="fay")).outcome == "deny"


def test_an_ask_of_a_policy_that_keeps_nothing_has_a_request() -> None:
    guard = Guard.from_text("policy p\non call pay { ask finance }", reviewers={"finance": ["fay"]})
    mediation = Mediation(guard.session(principal={"id": "ana"}))
    asking = mediation.call("pay", {}, "c1")
    assert mediation.answered(asking, Answer(approves=True, by="fay")).allowed


@pytest.mark.parametrize(
    ("value", "approves", "by"),
    [
        (True, True, "me"), (False, False, "me"), ("approve", True, "me"), ({"approve": True, "by": "fay"}, True, "fay"),
        ({"type": "reject", "message": "no"}, False, "me"), ({"decision": "approve", "by": " "}, True, "me"),
        (None, None, "me"), ({"approve": "maybe"}, None, "me"), (1, None, "me"), ({}, None, "me"),
    ],
)  # fmt: skip
def test_answers_of_hosts_are_read_strictly(value: Any, approves: bool | None, by: str) -> None:  # noqa: FBT001
    answer = answer_of(value, "me")
    assert (answer.approves, answer.by) == (approves, by)


def test_results_that_are_json_text_are_judged_as_what_they_say() -> None:
    guard = Guard.from_text("policy p\non call get { allow }\non result get { only fields id }")
    mediation = Mediation(guard.session())
    mediation.call("get", {}, "c1")
    assert mediation.result("c1", "get", '{"id": 1, "name": "x"}').value == '{"id": 1}'


def test_what_nobody_checked_is_noticed(mediation: Mediation) -> None:
    with pytest.raises(Unmediated, match="no check has seen"):
        mediation.result("c1", "look", "x")
    mediation.call("unknown", {}, "c2")
    with pytest.raises(Unmediated, match="not allowed"):
        mediation.result("c2", "unknown", "x")
    mediation.call("look", {}, "c3")
    with pytest.raises(Unmediated, match="result of `look`"):
        mediation.heard([("c3", "look")])
    with pytest.raises(Unmediated, match="the run is over"):
        mediation.receipts.finished()
    with pytest.raises(Unmediated, match="answer"):
        mediation.receipts.left("hello")
    mediation.heard([("c2", "unknown")])


def test_a_run_inside_another_ends_with_its_own_calls(mediation: Mediation) -> None:
    mediation.call("look", {}, "outer")
    mediation.call("look", {}, "inner")
    with pytest.raises(Unmediated, match="the run is over"):
        mediation.receipts.finished(["inner"])
    mediation.result("inner", "look", "x")
    mediation.receipts.finished(["inner", "unknown"])
    with pytest.raises(Unmediated, match="the run is over"):
        mediation.receipts.finished()


def test_what_was_judged_here_is_known(mediation: Mediation) -> None:
    mediation.call("unknown", {}, "c1")
    assert mediation.receipts.knows("c1")
    assert not mediation.receipts.knows("c2")


def test_what_was_there_before_is_not_held_against_anybody(mediation: Mediation) -> None:
    mediation.receipts.from_before(["old"])
    mediation.heard([("old", "look")])


def test_outputs_pass_as_the_policy_changed_them(mediation: Mediation) -> None:
    checked = mediation.output("it is secret-7")
    assert checked.allowed
    assert "secret-7" not in checked.value
    mediation.receipts.left(checked.value)
    with pytest.raises(Unmediated):
        mediation.receipts.left("it is secret-7")


@pytest.mark.parametrize("mode", ["whole", "pieces"])
def test_streams_let_nothing_out_however_they_are_cut(mediation: Mediation, mode: str) -> None:
    text = "it is secret-77 here"
    for cut in range(len(text)):
        stream = mediation.stream(mode)
        out = stream.feed(text[:cut]) + stream.feed(text[cut:]) + stream.close()
        assert "secret-77" not in out
        assert out.startswith("it is ")
        assert stream.text == out
        mediation.receipts.left(out)


def test_a_check_that_breaks_refuses(mediation: Mediation) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("boom")

    session: Any = mediation.session
    session.check_call = session.check_output = session.check_input = session.check_result = broken
    assert not mediation.call("look", {}, "c1").allowed
    assert not mediation.output("x").allowed
    assert not mediation.input("x").allowed


def test_async_twins_decide_alike(guard: Guard) -> None:
    async def run() -> list[str]:
        mediation = Mediation(guard.session(principal={"id": "ana"}))
        passage = await mediation.acall("pay", {"amount": 90, "note": ""}, "c1")
        passage = await mediation.aanswered(passage, Answer(approves=True, by="fay"))
        checked = await mediation.aresult("c1", "pay", "ok")
        other = await mediation.acall("look", {}, "c2")
        await mediation.afailed("c2", "look")
        texts = [(await mediation.ainput("attack")).value, (await mediation.aoutput("secret-1")).value]
        return [passage.outcome, checked.value, other.outcome, *texts]

    outcome, value, other, refused, output = asyncio.run(run())
    assert (outcome, value, other) == ("allow", "ok", "allow")
    assert "No attacks" in refused
    assert "secret-1" not in output


def test_a_session_without_an_end_keeps_a_bounded_past(
    mediation: Mediation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guardrails.integrations.receipts.MOST", 5)
    for number in range(20):
        mediation.call("look", {}, f"c{number}")
        mediation.output(f"text {number}")
    mediation.receipts.left("text 19")
    assert mediation.result("c19", "look", "x").allowed
    with pytest.raises(Unmediated, match="did not pass"):
        mediation.receipts.left("text 3")
    with pytest.raises(Unmediated, match="no check has seen"):
        mediation.result("c3", "look", "x")
    kept = (mediation._open, mediation.receipts._calls, mediation.receipts._texts)
    assert all(len(each) <= 5 for each in kept)


def test_seats_are_one_for_a_session(guard: Guard) -> None:
    sessions = {name: guard.session(id=name) for name in ("a", "b")}
    seats = Seats(lambda context: sessions[context])
    assert seats.of("a") is seats.of("a")
    assert seats.of("a") is not seats.of("b")
    with pytest.raises(EvaluationError, match="needs a session"):
        Seats(lambda _: 7).of()  # type: ignore[arg-type,return-value]
