"""The shared words of a decision: outcome, what applied, what failed, what changes and what is owed.

Takes and gives plain immutable values. These classes are written by hand with slots, because every
`guard check` process imports them and every call builds or returns one (`dataclasses` alone costs as much
start-up as the whole rest of the path).
"""

from __future__ import annotations

from enum import StrEnum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, TypeAlias

    Inquiry: TypeAlias = tuple[Any, ...]


class Outcome(StrEnum):
    """The verdict, from loosest to strictest: allow < ask < deny < halt.

    It equals its word, as it prints: `outcome == "deny"` that is never true would let through what is denied.
    """

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"
    HALT = "halt"

    @property
    def rank(self) -> int:
        return _RANK[self]

    def __lt__(self, other: str) -> bool:
        return _RANK[self] < _RANK[Outcome(other)]

    def __le__(self, other: str) -> bool:
        return _RANK[self] <= _RANK[Outcome(other)]

    def __gt__(self, other: str) -> bool:
        return _RANK[self] > _RANK[Outcome(other)]

    def __ge__(self, other: str) -> bool:
        return _RANK[self] >= _RANK[Outcome(other)]


_RANK = {outcome: rank for rank, outcome in enumerate(Outcome)}


def strictest(outcomes: Iterable[Outcome]) -> Outcome:
    """The join of outcomes; allow when there is none."""
    return max(outcomes, key=_RANK.__getitem__, default=Outcome.ALLOW)


class Value:
    """Base of the immutable values below: compared, hashed and printed by their `__slots__`."""

    __slots__: tuple[str, ...] = ()
    _hidden: tuple[str, ...] = ()

    def _key(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self.__slots__ if name not in self._hidden)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Value) and other.__class__ is self.__class__ and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        fields = ", ".join(f"{n}={getattr(self, n)!r}" for n in self.__slots__ if n not in self._hidden)
        return f"{self.__class__.__name__}({fields})"


class Place(Value):
    """A stretch of a policy file: lines and columns count from 1, the end column is exclusive."""

    __slots__ = ("column", "end_column", "end_line", "file", "line")

    def __init__(self, file: str, line: int, column: int, end_line: int, end_column: int) -> None:
        self.file = file
        self.line = line
        self.column = column
        self.end_line = end_line
        self.end_column = end_column

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Applied(Value):
    """A statement that took part in a decision.

    `effect` is its keyword (`deny`, `require`, ...); `outcome` what it asked for (None for a pure transform
    or obligation); `kept_by_error` says that it could not be evaluated and stands by law L2.
    """

    __slots__ = ("effect", "kept_by_error", "label", "message", "outcome", "place", "policy")

    def __init__(
        self,
        effect: str,
        outcome: Outcome | None,
        *,
        policy: str,
        label: str | None,
        message: str | None,
        place: Place,
        kept_by_error: bool = False,
    ) -> None:
        self.effect = effect
        self.outcome = outcome
        self.policy = policy
        self.label = label
        self.message = message
        self.place = place
        self.kept_by_error = kept_by_error

    @property
    def name(self) -> str:
        """`policy.label`, or the place where there is no label."""
        return f"{self.policy}.{self.label}" if self.label else str(self.place)

    def by_error(self) -> Applied:
        return Applied(
            self.effect, self.outcome, policy=self.policy, label=self.label, message=self.message,
            place=self.place, kept_by_error=True,
        )  # fmt: skip


class Failure(Value):
    """An expression that could not be evaluated: which statement, where in it, and why.

    `kind` is one of missing, type, number, ambiguous, size, unavailable, error.
    """

    __slots__ = ("kind", "message", "place", "statement")

    def __init__(self, statement: str, kind: str, message: str, place: Place) -> None:
        self.statement = statement
        self.kind = kind
        self.message = message
        self.place = place


class Transform(Value):
    """A change that was made to the payload: `kind` (redact, only fields, only rows, drop fields), and
    `paths`, the JSON pointers of what was changed or left out (as patterns, `/orders/*/note`)."""

    __slots__ = ("kind", "paths", "statement")

    def __init__(self, kind: str, paths: tuple[str, ...], statement: str) -> None:
        self.kind = kind
        self.paths = paths
        self.statement = statement


class Obligation(Value):
    """Something the host owes beside the verdict: `flag`, `review`, `fallback`, `warn`; details by kind."""

    __slots__ = ("details", "kind", "statement")

    def __init__(self, kind: str, statement: str, details: tuple[tuple[str, Any], ...] = ()) -> None:
        self.kind = kind
        self.statement = statement
        self.details = details


