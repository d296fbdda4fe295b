"""`guard lint --target`: what becomes of a policy at a host, and only that."""

from __future__ import annotations

import json

import pytest
from hook_runs import Guard

from guardrails.integrations.doors import DOORS
from guardrails.integrations.hosts import HOSTS
from guardrails.integrations.targets import RULE, degraded
from guardrails.lint.pages import code_of


def told(text: str, host: str) -> list[str]:
    return [diagnostic.message for diagnostic in degraded({"p.guard": text}, host)]


@pytest.mark.parametrize(
    ("text", "losing"),
    [
        ("on call a { ask finance }", {"codex", "gemini", "cursor"}),
        (
            'on call a { threshold args.n { up to 1: allow; above: ask because "x" } }',
            {"codex", "gemini", "cursor"},
        ),
        ("on call a { halt }", {"codex", "cursor", "copilot"}),
        ("on call a { redact args.b }", set()),
        ("on call a { deny }", set()),
        ("on result a { redact /x/ }", {"codex", "gemini", "cursor", "copilot"}),
        ('on result "mcp.s.*" { redact /x/ }', {"codex", "gemini", "copilot"}),
        ("on result a { deny }", {"cursor", "copilot"}),
        ("on result a { label untrusted }", set()),
        ("on input { deny }", {"copilot"}),
        ("on input { redact /x/ }", set(HOSTS)),
        ("on output { deny }", {"cursor", "copilot"}),
        ("on output { redact /x/ }", set(HOSTS)),
        ("on call a shadow { halt }", set()),
        ("on call {", set()),
    ],
)
def test_a_statement_is_told_where_it_is_lost(text: str, losing: set[str]) -> None:
    assert {host for host in HOSTS if told(text, host)} == losing


@pytest.mark.parametrize(
    ("text", "losing"),
    [
        ("on call a { ask finance }", {"litellm", "opa", "envoy"}),
        ("on call a { redact args.b }", {"opa", "envoy"}),
        ("on call a { halt }", {"opa", "envoy"}),
        ("on call a { deny }", set()),
        ("on result a { redact /x/ }", {"authzen", "opa", "envoy"}),
        ("on result a { label untrusted }", {"authzen", "opa", "envoy"}),
        ("on input { deny }", {"mcp", "authzen", "opa", "envoy"}),
        ("on input { redact /x/ }", {"mcp", "authzen", "opa", "envoy"}),
        ("on output { redact /x/ }", {"mcp", "authzen", "opa", "envoy"}),
        ("on output shadow { redact /x/ }", set()),
    ],
)
def test_it_is_told_of_frameworks_and_gateways_too(text: str, losing: set[str]) -> None:
    assert {door for door in DOORS if told(text, door)} == losing


@pytest.mark.parametrize("target", ["cursor", "opa"])
def test_a_finding_has_the_code_of_its_page(target: str) -> None:
    (found,) = degraded({"p.guard": "on call a { ask finance }"}, target)
    assert found.code == code_of(RULE) == "G244"


def test_what_a_door_never_sees_is_said(guard: Guard) -> None:
    (message,) = told("on output { deny }", "mcp")
    assert message == "the MCP gateway does not see answers: this is not checked there"


def test_lint_tells_it_with_all_else(guard: Guard) -> None:
    said = guard("lint", "team.guard", "--target", "codex", "--format", "json")
    found = json.loads(said.out)
    found = found["diagnostics"] if isinstance(found, dict) else found
    assert said.code == 1
    assert [each for each in found if each["rule"] == RULE]
    assert RULE not in guard("lint", "team.guard", "--format", "json").out


@pytest.mark.parametrize("form", ["text", "sarif", "github"])
def test_every_form_can_say_it(guard: Guard, form: str) -> None:
    said = guard("lint", "team.guard", "--target", "cursor", "--format", form)
    assert said.code == 1
    assert "the session ends" in said.out + said.err
