"""Parameters: what a host gave for one of them, judged where it is given and not where it is first used.

Takes a parameter's name and its value, gives the value back, or raises `EvaluationError` with three things: the name, what
was given, and what to give. A value is named by its type only, unless it is a number: it may be a secret.
"""

from __future__ import annotations

from guardrails.errors import EvaluationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LONGEST = 1e9
"""Seconds that anything may last, which is more than thirty years."""

_NUMBERS = (int, float)


def misfit(name: str, given: Any, wanted: str) -> EvaluationError:
    """What to raise for a value that does not fit; `wanted` goes on after `is`."""
    return EvaluationError(f"`{name}` is {wanted}, and not {shown(given)}")


def shown(given: Any) -> str:
    """A value, as far as it can be shown to whoever gave it."""
    if given is None or given.__class__ in (bool, *_NUMBERS):
        return f"`{given!r}`"
    if isinstance(given, type):
        return f"the class `{given.__name__}`"
    return f"`{type(given).__name__}`" if given.__class__ is not str or given else "an empty text"


def text(name: str, given: Any, wanted: str = "a text") -> str:
    """A text that is not empty."""
    if not isinstance(given, str) or not given:
        raise misfit(name, given, wanted)
    return given


def text_if_any(name: str, given: Any, wanted: str = "a text") -> str | None:
    """A text, which may be empty, or None."""
    if given is not None and not isinstance(given, str):
        raise misfit(name, given, wanted)
    return given


def seconds(name: str, given: Any) -> float:
    """A time that is more than none, of at most `LONGEST`: what lasts for less than nothing would be over at once."""
    if isinstance(given, bool) or not isinstance(given, _NUMBERS) or not 0 < given < LONGEST:
        raise misfit(name, given, "a number of seconds above 0, such as 30")
    return given


def flag(name: str, given: Any) -> bool:
    """True or False: of a word such as "no" nobody knows what it means."""
    if given is not True and given is not False:
        raise misfit(name, given, "`True` or `False`")
    return given


def mapping(name: str, given: Any, wanted: str) -> Any:
    """A mapping, or None."""
    if given is not None and not is_mapping(given):
        raise misfit(name, given, wanted)
    return given


def listed(name: str, given: Any, wanted: str) -> tuple[Any, ...]:
    """The items of a list. A text and a mapping can be gone through as well, and hardly mean their letters or keys."""
    if isinstance(given, str | bytes) or is_mapping(given):
        raise misfit(name, given, wanted)
    try:
        return tuple(given)
    except TypeError:
        raise misfit(name, given, wanted) from None


def doing(name: str, given: Any, methods: tuple[str, ...], wanted: str) -> Any:
    """An object that has these methods; a class has them too, and cannot be asked."""
    if isinstance(given, type) or not all(callable(getattr(given, method, None)) for method in methods):
        raise misfit(name, given, wanted)
    return given


def is_mapping(given: Any) -> bool:
    return hasattr(type(given), "keys") and hasattr(type(given), "__getitem__")


def is_path(given: Any) -> bool:
    """Whether it names a file."""
    return isinstance(given, str) or hasattr(type(given), "__fspath__")
