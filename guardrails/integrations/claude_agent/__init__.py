"""Claude Agent SDK: Claude Code under a policy, from Python.

    async with GuardedClient(options, session, reviewer="fay") as client:
        await client.query("Tidy up the reports.")
        async for message in client.receive_response():
            print(message)

`query` is the same for one question, and `guarded` gives only the options with their hooks, for a client of your own.
Calls have the names of `guard hook claude-code` (`run_command`, `read_file`, `mcp.SERVER.TOOL`), so one policy fits
both. A call that asks goes to the `can_use_tool` of the application, whose answer counts as that of `reviewer`; without
one it is refused with the id of the request, and passes once it was approved elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterable
from dataclasses import replace

try:
    import claude_agent_sdk
    from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient, HookMatcher
except ImportError as error:
    from guardrails.integrations.needing import missing

    raise ImportError(missing("claude-agent")) from error

from guardrails.errors import EvaluationError
from guardrails.integrations.claude_agent.hooks import Hooks
from guardrails.integrations.claude_agent.messages import Messages
from guardrails.integrations.claude_agent.words import beside
from guardrails.integrations.coverage import Covered
from guardrails.integrations.hosts.claude_code import calls_of
from guardrails.integrations.model_streams import MODES
from guardrails.integrations.seats import Seats

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from typing import Any

    from claude_agent_sdk import Message, Transport

    from guardrails.integrations.mediation import AnySession, Mediation

    SessionOf = AnySession | Callable[[Any], AnySession]


class _Conversation:
    """One conversation of Claude Code, and its session."""

    def __init__(self, options: ClaudeAgentOptions, session: SessionOf, reviewer: str, mode: str) -> None:
        if mode not in MODES:
            raise EvaluationError(f"streaming is `whole` or `pieces`, not `{mode}`")
        self._seats = Seats(session, reviewer=reviewer)
        self._given = options
        self.hooks = Hooks(self.seat, os.path.abspath(options.cwd or os.curdir), options.can_use_tool)
        self.messages = Messages(self.seat, self.hooks, mode)

    def seat(self) -> Mediation:
        return self._seats.of(self._given)

    def options(self) -> ClaudeAgentOptions:
        """The options with the hooks; the application's own hooks stand beside them."""
        hooks: dict[Any, list[HookMatcher]] = self.hooks.matchers()
        for event, matchers in (self._given.hooks or {}).items():
            hooks[event] = [*hooks.get(event, []), *map(_beside, matchers)]
        asked = self.hooks.permitted if self._given.can_use_tool is not None else None
        return replace(self._given, hooks=hooks, can_use_tool=asked)

    async def asked(self, prompt: Any) -> Any:
        """A prompt as the policy lets it go on. One that is denied goes on as it is, and is refused by its hook, so
        that the application gets the host's own end of a turn."""
        if isinstance(prompt, str):
            return await self._text(prompt)
        return self._each(prompt) if isinstance(prompt, AsyncIterable) else prompt

    async def _text(self, prompt: str) -> str:
        checked = await self.seat().ainput(prompt)
        text = str(checked.value) if checked.allowed else prompt
        checked.is_changed = checked.is_changed and not checked.allowed
        self.hooks.prompts[text] = checked
        return text

    async def _each(self, prompts: AsyncIterable[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
        async for prompt in prompts:
            inner = prompt.get("message")
            if isinstance(inner, dict) and isinstance(inner.get("content"), str):
                prompt = {**prompt, "message": {**inner, "content": await self._text(inner["content"])}}
            yield prompt


def _beside(matcher: HookMatcher) -> HookMatcher:
    return replace(matcher, hooks=[beside(callback) for callback in matcher.hooks])


def guarded(options: ClaudeAgentOptions, session: SessionOf, *, reviewer: str = "") -> ClaudeAgentOptions:
    """`options` for one conversation, with every call, result and prompt judged by `session` (or by the session that a
    function gives for the options). Answers can be judged by a hook, and not be changed: one that the policy refuses
    or redacts is written again, after the application has seen it. `GuardedClient` and `query` change them."""
    return _Conversation(options, session, reviewer, "whole").options()


class GuardedClient(ClaudeSDKClient):
    """A `ClaudeSDKClient` whose prompts, calls, results and answers are judged. `streaming` is about
    `include_partial_messages`: `whole` shows a text once it is complete, `pieces` as soon as it can be told. Raises
    `Halted` out of the messages once the policy stops the session, and `Unmediated` when a hook was passed over."""

    def __init__(
        self,
        options: ClaudeAgentOptions | None,
        session: SessionOf,
        *,
        reviewer: str = "",
        streaming: str = "whole",
        transport: Transport | None = None,
    ) -> None:
        self._talk = _Conversation(options or ClaudeAgentOptions(), session, reviewer, streaming)
        self._talk.hooks.is_shown = True
        super().__init__(self._talk.options(), transport)

    async def connect(self, prompt: str | AsyncIterable[dict[str, Any]] | None = None) -> None:
        await super().connect(await self._talk.asked(prompt))

    async def query(self, prompt: str | AsyncIterable[dict[str, Any]], session_id: str = "default") -> None:
        await super().query(await self._talk.asked(prompt), session_id)

    async def receive_messages(self) -> AsyncIterator[Message]:
        async for message in super().receive_messages():
            for each in await self._talk.messages.passed(message):
                yield each


async def query(
    *,
    prompt: str | AsyncIterable[dict[str, Any]],
    session: SessionOf,
    options: ClaudeAgentOptions | None = None,
    reviewer: str = "",
    streaming: str = "whole",
    transport: Transport | None = None,
) -> AsyncIterator[Message]:
    """`claude_agent_sdk.query` for one conversation under a policy; see `GuardedClient`."""
    talk = _Conversation(options or ClaudeAgentOptions(), session, reviewer, streaming)
    talk.hooks.is_shown = True
    messages = claude_agent_sdk.query(
        prompt=await talk.asked(prompt), options=talk.options(), transport=transport
    )
    async for message in messages:
        for each in await talk.messages.passed(message):
            yield each


# --- coverage ----------------------------------------------------------------------------------


def coverage(agent: Any) -> Iterator[Covered]:
    """The tools of options or a client. `other.*` are those of Claude Code that no table knows."""
    options = agent if isinstance(agent, ClaudeAgentOptions) else agent.options
    why = "" if _has_hooks(options) else "these options have no hooks of guard; make them with `guarded`"
    for name in _tools(options):
        yield Covered(name, why)
    for name in options.mcp_servers if isinstance(options.mcp_servers, dict) else ():
        yield Covered(f"mcp.{name}.*", why)
    if not isinstance(options.mcp_servers, dict):
        yield Covered("mcp.*", why)


def _has_hooks(options: ClaudeAgentOptions) -> bool:
    given: Any = options.hooks or {}
    return all(
        any(matcher.matcher is None and _is_ours(matcher) for matcher in given.get(event, ()))
        for event in ("PreToolUse", "PostToolUse", "PostToolBatch", "UserPromptSubmit")
    )


def _is_ours(matcher: HookMatcher) -> bool:
    return matcher.on_failure == "block" and any(isinstance(hook, Hooks) for hook in matcher.hooks)


def _tools(options: ClaudeAgentOptions) -> list[str]:
    from guardrails.integrations.hosts.claude_code import TOOLS

    named: list[str] = options.tools if isinstance(options.tools, list) else [*TOOLS, *options.allowed_tools]
    hosts = dict.fromkeys(name.partition("(")[0] for name in named)
    return sorted({call.tool for name in hosts for call in calls_of(name, {}, "/", "/")})


__all__ = ["GuardedClient", "coverage", "guarded", "query"]
