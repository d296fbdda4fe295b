"""What telemetry costs: the same decision without it, with numbers, and with OpenTelemetry's SDK.

`as it was` is a session made without asking the guard, as every session was before there was telemetry: beside
it, `off` shows what a guard without telemetry pays for being able to have one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import refunds
from measuring import Contender, compare
from tables import Ratio, Seconds, Table

from guardrails import Guard
from guardrails.session import Session
from guardrails.telemetry import Telemetry

POLICY = Path(__file__).parents[2] / "policies" / "support" / "support.guard"
PRINCIPAL = refunds.PRINCIPAL | {"contacts": ["lena@mail.test"]}
SHOWN: dict[str, dict[str, Any]] = {"allow": {}, "deny": {"amount": 900}}


def run() -> list[Table]:
    table = Table(
        "the support pack's refund by `Session.check_call`, with and without telemetry",
        ("verdict", "as it was", "off", "ratio", "metrics", "more", "otel", "more "),
        aim="off costs nothing that can be measured: a ratio of 1.00",
    )
    sessions = {name: guard.session(principal=PRINCIPAL) for name, guard in _guards().items()}
    plain = Session(Guard.load(POLICY), principal=PRINCIPAL)
    for verdict, changes in SHOWN.items():
        calls = [(refunds.TOOL, refunds.GOOD | changes)]
        before = Contender("as it was", plain.check_call, calls)
        off, metrics, otel = (Contender(name, each.check_call, calls) for name, each in sessions.items())
        compare([before, off, metrics, otel])
        table.add(
            verdict, Seconds(before.cost), Seconds(off.cost), Ratio(off.ratio_to(before)), Seconds(metrics.cost),
            Seconds(metrics.cost - off.cost), Seconds(otel.cost), Seconds(otel.cost - off.cost),
        )  # fmt: skip
    return [table]


def _guards() -> dict[str, Guard]:
    return {
        "off": Guard.load(POLICY),
        "metrics": Guard.load(POLICY, telemetry="metrics"),
        "otel": Guard.load(POLICY, telemetry=_opentelemetry()),
    }


def _opentelemetry() -> Telemetry:
    """The real SDK: every span is recorded and queued, and goes nowhere."""
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class Nowhere(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            return SpanExportResult.SUCCESS

    tracers = TracerProvider()
    tracers.add_span_processor(BatchSpanProcessor(Nowhere()))
    return Telemetry(tracer_provider=tracers, meter_provider=MeterProvider([InMemoryMetricReader()]))
