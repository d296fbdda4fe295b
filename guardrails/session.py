"""Sessions: where an agent's inputs, calls, results and outputs are checked, one after the other.

`check_*` give decisions and leave it to the host to act on them; `enforce` and `tool` act: they check the
call, run it with what the policy made of its arguments, check the result, and raise when either is refused.
A `halt` ends the session: everything after it is denied.
"""

from __future__ import annotations

from guardrails.errors import ApprovalRequired, Denied, Halted
from guardrails.model import Applied, Decision, Denial, Outcome, Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from guardrails.guard import Guard

_NOWHERE = Place("<engine>", 0, 0, 0, 0)


def changed_tool(tool: str, policy: str) -> Decision:
    """The denial of a tool whose definition is not the one that was pinned."""
    message = f"the definition of `{tool}` is not the one that the policy's tool file pinned"
    applied = Applied(
        "pinned tool", Outcome.DENY, policy="guard", label="changed_tool", message=message, place=_NOWHERE
    )
    denial = Denial("never", f"the call of `{tool}` is denied: {message}. Do not retry.")
    return Decision(Outcome.DENY, policy, (applied,), denial=lambda _: denial)


class Session:
    """One agent's work for one principal. Create it with `Guard.session`."""

    def __init__(
        self,
        guard: Guard,
        *,
        principal: Mapping[str, Any] | None = None,
        agent: Mapping[str, Any] | None = None,
        id: str | None = None,
        tools: Iterable[Mapping[str, Any]] | None = None,
    ) -> None:
        self.guard = guard
        self.id = id or _new_id()
        self.halted: Decision | None = None
        self._principal = dict(principal or {})
        self._agent = dict(agent or {})
        self._live = _digests(tools)
        self._bind()

    def _bind(self) -> None:
        self._engine = self.guard.engine
        self._subject = self.guard.subject(self._principal, self._agent, {"id": self.id})
        self._uses_now = self._engine.program.head["uses_now"]

    # --- checks --------------------------------------------------------------------------------

    def check_call(self, tool: str, args: Any, *, digest: str | None = None) -> Decision:
        """The decision on a tool call that is about to run. `digest` is that of the live tool."""
        if self.guard.engine is not self._engine:
            self._bind()
        if self.halted is not None:
            return self.halted
        if digest is not None or self._live:
            refused = self._check_tool(tool, digest)
            if refused is not None:
                return refused
        now = self.guard.clock.now() if self._uses_now else 0
        decision = self._engine.call(tool, args, self._subject, now)
        return decision if decision.outcome is not Outcome.HALT else self._halt(decision)

    def check_result(self, tool: str, result: Any, *, args: Any = None) -> Decision:
        """The decision on what a tool gave back; `decision.payload` replaces it when there are transforms."""
        return self._checked(lambda now: self._engine.result(tool, args, result, self._subject, now))

    def check_input(self, text: str) -> Decision:
        """The decision on a text that goes into the model."""
        return self._checked(lambda now: self._engine.text("input", text, self._subject, now))

    def check_output(self, text: str) -> Decision:
        """The decision on a text that leaves for a person or another system."""
        return self._checked(lambda now: self._engine.text("output", text, self._subject, now))

    async def acheck_call(self, tool: str, args: Any, *, digest: str | None = None) -> Decision:
        """`check_call` for a running event loop: look-ups of the host do not block it."""
        return await self._apart(lambda: self.check_call(tool, args, digest=digest))

    async def acheck_result(self, tool: str, result: Any, *, args: Any = None) -> Decision:
        return await self._apart(lambda: self.check_result(tool, result, args=args))

    async def acheck_input(self, text: str) -> Decision:
        return await self._apart(lambda: self.check_input(text))

    async def acheck_output(self, text: str) -> Decision:
        return await self._apart(lambda: self.check_output(text))

    async def _apart(self, check: Callable[[], Decision]) -> Decision:
        if not self.guard.host.functions:
            return check()
        from asyncio import to_thread

        return await to_thread(check)

    def _checked(self, decide: Callable[[int], Decision]) -> Decision:
        if self.guard.engine is not self._engine:
            self._bind()
        if self.halted is not None:
            return self.halted
        decision = decide(self.guard.now())
        return decision if decision.outcome is not Outcome.HALT else self._halt(decision)

    def _halt(self, decision: Decision) -> Decision:
        self.halted = decision
        return decision

    def _check_tool(self, tool: str, digest: str | None) -> Decision | None:
        """Whether the live tool is the pinned one."""
        live = digest if digest is not None else self._live.get(tool)
        pinned = self._engine.program.head["pinned"].get(tool)
        if live is None or pinned is None or live == pinned:
            return None
        return changed_tool(tool, self._engine.program.digest)

    # --- enforcement ---------------------------------------------------------------------------

    def enforce(self, function: Callable[..., Any], *, tool: str | None = None) -> Callable[..., Any]:
        """`function` as the tool `tool` (its own name when left out): checked, run, and its result checked.

        The wrapper raises `Denied`, `Halted` or `ApprovalRequired` instead of running, and gives the result
        as the policy transformed it. Async functions stay async.
        """
        from guardrails.enforcement import enforced

        return enforced(self, function, tool or function.__name__)

    def tool(self, function: Callable[..., Any] | None = None, *, name: str | None = None) -> Any:
        """`enforce` as a decorator: `@session.tool` or `@session.tool(name="...")`."""
        if function is not None:
            return self.enforce(function, tool=name)
        return lambda plain: self.enforce(plain, tool=name)


def refuse(decision: Decision) -> None:
    """Raise what a decision that is not an allow means to the host."""
    if decision.outcome is Outcome.ASK:
        raise ApprovalRequired(decision)
    if decision.outcome is Outcome.HALT:
        raise Halted(decision)
    if decision.outcome is Outcome.DENY:
        raise Denied(decision)


def _new_id() -> str:
    from uuid import uuid4

    return uuid4().hex


def _digests(tools: Iterable[Mapping[str, Any]] | None) -> dict[str, str]:
    """The digests of live tool definitions, by name."""
    if tools is None:
        return {}
    from json import dumps

    from guardrails.language.schema import read_tools

    found, problems = read_tools(dumps(list(tools)), "<live tools>")
    for problem in problems:
        if problem.is_error:
            from guardrails.errors import PolicyError

            raise PolicyError([problem], problem.message)
    return {tool.name: tool.digest for tool in found}
