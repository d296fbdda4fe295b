"""The kill switch: who or what is stopped, seen by every process that shares the store.

Takes a store, gives the halts in force. They are read again at most every `staleness` seconds, by a clock
that only runs forwards, so that a decision does not wait for the store; 0 reads them every time.
"""

from __future__ import annotations

from threading import Lock
from time import monotonic

from guardrails.errors import EvaluationError
from guardrails.model import Applied, Decision, Denial, Outcome, Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from guardrails.stores.halts import Halt
    from guardrails.stores.port import Store

STALENESS = 0.05
"""Seconds; half of the 100 ms within which a halt must be seen, so that reading it may take the other half."""

KINDS = ("agent", "principal", "session", "tool")
NOWHERE = Place("<engine>", 0, 0, 0, 0)


def checked_scope(scope: str) -> str:
    """`all`, or `agent:`, `principal:`, `session:` or `tool:` with a name. Raises `EvaluationError`."""
    if not isinstance(scope, str):
        from guardrails.parameters import misfit

        raise misfit("scope", scope, "`all`, or `agent:`, `principal:`, `session:` or `tool:` and a name")
    kind, colon, name = scope.partition(":")
    if scope == "all" or (colon and kind in KINDS and name):
        return scope
    raise EvaluationError(
        f"`{scope}` names nothing to halt: write `all`, or `agent:`, `principal:`, `session:` or `tool:` and a name"
    )


class KillSwitch:
    """The halts of a store, which is opened when they are first asked for, as they were at most `staleness`
    seconds ago. Raises `EvaluationError` for a time that is none: by one that never ends no halt would be seen."""

    def __init__(self, store: Callable[[], Store], staleness: float = STALENESS) -> None:
        if staleness.__class__ not in (int, float) or not 0 <= staleness < 1e9:
            from guardrails.parameters import misfit

            raise misfit("staleness", staleness, "a number of seconds from 0")
        self._store = store
        self.staleness = staleness
        self._lock = Lock()
        self.fresh_until = -1e9
        self.known: tuple[Halt, ...] = ()

    def halts(self, now: int) -> tuple[Halt, ...]:
        """Those in force. Raises `StoreUnavailable`: not knowing of a halt is no reason to go on."""
        if self.is_stale():
            with self._lock:
                if self.is_stale():
                    self.take(self._store().halts(now=now))
        found = self.known
        return tuple([halt for halt in found if halt.in_force(now)]) if found else ()

    def is_stale(self) -> bool:
        return monotonic() >= self.fresh_until

    def take(self, halts: tuple[Halt, ...]) -> None:
        """Halts that were read just now, by whoever could wait for them."""
        self.known = halts
        self.fresh_until = monotonic() + self.staleness

    def forget(self) -> None:
        """Read anew at the next question, because this process has just changed the halts."""
        self.fresh_until = -1e9


def stopping(halts: tuple[Halt, ...], scopes: frozenset[str], tool: str | None) -> Halt | None:
    """The halt that stops an event of these scopes, if there is one."""
    for halt in halts:
        if halt.scope in scopes or (tool is not None and _names(halt.scope, tool)):
            return halt
    return None


def _names(scope: str, tool: str) -> bool:
    """Whether a scope such as `tool:payments.*` names the tool."""
    if not scope.startswith("tool:"):
        return False
    pattern = scope[5:]
    if "*" not in pattern:
        return pattern == tool
    from guardrails.patterns import compile_wildcard

    return compile_wildcard(pattern)(tool)


def cause_of(decision: Decision) -> tuple[str, str]:
    """Who halted, and why, by a decision of a rule that halts."""
    reason = next((each for each in decision.applied if each.outcome is Outcome.HALT), None)
    if reason is None:
        return "the policy", "the policy says so"
    return f"`{reason.name}`", reason.message or f"`{reason.effect}` at {reason.place}"


def over(session: str, decision: Decision) -> Decision:
    """The denial of whatever comes in a session after the decision that halted it: the same that another process gets,
    which knows of it from the store."""
    from guardrails.stores.halts import Halt

    return halted(Halt(f"session:{session}", *cause_of(decision), since=0), decision.policy)


def halted(halt: Halt, policy: str) -> Decision:
    """The denial of whatever is stopped."""
    subject = "everything" if halt.scope == "all" else f"`{halt.scope}`"
    message = f"{subject} was halted by {halt.who}: {halt.why}"
    applied = Applied("halt", Outcome.DENY, policy="guard", label="halt", message=message, place=NOWHERE)
    denial = Denial("never", f"{message.rstrip('.')}. Stop, and tell the person you work for.")
    return Decision(Outcome.DENY, policy, (applied,), denial=lambda _: denial)
