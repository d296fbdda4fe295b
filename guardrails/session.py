"""Sessions: where an agent's inputs, calls, results and outputs are checked, one after the other.

`check_*` give decisions and leave it to the host to act on them; `enforce` and `tool` act: they check the
call, run it with what the policy made of its arguments, check the result, and raise when either is refused.
A `halt` ends the session: `Session.halted` is that decision, and everything after it is denied.

What a policy counts or remembers is in the ledger; a policy that does neither has none, and pays nothing.
"""

from __future__ import annotations

from guardrails.errors import ApprovalRequired, Denied, EvaluationError, Halted
from guardrails.model import Applied, Decision, Denial, Outcome, Place
from guardrails.runtime.binding import record_of
from guardrails.runtime.engine import MAX_NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from guardrails.argument_streaming import ArgumentStream
    from guardrails.guard import Guard
    from guardrails.ledger import Ledger
    from guardrails.narrowing import Narrowing
    from guardrails.runtime.usage import Usage
    from guardrails.streaming import OutputStream

NO_LEASE = ("", None)
_FOR_NOTHING = (None, None, None)
_NOWHERE = Place("<engine>", 0, 0, 0, 0)
_NUMBERS = (int, float)


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
        facts: Mapping[str, Any] | None = None,
        task: str | None = None,
        given: Mapping[str, Any] | None = None,
        allow: Iterable[str] | Mapping[str, Mapping[str, Any] | None] | None = None,
    ) -> None:
        self.guard = guard
        self.id = _new_id() if id is None else checked_id(id)
        self.halted: Decision | None = None
        self._principal = record_of(principal, "principal")
        self._agent = record_of(agent, "agent")
        self._live = _digests(tools)
        self._ledger: Ledger | None = None
        self._facts = record_of(facts, "facts")
        self._opened_for = (task, given, allow)
        self._narrowing: Narrowing | None = None
        if task is not None or given is not None or allow is not None:
            self._open_for(task, given, allow)
        try:
            self._bind()
        except AttributeError:
            from guardrails.session_parameters import check_guard

            check_guard(guard)
            raise

    def _open_for(self, task: Any, given: Any, allow: Any) -> None:
        """Take down what the session is for. Raises `EvaluationError`, also for a task that the policy does not have."""
        from guardrails.narrowing import task_record
        from guardrails.session_parameters import allow_of, check_guard

        check_guard(self.guard)
        given = None if given is None else record_of(given, "given")
        task_record(self.guard.engine.program, task, given)
        self._opened_for = (task, given, allow_of(allow))

    def _bind(self) -> None:
        self._engine = self.guard.engine
        record: dict[str, Any] = {**self._facts, "id": self.id}
        if any(part is not None for part in self._opened_for):
            from guardrails.narrowing import narrowed

            more, self._narrowing = narrowed(self._engine.program, *self._opened_for)
            record |= more
        self._subject = self.guard.subject(self._principal, self._agent, record)
        self._is_picky = bool(self._live) or self._narrowing is not None
        self._uses_now = self._engine.program.head["uses_now"]
        if self.guard.is_stateful or self._ledger is not None:
            self._open_ledger()

    def _open_ledger(self) -> Ledger:
        """The session's ledger by the policy as it is now; what it knows of the past it keeps."""
        from guardrails.ledger import Ledger

        self._ledger = Ledger(self.guard, self._subject, self.id, self._ledger)
        return self._ledger

    @property
    def ledger(self) -> Ledger:
        """What the session used up and did so far."""
        return self._ledger or self._open_ledger()

    @property
    def guards(self) -> tuple[Guard, ...]:
        """Whose policies hold here: the session's, or those of all whom it answers to (see `delegate`)."""
        return (self.guard,)

    @property
    def told(self) -> dict[str, Any]:
        """What the host said of the session beside its id: facts, and the task with the values that it takes."""
        if self._opened_for == _FOR_NOTHING:
            return dict(self._facts)
        task, given, _ = self._opened_for
        said = {"task": task, "given": given}
        return {**self._facts, **{name: each for name, each in said.items() if each is not None}}

    def live_digest(self, tool: str) -> str | None:
        """The digest of the tool that the session was opened with; None where it is not known."""
        return self._live.get(tool) if tool.__class__ is str else None

    def delegate(
        self,
        *,
        agent: Mapping[str, Any] | None = None,
        tools: Iterable[str] | None = None,
        guard: Guard | None = None,
        id: str | None = None,
    ) -> Session:
        """A session for a sub-agent, which may do what this one may and no more; see `guardrails.delegation`.

        `tools` are the names (or patterns, `"docs.*"`) of those it may call; `guard` is a policy of its own
        that holds as well. Raises `EvaluationError` for tools that name nothing, or too long a chain.
        """
        from guardrails.delegation import delegated
        from guardrails.session_parameters import check_guard, grant_of

        if guard is not None:
            check_guard(guard)
        return delegated(
            self,
            agent=None if agent is None else record_of(agent, "agent"),
            tools=None if tools is None else grant_of(tools),
            guard=guard,
            id=None if id is None else checked_id(id),
        )

    # --- checks --------------------------------------------------------------------------------

    def check_call(
        self,
        tool: str,
        args: Any,
        *,
        digest: str | None = None,
        call_id: str | None = None,
        hold: float | None = None,
        approval: str | None = None,
    ) -> Decision:
        """The decision on a tool call that is about to run. `digest` is that of the live tool.

        What limits and budgets it uses up is charged at once, and given back by `release` or `failed`. With
        `hold` it is only held for so many seconds, and given back unless `settle` or the check of its result
        comes before. A repeated `call_id` is charged once.

        A call that asks is let through once people approved of it: of exactly this call, in this session. An
        `approval` that is named has to be the one that does; without it the session finds it.
        """
        if self.guard.engine is not self._engine:
            self._bind()
        if self.halted is not None:
            return self._over(self.halted)
        if digest is not None or self._is_picky:
            refused = self._check_tool(tool, digest, args)
            if refused is not None:
                return refused
        if self._ledger is None or tool.__class__ is not str:  # the engine denies what is no name
            now = self.guard.clock.now() if self._uses_now else 0
            decision = self._engine.call(tool, args, self._subject, now)
        else:
            if call_id is not None or hold is not None or approval is not None:
                _check_words(call_id, hold, approval)
            lease = (
                (digest or self.live_digest(tool) or "", approval)
                if digest or self._live or approval
                else NO_LEASE
            )
            decision = self._ledger.call(tool, args, call_id=call_id, hold=hold, lease=lease)
        return decision if decision.outcome is not Outcome.HALT else self._halt(decision)

    def check_result(
        self,
        tool: str,
        result: Any,
        *,
        args: Any = None,
        call_id: str | None = None,
        reservation: str = "",
    ) -> Decision:
        """The decision on what a tool gave back; `decision.payload` replaces it when there are transforms.
        The call succeeded, so what was held for it is kept."""
        refused = self._before()
        if refused is None and self._narrowing is not None:
            refused = self._narrowing.refusal(tool)
        if refused is not None:
            return refused
        if self._ledger is None or tool.__class__ is not str:  # the engine denies what is no name
            now = self.guard.clock.now() if self._uses_now else 0
            decision = self._engine.result(tool, args, result, self._subject, now)
        else:
            if call_id is not None or reservation.__class__ is not str:
                _check_result_words(call_id, reservation)
            decision = self._ledger.result(tool, args, result, call_id=call_id, reservation=reservation)
        return decision if decision.outcome is not Outcome.HALT else self._halt(decision)

    def check_input(self, text: str, *, by: str = "user") -> Decision:
        """The decision on a text that goes into the model. `by` says who wrote it: the `user`, whose words
        vouch for the values in them, or another `agent`, whose words do not."""
        return self._text("input", text, author_of(by))

    def check_output(self, text: str) -> Decision:
        """The decision on a text that leaves for a person or another system."""
        return self._text("output", text)

    def stream_output(self) -> OutputStream:
        """The check of an output that leaves in pieces; see `guardrails.streaming`."""
        from guardrails.streaming import OutputStream

        return OutputStream(self)

    def stream_args(self, tool: str) -> ArgumentStream:
        """The arguments of a call while a model writes them, redacted to be shown; see
        `guardrails.argument_streaming`. The call is checked by `check_call` once they are complete."""
        from guardrails.argument_streaming import ArgumentStream

        return ArgumentStream(self, tool)

    def _text(self, point: str, text: str, by: str | None = None, inherited: Iterable[str] = ()) -> Decision:
        """The decision on a text; what another agent wrote has the labels that it `inherited`."""
        refused = self._before()
        if refused is not None:
            return refused
        if self._ledger is None:
            decision = self._engine.text(point, text, self._subject, self.guard.now())
        else:
            decision = self._ledger.text(point, text, by, inherited)
        return decision if decision.outcome is not Outcome.HALT else self._halt(decision)

    def _before(
        self, tool: str | None = None, digest: str | None = None, args: Any = None
    ) -> Decision | None:
        """The refusal that comes before any rule: of a halted session, or a changed tool."""
        if self.guard.engine is not self._engine:
            self._bind()
        if self.halted is not None:
            return self._over(self.halted)
        if tool is not None and (digest is not None or self._is_picky):
            return self._check_tool(tool, digest, args)
        return None

    def _halt(self, decision: Decision) -> Decision:
        """End the session, here and for everyone who shares its store."""
        self.halted = decision
        if self._ledger is not None:
            self._ledger.halt(decision)
        return decision

    def _over(self, halted: Decision) -> Decision:
        from guardrails.runtime.switch import over

        return over(self.id, halted)

    # --- checks for an event loop --------------------------------------------------------------

    async def acheck_call(
        self,
        tool: str,
        args: Any,
        *,
        digest: str | None = None,
        call_id: str | None = None,
        hold: float | None = None,
        approval: str | None = None,
    ) -> Decision:
        """`check_call` for a running event loop: neither look-ups of the host nor the store block it."""
        if self._ledger is None or self.guard.host.functions or tool.__class__ is not str:
            return await self._apart(
                lambda: self.check_call(
                    tool, args, digest=digest, call_id=call_id, hold=hold, approval=approval
                )
            )
        refused = self._before(tool, digest, args)
        if refused is not None:
            return refused
        _check_words(call_id, hold, approval)
        lease = (digest or self.live_digest(tool) or "", approval)
        decision = await self._ledger.acall(tool, args, call_id=call_id, hold=hold, lease=lease)
        return decision if decision.outcome is not Outcome.HALT else self._halt(decision)

    async def acheck_result(
        self,
        tool: str,
        result: Any,
        *,
        args: Any = None,
        call_id: str | None = None,
        reservation: str = "",
    ) -> Decision:
        return await self._apart(
            lambda: self.check_result(tool, result, args=args, call_id=call_id, reservation=reservation)
        )

    async def acheck_input(self, text: str, *, by: str = "user") -> Decision:
        return await self._apart(lambda: self.check_input(text, by=by))

    async def acheck_output(self, text: str) -> Decision:
        return await self._apart(lambda: self.check_output(text))

    async def _apart(self, check: Callable[[], Decision]) -> Decision:
        """Where something may block, in another thread."""
        if not self.guard.host.functions and (self._ledger is None or not self._ledger.may_block):
            return check()
        from asyncio import to_thread

        return await to_thread(check)

    # --- what became of a call, and what it used -----------------------------------------------

    def settle(self, decision: Decision, usage: Usage | None = None) -> bool:
        """The call ran, and used what `usage` says instead of what was reserved; more than that is charged in
        full. False: it was settled before, or nothing was held for it."""
        if usage is not None:
            _check_usage(usage)
        try:
            return self.ledger.settle(decision, usage)
        except AttributeError:
            from guardrails.session_parameters import check_decision

            check_decision(decision)
            raise

    def failed(
        self, tool: str, args: Any, *, decision: Decision | None = None, call_id: str | None = None
    ) -> None:
        """The call was made and failed: what it used up is given back, and breakers and retries count it."""
        from guardrails.session_parameters import check_failed

        check_failed(tool, decision, call_id)
        self.ledger.failed(tool, args, decision=decision, call_id=call_id)

    def release(self, decision: Decision) -> bool:
        """The call was not made: what it would have used up is given back."""
        try:
            return self.ledger.release(decision)
        except AttributeError:
            from guardrails.session_parameters import check_decision

            check_decision(decision)
            raise

    def report(self, usage: Usage) -> Decision:
        """Charge what a model or tool used, in full, whatever is left. The decision is a denial when that
        was more than a budget had: the next call is stopped."""
        _check_usage(usage)
        return self.ledger.report(usage)

    def reserve(self, usage: Usage, *, hold: float | None = None) -> Decision:
        """Whether budgets have room for what a model call will use at most; held until it is settled."""
        _check_usage(usage)
        if hold is not None:
            _check_words(None, hold, None)
        return self.ledger.reserve(usage, hold=hold)

    def _check_tool(self, tool: str, digest: str | None, args: Any) -> Decision | None:
        """Whether the session was opened for such a call, and the live tool is the pinned one."""
        refused = None if self._narrowing is None else self._narrowing.refusal(tool, args)
        if refused is not None:
            return refused
        if digest is not None and digest.__class__ is not str:
            from guardrails.session_parameters import check_digest

            check_digest(digest)
        if tool.__class__ is not str:
            return None  # no name is pinned, and the engine denies what is none
        live = digest if digest is not None else self._live.get(tool)
        pinned = self._engine.program.head["pinned"].get(tool)
        if live is None or pinned is None or live == pinned:
            return None
        return changed_tool(tool, self._engine.program.digest)

    # --- enforcement ---------------------------------------------------------------------------

    def enforce(self, function: Callable[..., Any], *, tool: str | None = None) -> Callable[..., Any]:
        """`function` as the tool `tool` (its own name when left out): checked, run, and its result checked.

        The wrapper raises `Denied`, `Halted` or `ApprovalRequired` instead of running, and gives the result
        as the policy transformed it. Async functions stay async. When `function` raises, what the call was
        charged is given back; when it is cancelled or interrupted it stays charged, because nobody knows what
        it did until then. Raises `TypeError` for a generator: a result is judged as a whole.
        """
        from guardrails.enforcement import enforced, name_of

        return enforced(self, function, name_of(function) if tool is None else tool)

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


