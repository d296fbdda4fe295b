"""Claude Agent SDK: what its hooks ask, answered by a session.

Takes the events of Claude Code as the SDK hands them to a callback, gives what Claude Code understands. Calls are put
into the words that `guard hook claude-code` uses, and answers into the same JSON, so one policy fits both. The one
idea: Claude Code lets a call run, and a result reach its model, when the hook around it breaks or comes late; so every
event is answered here within a time, and whatever goes wrong is answered by what blocks or stops.
"""

from __future__ import annotations

from asyncio import wait_for
from json import loads
from logging import getLogger

from claude_agent_sdk import HookMatcher, PermissionResultAllow, PermissionResultDeny

from guardrails.integrations.answers import Answer
from guardrails.integrations.contract import Verdict, fitted, withheld
from guardrails.integrations.hosts import claude_code
from guardrails.integrations.judging import RANKS
from guardrails.integrations.receipts import Unmediated
from guardrails.integrations.wire import folder_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from typing import Any

    from guardrails.integrations.contract import Call, Moment
    from guardrails.integrations.mediation import Checked, Mediation, Passage
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

CHANGES = ("updatedInput", "updatedToolOutput", "updatedMCPToolOutput")

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
        self.errors: dict[str, Checked] = {}
        self.halted: Decision | None = None
        self.broken: Unmediated | None = None
        self._stop = ""
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
            return _blocked(event, f"Blocked, because guard could not decide: {str(error) or 'too late'}")

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
            return _written(moment, await self._calls(moment, folder_of(event, self._root)))
        return _written(moment, await self._judges[moment.point](self, moment))

    # --- calls ---------------------------------------------------------------------------------

    async def _calls(self, moment: Moment, folder: str) -> Verdict:
        id = _id_of(moment)
        known = self._known[id] = Known(await self._judged(id, moment.calls), folder)
        self._drop_unless_all(known)
        return _verdict(known, moment.calls, moment.host_input, can_ask=self._person is not None)

    async def _judged(self, id: str, calls: tuple[Call, ...]) -> list[Passage]:
        names = [id] if len(calls) == 1 else [f"{id}/{number + 1}" for number in range(len(calls))]
        passages = [
            await self._seat().acall(call.tool, call.args, name)
            for name, call in zip(names, calls, strict=True)
        ]
        self._names[id] = [(name, call.tool) for name, call in zip(names, calls, strict=True)]
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
        verdict = _verdict(known, calls, runs, can_ask=False)
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
        return _verdict_of(checks)

    async def _as_it_ran(self, moment: Moment) -> None:
        """What ran is what was judged; where the host filled in or changed something, that is judged now, and its
        result goes no further unless it is allowed. Raises `Unmediated`."""
        known = self._known.get(_id_of(moment))
        if known is None:
            raise Unmediated(
                f"there is a result of `{moment.calls[0].tool}`, and no check has seen that call"
            )
        if not known.is_of(moment.calls):
            known.passages = await self._judged(_id_of(moment), moment.calls)

    async def _failed(self, moment: Moment, text: str) -> None:
        """The host cannot change what a failed call says, so its run ends before its model reads what it may not."""
        await self._as_it_ran(moment)
        self._known.pop(_id_of(moment))
        for name, tool in self._names[_id_of(moment)]:
            await self._seat().afailed(name, tool)
            checked = await self._seat().aerror(name, tool, text)
            if checked.is_changed or not checked.allowed:
                self.errors[_id_of(moment)] = checked
                self._stop = f"What a failed call of `{tool}` says may not be read, and cannot be changed."

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
        """Whether the host did not make the call at all, and says so itself."""
        return id not in self._names and isinstance(response, str) and response.startswith(HOST_ERROR)

    async def _unended(self, name: str, tool: str, response: Any) -> None:
        """A call that was allowed, and of which no other event came: the host's own rules refused it, or its hooks
        were passed over. What the model is about to read has to be such that the policy lets it pass as it is."""
        try:
            return self._seat().heard([(name, tool)])
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
        return _verdict_of([checked])

    async def _output(self, moment: Moment) -> Verdict:
        checked = await self._seat().aoutput(str(moment.payload))
        self._note_halt([checked])
        return _verdict_of([checked])

    _judges: dict[str, Callable[[Hooks, Moment], Awaitable[Verdict]]] = {
        "input": _input, "post_tool": _results, "output": _output
    }  # fmt: skip


