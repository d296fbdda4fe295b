"""Enforcement: a Python function as a guarded tool.

The arguments of a call are bound to the function's parameters, so that the policy sees them by name however
they were passed, and what runs is what the policy decided on: transformed arguments go in, and the
transformed result comes out.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from guardrails.session import refuse

if TYPE_CHECKING:
    from guardrails.session import Session


def enforced(session: Session, function: Callable[..., Any], tool: str) -> Callable[..., Any]:
    """`function`, checked before and after; async when it is."""
    named = _Named(function)
    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def run_later(*positional: Any, **keywords: Any) -> Any:
            args = named.bind(positional, keywords)
            decision = await session.acheck_call(tool, args)
            refuse(decision)
            passed = decision.payload if decision.transforms else args
            result = await named.run(passed)
            after = await session.acheck_result(tool, result, args=passed)
            refuse(after)
            return after.payload if after.transforms else result

        return run_later

    @wraps(function)
    def run(*positional: Any, **keywords: Any) -> Any:
        args = named.bind(positional, keywords)
        decision = session.check_call(tool, args)
        refuse(decision)
        passed = decision.payload if decision.transforms else args
        result = named.run(passed)
        after = session.check_result(tool, result, args=passed)
        refuse(after)
        return after.payload if after.transforms else result

    return run


class _Named:
    """A function whose arguments are one record: bound by name, spread again for the call."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.signature = inspect.signature(function)
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
