"""`@guardrails.function`: a Python function as a word of the policy language.

    @guardrails.function(pure=False, budget=0.2)
    def credit_limit(customer_id: str) -> Decimal: ...

Types come from the annotations, which must all be there. A policy that uses a function that was not
registered when it is loaded does not load.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args, get_origin, get_type_hints, overload

from guardrails.errors import GuardError
from guardrails.parameters import flag, seconds, shown, text
from guardrails.runtime.host import HostFunction

REGISTERED: dict[str, HostFunction] = {}
"""Functions of this process, by the name that policies use."""

_SCALARS = {
    "str": "string",
    "bool": "bool",
    "int": "int",
    "float": "decimal",
    "Decimal": "decimal",
    "Any": "any",
}
_COLLECTIONS = {list: "list", set: "set", frozenset: "set", dict: "map"}


@overload
def function(target: Callable[..., Any]) -> HostFunction: ...


@overload
def function(
    *, name: str | None = None, pure: bool = True, budget: float = 0.05
) -> Callable[[Callable[..., Any]], HostFunction]: ...


def function(
    target: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    pure: bool = True,
    budget: float = 0.05,
) -> Any:
    """Register a function. `pure=False` marks a look-up, which runs in a thread and is left behind when it
    takes longer than `budget` seconds. Raises `GuardError` for what policies cannot call."""

    def register(plain: Callable[..., Any]) -> HostFunction:
        hosted = host_function(plain, _name_of(plain) if name is None else name, pure=pure, budget=budget)
        REGISTERED[hosted.name] = hosted
        return hosted

    return register if target is None else register(target)


def host_function(plain: Callable[..., Any], name: str, *, pure: bool, budget: float) -> HostFunction:
    _check(plain, name, pure, budget)
    hints = get_type_hints(plain)
    if "return" not in hints:
        raise GuardError(f"the function `{name}` needs a return type, so that policies can be checked")
    names = plain.__code__.co_varnames[: plain.__code__.co_argcount]
    untyped = [parameter for parameter in names if parameter not in hints]
    if untyped:
        raise GuardError(f"the function `{name}` needs a type for its parameter `{untyped[0]}`")
    parameters = tuple((parameter, _described(hints[parameter], name)) for parameter in names)
    return HostFunction(name, plain, parameters, _described(hints["return"], name), pure=pure, budget=budget)


def _name_of(plain: Any) -> str:
    name = getattr(plain, "__name__", None)
    if name is None:
        raise GuardError(
            f"a function has a name, and {shown(plain)} has none: `@guardrails.function` stands above one"
        )
    return str(name)


def _check(plain: Any, name: Any, pure: Any, budget: Any) -> None:
    """Without a time above 0 that it may take, a function would never be too slow, or always."""
    text("name", name, "what policies call the function, a text")
    if not hasattr(plain, "__code__"):
        raise GuardError(f"`{name}` is a function with parameters that have types, and not {shown(plain)}")
    flag("pure", pure)
    seconds("budget", budget)


def _described(annotation: Any, name: str) -> Any:
    """An annotation as a type description (see `runtime.binding`)."""
    origin = get_origin(annotation)
    if origin in _COLLECTIONS:
        return (_COLLECTIONS[origin], *(_described(part, name) for part in get_args(annotation)))
    known = _SCALARS.get(getattr(annotation, "__name__", str(annotation)))
    if known is None:
        raise GuardError(f"the function `{name}` has a type that policies do not know: `{annotation}`")
    return known
