"""Cases that nobody wrote: a suite in, cases for what none of its cases tests out.

For each statement one event at which it applies and a near one at which it does not; for each step of a
threshold the last value that is in it; for each limit the event that is one too many; for each field that the
policy reads an event without it, and one with a value of another type. What they expect is what the policy
decides today, so each is marked for review: it is a record, and not yet a requirement.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path as File
from typing import Any

from guardrails.language import core
from guardrails.language.checked import Checked, Excess, Lowered, Meter, Steps
from guardrails.loading import Loaded
from guardrails.model import Decision
from guardrails.testing.cases import SESSION, Suite
from guardrails.testing.expecting import name_of
from guardrails.testing.exploring import Event, Trial, cleanest, edges, explored
from guardrails.testing.generating_sessions import sessions_of
from guardrails.testing.guessing import beginning_of
from guardrails.testing.guessing_origins import Bringer, asks_origin, bringers_of, has_text
from guardrails.testing.guessing_tasks import known_beside, sessions_for, task_of, tasks_in
from guardrails.testing.knowing import Fields, Path, complete, forms_of, numbers_near, places_of
from guardrails.testing.programs import loaded_of
from guardrails.testing.running import Make, making, run_suite, source_of
from guardrails.testing.sampling import changed, sample_event, value_at, without
from guardrails.testing.writing import case_text, flow

NOTE = "review me: this is what the policy decides today"
SOMEBODY = "somebody"
"""The principal of a new file's cases."""

MOST_REPEATS = 2_000
"""Events that are made to fill a limit."""

MOST_FILLINGS = 10
"""Kinds of events that a limit is filled with, until one of them is refused by it."""

MOST_IN_TASK = 4
"""Events that are shown to a task."""


@dataclass(frozen=True, slots=True)
class Written:
    """A generated case: its name and its steps as events (with how often each), each with its decision."""

    name: str
    steps: tuple[tuple[Event, int, Decision], ...]

    def as_data(self, suite: Suite) -> dict[str, Any]:
        """The case by the keys of a test file."""
        made = [_step(suite, event, times, decision) for event, times, decision in self.steps]
        return {"name": self.name, **made[0]} if len(made) == 1 else {"name": self.name, "steps": made}


def generated(suite: Suite) -> list[Written]:
    """The cases that a suite lacks. Raises `PolicyError` when its policy does not load."""
    source = source_of(suite)
    loaded = loaded_of(source)
    assert loaded.program is not None, "`loaded_of` raises otherwise"
    return _Search(suite, making(suite, source, loaded.program), loaded).cases()


