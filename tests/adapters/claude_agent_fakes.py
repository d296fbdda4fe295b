"""A Claude Code that is played by a script, on the transport of its SDK: the order of events, hooks and messages is that
of the real one (which `test_adapter_claude_agent_real` runs), without its start-up time.

A step is a text, or a list of calls as `(tool, input)`. `tools` are functions from an input to a response; one that
raises is a call that failed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from itertools import count
from typing import Any

from claude_agent_sdk import Transport

Step = str | list[tuple[str, dict[str, Any]]]
USAGE = {"input_tokens": 6, "cache_read_input_tokens": 4, "output_tokens": 5}


NUMBERS = count(1)
"""The host's ids are unique, over all conversations."""


class FakeCli(Transport):
    """`cuts` are the places at which texts are cut into parts (with partial messages), `passed_over` events whose hooks
    are not run, `refuses` tools that the host's own rules refuse."""

    def __init__(
        self,
        steps: Iterable[Step],
        tools: dict[str, Callable[[dict[str, Any]], Any]] | None = None,
        *,
        cuts: tuple[int, ...] | None = None,
        passed_over: tuple[str, ...] = (),
        refuses: tuple[str, ...] = (),
    ) -> None:
        self.steps = list(steps)
        self.tools = tools or {}
        self.cuts = cuts
        self.passed_over = passed_over
        self.refuses = refuses
        self.turns = 0
        self.prompts: list[str] = []
        self.read: list[str] = []
        self.hooks: dict[str, list[dict[str, Any]]] = {}
        self._out: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._waiting: dict[str, asyncio.Future[Any]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    # --- the transport -------------------------------------------------------------------------

    async def connect(self) -> None: ...

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._out.put_nowait(None)

    def is_ready(self) -> bool:
        return True

    async def end_input(self) -> None: ...

    async def write(self, data: str) -> None:
        for line in data.splitlines():
            self._take(json.loads(line))

    async def read_messages(self) -> AsyncIterator[dict[str, Any]]:
        while (message := await self._out.get()) is not None:
            yield message

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "control_request":
            self.hooks = message["request"].get("hooks") or {}
            answer = {"hook_on_failure_supported": True}
            self._say({"type": "control_response", "response": {
                "subtype": "success", "request_id": message["request_id"], "response": answer}})  # fmt: skip
        elif message["type"] == "control_response":
            self._waiting.pop(message["response"]["request_id"]).set_result(message["response"])
        else:
            prompt = message["message"]["content"]
            self._tasks.append(asyncio.ensure_future(self._turn(prompt)))

    def _say(self, message: dict[str, Any]) -> None:
        self._out.put_nowait({"session_id": "s1", "uuid": "u", **message})

    async def _request(self, request: dict[str, Any]) -> dict[str, Any]:
        id = f"cli-{next(NUMBERS)}"
        self._waiting[id] = asyncio.get_running_loop().create_future()
        self._say({"type": "control_request", "request_id": id, "request": request})
        answer = await asyncio.shield(self._waiting[id])
        return dict(answer)

    async def _hook(self, event: str, id: str | None = None, **fields: Any) -> list[dict[str, Any]]:
        """What the hooks of an event say; one that fails blocks, as `on_failure` has it."""
        if event in self.passed_over:
            return []
        given = {
            "session_id": "s1",
            "transcript_path": "",
            "cwd": "/project",
            "hook_event_name": event,
            **fields,
        }
        said = []
        for matcher in self.hooks.get(event, []):
            for callback in matcher["hookCallbackIds"]:
                answer = await self._request(
                    {"subtype": "hook_callback", "callback_id": callback, "input": given, "tool_use_id": id}
                )
                said.append(answer.get("response") if answer["subtype"] == "success" else {"failed": True})
        return said

    # --- a turn --------------------------------------------------------------------------------

    async def _turn(self, prompt: str) -> None:
        said = await self._hook("UserPromptSubmit", prompt=prompt, prompt_id="p1")
        if any(each.get("decision") == "block" or each.get("failed") for each in said):
            return self._end("")
        if _stops(said):
            return self._end("")
        self.prompts.append(prompt)
        last = ""
        while self.steps:
            step = self.steps.pop(0)
            self.turns += 1
            if not isinstance(step, str):
                if await self._make(step):
                    return self._end("")
                continue
            last = step
            self._text(step)
            said = await self._hook("Stop", stop_hook_active=False, last_assistant_message=step)
            if _stops(said) or not any(each.get("decision") == "block" for each in said):
                break
        return self._end(last)

    def _end(self, text: str) -> None:
        self._say({
            "type": "result", "subtype": "success", "duration_ms": 1, "duration_api_ms": 1, "is_error": False,
            "num_turns": self.turns, "result": text,
            "modelUsage": {"claude": {"inputTokens": 6 * self.turns, "outputTokens": 9 * self.turns,
                                      "cacheReadInputTokens": 4 * self.turns, "cacheCreationInputTokens": 0}},
        })  # fmt: skip

    def _assistant(self, block: dict[str, Any]) -> None:
        self._say({"type": "assistant", "message": {
            "id": f"msg_{self.turns}", "model": "claude", "content": [block], "usage": USAGE}})  # fmt: skip

    def _event(self, **event: Any) -> None:
        if self.cuts is not None:
            self._say({"type": "stream_event", "event": event})

    def _text(self, text: str) -> None:
        self._event(type="message_start", message={"content": []})
        self._event(type="content_block_start", index=0, content_block={"type": "text", "text": ""})
        ends = [*(self.cuts or ()), len(text)]
        for begin, end in zip([0, *ends], ends, strict=False):
            self._event(
                type="content_block_delta", index=0, delta={"type": "text_delta", "text": text[begin:end]}
            )
        self._assistant({"type": "text", "text": text})
        self._event(type="content_block_stop", index=0)
        self._event(type="message_stop")

    # --- calls ---------------------------------------------------------------------------------

    async def _make(self, calls: list[tuple[str, dict[str, Any]]]) -> bool:
        """Whether the run is over after them."""
        numbered = []
        for name, given in calls:
            numbered.append((f"toolu_{next(NUMBERS):04}", name, given))
            self._assistant({"type": "tool_use", "id": numbered[-1][0], "name": name, "input": given})
        made = await asyncio.gather(*[self._call(*each) for each in numbered])
        batch = [
            {"tool_name": name, "tool_input": given, "tool_use_id": id, "tool_response": text}
            for (id, name, given), (text, _) in zip(numbered, made, strict=True)
        ]
        said = await self._hook("PostToolBatch", tool_calls=batch)
        is_over = any(over for _, over in made) or _stops(said)
        if not is_over:
            self.read += [text for text, _ in made]
        return is_over

    async def _call(self, id: str, name: str, given: dict[str, Any]) -> tuple[str, bool]:
        if name not in self.tools:
            return self._result(
                id, f"<tool_use_error>Error: No such tool: {name}</tool_use_error>", is_error=True
            ), False
        said = await self._hook("PreToolUse", id, tool_name=name, tool_input=given, tool_use_id=id)
        refusal, given, is_over = await self._permission(id, name, given, said)
        if refusal is not None:
            return self._result(id, refusal, is_error=True), is_over
        try:
            response = self.tools[name](given)
        except Exception as error:
            await self._hook(
                "PostToolUseFailure", id, tool_name=name, tool_input=given, tool_use_id=id, error=str(error)
            )
            return self._result(id, str(error), is_error=True), False
        said = await self._hook(
            "PostToolUse", id, tool_name=name, tool_input=given, tool_use_id=id, tool_response=response
        )
        for each in said:
            response = (each.get("hookSpecificOutput") or {}).get("updatedToolOutput", response)
        return self._result(id, response), is_over or _stops(said)

    async def _permission(
        self, id: str, name: str, given: dict[str, Any], said: list[dict[str, Any]]
    ) -> tuple[str | None, dict[str, Any], bool]:
        specific = [each.get("hookSpecificOutput") or {} for each in said]
        if any(each.get("failed") for each in said):
            return "a hook failed", given, False
        for each in specific:
            if each.get("permissionDecision") == "deny":
                return str(each["permissionDecisionReason"]), given, _stops(said)
            given = each.get("updatedInput", given)
        if _stops(said):
            return None, given, True  # as the real one does: the call is made, and then the run ends
        asked = [each for each in specific if each.get("permissionDecision") == "ask"]
        if name in self.refuses and not asked:
            await self._hook("PermissionRequest", id, tool_name=name, tool_input=given)
            return "This command requires approval", given, False
        if not asked:
            return None, given, False
        request = {
            "subtype": "can_use_tool", "tool_name": name, "input": given, "permission_suggestions": [],
            "tool_use_id": id, "decision_reason": asked[0].get("permissionDecisionReason"),
        }  # fmt: skip
        answer = (await self._request(request)).get("response") or {}
        if answer.get("behavior") != "allow":
            return str(answer.get("message")), given, bool(answer.get("interrupt"))
        return None, answer["updatedInput"], False

    def _result(self, id: str, response: Any, *, is_error: bool = False) -> str:
        text = response if isinstance(response, str) else str(response.get("stdout", response))
        block = {"type": "tool_result", "tool_use_id": id, "content": text, "is_error": is_error}
        self._say({"type": "user", "message": {"content": [block]}, "tool_use_result": response})
        return text


def _stops(said: list[dict[str, Any]]) -> bool:
    return any(each.get("continue") is False for each in said)


def shell(said: str = "") -> Callable[[dict[str, Any]], Any]:
    """A shell that gives the command back, or `said`, and fails for `false`."""

    def run(given: dict[str, Any]) -> dict[str, Any]:
        if given["command"].startswith("false"):
            raise RuntimeError(f"Exit code 1\n{said or given['command']}")
        return {"stdout": said or given["command"], "stderr": "", "interrupted": False}

    return run