def author_of(by: str) -> str | None:
    """Who wrote an input, as the session's past keeps it; None for the user."""
    if by not in ("user", "agent"):
        raise EvaluationError("`by` is `user` or `agent`: who wrote the input")
    return None if by == "user" else by


def _new_id() -> str:
    from os import urandom

    return urandom(16).hex()


def checked_id(id: str) -> str:
    if id.__class__ is not str or not id:
        from guardrails.session_parameters import check_id

        check_id(id)
    return id


def _check_words(call_id: str | None, hold: float | None, approval: str | None) -> None:
    if (
        (call_id is not None and call_id.__class__ is not str)
        or (hold is not None and (hold.__class__ not in _NUMBERS or not 0 < hold < 1e9))
        or (approval is not None and approval.__class__ is not str)
    ):
        from guardrails.session_parameters import check_words

        check_words(call_id, hold, approval)


def _check_result_words(call_id: str | None, reservation: str) -> None:
    if reservation.__class__ is not str or (call_id is not None and call_id.__class__ is not str):
        from guardrails.session_parameters import check_result_words

        check_result_words(call_id, reservation)


def _check_usage(usage: Usage) -> None:
    tool = getattr(usage, "tool", ...)
    if tool is not None and (tool.__class__ is not str or not 0 < len(tool) <= MAX_NAME):
        from guardrails.session_parameters import check_usage

        check_usage(usage)


def _digests(tools: Iterable[Mapping[str, Any]] | None) -> dict[str, str]:
    """The digests of live tool definitions, by name."""
    if tools is None:
        return {}
    from guardrails.language.schema import read_tools
    from guardrails.session_parameters import live_tools_of

    found, problems = read_tools(live_tools_of(tools), "<live tools>")
    for problem in problems:
        if problem.is_error:
            from guardrails.errors import PolicyError

            raise PolicyError([problem], problem.message)
    return {tool.name: tool.digest for tool in found}
