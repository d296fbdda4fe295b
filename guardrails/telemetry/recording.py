"""Recording: one check in, its numbers out.

Takes a check, its decision and its stopwatch; adds to the numbers, and gives the alarms that it sets off. Of
an event only names go on that the policy knows, ids as the host wants them, and the length of an output; no
argument, no text and no message of a decision does.
"""

from __future__ import annotations

from guardrails.model import Outcome
from guardrails.runtime.repeats import Repeats, digest_of, verdict_of
from guardrails.runtime.usage import Usage
from guardrails.telemetry import catalogue as of
from guardrails.telemetry.alarms import Alarms
from guardrails.telemetry.labels import Bounded, Pseudonyms, Tools, id_of
from guardrails.telemetry.spenders import Spenders
from guardrails.telemetry.timing import ENGINE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from guardrails.guard import Guard
    from guardrails.model import Decision
    from guardrails.observing import Check
    from guardrails.runtime.program import Program
    from guardrails.telemetry.alarms import Alarm, Sensitivity
    from guardrails.telemetry.catalogue import Measure
    from guardrails.telemetry.numbers import Labels, Numbers
    from guardrails.telemetry.timing import Stopwatch

MOST_NAMES = 100
"""Agents, models and classes of exceptions that have a label of their own."""


class Recorder:
    """Adds checks to numbers. Thread-safe."""

    def __init__(
        self, numbers: Numbers, sensitivity: Sensitivity | None, *, provider: str, hashed: bool
    ) -> None:
        self.numbers = numbers
        self.alarms = Alarms(sensitivity)
        self.spenders = Spenders()
        self._provider = provider
        self._hashed = hashed
        self._pseudonyms: dict[bytes | None, Pseudonyms] = {}
        self._tools: tuple[Program, Tools] | None = None
        self._repeats = Repeats()
        self._agents = self._bounded("gen_ai.agent.id")
        self._models = self._bounded(of.MODEL)
        self._errors = self._bounded(of.ERROR)
        numbers.read_by(self.alarms.read, of.ALARMS_ON)
        numbers.read_by(self.spenders.read, of.TOP_TOKENS, of.TOP_COST)

    def _bounded(self, label: str) -> Bounded:
        return Bounded(MOST_NAMES, lambda: self.numbers.add(of.FOLDED, (label,)))

    # --- names ---------------------------------------------------------------------------------

    def tool(self, check: Check) -> str:
        """The label of a check's tool."""
        return self.tool_of(check.guard, check.tool)

    def tool_of(self, guard: Guard, tool: object) -> str:
        program = guard.engine.program
        kept = self._tools
        if kept is None or kept[0] is not program:
            kept = self._tools = (program, Tools(program))
        return kept[1].name(tool)

    def agent(self, check: Check) -> str:
        return self._agents.name(id_of(check.agent))

    def error(self, error: BaseException) -> str:
        return self._errors.name(type(error).__name__)

    def principal(self, check: Check) -> str:
        """The id of a person as it may be exported; empty without one."""
        name = id_of(check.principal)
        if not name or not self._hashed:
            return name
        key = check.guard.host.key
        if key not in self._pseudonyms:
            self._pseudonyms[key] = Pseudonyms(key)
        return self._pseudonyms[key].name(name)

    # --- checks --------------------------------------------------------------------------------

    def checked(self, check: Check, decision: Decision, watch: Stopwatch) -> list[Alarm]:
        """Take in a check that ended with a decision. An output in pieces counts once, at its end, and a call or
        result that is told again, with the same id, the first time."""
        if check.streamed == "begin" or self._is_again(check, decision):
            return []
        outcome, tool = decision.outcome.value, self.tool(check)
        counts = [(of.DECISIONS, (check.guard.name, check.point, tool, outcome)), *_details(decision)]
        self.numbers.take(counts, () if check.streamed else _times(check.point, outcome, watch))
        if check.point == "usage" and isinstance(check.payload, Usage):
            self.used(check, check.payload)
        return self._behaved(check, decision, tool)

    def _is_again(self, check: Check, decision: Decision) -> bool:
        at = check.session, check.call_id, check.point, check.tool
        if not all(isinstance(name, str) for name in at):
            return False
        digest = digest_of(check.args, check.payload)
        if digest is None:
            return False
        mark = (check.guard.name, *at, digest, verdict_of(decision))
        if self._repeats.first(mark) is not None:
            return True
        self._repeats.keep(mark, check.point)
        return False

    def _behaved(self, check: Check, decision: Decision, tool: str) -> list[Alarm]:
        found: list[Alarm] = []
        if check.point == "call":
            found = self.alarms.called(self.agent(check), tool, denied=decision.outcome >= Outcome.DENY)
        elif check.point == "output" and isinstance(check.payload, str) and check.payload:
            found = self.alarms.wrote(self.agent(check), len(check.payload))
        for alarm in found:
            if alarm.state == "raised":
                self.numbers.add(of.ALARMS, (alarm.kind, alarm.agent))
        return found

    def ran(self, guard: Guard, tool: str, seconds: float, error: BaseException | None) -> None:
        """Take in a run of an enforced tool."""
        labels = self.tool_of(guard, tool), "" if error is None else self.error(error)
        self.numbers.observe(of.TOOL_DURATION, labels, seconds)

    # --- usage ---------------------------------------------------------------------------------

    def used(self, check: Check, usage: Usage) -> None:
        """Take in what a model or tool used."""
        model = self._models.name(usage.model)
        for kind, amount in _tokens(usage):
            self.numbers.add(of.TOKENS_USED, (model, kind), amount)
        for kind, amount in (
            ("input", usage.input_tokens + usage.cached_tokens),
            ("output", usage.output_tokens),
        ):
            if amount:
                self.numbers.observe(of.TOKEN_USAGE, ("chat", self._provider, model, kind), amount)
        cost, currency = self._cost(check.guard, usage)
        if cost:
            self.numbers.add(of.COST, (model, currency), cost)
        self.spenders.spend(self._ids(check), usage.tokens, cost, currency)

    def _ids(self, check: Check) -> dict[str, str]:
        workflow = id_of(check.agent, "workflow")
        return {"session": check.session, "workflow": workflow, "principal": self.principal(check)}

    def _cost(self, guard: Guard, usage: Usage) -> tuple[float, str]:
        """What it cost, as the host says or the price table; nothing where neither does."""
        if usage.cost is not None:
            return float(usage.cost[0]), usage.cost[1]
        from guardrails.errors import EvaluationError

        try:
            prices = guard.state.prices if guard.is_stateful else None
            if prices is None or usage.model is None or not usage.tokens:
                return 0.0, ""
            return float(prices.cost(usage)), prices.currency
        except EvaluationError:  # a model without a price, which the decision speaks of
            return 0.0, ""


