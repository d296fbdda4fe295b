"""Spans and events: what OpenTelemetry's SDK is given for checks and for runs of tools."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from opentelemetry.trace import StatusCode, get_current_span
from telemetry_guards import Sdk, busy, shop

from guardrails import Denied
from guardrails.errors import EvaluationError
from guardrails.telemetry import Telemetry


def attributes(span: Any) -> dict[str, Any]:
    return dict(span.attributes)


def test_a_check_is_a_span_by_the_conventions() -> None:
    sdk = Sdk()
    session = shop(sdk.telemetry).session(
        principal={"id": "ana"}, agent={"id": "bot", "name": "Bot", "workflow": "returns"}, id="s-1"
    )
    session.check_call("refund", {"amount": 500}, call_id="c1")
    (span,) = sdk.spans
    assert span.name == "apply_guardrail shop"
    assert span.instrumentation_scope.name == "guardrails"
    found = attributes(span)
    assert found.pop("guard.policy.digest").startswith("sha256:")
    assert found == {
        "gen_ai.operation.name": "apply_guardrail", "gen_ai.conversation.id": "s-1", "gen_ai.agent.id": "bot",
        "gen_ai.agent.name": "Bot", "gen_ai.workflow.name": "returns", "gen_ai.tool.name": "refund",
        "gen_ai.tool.call.id": "c1", "guard.policy": "shop", "guard.point": "call", "guard.outcome": "deny",
        "guard.statements": ("shop.big",), "guard.reasons": ("shop.big",),
    }  # fmt: skip


def test_errors_changes_and_duties_are_named() -> None:
    sdk = Sdk()
    session = shop(sdk.telemetry).session(principal={"id": "ana"})
    session.check_call("refund", {"amount": "many"})
    session.check_output("write to lena@mail.test")
    denied, changed = map(attributes, sdk.spans)
    assert "shop.big: type" in denied["guard.errors"]
    assert changed["guard.transforms"] == ("redact",)
    assert "gen_ai.tool.name" not in changed


def test_whatever_happens_in_a_check_belongs_to_its_span() -> None:
    from guardrails.observing import Observer

    sdk, seen = Sdk(), []

    class Inside(Observer):
        def ended(self, check: Any, decision: Any) -> Any:
            seen.append(get_current_span().get_span_context().span_id)
            return decision

    guard = shop()
    guard.observers = (Inside(),)
    sdk.telemetry.watch(guard)
    with sdk.tracers.get_tracer("the agent").start_as_current_span("invoke_agent") as outer:
        guard.session().check_call("mail.send", {})
        assert get_current_span() is outer
    check, agent = sdk.spans
    assert seen == [check.context.span_id]
    assert check.parent.span_id == agent.context.span_id


def test_a_check_that_is_awaited_is_one_span_and_leaves_its_context() -> None:
    sdk = Sdk()
    guard = shop(sdk.telemetry)

    async def work() -> None:
        session = guard.session(principal={"id": "ana"})
        await asyncio.gather(*(session.acheck_call("refund", {"amount": n}) for n in range(5)))
        await session.acheck_output("hello")
        assert not get_current_span().get_span_context().is_valid

    asyncio.run(work())
    assert [attributes(span)["guard.point"] for span in sdk.spans] == ["call"] * 5 + ["output"]
    assert len({span.context.trace_id for span in sdk.spans}) == 6


def test_a_check_that_breaks_ends_its_span_with_the_class_of_the_error_alone() -> None:
    sdk = Sdk()
    session = shop(sdk.telemetry).session(principal={"id": "ana"})
    with pytest.raises(EvaluationError):
        session.check_input("hello", by="a secret nobody")
    (span,) = sdk.spans
    assert span.status.status_code is StatusCode.ERROR
    assert attributes(span)["error.type"] == "EvaluationError"
    assert "secret nobody" not in sdk.everything()


# --- tools -------------------------------------------------------------------------------------


def test_a_run_of_an_enforced_tool_is_a_span_between_its_checks() -> None:
    sdk = Sdk()
    session = shop(sdk.telemetry).session(principal={"id": "ana"}, id="s-1")

    @session.tool
    def refund(amount: int, note: str = "x") -> dict[str, Any]:
        return {"amount": amount}

    assert refund(5) == {"amount": 5}
    names = [(span.name, attributes(span).get("guard.point")) for span in sdk.spans]
    assert names == [
        ("apply_guardrail shop", "call"), ("execute_tool refund", None), ("apply_guardrail shop", "result"),
    ]  # fmt: skip
    assert attributes(sdk.spans[1]) == {
        "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "refund", "gen_ai.tool.type": "function",
        "gen_ai.conversation.id": "s-1",
    }  # fmt: skip
    with pytest.raises(Denied):
        refund(500)
    assert len(sdk.spans) == 4, "what is denied does not run"
    assert (
        'gen_ai_execute_tool_duration_seconds_count{gen_ai_tool_name="refund"} 1'
        in sdk.telemetry.prometheus()
    )


@pytest.mark.parametrize("kind", ["plain", "async", "gives something to await"])
def test_a_tool_that_fails_says_how_and_not_with_what(kind: str) -> None:
    sdk = Sdk()
    session = shop(sdk.telemetry).session(principal={"id": "ana"})

    def plain(amount: int) -> None:
        raise ConnectionError("the password of ana is hunter2")

    async def later(amount: int) -> None:
        plain(amount)

    def hidden(amount: int) -> Any:
        return later(amount)

    function = {"plain": plain, "async": later, "gives something to await": hidden}[kind]
    tool = session.enforce(function, tool="refund")

    async def call() -> None:
        found = tool(5)
        if found is not None:
            await found

    with pytest.raises(ConnectionError):
        asyncio.run(call())
    span = next(span for span in sdk.spans if span.name == "execute_tool refund")
    assert span.status.status_code is StatusCode.ERROR
    assert attributes(span)["error.type"] == "ConnectionError"
    assert span.events == ()
    assert "hunter2" not in sdk.everything()


# --- the draft conventions, and what is refused -------------------------------------------------


def test_the_draft_for_guardrails_comes_on_demand() -> None:
    plain, draft = Sdk(), Sdk(conventions="draft")
    for sdk in (plain, draft):
        busy(shop(sdk.telemetry))
    assert not any(name.startswith("gen_ai.guardrail") for span in plain.spans for name in span.attributes)
    assert plain.events == []
    found = next(attributes(span) for span in draft.spans if span.attributes["guard.outcome"] == "deny")
    assert found["gen_ai.guardrail.policy.id"] == "shop"
    assert found["gen_ai.guardrail.result.value"] == "deny"
    assert found["gen_ai.guardrail.policy.rule.id"] == "shop.big"
    assert found["gen_ai.guardrail.source"] == "tool_call"
    assert {event.event_name for event in draft.events} == {"gen_ai.guardrail.result"}
    spans = {span.context.span_id for span in draft.spans}
    assert {event.span_id for event in draft.events} <= spans, "an event belongs to the span of its check"


@pytest.mark.parametrize(("name", "value"), [("conventions", "beta"), ("identities", "none")])
def test_settings_that_are_none_are_refused(name: str, value: str) -> None:
    settings: dict[str, Any] = {name: value}
    with pytest.raises(EvaluationError, match=f"`{name}` is .* not `{value}`"):
        Telemetry(**settings)


def test_ways_that_are_none_are_refused() -> None:
    with pytest.raises(EvaluationError, match="`telemetry` is `metrics`, `otel`, `otlp`"):
        shop("statsd")
