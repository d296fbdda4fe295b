"""Every order of calls against the plain truth: reservations, settlements, expiry, repeats, renames, gates, logs,
stores that are closed and opened again, and clocks that go back."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from itertools import count

import pytest
from gates_oracle import BreakerTruth, LogTruth
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from limits_oracle import HOUR, Hold, Limits

from guardrails.stores import (
    LIFETIME,
    Calendar,
    Demand,
    Gate,
    Granted,
    Moved,
    Note,
    Opening,
    Refused,
    Shut,
    Sliding,
    Store,
    open_store,
)

DAY = 86_400_000_000
START = 20_000 * DAY - 40
WINDOWS = [
    Sliding(10),
    Sliding(37),
    Sliding(40, buckets=4),
    Sliding(25, buckets=3),
    Calendar("day"),
    LIFETIME,
]
GATES = [
    Gate("row", (Opening(2),), 12),
    Gate("window", (Opening(2, 20),), 15),
    Gate("share", (Opening(3, 30, (1, 2)),), 9),
    Gate("both", (Opening(3, 18), Opening(2), Opening(4, 44, (2, 3))), 14),
]
SOAK = bool(os.environ.get("GUARD_SOAK"))
RUNS = count()

amounts = st.builds(
    Demand,
    st.sampled_from(["a", "b"]),
    st.integers(0, 4),
    st.sampled_from([3, 6, 20]),
    st.sampled_from(WINDOWS),
)
members = st.builds(
    lambda key, member, limit, window: Demand(key, 1, limit, window, member=member),
    st.sampled_from(["m", "n"]), st.sampled_from(["x", "y", "z", "w"]), st.integers(1, 3), st.sampled_from(WINDOWS),
)  # fmt: skip
lefts = st.builds(
    lambda key, limit, window: Demand(key, 0, limit, window, left=True),
    st.sampled_from(["a", "b"]), st.sampled_from([3, 6]), st.sampled_from(WINDOWS),
)  # fmt: skip
demands = st.lists(st.one_of(amounts, members, lefts), max_size=3)
ttls = st.one_of(st.integers(1, 30), st.just(None))
outcomes = st.sampled_from(["success", "success", "failure", "failure", "failure", "none", "open"])
calls = st.lists(st.tuples(outcomes, st.sampled_from([0, 1, 5, 9, 20])), min_size=1, max_size=8)
notes = st.one_of(
    st.none(), st.none(), st.tuples(st.sampled_from("st"), st.integers(-1, 1), st.integers(20, 60))
)


@dataclass
class Ask:
    """One call of `reserve`; with `again` it comes as a request that names its demands."""

    demands: list[Demand]
    ttl: int | None
    gates: list[Gate] = field(default_factory=list)
    written: tuple[LogTruth, Note] | None = None
    again: bool = False


class Machine(RuleBasedStateMachine):
    """A store and the truth, given the same calls under names that no other run uses."""

    url: str
    store: Store

    @initialize()
    def begin(self) -> None:
        self.run = f"{next(RUNS)}:"
        self.now = START
        self.limits = Limits()
        self.breakers = {gate.key: BreakerTruth(self.gate(gate)) for gate in GATES}
        self.logs = {name: LogTruth() for name in "st"}
        self.names: list[str] = []
        self.gates_of: dict[str, list[Gate]] = {}
        self.fresh = count()
        self.renamed: list[tuple[str, Demand]] = []

    def gate(self, gate: Gate) -> Gate:
        return Gate(self.run + gate.key, gate.openings, gate.retry_after)

    def own(self, wanted: list[Demand]) -> list[Demand]:
        return [self.named(demand, self.run + demand.key) for demand in wanted]

    def named(self, demand: Demand, key: str, was: str | None = None) -> Demand:
        return Demand(
            key, demand.amount, demand.limit, demand.window, member=demand.member, left=demand.left, was=was
        )

    def note(self, asked: tuple[str, int, int] | None) -> tuple[LogTruth, Note] | None:
        """A note whose writer knows of all notes, of one less, or does not care."""
        if asked is None:
            return None
        name, missed, keep = asked
        log = self.logs[name]
        last = len(log.seen(self.now))
        return log, Note(self.run + name, f"{last + 1} ☂", keep, None if missed < 0 else last - missed)

    @rule(by=st.one_of(st.integers(-15, 20), st.integers(-15, 20), st.sampled_from([60, HOUR - 3, HOUR])))
    def time_passes(self, by: int) -> None:
        self.now += by

    @rule(
        wanted=demands,
        ttl=ttls,
        again=st.booleans(),
        gates=st.lists(st.sampled_from(GATES), max_size=2),
        asked=notes,
    )
    def reserve(
        self,
        wanted: list[Demand],
        ttl: int | None,
        *,
        again: bool,
        gates: list[Gate],
        asked: tuple[str, int, int] | None,
    ) -> None:
        own = [self.gate(gate) for gate in gates]
        self.check_reserve(Ask(self.own(wanted), ttl, own, self.note(asked), again=again))

    @rule(wanted=amounts, ttl=ttls)
    def spend(self, wanted: Demand, ttl: int | None) -> None:
        self.check_reserve(Ask(self.own([wanted]), ttl))

    @rule(wanted=members, ttl=ttls)
    def count_member(self, wanted: Demand, ttl: int | None) -> None:
        self.check_reserve(Ask(self.own([wanted]), ttl))

    @rule(gate=st.sampled_from(GATES), calls=calls)
    def call_through(self, gate: Gate, calls: list[tuple[str, int]]) -> None:
        """Calls one after another; those that stay open are settled by other rules, or never."""
        for outcome, later in calls:
            before = len(self.names)
            self.check_reserve(Ask([], 20, [self.gate(gate)]))
            self.now += later
            if len(self.names) > before and outcome != "open":
                self.end(self.names[-1], outcome)
        self.look()

    @rule(wanted=st.one_of(amounts, members), ttl=ttls)
    def rename(self, wanted: Demand, ttl: int | None) -> None:
        key = f"{self.run}new{next(self.fresh)}"
        renamed = self.named(wanted, key, was=self.run + wanted.key)
        self.check_fill([renamed])
        self.check_reserve(Ask([renamed], ttl))
        self.check_fill([renamed, self.named(wanted, self.run + wanted.key)])

    def check_reserve(self, ask: Ask) -> None:
        wanted = [(demand.counter, demand.units, demand.member, demand.left) for demand in ask.demands]
        request = f"{self.run}{wanted}" if ask.again else None
        note = ask.written and ask.written[1]
        terms = {"now": self.now, "ttl": ask.ttl, "request": request, "gates": ask.gates, "note": note}
        answer = self.store.reserve(ask.demands, **terms)  # type: ignore[arg-type]  # as they are named
        known = self.limits.known(request, self.now)
        if known is not None:
            assert answer == Granted(known[0], known[1].fills)
        else:
            assert answer == self.expected(answer, ask, request)

    def expected(self, answer: object, ask: Ask, request: str | None) -> object:
        moved = ask.written and ask.written[0].moved(ask.written[1], self.now)
        if moved is not None:
            return moved
        for index, gate in enumerate(ask.gates):
            shut = self.truth(gate).shut(self.now)
            if shut is not None:
                return Shut(index, shut[0])
        hold = self.limits.reserve(ask.demands, self.now, ask.ttl, request)
        if isinstance(hold, tuple):
            return Refused(*hold)
        # The name is the store's to give; whatever else it says, it ought to have granted this.
        name = answer.reservation if isinstance(answer, Granted) else "any"
        self.keep(name, hold, ask)
        return Granted(name, hold.fills)

    def keep(self, name: str, hold: Hold, ask: Ask) -> None:
        assert name not in self.names
        self.limits.keep(name, hold)
        self.names.append(name)
        self.gates_of[name] = ask.gates
        for gate in ask.gates:
            self.truth(gate).let_through(name, self.now, ask.ttl)
        if ask.written is not None:
            ask.written[0].write(ask.written[1], self.now)

    def truth(self, gate: Gate) -> BreakerTruth:
        return self.breakers[gate.key.removeprefix(self.run)]

    def report(self, name: str, outcome: str) -> None:
        for gate in {gate.key: gate for gate in self.gates_of[name]}.values():
            self.truth(gate).end(name, self.now, outcome)
        if outcome != "none":
            self.gates_of[name] = []

    @precondition(lambda self: self.names)
    @rule(which=st.integers(0, 10**6), actual=st.one_of(st.none(), st.integers(0, 5)))
    def commit(self, which: int, actual: int | None) -> None:
        name = self.names[which % len(self.names)]
        hold = self.limits.settle(name, self.now)
        charges = hold.charges if hold else []
        amounts = {charges[0].demand.key: actual} if charges and actual is not None else {}
        expected = self.limits.commit(name, amounts, self.now)
        if expected:
            self.report(name, "success")
        assert self.store.commit(name, amounts, now=self.now) == expected

    @precondition(lambda self: self.names)
    @rule(which=st.integers(0, 10**6), outcome=st.sampled_from(["success", "failure", "none", "none"]))
    def settle(self, which: int, outcome: str) -> None:
        self.end(self.names[which % len(self.names)], outcome)

    def end(self, name: str, outcome: str) -> None:
        if self.limits.settle(name, self.now) is not None:
            self.report(name, outcome)
        if outcome == "success":
            assert self.store.commit(name, now=self.now) == self.limits.commit(name, {}, self.now)
        else:
            released = self.store.release(name, now=self.now, failed=outcome == "failure")
            assert released == self.limits.release(name, self.now)

    @rule(asked=notes)
    def remember(self, asked: tuple[str, int, int] | None) -> None:
        written = self.note(asked)
        if written is None:
            return
        log, note = written
        moved = log.moved(note, self.now)
        answer = self.store.remember(note, now=self.now)
        assert answer == (moved or log.write(note, self.now))

    @rule(name=st.sampled_from("st"), after=st.integers(0, 4))
    def recall(self, name: str, after: int) -> None:
        expected = self.logs[name].recall(after, self.now)
        assert self.store.recall(self.run + name, after=after, now=self.now) == expected

    @rule(name=st.sampled_from("st"))
    def forget(self, name: str) -> None:
        if self.store.forget(self.run + name):
            assert self.logs[name].texts
        self.logs[name] = LogTruth()

    @rule()
    def look(self) -> None:
        gates = [self.gate(gate) for gate in GATES]
        found = [
            (g.state, g.failures, g.outcomes, g.retry_after) for g in self.store.gauges(gates, now=self.now)
        ]
        assert found == [self.truth(gate).gauge(self.now) for gate in gates]
        filled = {counter: self.limits.fill(counter, self.now) for counter in list(self.limits.high)}
        levels = self.store.levels(self.run, now=self.now)
        seen = {f"{level.key}{level.window.name}#0": (level.used, level.reserved) for level in levels}
        assert seen == {counter: both for counter, both in filled.items() if any(both)}

    @rule(wanted=demands)
    def fill(self, wanted: list[Demand]) -> None:
        self.check_fill(self.own(wanted))

    def check_fill(self, wanted: list[Demand]) -> None:
        for demand, fill in zip(wanted, self.store.fill(wanted, now=self.now), strict=True):
            before = f"{demand.was}{demand.counter.removeprefix(demand.key)}"
            counter = (
                demand.counter
                if demand.counter in self.limits.high
                else before
                if demand.was
                else demand.counter
            )
            assert (fill.used, fill.reserved) == self.limits.fill(counter, self.now)

    @precondition(lambda self: self.url != "memory:")
    @rule()
    def reopen(self) -> None:
        self.store.close()
        type(self).store = open_store(self.url)

    def teardown(self) -> None:
        if hasattr(self, "limits"):
            self.look()
            assert isinstance(self.store.remember(Note(self.run, "", 1, 7), now=self.now), Moved)


def test_no_order_of_calls_differs_from_the_truth(store_url: str, request: pytest.FixtureRequest) -> None:
    bound = type("Bound", (Machine,), {"url": store_url, "store": open_store(store_url)})
    request.addfinalizer(lambda: bound.store.close())  # type: ignore[attr-defined]  # set above
    examples, steps = (5_000, 60) if SOAK else (60, 40)
    run_state_machine_as_test(
        bound, settings=settings(max_examples=examples, stateful_step_count=steps, deadline=None)
    )
