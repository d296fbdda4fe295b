"""The rules about origins: what they must not say is worth as much as what they say."""

from __future__ import annotations

import json

import pytest

from guardrails.lint import lint_text

TOOLS = json.dumps({"tools": [
    {"name": "get_payroll", "annotations": {"readOnlyHint": True}},
    {"name": "read_email", "annotations": {"readOnlyHint": True}},
    {"name": "note", "annotations": {"readOnlyHint": False, "openWorldHint": False}},
    {"name": "send", "annotations": {"readOnlyHint": False, "openWorldHint": True},
     "inputSchema": {"type": "object", "properties": {"to": {"type": "string"}}}},
    {"name": "fetch", "annotations": {"readOnlyHint": True, "openWorldHint": True},
     "inputSchema": {"type": "object", "properties": {"url": {"type": "string"}}}},
]})  # fmt: skip

HEAD = """policy office
use tools "tools.json"
on call get_payroll, read_email, note { allow; daily: limit 5 per 1d }
"""
PRIVATE = "on result get_payroll { label confidential }\n"
STRANGE = "on result read_email { label untrusted }\n"
ASKED = "on call note { flag mixed when context has confidential or context has untrusted }\n"


def found(rule: str, *parts: str) -> list[str]:
    report = lint_text("".join([HEAD, *parts]), TOOLS)
    assert not any(one.severity == "error" for one in report.diagnostics), report.diagnostics
    return [one.message for one in report.diagnostics if one.rule == rule]


# --- the trifecta ------------------------------------------------------------------------------


@pytest.mark.parametrize("tool", ["send", "fetch"])
def test_an_open_way_out_is_found(tool: str) -> None:
    way = f"on call {tool} {{ allow; hourly: limit 9 per 1h }}\n"
    (message,) = found("lethal-trifecta", PRIVATE, STRANGE, ASKED, way)
    assert message == f"`{tool}` can carry what is private to whoever planted a text"


def test_records_are_private_as_well() -> None:
    way = "on call send { allow; hourly: limit 9 per 1h }\n"
    assert found("lethal-trifecta", PRIVATE.replace("confidential", "records"), STRANGE, ASKED, way)


@pytest.mark.parametrize("parts", [(PRIVATE,), (STRANGE,), ()])
def test_two_of_the_three_are_none(parts: tuple[str, ...]) -> None:
    assert not found("lethal-trifecta", *parts, ASKED, "on call send { allow; hourly: limit 9 per 1h }\n")


def test_a_tool_that_stays_inside_is_no_way_out() -> None:
    assert not found("lethal-trifecta", PRIVATE, STRANGE, ASKED)


@pytest.mark.parametrize("guard", [
    "ask user when context has untrusted",
    "ask user unless origin(args.to) in {user}",
    'require args.to == "office"',
    'deny when args.to like "*@evil.example"',
    "halt when context has confidential",
])  # fmt: skip
def test_whatever_guards_the_way_out_is_enough(guard: str) -> None:
    way = f'on call send {{ allow; {guard} because "It is ours." }}\n'
    assert not found("lethal-trifecta", PRIVATE, STRANGE, ASKED, way)


def test_a_condition_of_the_grant_is_enough() -> None:
    way = 'on call send { allow when args.to == "office" }\n'
    assert not found("lethal-trifecta", PRIVATE, STRANGE, ASKED, way)


def test_a_flow_is_enough() -> None:
    way = "on call send { allow; hourly: limit 9 per 1h }\nflow confidential to call send\n"
    assert not found("lethal-trifecta", PRIVATE, STRANGE, ASKED, way)


def test_a_guard_in_shadow_guards_nothing() -> None:
    way = "on call send { allow; hourly: limit 9 per 1h; shadow ask user when context has untrusted }\n"
    assert found("lethal-trifecta", PRIVATE, STRANGE, ASKED, way)


# --- labels that are missing -------------------------------------------------------------------


def test_a_tool_that_is_read_and_not_labelled() -> None:
    (message,) = found("unlabelled-result", PRIVATE, ASKED)
    assert message == "no `label` speaks of what `read_email` gives, so it counts as untrusted"


def test_tools_that_write_need_no_label() -> None:
    assert not found("unlabelled-result", PRIVATE, STRANGE, ASKED)


def test_a_wildcard_labels_as_well() -> None:
    labels = 'on result "*" { label untrusted }\n'
    assert not found("unlabelled-result", PRIVATE, labels, ASKED)


def test_a_policy_that_asks_nothing_needs_no_labels() -> None:
    assert not found("unlabelled-result")


def test_a_tool_that_is_not_allowed_is_not_read() -> None:
    assert not found("unlabelled-result", PRIVATE, STRANGE, ASKED, 'on call fetch { deny because "No." }\n')


# --- labels that nobody asks for ---------------------------------------------------------------


def test_a_label_that_nothing_asks_for() -> None:
    assert found("unused-label", PRIVATE) == ["nothing asks for `confidential`"]


def test_labels_of_trust_say_what_is_so_anyhow() -> None:
    assert not found("unused-label", STRANGE)


def test_another_question_is_not_asked_for_it() -> None:
    question = "on call send { allow when origin(args.to) in {user} }\n"
    assert found("unused-label", PRIVATE, question) == ["nothing asks for `confidential`"]


def test_who_asks_for_a_label_asks_for_those_above_it() -> None:
    chain = "type label { internal < secret }\non result get_payroll { label secret }\n"
    flow = 'flow internal to call send\non call send { allow when args.to == "office" }\n'
    assert not found("unused-label", chain, flow)


def test_a_question_in_a_named_value_counts() -> None:
    named = "let is_safe(x: string) = not (origin(x) has confidential)\n"
    assert not found("unused-label", PRIVATE, named, "on call send { allow when is_safe(args.to) }\n")