class _Search:
    """The search for the cases of one suite."""

    def __init__(self, suite: Suite, make: Make, loaded: Loaded) -> None:
        assert loaded.checked is not None
        self.suite = suite
        self.make = make
        self.checked: Checked = loaded.checked
        complete(self.checked)
        self.events = [
            _bare(step.value) for case in suite.cases for step in case.steps if step.action == "event"
        ]
        self.tested = {repr(event) for event in self.events}
        self.taken = frozenset(case.name for case in suite.cases)
        self.made: dict[str, Written] = {}
        self._shown: set[tuple[Any, ...]] | None = None
        self._bringers: list[Bringer] | None = None

    @property
    def defaults(self) -> dict[str, Any]:
        return {name: who for name, who in self.suite.fixtures.defaults.items() if name != "session"}

    @property
    def bringers(self) -> list[Bringer]:
        if self._bringers is None:
            self._bringers = bringers_of(self.checked, self.events)
        return self._bringers

    @property
    def shown(self) -> set[tuple[Any, ...]]:
        """How the cases of the suite come to decide calls: tool, outcome and the statements that applied."""
        if self._shown is None:
            self._shown = set()
            run_suite(self.suite, make=self.make, watch=self._watched)
        return self._shown

    def _watched(self, event: Mapping[str, Any], decision: Decision) -> None:
        if self._shown is not None and event["type"] == "call":
            self._shown.add((event["tool"], *Trial(dict(event), decision).essence))

    def cases(self) -> list[Written]:
        for point, tool in places_of(self.checked):
            self.place(point, tool)
        return list(self.made.values())

    def place(self, point: str, tool: str | None) -> None:
        forms = forms_of(self.checked, point, tool)
        known, plain = beginning_of(self.checked, point, tool, forms)
        begin = [event for event in self.events if event["type"] == point and event.get("tool") == tool]
        begin += [event | self.defaults for event in plain]
        plainly = [event for event in begin if task_of(event) is None]
        trials = explored(self.make, known, plainly)
        tested = [trial for trial in trials if repr(trial.event) in self.tested]
        self.statements(trials, tested, tool or point)
        self.thresholds(trials, forms, tool or point)
        if point == "call":
            self.limits(trials, forms)
            self.broken(trials, known, tool or point)
            self.origins(trials, forms, tool or point)
        for task in tasks_in(forms):
            self.task(task, forms, known, begin, tool or point)

    # --- one kind of case each -----------------------------------------------------------------

    def statements(self, trials: list[Trial], tested: list[Trial], where: str) -> None:
        """A statement that no case shows applying, and one that no case shows just not applying."""
        shown = {key for trial in tested for key in trial.fired()}
        rested = {
            key for key in shown if any(trial.is_clean and key not in trial.fired() for trial in tested)
        }  # fmt: skip
        done: set[str] = set()
        for key, fires, rests in edges(trials):
            if key in done:
                continue
            done.add(key)
            label = next(name_of(each) for each in fires.decision.applied if str(each.place) == key)
            if key not in shown:
                self.add(f"{where}: {label} applies", fires)
            if key not in rested:
                self.add(f"{where}: {label} just does not apply", rests)
        for trial in cleanest(trials):
            for each in trial.decision.applied:
                if str(each.place) in trial.fired() - done - shown:
                    done.add(str(each.place))
                    self.add(f"{where}: {name_of(each)} applies", trial)

    def thresholds(self, trials: list[Trial], forms: Iterable[Lowered], where: str) -> None:
        """The last value of each step, and the first one after it."""
        for form in forms:
            for path, bound, kind in _bounds(form):
                base = next(
                    (each for each in cleanest(trials) if value_at(each.event, path) is not None), None
                )
                for value in numbers_near(bound, kind)[:2] if base else ():
                    assert base is not None
                    event = changed(base.event, path, value)
                    if event is not None:
                        self.record(f"{where}: {_label(form)} with {'.'.join(path)} {value}", event)

    def limits(self, trials: list[Trial], forms: Iterable[Lowered]) -> None:
        """As much as a limit lets through, and the one event that it refuses."""
        for form in forms:
            if isinstance(form.meaning, Meter | Excess) and form.rule.statement.label:
                for trial in _fillings(form, trials):
                    if self.filled(form, trial.event):
                        break

    def filled(self, form: Lowered, event: Event) -> bool:
        guard, label = self.make(), form.rule.statement.label
        event = event | {"session": SESSION}
        first: Decision | None = None
        for times in range(MOST_REPEATS):
            decision = guard.decide(event)
            if label in {reason.label for reason in decision.reasons} and not decision.allowed:
                steps = ((event, times, first),) if first is not None else ()
                name = f"{event['tool']}: {label} after {times}"
                self.keep(Written(name, (*steps, (event, 1, decision))))
                return True
            if first is not None and decision.outcome is not first.outcome:
                return False
            first = first or decision
        return False

    def broken(self, trials: list[Trial], known: Fields, where: str) -> None:
        """Each field that the policy reads: left out, and of another type."""
        base = next(iter(cleanest(trials)), None)
        for path in known.values if base else ():
            assert base is not None
            if path[0] not in ("args", "principal", "agent") or len(path) < 2:
                continue
            dotted = ".".join(path)
            missing = without(base.event, path)
            if missing is not None:
                self.record(f"{where} without {dotted}", missing)
                wrong = changed(base.event, path, _mistyped(value_at(base.event, path)))
                assert wrong is not None
                self.record(f"{where} with {dotted} of another type", wrong)

    def origins(self, trials: list[Trial], forms: Iterable[Lowered], where: str) -> None:
        """Each way in which what came in before decides a call."""
        if not any(asks_origin(form) for form in forms):
            return
        base = next((each for each in (*cleanest(trials), *trials) if has_text(each.event)), None)
        for who, steps in sessions_of(self.make, base.event, self.bringers, self.defaults) if base else ():
            event, _, last = steps[-1]
            if (event["tool"], *Trial(event, last).essence) in self.shown:
                continue
            names = ", ".join(sorted({each.label for each in last.applied if each.label}))
            decided = f"{last.outcome.value} by {names}" if names else last.outcome.value
            self.keep(Written(f"{where}: {decided}, with a value from {who}", steps))

    def task(self, task: str, forms: list[Lowered], known: Fields, begin: list[Event], where: str) -> None:
        """Its statements, in sessions that were opened for it."""
        own = [event for event in begin if task_of(event) == task]
        others = [event for event in begin if task_of(event) is None]
        sessions = own + [
            {**event, "session": session}
            for event in others[:MOST_IN_TASK]
            for session in sessions_for(self.checked, task, forms, event)
        ]
        more = known_beside(self.checked, task, forms, sessions[0]["session"], known)
        trials = explored(self.make, more, sessions)
        tested = [trial for trial in trials if repr(trial.event) in self.tested]
        self.statements(trials, tested, f"{where} in {task}")

    # --- keeping them --------------------------------------------------------------------------

    def record(self, name: str, event: Event) -> None:
        self.add(name, Trial(event, self.make().decide(event)))

    def add(self, name: str, trial: Trial) -> None:
        if repr(trial.event) not in self.tested:
            self.tested.add(repr(trial.event))
            self.keep(Written(name, ((trial.event, 1, trial.decision),)))

    def keep(self, case: Written) -> None:
        """Under a name of its own. One that the file has already was found by an earlier search, which had other
        events to begin with."""
        if case.name in self.taken:
            return
        number, name = 1, case.name
        while name in self.made or name in self.taken:
            number += 1
            name = f"{case.name} ({number})"
        self.made[name] = replace(case, name=name)


