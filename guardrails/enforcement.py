"""Enforcement: a Python function as a guarded tool.

The arguments of a call are bound to the function's parameters, so that the policy sees them by name however
they were passed, and what runs is what the policy decided on: transformed arguments go in, and the
transformed result comes out. What a call was charged follows what became of it:

    it returns      the charge stays, and its result is checked
    it raises       the charge is given back; breakers and retries count a failure
    it is cut off   (cancelled, interrupted) the charge stays: nobody knows what it did until then
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import wraps
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from guardrails.errors import Halted, Unavailable
from guardrails.runtime.usage import Usage
from guardrails.session import refuse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guardrails.guard import Guard
    from guardrails.model import Decision


class Checking(Protocol):
    """What a session has to do for it: one in this process, or one whose policy is in another. `halted` is the
    decision that ended it."""

    halted: Decision | None

    @property
    def guards(self) -> tuple[Any, ...]: ...
    def check_call(self, tool: str, args: Any, *, call_id: str | None = None) -> Decision: ...
    async def acheck_call(self, tool: str, args: Any, *, call_id: str | None = None) -> Decision: ...
    def check_result(
        self, tool: str, result: Any, *, args: Any = None, call_id: str | None = None, reservation: str = ""
    ) -> Decision: ...
    async def acheck_result(
        self, tool: str, result: Any, *, args: Any = None, call_id: str | None = None, reservation: str = ""
    ) -> Decision: ...
    def failed(
        self, tool: str, args: Any, *, decision: Decision | None = None, call_id: str | None = None
    ) -> None: ...
    def report(self, usage: Usage) -> Decision: ...


def name_of(function: Any) -> str:
    """The name of a function, which is that of its tool. Raises `TypeError` for what is no function, or has none."""
    _need_function(function)
    name = getattr(function, "__name__", "")
    if not name:
        raise TypeError(
            f'a `{type(function).__name__}` has no name: give it one: `session.enforce(function, tool="...")`'
        )
    return str(name)


def _need_function(function: Any) -> None:
    if not callable(function):
        raise TypeError(
            f"a tool is a function, and not `{type(function).__name__}`: `@session.tool` stands above one"
        )


def enforced(session: Checking, function: Callable[..., Any], tool: str) -> Callable[..., Any]:
    """`function`, checked before and after; async when it is. Raises `TypeError` for a generator, and for what has no
    parameters that arguments could be told by."""
    _need_function(function)
    if not isinstance(tool, str) or not tool:
        raise TypeError(f"the name of a `tool` is a text, and not `{tool!r}`")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(
            f"the tool `{tool}` is a generator, and a result can only be judged as a whole: return a list"
        )
    named = _Named(function)
    return _enforced_later(session, named, tool) if _is_async(function) else _enforced(session, named, tool)


def _enforced(session: Checking, named: _Named, tool: str) -> Callable[..., Any]:
    @wraps(named.function)
    def run(*positional: Any, **keywords: Any) -> Any:
        call = _Call(session, tool, named.bind(positional, keywords))
        call.open(session.check_call(tool, call.args, call_id=call.id))
        try:
            result = named.run(call.passed)
        except Exception:
            call.failed()
            raise
        except BaseException:
            call.measured()
            raise
        return _awaited(call, result) if inspect.isawaitable(result) else call.checked(result)

    return run


def _enforced_later(session: Checking, named: _Named, tool: str) -> Callable[..., Any]:
    @wraps(named.function)
    async def run(*positional: Any, **keywords: Any) -> Any:
        call = _Call(session, tool, named.bind(positional, keywords))
        call.open(await session.acheck_call(tool, call.args, call_id=call.id))
        return await _awaited(call, named.run(call.passed))

    return run


async def _awaited(call: _Call, running: Awaitable[Any]) -> Any:
    try:
        result = await running
    except Exception:
        await call.apart(call.failed)
        raise
    except BaseException:
        await call.apart(call.measured)
        raise
    await call.apart(call.measured)
    after = await call.session.acheck_result(call.tool, result, **call.known())
    return _passed_on(after, result)


def _refuse(session: Checking, decision: Decision) -> None:
    """Raise what a refusal means; also of what comes after a session was halted: `Halted`."""
    if not decision.allowed and session.halted is not None:
        raise Halted(decision)
    refuse(decision)


def _passed_on(after: Decision, result: Any) -> Any:
    refuse(after)
    return after.payload if after.transforms else result


def _is_async(function: Callable[..., Any]) -> bool:
    """Whether it is an async function, or an object that is called like one."""
    called = getattr(function, "__call__", None)  # noqa: B004 - it is looked at, not asked for
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)


class _Call:
    """One call of a tool: what it runs with, and who is told how it ended."""

    def __init__(self, session: Checking, tool: str, args: dict[str, Any]) -> None:
        self.session = session
        self.tool = tool
        self.args = args
        self.passed = args
        self.needs = needs_of(session)
        self.id = _new_call_id() if self.needs.remembers else None
        self.decision: Decision | None = None
        self.started = 0.0

    def open(self, decision: Decision) -> None:
        """Go ahead, or raise what the decision means."""
        _refuse(self.session, decision)
        self.decision = decision
        self.passed = decision.payload if decision.transforms else self.args
        self.started = monotonic()

    def known(self) -> dict[str, Any]:
        """How the check of the result finds this call."""
        assert self.decision is not None
        return {"args": self.passed, "call_id": self.id, "reservation": self.decision.reservation}

    def checked(self, result: Any) -> Any:
        self.measured()
        return _passed_on(self.session.check_result(self.tool, result, **self.known()), result)

    def failed(self) -> None:
        """Without the store the charge stays, which is the strict side; the tool's own error goes on."""
        self.measured()
        if self.needs.is_told:
            with suppress(Unavailable):
                self.session.failed(self.tool, self.args, decision=self.decision, call_id=self.id)

    def measured(self) -> None:
        """Report the time that the tool took, where a budget counts it."""
        if self.needs.is_timed:
            self.session.report(Usage(tool=self.tool, tool_time=monotonic() - self.started))

    async def apart(self, work: Callable[[], None]) -> None:
        """In another thread, where there is anything to do that may block."""
        if self.needs.may_block:
            from asyncio import to_thread

            await to_thread(work)


