"""The bench: test suites of one policy in, what becomes of its mutants out.

The tests are run on each mutant until the first that fails. What only concerns one block is only shown to the
cases that have an event for that block, and compiles only what that block is part of; all else is taken from
the policy as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, TypeAlias

from guardrails.decision_text import duration
from guardrails.diagnostics import Span
from guardrails.language.checked import Checked, Lowered, Rule, Steps
from guardrails.language.checker import Lowering
from guardrails.language.compiler import Compiler
from guardrails.loading import load, read_file
from guardrails.model import Decision, Obligation
from guardrails.runtime.program import Program
from guardrails.testing.cases import Case, Step, Suite
from guardrails.testing.generating import Written
from guardrails.testing.guessing import beginning_of
from guardrails.testing.knowing import Fields, complete, forms_of
from guardrails.testing.mutation_operators import Mutant, mutants_of
from guardrails.testing.reading import SuiteError, with_only
from guardrails.testing.running import Make, making, results_of, source_of
from guardrails.testing.writing import case_text

Fate: TypeAlias = Literal["killed", "survived", "equivalent", "invalid"]
Beginning: TypeAlias = tuple[Fields, list[dict[str, Any]]]
"""What is worth trying, and events to begin with."""

UNIT_POINTS = ("call", "result", "input", "output")
MOST_CASES = 8
"""How many events that tell a mutant apart are tried as a case."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a mutant: `by` names the case that noticed it, `case` is the text of one that would."""

    fate: Fate
    by: str = ""
    case: str = ""


class Broken(Exception):
    """The tests cannot judge mutants: they do not pass on the policy as it is."""


class Stand:
    """One suite with its policy as it is. Raises `PolicyError` when the policy does not load, and `Broken` when
    a case fails."""

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        self.source = source_of(suite)
        program, _ = self.source.load()
        self.loaded = load(self.source.paths, params=self.source.params, functions=self.source.functions)
        assert self.loaded.checked is not None, "it was loaded a moment ago"
        self.checked: Checked = self.loaded.checked
        complete(self.checked)
        self.compiler = Compiler(self.checked)
        self.lowering = Lowering(self.checked)
        self.make = self.making(program)
        self._begun: dict[tuple[str, str | None], Beginning] = {}
        self._units: dict[tuple[str, str | None], Any] = {}
        failed = next((result for result in results_of(suite, make=self.make) if result.is_bad), None)
        if failed is not None:
            raise Broken(f"the case `{failed.case}` of `{suite.file}` fails without any mutant")

    def making(self, program: Program) -> Make:
        return making(self.suite, self.source, program)

    def mutants(self) -> Iterator[Mutant]:
        """All mutants of the policy's files."""
        for unit in self.loaded.sources.units:
            yield from mutants_of(unit.file)

    def unit(self, point: str, tool: str | None) -> Any:
        """A compiled unit of the policy as it is."""
        if (point, tool) not in self._units:
            self._units[point, tool] = self.compiler.unit(point, tool)
        return self._units[point, tool]

    def sample(self, point: str, tool: str | None) -> dict[str, Any]:
        """An event that was made up, about whom the tests are."""
        return {**self._beginning(point, tool)[1][0], **self.suite.fixtures.defaults}

    def known(self, point: str, tool: str | None) -> Fields:
        """What is worth trying in such an event."""
        return self._beginning(point, tool)[0]

    def _beginning(self, point: str, tool: str | None) -> Beginning:
        if (point, tool) not in self._begun:
            forms = forms_of(self.checked, point, tool)
            self._begun[point, tool] = beginning_of(self.checked, point, tool, forms)
        return self._begun[point, tool]

    # --- with a mutant -------------------------------------------------------------------------

    def altered(self, mutant: Mutant) -> Altered | None:
        """The policy with the mutant in it; None where that does not load."""
        text = mutant.applied(self.loaded.sources.texts[mutant.span.file])

        def read(path: str) -> str:
            return text if path == mutant.span.file else self._text(path)

        source = self.source
        loaded = load(source.paths, params=source.params, functions=source.functions, read=read)
        if loaded.program is None or loaded.checked is None:
            return None
        complete(loaded.checked)
        rules = changed_rules(self.checked, loaded.checked, mutant)
        loaded.program.compile_unit = self._compiling(Compiler(loaded.checked), rules)
        return Altered(mutant, loaded.checked, self.making(loaded.program), rules)

    def _text(self, path: str) -> str:
        known = self.loaded.sources.texts.get(path)
        return read_file(path) if known is None else known

    def _compiling(self, compiler: Compiler, rules: frozenset[int]) -> Any:
        """Compiles what a changed rule is part of. Names of counters can shift when a statement goes, so a
        policy that counts is compiled as a whole."""
        if not rules or self.checked.counters:
            return compiler.unit

        def compile_unit(point: str, tool: str | None) -> Any:
            before, after = self.compiler.rules_for(point, tool), compiler.rules_for(point, tool)
            touched = len(before) != len(after) or any(rule.index in rules for rule in before)
            return compiler.unit(point, tool) if touched else self.unit(point, tool)

        return compile_unit

    def failing(self, altered: Altered) -> str | None:
        """The first case that fails with the mutant."""
        results = results_of(self.suite, make=altered.make, cases=self.cases(altered))
        return next((result.case for result in results if result.is_bad), None)

    def cases(self, altered: Altered) -> Iterator[Case]:
        """The cases that could notice it."""
        policies = (
            (self.checked, altered.checked)
            if _are_aligned(self.checked, altered.checked)
            else (self.checked,)
        )
        rules = [rule for each in policies for rule in each.rules if rule.index in altered.rules]
        for case in self.suite.cases:
            if not rules or any(_concerns(self.lowering, rules, step) for step in case.steps):
                yield case