def _tokens(usage: Usage) -> Iterator[tuple[str, int]]:
    for kind, amount in (
        ("input", usage.input_tokens), ("cached", usage.cached_tokens), ("output", usage.output_tokens),
    ):  # fmt: skip
        if amount:
            yield kind, amount


def _times(point: str, outcome: str, watch: Stopwatch) -> list[tuple[Measure, Labels, float]]:
    return [
        (of.DURATION, (point, outcome), watch.total),
        (of.PHASES, (ENGINE,), watch.engine),
        *((of.PHASES, (phase,), seconds) for phase, seconds in watch.parts.items()),
    ]


def _details(decision: Decision) -> Iterator[tuple[Measure, Labels]]:
    for applied in decision.applied:
        mode = "error" if applied.kept_by_error else "enforced"
        yield of.STATEMENTS, (applied.name, str(applied.outcome or applied.effect), mode)
    for applied in decision.shadow:
        yield of.STATEMENTS, (applied.name, str(applied.outcome or applied.effect), "shadow")
    for failure in decision.errors:
        yield of.ERRORS, (failure.statement, failure.kind)
    for transform in decision.transforms:
        yield of.TRANSFORMS, (transform.statement, transform.kind)
    for obligation in decision.obligations:
        yield of.OBLIGATIONS, (obligation.statement, obligation.kind)
