"""The adapter for the Claude Agent SDK with the real Claude Code that the SDK brings along, and a model that says what
it is told. Each run takes a second, so there is one for each thing that only the real program can show."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest

if os.environ.get("CI") != "true":
    pytest.importorskip("claude_agent_sdk")

import claude_agent_sdk
from claude_agent_sdk import ClaudeAgentOptions, PermissionResultAllow, StreamEvent, UserMessage

from guardrails import Guard
from guardrails.errors import Halted
from guardrails.integrations.claude_agent import GuardedClient

sys.path.append(str(Path(__file__).parents[1] / "integrations"))

from fake_models import Messages

POLICY = """
policy coder
on call run_agent { allow }
on call run_command {
  allow when not (args.command contains "touch ")
  deny when args.command contains "touch " because "Nothing is made."
  halt when args.command contains "poweroff" because "That was the last straw."
  ask finance when args.command contains "pay" because "Payments are asked for."
  redact /KEY-[0-9]+/ in args.command
}
on result run_command { redact /SECRET-[0-9]+/ }
on input { deny when text contains "attack" because "No attacks."; redact /SECRET-[0-9]+/ }
on output { redact /SECRET-[0-9]+/ }
"""

BUNDLED = Path(claude_agent_sdk.__file__).parent / "_bundled" / "claude"


def bash(command: str) -> tuple[str, dict[str, Any]]:
    return "Bash", {"command": command, "description": "d"}


def session() -> Any:
    return Guard.from_text(POLICY, reviewers={"finance": ["fay"]}).session()


async def person(name: str, given: dict[str, Any], context: Any) -> PermissionResultAllow:
    return PermissionResultAllow(
        updated_input={**given, "command": "echo KEY-7 pay; printf SECRET-%s 2; echo after all"}
    )


def run(folder: Path, *steps: Any, prompt: str = "hello", session: Any = None) -> tuple[Messages, list[Any]]:
    if os.environ.get("CI") != "true" and not BUNDLED.exists():
        pytest.skip("the SDK has no Claude Code for this machine")
    model = Messages(steps)
    home = folder / "home"
    home.mkdir(exist_ok=True)
    env = {
        "HOME": str(home), "CLAUDE_CONFIG_DIR": str(home / ".claude"), "ANTHROPIC_BASE_URL": model.url,
        "ANTHROPIC_API_KEY": "none", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_TELEMETRY": "1",
        "DISABLE_AUTOUPDATER": "1",
    }  # fmt: skip
    options = ClaudeAgentOptions(
        cwd=folder, model="claude-sonnet-4-5", setting_sources=[], env=env, allowed_tools=["Bash"],
        can_use_tool=person, include_partial_messages=True,
    )  # fmt: skip
    found: list[Any] = []

    async def work() -> None:
        given = session or Guard.from_text(POLICY, reviewers={"finance": ["fay"]}).session()
        async with GuardedClient(options, given, reviewer="fay") as client:
            await client.query(prompt)
            async for message in client.receive_response():
                found.append(message)

    try:
        asyncio.run(work())
    finally:
        model.close()
    return model, found


def results(model: Messages) -> str:
    """What the model was told in its last turn, without the tools' own descriptions."""
    return str(model.turns[-1]["messages"])


@pytest.mark.filterwarnings("ignore::claude_agent_sdk.CanUseToolShadowedWarning")
def test_calls_results_and_answers_go_through_the_policy(tmp_path: Path) -> None:
    steps = [
        bash("touch ran"),
        bash("printf 'KEY-%s ' 1; printf SECRET-%s 1"),
        bash("pay"),
        "it is SECRET-9 here",
    ]
    model, found = run(tmp_path, *steps, prompt="my SECRET-5")
    told = results(model)
    assert not (tmp_path / "ran").exists()
    assert "Nothing is made" in told
    assert "after all" in told
    assert "SECRET-1" not in told
    assert "SECRET-2" not in told
    assert "SECRET-5" not in told
    assert "KEY-7" not in told
    shown = [message for message in found if not isinstance(message, StreamEvent)]
    assert "SECRET-9" not in str(shown[-2:])
    streamed = "".join(
        each.event.get("delta", {}).get("text", "") for each in found if isinstance(each, StreamEvent)
    )
    assert streamed == shown[-1].result
    assert streamed.startswith("it is ")
    assert all("SECRET-1" not in str(each) for each in found if isinstance(each, UserMessage))


@pytest.mark.filterwarnings("ignore::claude_agent_sdk.CanUseToolShadowedWarning")
def test_calls_of_sub_agents_go_through_the_policy(tmp_path: Path) -> None:
    task = (
        "Agent",
        {
            "description": "d",
            "prompt": "do it",
            "subagent_type": "general-purpose",
            "run_in_background": False,
        },
    )
    steps = [task, bash("touch ran"), bash("printf SECRET-%s 1"), "below: SECRET-3", "above: SECRET-4"]
    model, found = run(tmp_path, *steps)
    assert not (tmp_path / "ran").exists()
    assert any("Nothing is made" in str(turn["messages"]) for turn in model.turns)
    assert "SECRET-1" not in str([turn["messages"] for turn in model.turns])
    assert "SECRET-4" not in str(found[-1])


@pytest.mark.filterwarnings("ignore::claude_agent_sdk.CanUseToolShadowedWarning")
def test_a_halt_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(Halted, match="last straw"):
        run(tmp_path, bash("touch ran; poweroff"), "never")
    assert not (tmp_path / "ran").exists()


@pytest.mark.filterwarnings("ignore::claude_agent_sdk.CanUseToolShadowedWarning")
def test_a_denied_prompt_never_reaches_the_model(tmp_path: Path) -> None:
    model, found = run(tmp_path, "never", prompt="an attack")
    assert model.turns == []
    assert found


@pytest.mark.filterwarnings("ignore::claude_agent_sdk.CanUseToolShadowedWarning")
def test_what_a_failed_call_says_ends_the_run_where_it_may_not_be_read(tmp_path: Path) -> None:
    model, found = run(tmp_path, bash("printf SECRET-%s 1; exit 3"), "never")
    assert len(model.turns) == 1
    assert all("SECRET-1" not in str(each) for each in found if isinstance(each, UserMessage))


@pytest.mark.filterwarnings("ignore::claude_agent_sdk.CanUseToolShadowedWarning")
@pytest.mark.parametrize("seam", ["acheck_call", "acheck_result"])
def test_a_check_that_breaks_lets_nothing_through(tmp_path: Path, seam: str) -> None:
    broken = Guard.from_text(POLICY).session()

    async def boom(*_: Any, **__: Any) -> Any:
        raise RuntimeError("boom")

    setattr(broken, seam, boom)
    model, found = run(tmp_path, bash("printf SECRET-%s 1 > ran; cat ran"), "done", session=broken)
    assert (tmp_path / "ran").exists() is (seam == "acheck_result")
    assert "withheld" in results(model) or "could not decide" in results(model)
    assert all("SECRET-1" not in str(each) for each in found if isinstance(each, UserMessage))