def _bare(event: Event) -> Event:
    """An event without what the runner adds to it."""
    return {name: value for name, value in event.items() if name != "session" or value != SESSION}


def _label(form: Lowered) -> str:
    return form.rule.statement.label or f"line {form.rule.statement.span.line}"


def _bounds(form: Lowered) -> Iterator[tuple[Path, Any, Any]]:
    """The constant bounds of a threshold on one field of the arguments, with its type."""
    if not isinstance(form.meaning, Steps) or not isinstance(form.meaning.value, core.Load):
        return
    load = form.meaning.value
    for row in form.meaning.rows:
        bound = row.bound.right if isinstance(row.bound, core.Compare) else None
        if isinstance(bound, core.Const) and load.root in ("args", "principal", "agent"):
            yield (load.root, *load.path), bound.value, load.type


def _fillings(form: Lowered, trials: list[Trial]) -> list[Trial]:
    """Events that a limit may count: of a sum, one of each amount, the largest first, because another limit may be
    full before many small ones are enough."""
    found = [trial for trial in cleanest(trials) if trial.decision.allowed]
    amount = form.meaning.amount if isinstance(form.meaning, Meter) else None
    if not isinstance(amount, core.Load):
        return found[:MOST_FILLINGS]
    by_amount: dict[Any, Trial] = {}
    for trial in found:
        value = value_at(trial.event, (amount.root, *amount.path))
        if isinstance(value, int | float):
            by_amount.setdefault(value, trial)
    return [by_amount[value] for value in sorted(by_amount, reverse=True)][:MOST_FILLINGS]


