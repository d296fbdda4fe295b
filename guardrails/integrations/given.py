"""What a host gives an adapter, looked at before anything runs: sessions, and names of tools.

Takes whatever it is; gives it back, or raises with what to give instead. The one idea: a mistake is told where it was made,
and not in the middle of the first run.
"""

from __future__ import annotations

from guardrails.diagnostics import did_you_mean
from guardrails.errors import EvaluationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


def session_given(given: Any) -> Any:
    """A session. Raises `EvaluationError` for anything else."""
    if hasattr(given, "check_call"):
        return given
    raise EvaluationError(f"the adapter needs a session of a guard: {_why(given)}")


def source_given(given: Any) -> Any:
    """A session, or a function that gives one. Raises `EvaluationError` for anything else."""
    if callable(given) and not isinstance(given, type):
        return given
    return session_given(given)


def session_made(made: Any) -> Any:
    """What a function gave for a session. Raises `EvaluationError` where it is none."""
    if hasattr(made, "check_call"):
        return made
    if hasattr(made, "__await__"):
        close = getattr(made, "close", None)
        if close:
            close()  # nobody awaits it, and Python would warn about that
        why = "an `async` function cannot give it; write a plain one"
    elif _is_guard(made):
        why = _why(made)
    else:
        why = f"the function gave `{type(made).__name__}`"
    raise EvaluationError(f"the adapter needs a session of a guard: {why}")


def _why(given: Any) -> str:
    if _is_guard(given):
        return "a guard is no session: give `guard.session(principal=...)`"
    return f"give `guard.session(...)`, not `{type(given).__name__}`"


def _is_guard(given: Any) -> bool:
    return hasattr(type(given), "session") and hasattr(type(given), "decide")


def names_given(unchecked: Iterable[str]) -> frozenset[str]:
    """Names of tools that may go unchecked. Raises `EvaluationError` for one text, which would be its letters."""
    if isinstance(unchecked, str):
        raise EvaluationError(f'`unchecked` is a set of names: write {{"{unchecked}"}}')
    return frozenset(unchecked)


def nearest(unchecked: Iterable[str], tool: str) -> str:
    """`; did you mean ...?` where a name of `unchecked` is nearly that of a tool that is refused; else nothing."""
    return f"; did you mean `{tool}`?" if any(did_you_mean(name, [tool]) for name in unchecked) else ""