class ReuseBound(Value):
    """What the calls of one approval may come to: `amount` as the policy writes it, at most `most` (an exact
    number as text) of `unit` (a currency, or empty), `per` `each` call or in `total`. `function` gives the
    amount of a call."""

    __slots__ = ("amount", "function", "most", "per", "unit")
    _hidden = ("function",)

    def __init__(self, amount: str, per: str, most: str, unit: str = "", function: str = "") -> None:
        self.amount = amount
        self.per = per
        self.most = most
        self.unit = unit
        self.function = function

    def __str__(self) -> str:
        return f"{self.amount} up to {self.most}{f' {self.unit}' if self.unit else ''} {self.per}"


class Reuse(Value):
    """How far one approval goes: `calls` of the tool in the session, within all `bounds`."""

    __slots__ = ("bounds", "calls")

    def __init__(self, calls: int, bounds: tuple[ReuseBound, ...] = ()) -> None:
        self.calls = calls
        self.bounds = bounds

    def __str__(self) -> str:
        calls = "1 call" if self.calls == 1 else f"{self.calls} calls"
        return ", ".join([f"{calls} in the session", *map(str, self.bounds)])


class Approval(Value):
    """What an `ask` needs: any of `reviewers` (empty: whoever the host asks), `quorum` of them, within
    `within` seconds (None: no deadline), else `otherwise`. Without `reuse` an approval is for one call."""

    __slots__ = ("otherwise", "quorum", "reuse", "reviewers", "statement", "within")

    def __init__(
        self,
        reviewers: tuple[str, ...],
        quorum: int,
        within: float | None,
        otherwise: tuple[str, ...],
        statement: str,
        reuse: Reuse | None = None,
    ) -> None:
        self.reviewers = reviewers
        self.quorum = quorum
        self.within = within
        self.otherwise = otherwise
        self.statement = statement
        self.reuse = reuse