class Needs:
    """What policies need to hear of calls beside the checks; asked anew for each call, as they may be replaced.

    `remembers`: the result of a call has to find it. `is_told`: somebody wants to know what became of it.
    `is_timed`: a budget counts how long it took. `may_block`: telling it may take a while.
    """

    def __init__(self, guards: Iterable[Guard]) -> None:
        self._guards = tuple(guards)

    @property
    def remembers(self) -> bool:
        return any(guard.engine.program.head["uses_trace"] for guard in self._guards)

    @property
    def is_told(self) -> bool:
        return any(guard.is_stateful or guard.observers for guard in self._guards)

    @property
    def is_timed(self) -> bool:
        meters = [meter for guard in self._guards for meter in guard.engine.program.head["meters"]]
        return any(meter[0] == "budget" and meter[5] == "tool_time" for meter in meters)

    @property
    def may_block(self) -> bool:
        return any(guard.is_stateful for guard in self._guards)


def needs_of(session: Checking) -> Needs:
    """What the policies of a session need; one whose policies are elsewhere knows it by itself."""
    known: Needs | None = getattr(session, "needs", None)
    return Needs(session.guards) if known is None else known


def _new_call_id() -> str:
    from uuid import uuid4

    return uuid4().hex


class _Named:
    """A function whose arguments are one record: bound by name, spread again for the call."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        try:
            self.signature = inspect.signature(function)
        except (TypeError, ValueError):
            raise TypeError(
                f"nobody knows the parameters of the function `{function!r}`: write one around it that names them"
            ) from None
        kinds = [(name, parameter.kind) for name, parameter in self.signature.parameters.items()]
        self.rest = next((name for name, kind in kinds if kind is inspect.Parameter.VAR_KEYWORD), None)
        self.spread = next((name for name, kind in kinds if kind is inspect.Parameter.VAR_POSITIONAL), None)
        self.first = [name for name, kind in kinds if kind is inspect.Parameter.POSITIONAL_ONLY]

    def bind(self, positional: tuple[Any, ...], keywords: dict[str, Any]) -> dict[str, Any]:
        """What the policy sees as `args`: defaults filled in, `**rest` spread, `*spread` a list."""
        bound = self.signature.bind(*positional, **keywords)
        bound.apply_defaults()
        args = dict(bound.arguments)
        if self.rest:
            args |= args.pop(self.rest)
        if self.spread:
            args[self.spread] = list(args[self.spread])
        return args

    def run(self, args: dict[str, Any]) -> Any:
        left = dict(args)
        positional = [left.pop(name) for name in self.first if name in left]
        if self.spread and self.spread in left:
            names = [name for name in self.signature.parameters if name not in self.first]
            before = names[: names.index(self.spread)]
            positional += [left.pop(name) for name in before if name in left]
            positional += left.pop(self.spread)
        return self.function(*positional, **left)
