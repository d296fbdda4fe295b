"""Claude Agent SDK: what its hooks ask, answered by a session.

Takes the events of Claude Code as the SDK hands them to a callback, gives what Claude Code understands. Calls are put
into the words that `guard hook claude-code` uses, and answers into the same JSON, so one policy fits both. The one
idea: Claude Code lets a call run, and a result reach its model, when the hook around it breaks or comes late; so every
event is answered here within a time, and whatever goes wrong is answered by what blocks or stops.
"""

from __future__ import annotations

from asyncio import wait_for
from logging import getLogger

from claude_agent_sdk import HookMatcher, PermissionResultAllow, PermissionResultDeny

from guardrails.integrations.answers import Answer
from guardrails.integrations.claude_agent.words import blocked, verdict_of_calls, verdict_of_checks, written
from guardrails.integrations.hosts import claude_code
from guardrails.integrations.receipts import Unmediated
from guardrails.integrations.wire import folder_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from typing import Any

    from guardrails.integrations.contract import Call, Moment, Verdict
    from guardrails.integrations.mediation import Mediation
    from guardrails.integrations.passages import Checked, Passage
    from guardrails.model import Decision

EVENTS = (
    "UserPromptSubmit", "PreToolUse", "PostToolUse", "PostToolUseFailure", "PostToolBatch", "PermissionRequest",
    "Stop", "SubagentStop",
)  # fmt: skip

HOST_SECONDS = 120.0
SECONDS = 100.0
"""How long an answer may take: less than the host waits, because the host passes over a late one."""

HOST_ERROR = "<tool_use_error>"
"""How the host begins what it tells its model of a call that it did not make: an unknown tool, or wrong arguments."""

LOG = getLogger("guardrails.integrations")


class Known:
    """A call that was judged: what was decided on each call that it means, the folder that it happens in, and
    whether the host asks for a permission of its own."""

    __slots__ = ("folder", "passages", "waits")

    def __init__(self, passages: list[Passage], folder: str) -> None:
        self.passages = passages
        self.folder = folder
        self.waits = False

    def is_of(self, calls: Iterable[Call]) -> bool:
        """Whether these are the calls, with the arguments that were let through."""
        judged = [(passage.tool, passage.args) for passage in self.passages]
        return judged == [(call.tool, call.args) for call in calls]


