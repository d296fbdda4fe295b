"""Requests: what a person is asked, who answered, and what has become of it.

A request is for one call, or for as many as the policy says (`reuse`): then a use is added to it by each call that
it lets through, until none is left.

A request is a value; what happens to it makes another one. Whether it waits, went on to somebody else or ran
out is never written down: it follows from the time at which it is looked at, so no clock has to run for it.

    pending -> (escalated) -> approved -> consumed
                           -> denied | expired | void          of a review: upheld | wrong

Times and durations are microseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

HOUR: Final = 3_600_000_000
DAY: Final = 24 * HOUR

LONGEST: Final = 7 * DAY
"""How long a request without a deadline waits."""

USUAL: Final = DAY
"""How long an answer holds where the policy names no time."""

CLOSED: Final = ("denied", "consumed", "void", "upheld", "wrong")
WAITING: Final = ("pending", "escalated")
STATES: Final = (*WAITING, "approved", "consumed", "denied", "expired", "void", "upheld", "wrong")


Far: TypeAlias = tuple[int, tuple[tuple[str, str, str, str], ...]]


@dataclass(frozen=True, slots=True)
class Need:
    """One statement that asks: `quorum` of `reviewers` within `within`, else of `otherwise` in as long again.

    `bounds` are the bounds that it compares arguments with, as `(path, value, bound)` texts. `reuse` is how far
    an approval of it goes, `(calls, ((amount, per, most, unit), ...))`; None: for one call.
    """

    statement: str
    place: str
    reviewers: tuple[str, ...] = ()
    quorum: int = 1
    within: int | None = None
    otherwise: tuple[str, ...] = ()
    because: str | None = None
    bounds: tuple[tuple[str, str, str], ...] = ()
    reuse: Far | None = None

    @property
    def stages(self) -> int:
        return 2 if self.otherwise and self.within is not None else 1

    def ends(self, created: int) -> int:
        """When nobody can meet it any more."""
        return created + (self.within or LONGEST) * self.stages

    def stage(self, created: int, now: int) -> int:
        """0: its reviewers are asked; 1: those of `else` are."""
        return int(self.stages == 2 and now >= created + (self.within or LONGEST))

    def asked(self, stage: int) -> tuple[str, ...]:
        return self.otherwise if stage else self.reviewers

    @property
    def terms(self) -> tuple[object, ...]:
        """What is asked, without what depends on the arguments."""
        return (self.statement, self.reviewers, self.quorum, self.within, self.otherwise, self.reuse)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one person said, and when they were first shown the request (None: never).

    `counts` holds `(need, stage)` for what it counts for, `together` how many requests were answered at once.
    """

    by: str
    verdict: str
    at: int
    reason: str = ""
    shown: int | None = None
    counts: tuple[tuple[int, int], ...] = ()
    together: int = 1


@dataclass(frozen=True, slots=True)
class Subject:
    """What is asked about: one event, as it may be shown, and the digests that bind the answer to it."""

    point: str
    tool: str | None
    args: Any
    session: str
    digest: str = ""
    tool_digest: str = ""
    policy: str = ""
    policy_name: str = ""
    principal: str | None = None
    agent: str | None = None


@dataclass(frozen=True, slots=True)
class Dossier:
    """What helps to decide: the session's last events, how full limits are, where values came from, and what the
    tool says of itself."""

    events: tuple[tuple[str, str, str, int], ...] = ()
    fills: tuple[tuple[str, str, str], ...] = ()
    origins: tuple[tuple[str, str], ...] = ()
    risk: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `state` is what was written down last: `open`, or how it ended; `outcome` is what a reviewed
        event came out as, and `why` the reason that was given at the end. `audited` says that an answer counts only
        where it is written to an audit log, `told` what was written there that nobody did: `(state, seen at)`. `uses` are
    the calls that an approval let through, `(at, call, amounts...)`, and `alone` why it is good for no more than the one
    call that it shows, although the policy would let it be."""

    id: str
    kind: str
    subject: Subject
    needs: tuple[Need, ...]
    created: int
    dossier: Dossier = Dossier()
    state: str = "open"
    answers: tuple[Answer, ...] = ()
    shown: dict[str, int] = field(default_factory=dict)
    lasting: int = USUAL
    until: int = 0
    ended: int = 0
    uses: tuple[tuple[Any, ...], ...] = ()
    why: str = ""
    outcome: str = "ask"
    audited: bool = False
    told: tuple[tuple[str, int], ...] = ()
    alone: str = ""

    def state_at(self, now: int) -> str:
        if self.state == "open":
            if any(now >= need.ends(self.created) for need in self.unmet):
                return "expired"
            return "escalated" if any(need.stage(self.created, now) for need in self.unmet) else "pending"
        return "expired" if self.state == "approved" and now >= self.until else self.state

    @property
    def unmet(self) -> tuple[Need, ...]:
        return tuple([need for index, need in enumerate(self.needs) if not self.is_met(index)])

    def is_met(self, index: int) -> bool:
        """Whether enough different people approved of a need in one of its stages."""
        need = self.needs[index]
        return any(self.votes(index, stage) >= need.quorum for stage in range(need.stages))

    def votes(self, index: int, stage: int) -> int:
        return len({a.by for a in self.answers if a.verdict == "approve" and (index, stage) in a.counts})

    @property
    def deadline(self) -> int:
        """When it runs out, if nobody answers."""
        return min((need.ends(self.created) for need in self.unmet or self.needs), default=self.created)

    def escalates(self, now: int) -> int | None:
        """When it next goes on to somebody else; None: never again."""
        times = [self.created + (n.within or 0) for n in self.unmet if n.stages == 2]
        return min((time for time in times if time > now), default=None)

    def holds(self, now: int) -> bool:
        """Whether a denial still answers the same call: for as long as people had to decide."""
        return self.state == "denied" and now < self.ended + self.lasting

    @property
    def people_asked(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for need in self.needs for name in need.reviewers))

    @property
    def tool(self) -> str:
        return self.subject.tool or self.subject.point

    @property
    def reuse(self) -> Far | None:
        """How far an approval goes: as far as all that asks lets it; None: this one call."""
        far = [need.reuse for need in self.needs if need.reuse is not None]
        if self.alone or not far or len(far) < len(self.needs):
            return None
        return min(calls for calls, _ in far), tuple(bound for _, bounds in far for bound in bounds)

    def closed(self, state: str, at: int, why: str = "") -> Request:
        return replace(self, state=state, ended=at, why=why)


def lasting_of(needs: tuple[Need, ...]) -> int:
    """How long an answer holds: as long as the shortest time that people had for it."""
    return min((need.within for need in needs if need.within is not None), default=USUAL)
