"""The bench: test suites of one policy in, what becomes of its mutants out.

The tests are run on each mutant until the first that fails. What only concerns one block is only shown to the
cases that have an event for that block, and compiles only what that block is part of; all else is taken from
the policy as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from guardrails.diagnostics import Span
from guardrails.language.checked import Checked, Rule
from guardrails.language.checker import Lowering
from guardrails.language.compiler import Compiler
from guardrails.loading import Loaded, load, read_file
from guardrails.model import Decision
from guardrails.runtime.program import Program
from guardrails.testing.cases import Case, Step, Suite
from guardrails.testing.generating import Written
from guardrails.testing.mutation_operators import Mutant, mutants_of
from guardrails.testing.reading import SuiteError, suite_of
from guardrails.testing.running import Make, making, results_of, source_of
from guardrails.testing.writing import case_text

Fate: TypeAlias = Literal["killed", "survived", "equivalent", "invalid"]
UNIT_POINTS = ("call", "result", "input", "output")


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
        self.compiler = Compiler(self.checked)
        self.lowering = Lowering(self.checked)
        self.make = self.making(program)
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

    # --- with a mutant -------------------------------------------------------------------------

    def mutated(self, mutant: Mutant) -> Loaded:
        """The policy with the mutant in it."""
        text = mutant.applied(self.loaded.sources.texts[mutant.span.file])

        def read(path: str) -> str:
            return text if path == mutant.span.file else self._text(path)

        loaded = load(
            self.source.paths, params=self.source.params, functions=self.source.functions, read=read
        )
        if loaded.program is not None and loaded.checked is not None:
            loaded.program.compile_unit = self._compiling(mutant, Compiler(loaded.checked))
        return loaded

    def _text(self, path: str) -> str:
        known = self.loaded.sources.texts.get(path)
        return read_file(path) if known is None else known

    def _compiling(self, mutant: Mutant, compiler: Compiler) -> Any:
        """Compiles what the mutant's block is part of. Names of counters can shift when a statement goes, so a
        policy that counts is compiled as a whole."""
        begin = mutant.block

        def compile_unit(point: str, tool: str | None) -> Any:
            rules = compiler.rules_for(point, tool)
            same = len(rules) == len(self.compiler.rules_for(point, tool))
            if same and not any(_is_of(rule, begin) for rule in rules):
                return self.unit(point, tool)
            return compiler.unit(point, tool)

        whole = begin is None or self.checked.counters
        return compiler.unit if whole else compile_unit

    def failing(self, make: Make, mutant: Mutant) -> str | None:
        """The first case that fails with the mutant."""
        results = results_of(self.suite, make=make, cases=self.cases(mutant))
        return next((result.case for result in results if result.is_bad), None)

    def cases(self, mutant: Mutant) -> Iterator[Case]:
        """The cases that could notice it."""
        block = mutant.block
        rules = [rule for rule in self.checked.rules if _is_of(rule, block)]
        for case in self.suite.cases:
            if block is None or any(_concerns(self.lowering, rules, step) for step in case.steps):
                yield case


def _is_of(rule: Rule, block: Span | None) -> bool:
    return block is not None and rule.block.span.file == block.file and rule.block.span.start == block.start


def _concerns(lowering: Lowering, rules: Sequence[Rule], step: Step) -> bool:
    """Whether a step is an event that these statements of one block are asked about."""
    if step.action != "event":
        return False
    point, tool = step.value["type"], step.value.get("tool")
    if point not in UNIT_POINTS:
        return True
    if not rules or rules[0].block.point == "session":
        return bool(rules)
    return rules[0].block.point == point and (tool is None or lowering.matches(rules[0], tool))


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
        made: list[tuple[Stand, Loaded]] = []
        for stand in self.stands:
            loaded = stand.mutated(mutant)
            if loaded.program is None:
                return Verdict("invalid")
            found = stand.failing(stand.making(loaded.program), mutant)
            if found is not None:
                return Verdict("killed", by=found)
            made.append((stand, loaded))
        for stand, loaded in made:
            case = killing_case(stand, loaded, mutant, self.seed)
            if case is not None:
                return Verdict("survived", case=case)
        return Verdict("equivalent")


def killing_case(stand: Stand, loaded: Loaded, mutant: Mutant, seed: int) -> str | None:
    """A case that passes on the policy as it is and fails on the mutant; None where none was found."""
    from guardrails.testing.mutation_samples import differing

    assert loaded.program is not None
    assert loaded.checked is not None
    other = stand.making(loaded.program)
    for steps in differing(stand, (loaded.checked, other), mutant, seed):
        text = _as_case(stand.suite, mutant, steps)
        if _kills(stand, other, text):
            return text
    return None


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
        found["obligations"] = [{"kind": each.kind} for each in decision.obligations]
    if decision.approvals:
        found["approvals"] = [
            {"reviewers": list(each.reviewers), "quorum": each.quorum, "otherwise": list(each.otherwise)}
            | ({"within": f"{each.within:g}s"} if each.within is not None else {})
            for each in decision.approvals
        ]
    return found


def _kills(stand: Stand, other: Make, case: str) -> bool:
    head = stand.suite.text[: stand.suite.text.rindex("cases:")]
    try:
        suite = suite_of(f"{head}cases:\n{case}", stand.suite.file)
    except SuiteError:
        return False
    passes = not any(result.is_bad for result in results_of(suite, make=stand.make))
    return passes and any(result.is_bad for result in results_of(suite, make=other))
