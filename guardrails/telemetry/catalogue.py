"""The catalogue: every number that Guard exports, by its OpenTelemetry name, and what Prometheus calls it.

Takes nothing, gives `MEASURES`. The one idea: the same table makes the instruments, the text that Prometheus
reads, the page in `grammar/TELEMETRY.md` and the check of the dashboard, so no two of them can disagree.
Names of labels are OpenTelemetry attributes too; where the GenAI conventions have a word, it is theirs.
"""

from __future__ import annotations

from guardrails.model import Value

COUNTER, HISTOGRAM, GAUGE = "counter", "histogram", "gauge"

SECONDS = (
    0.000_001, 0.000_002_5, 0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5,
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0,
)  # fmt: skip
"""Bounds of latencies: a decision takes a microsecond, a store far away a quarter of a second."""

TOKENS = tuple([float(4**power) for power in range(14)])
"""Bounds of tokens per report, as the GenAI conventions advise them."""

POLICY, POINT, OUTCOME, STATEMENT = "guard.policy", "guard.point", "guard.outcome", "guard.statement"
TOOL, MODEL, KIND_OF_TOKEN = "gen_ai.tool.name", "gen_ai.request.model", "gen_ai.token.type"
ERROR = "error.type"
OPERATION, PROVIDER = "gen_ai.operation.name", "gen_ai.provider.name"


class Measure(Value):
    """One number: `labels` are what it is told apart by, `bounds` those of a histogram's buckets, `unit` as
    OpenTelemetry writes it (`s`, `1`, or what is counted in braces)."""

    __slots__ = ("about", "bounds", "kind", "labels", "name", "unit")

    def __init__(
        self, name: str, kind: str, unit: str, labels: tuple[str, ...], about: str, bounds: tuple[float, ...] = ()
    ) -> None:  # fmt: skip
        self.name = name
        self.kind = kind
        self.unit = unit
        self.labels = labels
        self.about = about
        self.bounds = bounds

    @property
    def exposed(self) -> str:
        """Its name for Prometheus, by the rules of OpenTelemetry: a collector in between says the same."""
        suffix = {"s": "_seconds", "1": "_ratio" if self.kind == GAUGE else ""}.get(self.unit, "")
        total = "_total" if self.kind == COUNTER else ""
        return exposed_label(self.name) + suffix + total


def exposed_label(name: str) -> str:
    """The name of a label for Prometheus."""
    return name.replace(".", "_")


DECISIONS = Measure(
    "guard.decisions",
    COUNTER,
    "{decision}",
    (POLICY, POINT, TOOL, OUTCOME),
    "Decisions, by what was decided.",
)
STATEMENTS = Measure(
    "guard.statements", COUNTER, "{statement}", (STATEMENT, OUTCOME, "guard.mode"),
    "Statements that applied to decisions; mode is enforced, shadow, or error for one that stands by an error.",
)  # fmt: skip
ERRORS = Measure(
    "guard.errors", COUNTER, "{error}", (STATEMENT, ERROR),
    "Expressions that could not be evaluated, which made their statement stricter.",
)  # fmt: skip
TRANSFORMS = Measure(
    "guard.transforms",
    COUNTER,
    "{transform}",
    (STATEMENT, "guard.transform"),
    "Payloads that a statement changed.",
)
OBLIGATIONS = Measure(
    "guard.obligations",
    COUNTER,
    "{obligation}",
    (STATEMENT, "guard.obligation"),
    "What hosts owe for decisions.",
)
DURATION = Measure(
    "guard.decision.duration",
    HISTOGRAM,
    "s",
    (POINT, OUTCOME),
    "Time of a whole check, as the caller waits.",
    SECONDS,
)
PHASES = Measure(
    "guard.phase.duration", HISTOGRAM, "s", ("guard.phase",),
    "The same time in parts: engine, detectors (content and redaction), store, audit.", SECONDS,
)  # fmt: skip
TOOL_DURATION = Measure(
    "gen_ai.execute_tool.duration",
    HISTOGRAM,
    "s",
    (TOOL, ERROR),
    "Time that enforced tools ran, and the class of the exception that ended them, if one did.",
    SECONDS,
)
TOKEN_USAGE = Measure(
    "gen_ai.client.token.usage", HISTOGRAM, "{token}", (OPERATION, PROVIDER, MODEL, KIND_OF_TOKEN),
    "Tokens of one report of usage.", TOKENS,
)  # fmt: skip
TOKENS_USED = Measure(
    "guard.tokens",
    COUNTER,
    "{token}",
    (MODEL, KIND_OF_TOKEN),
    "Tokens that were reported: input, cached, output.",
)
COST = Measure(
    "guard.cost",
    COUNTER,
    "{money}",
    (MODEL, "guard.currency"),
    "Money that was reported or priced, in the currency.",
)
TOP_TOKENS = Measure(
    "guard.top.tokens", GAUGE, "{token}", ("guard.by", "guard.id"),
    "Tokens of the sessions, workflows and principals that used the most since this process began.",
)  # fmt: skip
TOP_COST = Measure(
    "guard.top.cost", GAUGE, "{money}", ("guard.by", "guard.id", "guard.currency"),
    "Money of the sessions, workflows and principals that cost the most since this process began.",
)  # fmt: skip
PENDING = Measure(
    "guard.approvals.pending",
    GAUGE,
    "{request}",
    (POLICY, "guard.reviewers"),
    "Approvals that somebody still has to decide.",
)
OLDEST = Measure(
    "guard.approvals.oldest",
    GAUGE,
    "s",
    (POLICY, "guard.reviewers"),
    "Age of the oldest approval that is pending.",
)
HALTS = Measure(
    "guard.halts", GAUGE, "{halt}", (POLICY, "guard.scope"), "Halts in force, by the kind of what they stop."
)
BREAKERS = Measure(
    "guard.breakers",
    GAUGE,
    "{breaker}",
    (STATEMENT, "guard.state"),
    "1 for the state that a breaker is in, else 0.",
)
STORE_UP = Measure(
    "guard.store.up",
    GAUGE,
    "{store}",
    (POLICY,),
    "1 while the store answers, 0 when it did not the last time.",
)
ALARMS = Measure(
    "guard.alarms",
    COUNTER,
    "{alarm}",
    ("guard.alarm", "gen_ai.agent.id"),
    "Sudden changes of behaviour that were seen.",
)
ALARMS_ON = Measure(
    "guard.alarms.active",
    GAUGE,
    "{alarm}",
    ("guard.alarm", "gen_ai.agent.id"),
    "1 while an alarm stands, 0 after it.",
)
INFO = Measure(
    "guard.policy.info",
    GAUGE,
    "{policy}",
    (POLICY, "guard.policy.digest", "guard.version"),
    "1 for the policy in force.",
)
FOLDED = Measure(
    "guard.telemetry.folded", COUNTER, "{value}", ("guard.label",),
    "Values of labels that were counted as `other`, because they are unknown or too many.",
)  # fmt: skip
PROBLEMS = Measure(
    "guard.telemetry.errors",
    COUNTER,
    "{error}",
    (ERROR,),
    "Mistakes of the telemetry itself; the decisions were given out all the same.",
)

MEASURES = (
    DECISIONS, STATEMENTS, ERRORS, TRANSFORMS, OBLIGATIONS, DURATION, PHASES, TOOL_DURATION, TOKEN_USAGE, TOKENS_USED, COST,
    TOP_TOKENS, TOP_COST, PENDING, OLDEST, HALTS, BREAKERS, STORE_UP, ALARMS, ALARMS_ON, INFO, FOLDED, PROBLEMS,
)  # fmt: skip
