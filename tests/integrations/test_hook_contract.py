"""What a host cannot express degrades downward only, whatever the decision and whatever the host can do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.integrations.contract import ABILITIES, FORMS, POINTS, Call, Moment, Verdict, fitted, withheld
from guardrails.integrations.hosts import HOSTS, host_named

CHECKED = ("input", "pre_tool", "post_tool", "output")
PASSING = {"go", "change"}
"""Forms that let a call, or an input or output, go on by themselves."""

moments = st.builds(
    lambda point, last: Moment(point, "E", "s", payload={"stdout": "text", "type": "t"}, last=last,
                               kept={"type": frozenset({"t"})}),
    st.sampled_from(CHECKED), st.booleans(),
)  # fmt: skip
verdicts = st.builds(
    lambda outcome, changed, payload, question: Verdict(
        outcome, "why", changed=changed, payload=payload, question=question
    ),
    st.sampled_from(("allow", "ask", "deny", "halt")),
    st.booleans(),
    st.sampled_from((None, {"stdout": "less"}, "less")),
    st.sampled_from(("", "may it?")),
)
abilities = st.frozensets(st.sampled_from(sorted(ABILITIES)))


@given(verdicts, moments, abilities)
def test_an_answer_is_never_looser_than_the_decision(
    verdict: Verdict, moment: Moment, able: frozenset[str]
) -> None:
    answer = fitted(verdict, moment, able)
    assert answer.form in FORMS
    if answer.form == "go":
        assert verdict.outcome == "allow"
        assert not verdict.changed
    if answer.form == "ask":
        assert verdict.outcome == "ask"
        assert verdict.question
    if answer.form == "change" and moment.point != "post_tool":
        assert verdict.outcome == "allow"
    if answer.form == "change" and moment.point == "post_tool" and verdict.outcome != "allow":
        assert "text" not in str(answer.value)
    if moment.point == "post_tool" and verdict.outcome != "allow":
        assert answer.form in {"change", "replace", "stop", "seal"}


@given(verdicts, moments, abilities)
def test_a_host_is_only_asked_for_what_it_can_do(
    verdict: Verdict, moment: Moment, able: frozenset[str]
) -> None:
    form = fitted(verdict, moment, able).form
    assert form in {"go", "seal"} or form in able


@given(verdicts, moments, abilities)
def test_every_refusal_says_why(verdict: Verdict, moment: Moment, able: frozenset[str]) -> None:
    answer = fitted(verdict, moment, able)
    assert answer.form in PASSING or answer.reason


@given(verdicts, moments, abilities, abilities)
def test_more_abilities_never_seal_what_fewer_did_not(
    verdict: Verdict, moment: Moment, some: frozenset[str], more: frozenset[str]
) -> None:
    if fitted(verdict, moment, some).form != "seal":
        assert fitted(verdict, moment, some | more).form != "seal"


@pytest.mark.parametrize("name", HOSTS)
def test_a_host_declares_what_it_can_do_at_points_that_there_are(name: str) -> None:
    host = host_named(name)
    assert name == host.NAME
    for point, able in host.ABILITIES.items():
        assert point.partition(":")[0] in POINTS
        assert able <= ABILITIES.keys()


@given(st.recursive(st.one_of(st.integers(), st.text("xyz"), st.none(), st.booleans()),
                    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.sampled_from("abc"), inner))))  # fmt: skip
def test_what_is_withheld_keeps_its_shape_and_none_of_its_texts(payload: Any) -> None:
    found = withheld(Moment("post_tool", "E", "s", payload=payload), "no")
    assert _shape(found) == _shape(payload)
    assert not any(sign in str(_texts(found)) for sign in "xyz")


def test_what_is_withheld_tells_no_number_either() -> None:
    found = withheld(Moment("post_tool", "E", "s", payload={"a": [78_051_120, 1.5, True, None]}), "no")
    assert found == {"a": [0, 0, True, None]}


def test_only_words_that_say_what_a_result_is_are_kept() -> None:
    payload = {
        "type": "secret-1",
        "status": "secret-2",
        "mode": "content",
        "filePath": "/work/a",
        "mimeType": "image/png",
    }
    host = host_named("claude-code")
    event = {
        "session_id": "s", "cwd": "/work", "hook_event_name": "PostToolUse", "tool_name": "Grep",
        "tool_input": {"pattern": "x", "path": "/work/a"}, "tool_response": payload,
    }  # fmt: skip
    found = withheld(host.read(event, "/work"), "no")
    assert "secret" not in str(found)
    assert (found["mode"], found["filePath"], found["mimeType"]) == ("content", "/work/a", "image/png")


def test_a_file_as_it_was_is_withheld_too() -> None:
    host = host_named("claude-code")
    event = {
        "session_id": "s", "cwd": "/work", "hook_event_name": "PostToolUse", "tool_name": "Edit",
        "tool_input": {"file_path": "/work/a", "old_string": "a", "new_string": "b"},
        "tool_response": {"filePath": "/work/a", "oldString": "a", "newString": "b", "originalFile": "secret-3"},
    }  # fmt: skip
    assert "secret" not in str(withheld(host.read(event, "/work"), "no"))


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shape(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_shape(part) for part in value]
    if isinstance(value, str):
        return str
    return value if isinstance(value, bool) or value is None else 0


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for part in value.values() for text in _texts(part)]
    if isinstance(value, list):
        return [text for part in value for text in _texts(part)]
    return [value] if isinstance(value, str) else []


def test_changed_arguments_are_written_back_only_where_they_came_from() -> None:
    call = Call("run_command", {"command": "a", "extra": 1}, {"command": "cmd"})
    host = {"cmd": "a", "timeout": 3, "extra": 1}
    assert call.written_back({"command": "b", "extra": 1}, host) == {"cmd": "b", "timeout": 3, "extra": 1}
    assert call.written_back({"command": "a", "extra": 2}, host) is None
    assert call.written_back({"command": "a"}, host) is None
