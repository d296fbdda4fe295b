"""The adapter for the Claude Agent SDK, on the SDK's own client with a Claude Code that a script plays."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

if os.environ.get("CI") != "true":
    pytest.importorskip("claude_agent_sdk")

from claude_agent_fakes import FakeCli, shell
from claude_agent_sdk import (
    AssistantMessage,
    ClaudeAgentOptions,
    ClaudeSDKClient,
    HookMatcher,
    PermissionResultAllow,
    PermissionResultDeny,
    ResultMessage,
    StreamEvent,
    UserMessage,
)

from guardrails import Guard
from guardrails.errors import EvaluationError, Halted, Unavailable
from guardrails.integrations import claude_agent
from guardrails.integrations.claude_agent import GuardedClient, coverage, guarded
from guardrails.integrations.receipts import Unmediated

POLICY = """
policy coder

on call run_command {
  allow when not (args.command contains "rm ")
  deny when args.command contains "rm " because "Nothing is removed."
  halt when args.command contains "poweroff" because "That was the last straw."
  ask finance when args.command contains "pay " because "Payments are asked for."
  most: limit 3 per 1d by session.id
  redact /KEY-[0-9]+/ in args.command
}
on call edit_file { allow when not (args.path contains "secret") }
on result run_command { redact /SECRET-[0-9]+/; deny when args.command contains "hush" because "Not for you." }
on input { deny when text contains "attack" because "No attacks."; redact /SECRET-[0-9]+/ }
on output { deny when text contains "hush" because "Not to be said."; redact /SECRET-[0-9]+/ }
on session { budget tokens 100000 }
"""


def guard_of(policy: str = POLICY, **more: Any) -> Guard:
    return Guard.from_text(policy, reviewers={"finance": ["fay"]}, **more)


def bash(command: str) -> list[tuple[str, dict[str, Any]]]:
    return [("Bash", {"command": command, "description": "d"})]


class Run:
    """A run of one prompt, and what came of it."""

    def __init__(self, cli: FakeCli, client: GuardedClient) -> None:
        self.cli = cli
        self.client = client
        self.messages: list[Any] = []

    @property
    def said(self) -> str:
        return "".join(
            getattr(block, "text", "")
            for message in self.messages
            if isinstance(message, AssistantMessage)
            for block in message.content
        )

    @property
    def last(self) -> str:
        return str(self.messages[-1].result)

    @property
    def streamed(self) -> str:
        parts = [m.event for m in self.messages if isinstance(m, StreamEvent)]
        return "".join(part.get("delta", {}).get("text", "") for part in parts)

    async def take(self, prompt: str = "hello") -> Run:
        async with self.client:
            await self.client.query(prompt)
            async for message in self.client.receive_response():
                self.messages.append(message)
        return self


def run(
    *steps: Any,
    session: Any = None,
    prompt: str = "hello",
    options: ClaudeAgentOptions | None = None,
    tools: dict[str, Any] | None = None,
    reviewer: str = "fay",
    streaming: str = "whole",
    **more: Any,
) -> Run:
    async def work() -> Run:
        cli = FakeCli(steps, tools or {"Bash": shell()}, **more)
        given = options or ClaudeAgentOptions(cwd="/project")
        client = GuardedClient(
            given, session or guard_of().session(), reviewer=reviewer, streaming=streaming, transport=cli
        )
        made = Run(cli, client)
        runs.append(made)
        return await made.take(prompt)

    return asyncio.run(work())


runs: list[Run] = []


def asked(answer: Any) -> ClaudeAgentOptions:
    async def person(name: str, given: dict[str, Any], context: Any) -> Any:
        return answer(given) if callable(answer) else answer

    return ClaudeAgentOptions(cwd="/project", can_use_tool=person)


def spent(session: Any, name: str = "most") -> Any:
    found = [limit.used for limit in session.guard.limits() if name in str(limit)]
    return found[0] if found else 0


# --- calls -------------------------------------------------------------------------------------


def test_what_is_allowed_runs() -> None:
    made = run(bash("echo hi"), "done")
    assert made.cli.read == ["echo hi"]
    assert made.said == made.last == "done"


def test_what_is_denied_does_not_run_and_the_model_reads_why() -> None:
    made = run(bash("rm -r /"), "done")
    assert "Nothing is removed" in made.cli.read[0]
    assert made.last == "done"


def test_tools_that_the_policy_does_not_name_are_denied() -> None:
    made = run([("Write", {"file_path": "/x", "content": "y"})], "done", tools={"Write": lambda _: {"ok": 1}})
    assert "denied" in made.cli.read[0]


def test_arguments_are_changed() -> None:
    made = run(bash("echo KEY-77"), "done")
    assert "KEY-77" not in made.cli.read[0]
    assert made.cli.read[0].startswith("echo ")


def test_arguments_that_cannot_be_written_back_are_refused() -> None:
    elsewhere = [("Bash", {"command": "echo KEY-77", "run_in_background": True})]
    made = run(elsewhere, "done")
    assert "cannot be done here" in made.cli.read[0]


def test_one_call_that_means_several_runs_only_as_a_whole() -> None:
    edits = {"file_path": "/project/a", "edits": [{"old_string": "a", "new_string": "b"}] * 2}
    tools = {"MultiEdit": lambda _: {"done": "both"}}
    assert run([("MultiEdit", edits)], "done", tools=tools).cli.read == ["{'done': 'both'}"]
    refused = run([("MultiEdit", {**edits, "file_path": "/secret"})], "done", tools=tools)
    assert "denied" in refused.cli.read[0]


def test_a_halt_stops_the_run_and_every_later_one() -> None:
    session = guard_of().session()
    ran: list[Any] = []
    with pytest.raises(Halted, match="last straw"):
        run(bash("poweroff"), "never", session=session, tools={"Bash": ran.append})
    assert ran == []
    assert runs[-1].cli.turns == 1
    with suppress(Halted):
        run("never", session=session)
    assert runs[-1].cli.turns == 0


def test_parallel_calls_are_judged_one_by_one() -> None:
    session = guard_of().session()
    made = run(
        [*bash("echo a"), *bash("rm b"), *bash("echo c"), *bash("echo d"), *bash("echo e")],
        "x",
        session=session,
    )
    assert [("denied" in text, text[:4]) for text in made.cli.read].count((False, "echo")) == 3


def test_a_failed_call_is_given_back() -> None:
    session = guard_of().session()
    made = run(*[bash("false")] * 5, bash("echo hi"), "done", session=session)
    assert made.cli.read[-1] == "echo hi"


def test_a_call_that_the_host_refuses_is_given_back() -> None:
    session = guard_of().session()
    run(*[bash("echo hi")] * 5, "done", session=session, refuses=("Bash",))
    assert run(bash("echo hi"), "done", session=session).cli.read == ["echo hi"]


def test_a_tool_that_does_not_exist_is_no_alarm() -> None:
    assert run([("Nope", {})], "done").last == "done"


# --- people ------------------------------------------------------------------------------------


def test_a_person_approves() -> None:
    session = guard_of().session()
    made = run(bash("pay 5"), "done", session=session, options=asked(PermissionResultAllow()))
    assert made.cli.read == ["pay 5"]
    assert "Payments are asked" in run(bash("pay 5"), "x", session=session).cli.read[0]


def test_a_person_rejects_and_nothing_is_charged() -> None:
    session = guard_of().session()
    answer = PermissionResultDeny(message="not today")
    for amount in range(4):
        assert run(bash(f"pay {amount}"), "x", session=session, options=asked(answer)).cli.read == [
            "not today"
        ]
    assert "fay denied it" in run(bash("pay 1"), "x", session=session, options=asked(answer)).cli.read[0]
    assert run(bash("echo hi"), "x", session=session).cli.read == ["echo hi"]


@pytest.mark.parametrize(("reviewer", "why"), [("bob", "not asked"), ("", "say `by`")])
def test_a_person_whom_nobody_asked_approves_nothing(reviewer: str, why: str) -> None:
    made = run(bash("pay 5"), "done", options=asked(PermissionResultAllow()), reviewer=reviewer)
    assert why in made.cli.read[0]


def test_arguments_that_a_person_edits_are_judged_again() -> None:
    worse = asked(lambda given: PermissionResultAllow(updated_input={**given, "command": "rm 5"}))
    assert "Nothing is removed" in run(bash("pay 5"), "x", options=worse).cli.read[0]
    other = asked(lambda given: PermissionResultAllow(updated_input={**given, "command": "pay 7 KEY-1"}))
    read = run(bash("pay 5"), "x", options=other).cli.read[0]
    assert read.startswith("pay 7")
    assert "KEY-1" not in read


def test_without_a_person_the_call_passes_once_it_was_approved_elsewhere(tmp_path: Path) -> None:
    store = f"sqlite:{tmp_path}/guard.db"
    first = guard_of(store=store)
    read = run(bash("pay 5"), "x", session=first.session(id="s")).cli.read[0]
    other = guard_of(store=store)
    (request,) = other.approvals.list()
    assert request.id in read
    other.approvals.approve(request.id, by="fay")
    session = other.session(id="s")
    assert run(bash("pay 5"), "x", session=session).cli.read == ["pay 5"]
    assert "Payments are asked" in run(bash("pay 5"), "x", session=session).cli.read[0]


# --- results and texts -------------------------------------------------------------------------


def test_a_result_is_redacted_in_every_copy() -> None:
    made = run(bash("echo SECRET-1"), "done")
    (told,) = [message for message in made.messages if isinstance(message, UserMessage)]
    assert "SECRET-1" not in str(told)
    assert "SECRET-1" not in made.cli.read[0]


def test_a_result_that_is_denied_reaches_nobody() -> None:
    made = run(bash("echo hush"), "done")
    assert "Not for you" in made.cli.read[0]
    assert "echo hush" not in str(made.messages[-1:])


@pytest.mark.parametrize("said", ["SECRET-1", "hush"])
def test_what_a_failed_call_says_ends_the_run_where_it_may_not_be_read(said: str) -> None:
    made = run(bash(f"false {said}"), "never")
    assert made.cli.read == []
    assert made.cli.turns == 1
    told = [message for message in made.messages if isinstance(message, UserMessage)]
    assert said not in str(told)


def test_a_denied_prompt_never_reaches_the_model() -> None:
    made = run("never", prompt="an attack")
    assert made.cli.turns == 0


def test_a_prompt_is_changed() -> None:
    made = run("done", prompt="my SECRET-1")
    assert made.cli.prompts[0].startswith("my ")
    assert "SECRET-1" not in made.cli.prompts[0]


def test_a_prompt_is_judged_once() -> None:
    guard = guard_of("policy p\non input { allow; most: limit 1 per 1d by session.id }\n")
    assert run("done", session=guard.session()).last == "done"


def test_an_answer_is_changed_or_refused_everywhere() -> None:
    made = run("it is SECRET-1")
    assert "SECRET-1" not in str(made.messages)
    assert made.said == made.last
    assert made.last.startswith("it is ")
    refused = run("hush hush")
    assert "Not to be said" in refused.said
    assert "hush" not in str(refused.messages)


TEXT = "it is SECRET-77 here"


@pytest.mark.parametrize("streaming", ["whole", "pieces"])
def test_streams_leak_nothing_however_they_are_cut(streaming: str) -> None:
    for cut in range(len(TEXT) + 1):
        made = run(TEXT, streaming=streaming, cuts=(cut,))
        assert "SECRET-77" not in made.streamed + str(made.messages), cut
        assert made.streamed == made.said == made.last
        assert made.last.startswith("it is ")
        assert made.last.endswith(" here")
    letters = run(TEXT, streaming=streaming, cuts=tuple(range(len(TEXT))))
    assert letters.streamed == letters.last == made.last


def test_a_mode_of_streaming_that_does_not_exist_is_told() -> None:
    with pytest.raises(EvaluationError, match="whole"):
        GuardedClient(None, guard_of().session(), streaming="fast")


# --- budgets -----------------------------------------------------------------------------------


def test_what_the_model_used_is_charged_once_and_a_budget_stops_the_next_call() -> None:
    guard = guard_of("policy p\non call run_command { allow }\non session { budget tokens 25 }\n")
    session = guard.session()
    assert run(bash("echo a"), "done", session=session).cli.read == ["echo a"]
    assert run(bash("echo b"), "done", session=session).cli.turns == 0


def test_all_tokens_that_the_host_counted_are_charged() -> None:
    guard = guard_of()
    session = guard.session()
    run(bash("echo a"), "done", session=session)
    tokens = [limit.used for limit in guard.limits() if "token" in str(limit)]
    assert tokens == [2 * (10 + 9)]


# --- nothing goes past ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "event", ["PreToolUse", "PostToolUse", "PostToolUse PostToolBatch", "PreToolUse PostToolBatch"]
)
def test_hooks_that_are_passed_over_are_noticed(event: str) -> None:
    with pytest.raises(Unmediated):
        run(bash("echo SECRET-1"), "never", passed_over=tuple(event.split()))
    if "PostToolBatch" not in event:
        assert runs[-1].cli.read == []


@pytest.mark.parametrize(("said", "turns"), [("fine", 2), ("SECRET-1", 1)])
def test_a_result_whose_hook_was_passed_over_is_judged_before_the_model_reads_it(
    said: str, turns: int
) -> None:
    async def work() -> None:
        cli = FakeCli([bash("echo"), "done"], {"Bash": shell(said)}, passed_over=("PostToolUse",))
        async with ClaudeSDKClient(guarded(ClaudeAgentOptions(), guard_of().session()), cli) as client:
            await client.query("hello")
            assert [message async for message in client.receive_response()]
        assert cli.turns == turns

    asyncio.run(work())


def test_arguments_that_change_after_the_check_are_judged_before_their_result_goes_on() -> None:
    class Editing(FakeCli):
        async def _permission(self, *given: Any) -> Any:
            refusal, args, over = await super()._permission(*given)
            return refusal, {**args, "command": args["command"].replace("echo", "rm ")}, over

    async def work() -> None:
        cli = Editing([bash("echo x"), "never"], {"Bash": shell()})
        made = Run(cli, GuardedClient(None, guard_of().session(), transport=cli))
        with pytest.raises(Unmediated, match="not allowed"):
            await made.take()
        assert cli.read == []

    asyncio.run(work())


def test_hooks_of_the_application_may_refuse_and_change_nothing() -> None:
    def own(event: str, answer: dict[str, Any]) -> ClaudeAgentOptions:
        async def hook(*_: Any) -> Any:
            return {"hookSpecificOutput": {"hookEventName": event, **answer}}

        return ClaudeAgentOptions(cwd="/project", hooks={event: [HookMatcher(hooks=[hook])]})  # type: ignore[dict-item]

    no = {"permissionDecision": "deny", "permissionDecisionReason": "mine"}
    assert run(bash("echo x"), "done", options=own("PreToolUse", no)).cli.read == ["mine"]
    edited = own("PreToolUse", {"updatedInput": {"command": "rm x"}})
    assert "could not judge" in run(bash("echo x"), "done", options=edited).cli.read[0]
    assert (
        "could not judge"
        in run(bash("echo x"), "x", options=own("PreToolUse", {"permissionDecision": "defer"})).cli.read[0]
    )
    late = own("PostToolUse", {"updatedToolOutput": {"stdout": "SECRET-1"}})
    assert "SECRET-1" not in str(run(bash("echo x"), "done", options=late).messages)


def broken(*_: Any, **__: Any) -> Any:
    raise RuntimeError("boom")


def away(*_: Any, **__: Any) -> Any:
    raise Unavailable("the store is away")


@pytest.mark.parametrize("failure", [broken, away])
@pytest.mark.parametrize(
    "seam",
    ["acheck_call", "acheck_result", "acheck_input", "acheck_output", "check_output", "report", "failed"],
)
def test_a_seam_that_breaks_lets_nothing_through(seam: str, failure: Callable[..., Any]) -> None:
    session = guard_of().session()
    setattr(session, seam, failure)
    ran: list[str] = []

    def tool(given: dict[str, Any]) -> dict[str, Any]:
        ran.append(given["command"])
        return shell("SECRET-1")(given)

    try:
        made = run(bash("echo"), bash("false"), TEXT, session=session, tools={"Bash": tool}, cuts=(8,))
    except (RuntimeError, Unavailable):
        made = runs[-1]
    assert "SECRET" not in str(made.messages) + str(made.cli.read)
    if seam == "acheck_call":
        assert ran == []
    if seam == "acheck_input":
        assert made.cli.turns == 0


def test_a_session_that_cannot_be_found_lets_nothing_through() -> None:
    def none(_: Any) -> Any:
        raise LookupError("who is it?")

    async def work() -> None:
        options = guarded(ClaudeAgentOptions(cwd="/project"), none)
        for event, matchers in (options.hooks or {}).items():
            given = {"session_id": "s", "hook_event_name": event, "tool_name": "Bash", "tool_input": {"command": "x"},
                     "tool_use_id": "t", "tool_response": {"stdout": "SECRET"}, "prompt": "p", "error": "SECRET",
                     "tool_calls": [{"tool_use_id": "t", "tool_name": "Bash", "tool_response": "SECRET"}]}  # fmt: skip
            callback: Any = matchers[0].hooks[0]
            said = await callback(given, "t", None)
            if event != "PermissionRequest":
                assert (
                    said.get("continue") is False
                    or said["hookSpecificOutput"]["permissionDecision"] == "deny"
                )
            assert "SECRET" not in str(said)
            assert matchers[0].on_failure == "block"

    asyncio.run(work())


@pytest.mark.parametrize(
    "event", ["PreToolUse", "PostToolUse", "UserPromptSubmit", "Stop", "PostToolBatch", "Odd"]
)
@pytest.mark.parametrize("more", [{}, {"tool_name": 7, "tool_input": "{", "session_id": "s"}, None])
def test_events_that_cannot_be_read_block(event: str, more: Any) -> None:
    if event == "Stop" and more:
        more = {**more, "last_assistant_message": 7}
    options = guarded(ClaudeAgentOptions(), guard_of().session())
    callback: Any = (options.hooks or {})["PreToolUse"][0].hooks[0]
    said = asyncio.run(callback({"hook_event_name": event, **more} if more is not None else None, "t", None))
    assert said.get("continue") is False or said["hookSpecificOutput"]["permissionDecision"] == "deny"


def test_an_answer_that_comes_too_late_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardrails.integrations.claude_agent.hooks.SECONDS", 0.01)
    session = guard_of().session()

    async def slow(*_: Any, **__: Any) -> Any:
        await asyncio.sleep(30)

    session.acheck_call = slow  # type: ignore[method-assign]
    assert "could not decide" in run(bash("echo x"), "done", session=session).cli.read[0]


def test_hooks_alone_send_an_answer_back_to_be_written_again() -> None:
    options = guarded(ClaudeAgentOptions(), guard_of().session())
    callback: Any = (options.hooks or {})["Stop"][0].hooks[0]
    event = {"session_id": "s", "hook_event_name": "Stop", "last_assistant_message": "SECRET-1"}
    assert asyncio.run(callback(event, None, None))["decision"] == "block"
    assert asyncio.run(callback({**event, "stop_hook_active": True}, None, None))["continue"] is False


def test_a_tool_on_the_providers_side_is_noticed() -> None:
    class Hosted(FakeCli):
        def _text(self, text: str) -> None:
            self._assistant({"type": "server_tool_use", "id": "x", "name": "web_search", "input": {}})

    async def work() -> None:
        cli = Hosted(["x"])
        with pytest.raises(Unmediated, match="provider"):
            await Run(cli, GuardedClient(None, guard_of().session(), transport=cli)).take()

    asyncio.run(work())


# --- the rest ----------------------------------------------------------------------------------


def test_one_question_goes_the_same_way() -> None:
    async def work() -> list[Any]:
        cli = FakeCli([bash("echo SECRET-1"), "it is SECRET-2"], {"Bash": shell()})
        messages = claude_agent.query(
            prompt="my SECRET-3", session=guard_of().session(), options=None, transport=cli
        )
        found = []
        async for message in messages:
            found.append(message)
            if isinstance(message, ResultMessage):
                await cli.close()
        assert "SECRET" not in str(cli.prompts) + str(cli.read)
        return found

    said = asyncio.run(work())
    assert isinstance(said[-1], ResultMessage)
    assert "SECRET-2" not in str(said)


def test_a_session_may_be_chosen_by_the_options() -> None:
    sessions = {"/project": guard_of().session(), "/other": guard_of("policy none").session()}
    chosen: Any = lambda options: sessions[options.cwd]  # noqa: E731 - a short choice
    assert run(bash("echo x"), "done", session=chosen).cli.read == ["echo x"]
    other = run(bash("echo x"), "done", session=chosen, options=ClaudeAgentOptions(cwd="/other"))
    assert "denied" in other.cli.read[0]


def test_coverage_tells_what_has_no_hooks() -> None:
    options = ClaudeAgentOptions(
        tools=["Bash", "Read"], mcp_servers={"shop": {"type": "http", "url": "http://x"}}
    )
    bare = list(coverage(options))
    assert {each.tool for each in bare} == {"run_command", "read_file", "mcp.shop.*"}
    assert not any(each.is_covered for each in bare)
    session = guard_of().session()
    assert all(each.is_covered for each in coverage(guarded(options, session)))
    assert all(each.is_covered for each in coverage(GuardedClient(options, session)))