class Hooks:
    """The callbacks of one conversation. `root` is the folder that it works in, `person` the `can_use_tool` of the
    application, if it has one, and `is_shown` whether texts are checked where the application reads them."""

    def __init__(self, seat: Callable[[], Mediation], root: str, person: Any = None) -> None:
        self._seat = seat
        self._root = root
        self._person = person
        self.is_shown = False
        self.prompts: dict[str, Checked] = {}
        self.errors: dict[str, str] = {}
        self.halted: Decision | None = None
        self.broken: Unmediated | None = None
        self._stop = ""
        self._blocked: dict[str, str] = {}
        self._known: dict[str, Known] = {}
        self._names: dict[str, list[tuple[str, str]]] = {}

    def matchers(self) -> dict[str, list[HookMatcher]]:
        """The hooks, for the options of an agent."""
        return {
            event: [HookMatcher(hooks=[self], timeout=HOST_SECONDS, on_failure="block")] for event in EVENTS
        }

    async def __call__(self, event: Any, tool_use_id: str | None, context: Any) -> Any:
        """The answer to an event of the host. Raises nothing."""
        try:
            return await wait_for(self._answered(event, tool_use_id), SECONDS)
        except Exception as error:
            if isinstance(error, Unmediated):
                self.broken = error
            LOG.error("a hook of Claude Code could not be answered", exc_info=error)
            reason = f"Blocked, because guard could not decide: {str(error) or 'it took too long'}"
            self._note_blocked(event, tool_use_id or "", reason)
            return blocked(event, reason)

    def _note_blocked(self, event: Any, id: str, reason: str) -> None:
        name = event.get("hook_event_name") if isinstance(event, dict) else None
        if name == "PreToolUse":
            self._blocked[id] = reason
        if name == "PostToolUseFailure":
            self.errors[id], self._stop = f"[withheld: {reason}]", reason

    async def _answered(self, event: dict[str, Any], tool_use_id: str | None) -> dict[str, Any]:
        name = event["hook_event_name"]
        if name == "PostToolBatch":
            return await self._batch(event)
        if name == "PermissionRequest":
            self._asked_by_host(tool_use_id)
            return {}
        moment = claude_code.read(event, self._root)
        if name == "PostToolUseFailure":
            await self._failed(moment, str(event.get("error") or ""))
            return {}
        if moment.point == "output" and self.is_shown:
            return {}
        if moment.point == "pre_tool":
            return written(moment, await self._calls(moment, folder_of(event, self._root)))
        return written(moment, await _JUDGES[moment.point](self, moment))

    # --- calls ---------------------------------------------------------------------------------

    async def _calls(self, moment: Moment, folder: str) -> Verdict:
        id = _id_of(moment)
        known = self._known[id] = Known(await self._judged(id, moment.calls), folder)
        self._drop_unless_all(known)
        return verdict_of_calls(
            known.passages, moment.calls, moment.host_input, can_ask=self._person is not None
        )

    async def _judged(self, id: str, calls: tuple[Call, ...]) -> list[Passage]:
        names = [id] if len(calls) == 1 else [f"{id}/{number + 1}" for number in range(len(calls))]
        self._names[id] = [(name, call.tool) for name, call in zip(names, calls, strict=True)]
        passages = [
            await self._seat().acall(call.tool, call.args, name)
            for name, call in zip(names, calls, strict=True)
        ]
        self._note_halt(passages)
        return passages

    def _drop_unless_all(self, known: Known) -> None:
        """A call runs as a whole: what a part of it was charged is given back when another part is refused."""
        if any(passage.outcome not in ("allow", "ask") for passage in known.passages):
            self._drop(known)

    def _drop(self, known: Known) -> None:
        for passage in known.passages:
            if passage.allowed:
                self._seat().dropped(passage)

    def _note_halt(self, judged: Iterable[Any]) -> None:
        self.halted = self.halted or next((each.decision for each in judged if each.halted), None)

    # --- people --------------------------------------------------------------------------------

    async def permitted(self, name: str, given: dict[str, Any], context: Any) -> Any:
        """`can_use_tool`: the person's answer, and then the policy's on what the person lets run. Raises nothing."""
        try:
            return await self._permitted(name, given, context)
        except Exception as error:
            LOG.error("a permission could not be decided", exc_info=error)
            return PermissionResultDeny(message=f"Blocked, because guard could not decide: {error}")

    async def _permitted(self, name: str, given: dict[str, Any], context: Any) -> Any:
        known = self._known.get(context.tool_use_id or "")
        if known is None:
            raise Unmediated(f"`{name}` asks for a permission, and no check has seen that call")
        said = await self._person(name, given, context)
        if not isinstance(said, PermissionResultAllow):
            await self._refused(known, getattr(said, "message", ""))
            return said
        runs = given if said.updated_input is None else said.updated_input
        calls = claude_code.calls_of(name, runs, known.folder, self._root)
        if not known.is_of(calls):
            known.passages = await self._judged(context.tool_use_id, calls)
        known.passages = [await self._answer(passage, Answer(approves=True)) for passage in known.passages]
        self._note_halt(known.passages)
        verdict = verdict_of_calls(known.passages, calls, runs, can_ask=False)
        return self._let(known, verdict, said, runs)

    async def _answer(self, passage: Passage, answer: Answer) -> Passage:
        return await self._seat().aanswered(passage, answer) if passage.outcome == "ask" else passage

    async def _refused(self, known: Known, why: str) -> None:
        for passage in known.passages:
            await self._answer(passage, Answer(approves=False, reason=why))
        self._drop(known)

    def _let(self, known: Known, verdict: Verdict, said: PermissionResultAllow, runs: dict[str, Any]) -> Any:
        """What the host does once the person agreed, and the policy was asked again."""
        if verdict.outcome == "allow" and not (verdict.changed and verdict.payload is None):
            changed = verdict.payload if verdict.changed else runs
            return PermissionResultAllow(updated_input=changed, updated_permissions=said.updated_permissions)
        self._drop(known)
        reason = verdict.reason or "The policy changes the arguments of this call, which cannot be done here."
        return PermissionResultDeny(message=reason, interrupt=verdict.outcome == "halt")

    def _asked_by_host(self, tool_use_id: str | None) -> None:
        known = self._known.get(tool_use_id or "")
        if known is not None:
            known.waits = True

    # --- results -------------------------------------------------------------------------------

    async def _results(self, moment: Moment) -> Verdict:
        await self._as_it_ran(moment)
        checks = [
            await self._seat().aresult(name, tool, moment.payload)
            for name, tool in self._names[_id_of(moment)]
        ]
        self._known.pop(_id_of(moment), None)
        self._note_halt(checks)
        return verdict_of_checks(checks)

    async def _as_it_ran(self, moment: Moment) -> list[Passage]:
        """What ran is what was judged; where the host filled in or changed something, that is judged now, and its
        result goes no further unless it is allowed. Raises `Unmediated`."""
        known = self._known.get(_id_of(moment))
        if known is None:
            raise Unmediated(
                f"there is a result of `{moment.calls[0].tool}`, and no check has seen that call"
            )
        if not known.is_of(moment.calls):
            known.passages = await self._judged(_id_of(moment), moment.calls)
        return known.passages

    async def _failed(self, moment: Moment, text: str) -> None:
        """The host cannot change what a failed call says, so its run ends before its model reads what it may not."""
        passages = await self._as_it_ran(moment)
        for (name, tool), passage in zip(self._names[_id_of(moment)], passages, strict=True):
            await self._seat().afailed(name, tool)
            checked = await self._seat().aerror(name, tool, text, args=passage.args)
            if checked.is_changed or not checked.allowed:
                self.errors[_id_of(moment)] = str(checked.value)
                self._stop = f"What a failed call of `{tool}` says may not be read, and cannot be changed."
        self._known.pop(_id_of(moment))

    async def _batch(self, event: dict[str, Any]) -> dict[str, Any]:
        """Before the model reads the results of a step: all of them were judged, or the run ends here."""
        for call in event["tool_calls"]:
            await self._heard(str(call["tool_use_id"]), str(call["tool_name"]), call.get("tool_response"))
        why, self._stop = self._stop, ""
        return {"continue": False, "stopReason": why} if why else {}

    async def _heard(self, id: str, tool: str, response: Any) -> None:
        if self.is_unmade(id, response):
            return
        if id not in self._names:
            raise Unmediated(
                f"the model is about to read a result of `{tool}` (call {id}) that no check has seen"
            )
        known = self._known.pop(id, None)
        if known is not None and known.waits:
            self._drop(known)
            return
        for name, judged in self._names[id]:
            await self._unended(name, judged, response)

    def is_unmade(self, id: str, response: Any) -> bool:
        """Whether the host did not make the call at all: it says so itself, or was told so when nothing could be
        decided."""
        text = response if isinstance(response, str) else ""
        if id in self._blocked:
            return self._blocked[id] in text
        return id not in self._names and text.startswith(HOST_ERROR)

    async def _unended(self, name: str, tool: str, response: Any) -> None:
        """A call that was allowed, and of which no other event came: the host's own rules refused it, or its hooks
        were passed over. What the model is about to read has to be such that the policy lets it pass as it is."""
        try:
            self._seat().heard([(name, tool)])
            return
        except Unmediated:
            checked = await self._seat().aresult(name, tool, response)
        if checked.is_changed or not checked.allowed:
            raise Unmediated(f"the model is about to read a result of `{tool}` that did not pass its hook")

    def heard(self, id: str, response: Any) -> None:
        """A result comes by on its way to the application. Raises `Unmediated` for one that no hook has seen."""
        if not self.is_unmade(id, response):
            self._seat().heard(self._names.get(id, [(id, "")]))

    # --- texts ---------------------------------------------------------------------------------

    async def _input(self, moment: Moment) -> Verdict:
        known = self.prompts.pop(str(moment.payload), None)
        checked = known or await self._seat().ainput(str(moment.payload))
        self._note_halt([checked])
        return verdict_of_checks([checked])

    async def _output(self, moment: Moment) -> Verdict:
        checked = await self._seat().aoutput(str(moment.payload))
        self._note_halt([checked])
        return verdict_of_checks([checked])


def _id_of(moment: Moment) -> str:
    """The host's name of a call. Raises `Unmediated` where there is none."""
    if moment.call_id is None:
        raise Unmediated("the host tells of a call without its id")
    return moment.call_id


_JUDGES: dict[str, Callable[[Hooks, Moment], Awaitable[Verdict]]] = {
    "input": Hooks._input, "post_tool": Hooks._results, "output": Hooks._output
}  # fmt: skip

__all__ = ["Hooks"]