class Denial(Value):
    """What an agent can do about a refusal.

    `kind`: `never` (no argument makes this pass), `change_arguments`, `needs_approval` or `retry_after`.
    `counterfactual` holds arguments that were re-checked and would be allowed, as `{path: value}`.
    """

    __slots__ = ("counterfactual", "kind", "message", "retry_after")

    def __init__(
        self,
        kind: str,
        message: str,
        counterfactual: dict[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.kind = kind
        self.message = message
        self.counterfactual = counterfactual
        self.retry_after = retry_after


class Consent(Value):
    """What people have to do with a decision: the `request` that waits for them (or that they refused, or
    approved of where something else refuses the call), the `approval` that let it through, and the `reviews`
    that were queued. `opened` are those of them that were not there before."""

    __slots__ = ("approval", "opened", "request", "reviews")

    def __init__(
        self,
        request: str = "",
        approval: str = "",
        reviews: tuple[str, ...] = (),
        opened: tuple[str, ...] = (),
    ) -> None:
        self.request = request
        self.approval = approval
        self.reviews = reviews
        self.opened = opened


_NEW = object.__new__


class Decision(Value):
    """The answer to one event.

    `payload` is what goes on instead of the event's own arguments, result or text when `transforms` is not
    empty, else None. `shadow` lists what statements in shadow would have done. `policy` is the digest of
    the policy that decided. `reservation` names what limits and budgets hold for the call until it is
    settled; empty where nothing is held. `labels` are those that statements gave to what comes in, and
    `origins` what was found of where values came from (see `runtime.provenance.Finding`). Of a sub-agent's event
    `parts` are the ids of the sessions that decided, and what each of them did.
    """

    __slots__ = (
        "_denial", "applied", "approvals", "consent", "errors", "id", "labels", "obligations", "origins", "outcome",
        "parts", "payload", "policy", "reservation", "shadow", "transforms",
    )  # fmt: skip
    _hidden = ("_denial", "consent", "id", "origins", "parts", "reservation")

    def __init__(
        self,
        outcome: Outcome,
        policy: str,
        applied: tuple[Applied, ...] = (),
        errors: tuple[Failure, ...] = (),
        transforms: tuple[Transform, ...] = (),
        obligations: tuple[Obligation, ...] = (),
        approvals: tuple[Approval, ...] = (),
        shadow: tuple[Applied, ...] = (),
        payload: Any = None,
        denial: Inquiry | Callable[[Decision], Denial] | None = None,
    ) -> None:
        self.outcome = outcome
        self.policy = policy
        self.applied = applied
        self.errors = errors
        self.transforms = transforms
        self.obligations = obligations
        self.approvals = approvals
        self.shadow = shadow
        self.payload = payload
        self._denial: Any = denial
        self.reservation = ""
        self.consent: Consent | None = None
        self.labels: tuple[str, ...] = ()
        self.origins: tuple[Any, ...] = ()
        self.parts: tuple[tuple[str, Decision], ...] = ()
        self.id = ""

    def about(self, denial: Inquiry) -> Decision:
        """The same decision on another event: `(engine, unit, event)`, from which the engine explains it
        when that is asked for."""
        fresh = _NEW(Decision)
        fresh.outcome = self.outcome
        fresh.policy = self.policy
        fresh.applied = self.applied
        fresh.errors = self.errors
        fresh.transforms = self.transforms
        fresh.obligations = self.obligations
        fresh.approvals = self.approvals
        fresh.shadow = self.shadow
        fresh.payload = self.payload
        fresh._denial = denial
        fresh.reservation = ""
        fresh.consent = None
        fresh.labels = self.labels
        fresh.origins = self.origins
        fresh.parts = self.parts
        fresh.id = self.id
        return fresh

    def holding(self, reservation: str, owed: tuple[Obligation, ...] = ()) -> Decision:
        """The same decision on a call for which limits and budgets hold something, with what is owed for it."""
        fresh = self.about(self._denial)
        fresh.consent = self.consent
        fresh.reservation = reservation
        if owed:
            fresh.obligations = (*self.obligations, *owed)
        return fresh

    def resting_on(self, origins: tuple[Any, ...]) -> Decision:
        """The same decision, with what was found of where values came from."""
        if not origins:
            return self
        fresh = self.about(self._denial)
        fresh.consent = self.consent
        fresh.reservation = self.reservation
        fresh.origins = origins
        return fresh

    def replacing(self, payload: Any, transform: Transform) -> Decision:
        """The same decision with another payload, because of one more change."""
        fresh = self.about(self._denial)
        fresh.consent = self.consent
        fresh.reservation = self.reservation
        fresh.payload = payload
        fresh.transforms = (*self.transforms, transform)
        return fresh

    def known_as(self, id: str) -> Decision:
        """The same decision under an id of its own, by which the audit log and telemetry know it."""
        fresh = _NEW(Decision)  # written out, because every decision with an observer is copied here
        fresh.outcome = self.outcome
        fresh.policy = self.policy
        fresh.applied = self.applied
        fresh.errors = self.errors
        fresh.transforms = self.transforms
        fresh.obligations = self.obligations
        fresh.approvals = self.approvals
        fresh.shadow = self.shadow
        fresh.payload = self.payload
        fresh._denial = self._denial
        fresh.reservation = self.reservation
        fresh.consent = self.consent
        fresh.labels = self.labels
        fresh.origins = self.origins
        fresh.parts = self.parts
        fresh.id = id
        return fresh

    @property
    def needs_explaining(self) -> bool:
        """Whether this is a refusal, whose explanation depends on the event."""
        return self._denial is not None

    @property
    def request(self) -> str | None:
        """The id of the request for approval that this waits for, that people refused, or that they approved of
        where a limit, a breaker or another statement refuses the call."""
        return (self.consent.request or None) if self.consent else None

    @property
    def approval(self) -> str | None:
        """The id of the approval that let this through."""
        return (self.consent.approval or None) if self.consent else None

    @property
    def reviews(self) -> tuple[str, ...]:
        """The ids of the reviews that were queued for it."""
        return self.consent.reviews if self.consent else ()

    @property
    def allowed(self) -> bool:
        return self.outcome is Outcome.ALLOW

    @property
    def denial(self) -> Denial | None:
        """The denial contract of a decision that is not an allow; worked out when first asked for."""
        if self._denial.__class__ is tuple:
            engine, unit, event = self._denial
            self._denial = engine.explain(unit, event, self)
        elif callable(self._denial):
            self._denial = self._denial(self)
        denial: Denial | None = self._denial
        return denial

    @property
    def message(self) -> str:
        """One text for the model or the user; empty for an allow."""
        return self.denial.message if self.denial else ""

    @property
    def reasons(self) -> tuple[Applied, ...]:
        """The statements that asked for this outcome."""
        return tuple(applied for applied in self.applied if applied.outcome is self.outcome)