@dataclass(frozen=True, slots=True)
class Altered:
    """A policy with a mutant in it, guards of it, and the rules (of the policy as it is) that it changes; none
    where it may matter anywhere."""

    mutant: Mutant
    checked: Checked
    make: Make
    rules: frozenset[int]


def changed_rules(before: Checked, after: Checked, mutant: Mutant) -> frozenset[int]:
    """The rules that mean something else now. Where a statement is gone, all of its block."""
    if not _are_aligned(before, after):
        return frozenset(rule.index for rule in before.rules if _is_of(rule, mutant.block))
    found = {
        index
        for (index, tool), form in after.forms.items()
        if (index, tool) not in before.forms or _meaning(before.forms[index, tool]) != _meaning(form)
    }
    gone = {index for index, tool in before.forms if (index, tool) not in after.forms and tool is not None}
    moved = {
        one.index
        for one, other in zip(before.rules, after.rules, strict=True)
        if _tools(one) != _tools(other)
    }
    return frozenset(found | gone | moved)


def _are_aligned(before: Checked, after: Checked) -> bool:
    return len(before.rules) == len(after.rules)


def _tools(rule: Rule) -> tuple[list[str], list[str]]:
    """The tools that a rule is about, and those that it is not."""
    return [each.text for each in rule.block.tools], [each.text for each in rule.spared]


def _meaning(form: Lowered) -> tuple[object, ...]:
    """What a rule means, without the places that it was read from."""
    meaning: object = form.meaning
    if isinstance(meaning, Steps):
        meaning = (meaning.value, tuple((row.bound, row.verdict, row.because) for row in meaning.rows))
    return form.condition, meaning


def _is_of(rule: Rule, block: Span | None) -> bool:
    return block is not None and rule.block.span.file == block.file and rule.block.span.start == block.start


def _concerns(lowering: Lowering, rules: Sequence[Rule], step: Step) -> bool:
    """Whether a step is an event that one of these statements is asked about."""
    if step.action != "event":
        return False
    point, tool = step.value["type"], step.value.get("tool")
    if point not in UNIT_POINTS:
        return True
    return any(
        rule.block.point == "session"
        or (rule.block.point == point and (tool is None or lowering.matches(rule, tool)))
        for rule in rules
    )


# --- verdicts ----------------------------------------------------------------------------------


class Bench:
    """Judges mutants of one policy by all of its suites."""

    def __init__(self, suites: Sequence[Suite], seed: int) -> None:
        self.stands = [Stand(suite) for suite in suites]
        self.seed = seed

    def mutants(self) -> list[Mutant]:
        return list(self.stands[0].mutants())

    def verdict(self, mutant: Mutant) -> Verdict:
        """Killed by the first case that fails. One that none notices is tried on events that were made up:
        where they see no difference either, it is taken for equivalent."""
        made: list[tuple[Stand, Altered]] = []
        for stand in self.stands:
            altered = stand.altered(mutant)
            if altered is None:
                return Verdict("invalid")
            found = stand.failing(altered)
            if found is not None:
                return Verdict("killed", by=found)
            made.append((stand, altered))
        cases = (killing_case(stand, altered, self.seed) for stand, altered in made)
        case = next((case for case in cases if case is not None), None)
        return Verdict("equivalent") if case is None else Verdict("survived", case=case)


def killing_case(stand: Stand, altered: Altered, seed: int) -> str | None:
    """A case that passes on the policy as it is and fails on the mutant; None where none was found."""
    from guardrails.testing.mutation_samples import differing

    texts = (_as_case(stand.suite, altered.mutant, steps) for steps in differing(stand, altered, seed))
    return next((text for text in islice(texts, MOST_CASES) if _kills(stand, altered.make, text)), None)


def _as_case(suite: Suite, mutant: Mutant, steps: tuple[tuple[Any, int, Any], ...]) -> str:
    data = Written(f"line {mutant.span.line}: not with {mutant.what}".replace("`", ""), steps).as_data(suite)
    wanted = data["expect"] if "expect" in data else data["steps"][-1]["expect"]
    wanted.update(more_expected(steps[-1][2]))
    return case_text(
        data, note=f"review me: notices the mutant of line {mutant.span.line} ({mutant.operator})"
    )


def more_expected(decision: Decision) -> dict[str, Any]:
    """What generated cases do not expect by themselves, but a mutant may change."""
    found: dict[str, Any] = {}
    if decision.obligations:
        found["obligations"] = [_owed(each) for each in decision.obligations]
    if decision.approvals:
        found["approvals"] = [
            {"reviewers": list(each.reviewers), "quorum": each.quorum, "otherwise": list(each.otherwise)}
            | ({"within": f"{each.within:g}s"} if each.within is not None else {})
            | ({"calls": each.reuse.calls, "up_to": [*map(str, each.reuse.bounds)]} if each.reuse else {})
            for each in decision.approvals
        ]
    return found


def _owed(duty: Obligation) -> dict[str, Any]:
    """A duty as a test names it, with what the policy says of it; not with what was counted by then."""
    if duty.kind not in ("flag", "review"):
        return {"kind": duty.kind}
    details = {name: _detail(name, value) for name, value in duty.details if value is not None}
    return {"kind": duty.kind, "details": details}


def _detail(name: str, value: Any) -> Any:
    if name == "within":
        return duration(value / 1_000_000)
    return list(value) if isinstance(value, tuple) else value


def _kills(stand: Stand, other: Make, case: str) -> bool:
    try:
        suite = with_only(stand.suite, case)
    except SuiteError:
        return False
    passes = not any(result.is_bad for result in results_of(suite, make=stand.make))
    return passes and any(result.is_bad for result in results_of(suite, make=other))