def _mistyped(value: Any) -> Any:
    return [] if isinstance(value, str) else "?" if not isinstance(value, list) else 5


def _step(suite: Suite, event: Event, times: int, decision: Decision) -> dict[str, Any]:
    """An event by the keys of a test file."""
    kind = event["type"]
    step: dict[str, Any] = {kind: event["tool"] if "tool" in event else event["text"]}
    for name in ("args", "call_id", "by"):
        if event.get(name):
            step[name] = event[name]
    if kind == "result":
        step["value"] = event["result"]
    for name in ("principal", "agent", "session"):
        step.update(_person(suite, name, event))
    return step | ({"repeat": times} if times > 1 else {}) | {"expect": _expected(decision)}


def _person(suite: Suite, name: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """Who an event is about, by the name of a fixture where there is one; nothing for the default."""
    default = suite.fixtures.defaults.get(name, SESSION if name == "session" else None)
    who = event.get(name, default if name == "session" else None)
    if repr(who) == repr(default):
        return {}
    known = getattr(suite.fixtures, f"{name}s")
    return {name: next((each for each, value in known.items() if repr(value) == repr(who)), who)}


def _expected(decision: Decision) -> Any:
    """What a decision is, as a case would expect it."""
    wants: dict[str, Any] = {"outcome": decision.outcome.value}
    wants["applied"] = sorted({each.label for each in decision.applied if each.label})
    if decision.errors:
        wants["errors"] = sorted({each.kind for each in decision.errors})
    if decision.transforms and decision.payload is not None:
        wants["payload"] = decision.payload
    return wants


# --- writing them ------------------------------------------------------------------------------


def written(suite: Suite) -> tuple[str, int]:
    """The text of the test file with the generated cases at its end, and how many they are. Each was run as
    part of that text, and those that do not pass (they would depend on chance) are left out."""
    from guardrails.testing.reading import suite_of

    suite = suite if suite.cases else _with_somebody(suite)
    made = [case_text(case.as_data(suite), note=NOTE) for case in generated(suite)]
    if not made:
        return suite.text, 0
    text = suite.text if suite.text.endswith("\n") else f"{suite.text}\n"
    whole = suite_of(text + "".join(made), suite.file)
    results = run_suite(whole)[len(suite.cases) :]
    kept = [case for case, result in zip(made, results, strict=True) if result.status == "passed"]
    return text + "".join(kept), len(kept)


def _with_somebody(suite: Suite) -> Suite:
    """A new file names the principal that its cases are about once, and not in each of them."""
    checked = loaded_of(source_of(suite)).checked
    assert checked is not None, "`loaded_of` raises otherwise"
    who = sample_event(checked, "input", None, Fields()).get("principal")
    if who is None or suite.fixtures.principals:
        return suite
    head, _, cases = suite.text.partition("cases:")
    text = (
        f"{head}principals:\n  {SOMEBODY}: {flow(who)}\ndefaults: {{principal: {SOMEBODY}}}\n\ncases:{cases}"
    )
    fixtures = replace(suite.fixtures, principals={SOMEBODY: who}, defaults={"principal": who})
    return replace(suite, text=text, fixtures=fixtures)


def ends_in_cases(text: str) -> bool:
    """Whether cases can be added at the end of a file: `cases` is its last key, with an item a line."""
    last = [line for line in text.splitlines() if line and not line[0].isspace() and line[0] not in "#-"]
    rest = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return (
        bool(last) and last[-1].rstrip() == "cases:" and (rest[-1] == last[-1] or rest[-1].startswith("  "))
    )


def empty_suite(policy: str) -> Suite:
    """A suite of a policy that has none yet, in the file that it would stand in."""
    from guardrails.testing.cases import Fixtures
    from guardrails.testing.reading import SUFFIX

    file = str(File(policy).with_suffix("")) + SUFFIX
    return Suite(file, f"policy: {File(policy).name}\n\ncases:\n", (policy,), Fixtures(), ())
