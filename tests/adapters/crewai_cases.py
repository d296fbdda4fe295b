"""The adapter for CrewAI, with a model of a script. It runs in an environment that has CrewAI, by
`test_adapter_crewai`; each case prints its name when it passed."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from contextlib import contextmanager
from typing import Any

os.environ.update(
    CREWAI_DISABLE_TELEMETRY="true", OTEL_SDK_DISABLED="true", CREWAI_TRACING_ENABLED="false",
    CREWAI_DISABLE_VERSION_CHECK="true", CREWAI_STORAGE_DIR=tempfile.mkdtemp(), HOME=tempfile.mkdtemp(),
    OPENAI_API_KEY="none",
)  # fmt: skip

from crewai import Agent, Crew, Process, Task
from crewai.events import LLMCallCompletedEvent, crewai_event_bus
from crewai.hooks import InterceptionPoint, on
from crewai.llms.base_llm import BaseLLM, LLMCallType
from crewai.tools import BaseTool, tool

from guardrails import Guard
from guardrails.errors import Denied, EvaluationError, Halted, Unavailable
from guardrails.integrations.crewai import MARK, GuardedAgent, coverage, guarded
from guardrails.integrations.receipts import Unmediated

POLICY = """
policy shop

on call pay {
  allow
  deny when args.amount > 1000 because "Too much."
  ask finance when args.amount > 60 because "Large payments are asked for."
  most: limit sum(args.amount) to 500 per 1d by session.id
  redact /KEY-[0-9]+/ in args.note
}
on call look { allow }
on call burn { halt because "That was the last straw." }
on result look { redact /SECRET-[0-9]+/; deny when args.what == "hush" because "Not for you." }
on input { deny when text contains "attack" because "No attacks."; redact /SECRET-[0-9]+/ }
on output { deny when text contains "hush" because "Not to be said."; redact /SECRET-[0-9]+/ }
"""

USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cached_prompt_tokens": 4}


class FakeLLM(BaseLLM):
    """Says what a script tells it."""

    script: Any = None
    seen: Any = None

    def call(self, messages: Any, *args: Any, **named: Any) -> Any:
        self.seen.append(json.dumps(messages, default=str))
        self._track_token_usage_internal(USAGE)
        said = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        self._emit_call_completed_event(said, LLMCallType.LLM_CALL, messages=messages)
        return said

    async def acall(self, *args: Any, **named: Any) -> Any:
        return self.call(*args, **named)

    def supports_function_calling(self) -> bool:
        return False


class Shop:
    def __init__(self) -> None:
        self.ran: list[Any] = []
        self.found: Any = "it is SECRET-1"

    def tools(self) -> list[BaseTool]:
        @tool("pay")
        def pay(amount: float, note: str = "") -> str:
            "Pay."
            self.ran.append((amount, note))
            return f"paid {amount}"

        @tool("look")
        def look(what: str) -> Any:
            "Look."
            self.ran.append(what)
            if what == "broken":
                raise ValueError("it broke at SECRET-1")
            return self.found

        @tool("burn")
        def burn() -> str:
            "Burn."
            self.ran.append("burn")
            return "burnt"

        return [pay, look, burn]


def step(name: str, **args: Any) -> str:
    return f"Thought: x\nAction: {name}\nAction Input: {json.dumps(args)}\n"


def final(said: str) -> str:
    return f"Thought: I now know the final answer\nFinal Answer: {said}"


def guard_of(policy: str = POLICY, **more: Any) -> Guard:
    return Guard.from_text(policy, reviewers={"finance": ["fay"]}, **more)


class Talk:
    def __init__(
        self, *script: str, session: Any = None, person: Any = None, reviewer: str = "fay", **crew: Any
    ) -> None:
        self.shop = Shop()
        self.llm = FakeLLM(model="fake", script=list(script), seen=[])
        self.agent = Agent(role="r", goal="g", backstory="b", llm=self.llm, tools=self.shop.tools())
        task = Task(description="do {what}", expected_output="s", agent=self.agent)
        crew = {"agents": [self.agent], "tasks": [task], **crew}
        self.session = session or guard_of().session()
        self.crew: Any = guarded(Crew(**crew), self.session, reviewer=reviewer, person=person)
        self.output: Any = None

    def run(self, **inputs: Any) -> Talk:
        self.output = self.crew.kickoff(inputs={"what": "it", **inputs})
        return self

    @property
    def seen(self) -> str:
        return "".join(self.llm.seen)


@contextmanager
def raises(kind: type[BaseException], text: str = "") -> Any:
    try:
        yield
    except kind as error:
        said = str(error)
    else:
        raise AssertionError(f"{kind.__name__} was not raised")
    assert text in said, said


def test_allow_and_deny() -> None:
    talk = Talk(step("pay", amount=5), step("pay", amount=5000), final("done")).run()
    assert talk.shop.ran == [(5, "")]
    assert talk.output.raw == "done"
    assert "Too much" in talk.llm.seen[-1]


def test_arguments_are_changed() -> None:
    talk = Talk(step("pay", amount=5, note="KEY-77 x"), final("done")).run()
    assert "KEY-77" not in str(talk.shop.ran)
    assert talk.shop.ran[0][1].endswith(" x")


def test_a_halt_ends_the_run() -> None:
    talk = Talk(step("burn"), final("never"))
    with raises(Halted, "last straw"):
        talk.run()
    assert talk.shop.ran == []
    assert len(talk.llm.seen) == 1


def test_limits_hold() -> None:
    steps = [step("pay", amount=60, note=str(number)) for number in range(12)]
    talk = Talk(*steps, final("done"))
    assert talk.run().shop.ran == [(60, str(number)) for number in range(8)]


def test_a_person_is_asked() -> None:
    asked: list[Any] = []

    def person(answer: Any) -> Any:
        return lambda question: asked.append(question) or answer

    yes = Talk(step("pay", amount=90), final("done"), person=person(True)).run()
    assert yes.shop.ran == [(90, "")]
    assert asked[0]["reviewers"] == ["finance"]
    for answer in (False, {"approved": True, "by": "bob"}, "perhaps"):
        assert Talk(step("pay", amount=90), final("done"), person=person(answer)).run().shop.ran == []


def test_a_call_passes_once_it_was_approved_elsewhere() -> None:
    store = f"sqlite:{tempfile.mkdtemp()}/guard.db"
    first = Talk(step("pay", amount=90), final("done"), session=guard_of(store=store).session(id="s")).run()
    assert first.shop.ran == []
    other = guard_of(store=store)
    (request,) = other.approvals.list()
    assert request.id in first.seen
    other.approvals.approve(request.id, by="fay")
    second = Talk(step("pay", amount=90), final("done"), session=other.session(id="s")).run()
    assert second.shop.ran == [(90, "")]


def test_results_are_redacted_and_denied() -> None:
    for found in ("it is SECRET-1", {"a": "SECRET-1"}, ["SECRET-1"]):
        talk = Talk(step("look", what="x"), final("done"))
        talk.shop.found = found
        assert "SECRET-1" not in talk.run().seen + str(talk.output)
    talk = Talk(step("look", what="hush"), final("done"))
    talk.shop.found = "the price is 7"
    assert "Not for you" in talk.run().seen
    assert "price" not in talk.seen


def test_what_a_failed_call_says_is_judged_and_it_is_given_back() -> None:
    session = guard_of("policy p\non call look { allow; limit 1 per 1d by session.id }").session()
    assert (
        "x"
        in Talk(step("look", what="broken"), step("look", what="x"), final("d"), session=session)
        .run()
        .shop.ran
    )
    assert "SECRET-1" not in Talk(step("look", what="broken"), final("done")).run().seen


def test_inputs_are_denied_and_changed() -> None:
    talk = Talk(final("never"))
    with raises(Denied, "No attacks"):
        talk.run(what="an attack")
    assert talk.llm.seen == []
    assert "SECRET-9" not in Talk(final("done")).run(what="my SECRET-9").seen


def test_outputs_are_changed_and_denied_everywhere() -> None:
    heard: list[Any] = []
    with crewai_event_bus.scoped_handlers():
        crewai_event_bus.on(LLMCallCompletedEvent)(lambda source, event: heard.append(event.response))
        talk = Talk(final("it is SECRET-1")).run()
        crewai_event_bus.flush()
    assert talk.output.raw.startswith("it is ")
    assert heard
    assert "SECRET-1" not in str(talk.output) + str(talk.output.tasks_output) + str(heard)
    refused = Talk(final("hush hush")).run()
    assert "Not to be said" in refused.output.raw
    assert "hush" not in refused.output.raw


def test_streams_are_not_begun_or_held_back() -> None:
    with raises(EvaluationError, "stream"):
        Talk(final("x"), stream=True).run()
    llm = FakeLLM(model="fake", script=[final("x")], seen=[], stream=True)
    guarded(Agent(role="r", goal="g", backstory="b", llm=llm), guard_of().session())
    assert not llm.stream


def test_usage_is_charged_and_a_budget_stops_the_next_call() -> None:
    guard = guard_of("policy p\non call look { allow }\non session { budget tokens 20 }\n")
    talk = Talk(step("look", what="a"), step("look", what="b"), final("done"), session=guard.session()).run()
    assert talk.shop.ran == ["a"]
    assert [limit.used for limit in guard.limits()] == [45]


def test_every_way_to_start_is_guarded() -> None:
    for start in (
        "kickoff_for_each",
        "kickoff_async",
        "akickoff",
        "kickoff_for_each_async",
        "akickoff_for_each",
    ):
        talk = Talk(step("pay", amount=5000), final("it is SECRET-1"))
        given: Any = [{"what": "my SECRET-5"}] if "each" in start else {"what": "my SECRET-5"}
        output = getattr(talk.crew, start)(inputs=given)
        if asyncio.iscoroutine(output):
            output = asyncio.run(output)
        assert talk.shop.ran == [], start
        assert "SECRET" not in str(output) + talk.seen, start


def test_an_agent_on_its_own_is_guarded() -> None:
    shop = Shop()
    llm = FakeLLM(model="fake", script=[step("look", what="x"), final("it is SECRET-1")], seen=[])
    agent: Any = guarded(
        Agent(role="r", goal="g", backstory="b", llm=llm, tools=shop.tools()), guard_of().session()
    )
    output = agent.kickoff("my SECRET-5")
    assert shop.ran == ["x"]
    assert "SECRET" not in output.raw + "".join(llm.seen)


def test_delegation_is_a_call_like_any_other() -> None:
    talk = Talk(final("x"))
    script = [step("delegate_work_to_coworker", task="t", context="c", coworker="other"), final("done")]
    llm = FakeLLM(model="fake", script=script, seen=[])
    boss = Agent(role="boss", goal="g", backstory="b", llm=llm, allow_delegation=True)
    other = Agent(role="other", goal="g", backstory="b", llm=talk.llm)
    task = Task(description="d", expected_output="s", agent=boss)
    guarded(Crew(agents=[boss, other], tasks=[task]), guard_of().session()).kickoff()
    assert talk.llm.seen == []
    assert "denied" in llm.seen[-1]


def test_the_manager_of_a_crew_is_guarded() -> None:
    script = [step("delegate_work_to_coworker", task="t", context="c", coworker="r"), final("it is SECRET-1")]
    manager = FakeLLM(model="fake", script=script, seen=[])
    talk = Talk(final("x"), process=Process.hierarchical, manager_llm=manager).run()
    assert "denied" in manager.seen[-1]
    assert "SECRET" not in talk.output.raw


def test_a_tool_that_guard_does_not_stand_before_does_not_run() -> None:
    talk = Talk(step("look", what="x"), final("never"))
    original = GuardedAgent._add_skill_loader_tool
    GuardedAgent._add_skill_loader_tool = Agent._add_skill_loader_tool  # type: ignore[method-assign]
    try:
        with raises(Unmediated):
            talk.run()
    finally:
        GuardedAgent._add_skill_loader_tool = original  # type: ignore[method-assign]
    assert talk.shop.ran == []


def test_hooks_that_break_or_change_arguments_get_nothing_past() -> None:
    @on(InterceptionPoint.PRE_TOOL_CALL)
    def worse(context: Any) -> None:
        if "amount" in context.tool_input:
            context.tool_input["amount"] = 5000
        raise ValueError("boom")

    talk = Talk(step("pay", amount=5), final("done")).run()
    assert talk.shop.ran == []
    from crewai.hooks import clear_all_hooks

    clear_all_hooks()


def test_seams_that_break_let_nothing_through() -> None:
    for failure in (RuntimeError("boom"), Unavailable("away")):
        for seam in ("check_call", "check_result", "check_input", "check_output", "report", "failed"):

            def broken(*_: Any, _failure: Exception = failure, **__: Any) -> Any:
                raise _failure

            session = guard_of().session()
            setattr(session, seam, broken)
            talk = Talk(
                step("look", what="x"), step("look", what="broken"), final("it is SECRET-7"), session=session
            )
            try:
                talk.run()
            except Exception:
                talk.output = None
            assert "SECRET" not in talk.seen + str(talk.output), seam
            if seam == "check_call":
                assert talk.shop.ran == []
            if seam == "check_input":
                assert talk.llm.seen == []


def test_calls_in_the_models_own_form_go_the_same_way() -> None:
    def calls(*given: tuple[str, dict[str, Any]]) -> Any:
        return [
            {
                "id": f"c{number}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(args)},
            }
            for number, (name, args) in enumerate(given)
        ]

    class Native(FakeLLM):
        def supports_function_calling(self) -> bool:
            return True

    shop = Shop()
    script = [
        calls(("pay", {"amount": 5}), ("pay", {"amount": 5000}), ("look", {"what": "x"})),
        "it is SECRET-2",
    ]
    llm = Native(model="fake", script=script, seen=[])
    agent = Agent(role="r", goal="g", backstory="b", llm=llm, tools=shop.tools())
    task = Task(description="d", expected_output="s", agent=agent)
    output = guarded(Crew(agents=[agent], tasks=[task]), guard_of().session()).kickoff()
    assert sorted(map(str, shop.ran)) == ["(5.0, '')", "x"]
    assert "Too much" in llm.seen[-1]
    assert "SECRET" not in output.raw + llm.seen[-1]
    burning = Native(model="fake", script=[calls(("burn", {}), ("look", {"what": "x"})), "never"], seen=[])
    agent = Agent(role="r", goal="g", backstory="b", llm=burning, tools=shop.tools())
    task = Task(description="d", expected_output="s", agent=agent)
    with raises(Halted):
        guarded(Crew(agents=[agent], tasks=[task]), guard_of().session()).kickoff()
    assert "burn" not in shop.ran


def test_coverage() -> None:
    talk = Talk(final("x"))
    assert all(each.is_covered for each in coverage(talk.crew))
    assert MARK in talk.agent.__dict__
    bare = Agent(role="r", goal="g", backstory="b", llm=talk.llm, tools=Shop().tools())
    assert not any(each.is_covered for each in coverage(bare))


def main() -> int:
    failed = 0
    for name, case in list(globals().items()):
        if not name.startswith("test_"):
            continue
        try:
            case()
        except BaseException as error:
            import traceback

            traceback.print_exception(error, file=sys.stdout)
            print(f"FAILED {name}")
            failed += 1
        else:
            print(f"passed {name}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
