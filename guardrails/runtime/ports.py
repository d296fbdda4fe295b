"""The ports of the engine: how time, state, detectors, people and records come in.

The engine decides; whoever plugs into a port keeps its promise. Only `Clock` is served today; the other
ports are the agreed shape for the parts that follow, and a policy that needs one of them does not load.
The port for counters is `guardrails.stores.port`, beside its homes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from guardrails.model import Decision


class Clock(Protocol):
    def now(self) -> int:
        """Microseconds since 1970, UTC."""
        ...


class Detector(Protocol):
    """Finds what it is for in a text: matches as `(start, end, entity, score)`."""

    def find(self, text: str, context: Sequence[str]) -> Iterable[tuple[int, int, str, float]]: ...


class Origins(Protocol):
    """Where the values of a session came from, by label."""

    def labels(self, session: str, value: Any) -> frozenset[str]: ...


class AuditLog(Protocol):
    """A record before the effect (law L9)."""

    def intend(self, event: Mapping[str, Any], decision: Decision) -> str: ...

    def settle(self, record: str, outcome: Mapping[str, Any]) -> None: ...
