"""Guard: a policy language and engine that holds AI agents to hard limits.

The public names are loaded when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from guardrails.errors import (
        ApprovalRequired,
        Denied,
        EventError,
        GuardError,
        Halted,
        PolicyError,
        Refused,
    )
    from guardrails.guard import Guard
    from guardrails.hosting import function
    from guardrails.model import Decision, Denial, Outcome
    from guardrails.session import Session

__all__ = [
    "ApprovalRequired",
    "Decision",
    "Denial",
    "Denied",
    "EventError",
    "Guard",
    "GuardError",
    "Halted",
    "Outcome",
    "PolicyError",
    "Refused",
    "Session",
    "function",
]

_HOMES = {
    "Guard": "guard", "Session": "session", "function": "hosting", "Decision": "model", "Denial": "model",
    "Outcome": "model",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)