def _id_of(moment: Moment) -> str:
    """The host's name of a call. Raises `Unmediated` where there is none."""
    if moment.call_id is None:
        raise Unmediated("the host tells of a call without its id")
    return moment.call_id


# --- decisions as verdicts ---------------------------------------------------------------------


def _verdict(known: Known, calls: tuple[Call, ...], host: Mapping[str, Any], *, can_ask: bool) -> Verdict:
    """The strictest decision on any part of a call is the decision on the whole."""
    worst = max(known.passages, key=lambda passage: RANKS.index(passage.outcome))
    changed = [passage for passage in known.passages if passage.is_changed]
    payload = None
    if changed and len(calls) == 1:
        payload = calls[0].written_back(changed[0].args, host)
    question = worst.text if can_ask and worst.outcome == "ask" else ""
    return Verdict(worst.outcome, worst.text, changed=bool(changed), payload=payload, question=question)


def _verdict_of(checks: list[Checked]) -> Verdict:
    bad = [checked for checked in checks if not checked.allowed]
    if bad:
        worst = max(bad, key=lambda checked: RANKS.index(_outcome(checked)))
        return Verdict(_outcome(worst), str(worst.value))
    changed = [checked for checked in checks if checked.is_changed]
    if len(changed) > 1:
        return Verdict(
            "deny", "The policy changes this result in several ways, which cannot be done at once."
        )
    return Verdict("allow", changed=bool(changed), payload=changed[0].value if changed else None)


def _outcome(checked: Checked) -> str:
    return "deny" if checked.decision is None else str(checked.decision.outcome.value)


def _written(moment: Moment, verdict: Verdict) -> dict[str, Any]:
    """A verdict in the host's words."""
    answer = fitted(verdict, moment, claude_code.ABILITIES[moment.point])
    said: dict[str, Any] = loads(claude_code.write(moment, answer).out or "{}")
    return said


def _blocked(event: Any, reason: str) -> dict[str, Any]:
    """The answer where nothing could be decided: the call does not run, the text does not go on, the run ends."""
    name = event.get("hook_event_name") if isinstance(event, dict) else None
    stopped: dict[str, Any] = {"continue": False, "stopReason": reason}
    if name == "PreToolUse":
        refusal = {"hookEventName": name, "permissionDecision": "deny", "permissionDecisionReason": reason}
        return {"hookSpecificOutput": refusal}
    if name == "PostToolUse":
        blank = withheld(_moment_of(event), reason)
        return {**stopped, "hookSpecificOutput": {"hookEventName": name, "updatedToolOutput": blank}}
    return {**stopped, "decision": "block", "reason": reason} if name == "UserPromptSubmit" else stopped


def _moment_of(event: dict[str, Any]) -> Moment:
    from guardrails.integrations.contract import Moment

    return Moment("post_tool", "PostToolUse", "", payload=event.get("tool_response"), kept=claude_code.KEPT)


# --- hooks of the application ----------------------------------------------------------------------


def beside(callback: Any) -> Any:
    """A hook of the application beside guard's: it may refuse, and may not change what guard has judged."""

    async def kept(event: Any, tool_use_id: str | None, context: Any) -> Any:
        said = await callback(event, tool_use_id, context)
        return _unchanging(event, said) if isinstance(said, dict) else said

    return kept


def _unchanging(event: Any, said: dict[str, Any]) -> dict[str, Any]:
    specific = said.get("hookSpecificOutput")
    name = event.get("hook_event_name") if isinstance(event, dict) else ""
    if not isinstance(specific, dict):
        return said
    decision = specific.get("decision")
    inner = decision if isinstance(decision, dict) else {}
    found = [key for key in CHANGES if key in specific or key in inner]
    if not found and specific.get("permissionDecision") != "defer":
        return said
    reason = f"A hook of the application says `{(found or ['defer'])[0]}`, and guard could not judge what comes of it."
    LOG.error(reason)
    return _blocked({**event, "hook_event_name": name}, reason)


__all__ = ["Hooks", "beside"]
