"""Guards for the tests of telemetry, and OpenTelemetry's real SDK with everything kept in memory."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from guardrails import Guard
from guardrails.runtime.clock import FrozenClock
from guardrails.runtime.usage import Usage
from guardrails.telemetry import Telemetry

START = 1_795_276_228_000_000

POLICY = """\
policy shop
type principal { id: string }
on call refund {
  small: allow when args.amount < 100
  big: deny when args.amount >= 100
  daily: limit 1000 per 1d by principal.id
  tried: shadow deny when args.amount == 7
}
on call wait { people: ask finance within 4h }
on call stop { end: halt }
on call "mail.*" { mails: allow }
on result refund { trimmed: drop fields secret }
on output { hidden: redact pii(EMAIL_ADDRESS); leaked: deny when secrets(text) }
on session { spending: budget cost 5.00 USD }
breaker mailing on call "mail.*" { open after 2 failures in 1m; retry after 60s }
"""


class Sdk:
    """The SDK, and what it was given."""

    def __init__(self, **settings: Any) -> None:
        self._spans = InMemorySpanExporter()
        self._logs = InMemoryLogRecordExporter()
        self.reader = InMemoryMetricReader()
        tracers, loggers = TracerProvider(), LoggerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        loggers.add_log_record_processor(SimpleLogRecordProcessor(self._logs))
        self.tracers = tracers
        self.telemetry = Telemetry(
            tracer_provider=tracers, meter_provider=MeterProvider([self.reader]), logger_provider=loggers, **settings
        )  # fmt: skip

    @property
    def spans(self) -> list[Any]:
        return list(self._spans.get_finished_spans())

    @property
    def events(self) -> list[Any]:
        return [found.log_record for found in self._logs.get_finished_logs()]

    def points(self) -> dict[str, dict[tuple[tuple[str, Any], ...], Any]]:
        """The newest value of every series, by metric."""
        found: dict[str, dict[tuple[tuple[str, Any], ...], Any]] = {}
        data = self.reader.get_metrics_data()
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    found[metric.name] = {
                        tuple(sorted(point.attributes.items())): point for point in metric.data.data_points
                    }
        return found

    def everything(self) -> str:
        """All that was exported, as one text."""
        spans = [json.loads(span.to_json()) for span in self.spans]
        logs = [json.loads(found.to_json()) for found in self._logs.get_finished_logs()]
        data = self.reader.get_metrics_data()
        return "\n".join(
            [json.dumps(spans), json.dumps(logs), data.to_json() if data else "", self.telemetry.prometheus()]
        )


def shop(telemetry: Any = "metrics", **settings: Any) -> Guard:
    return Guard.from_text(POLICY, telemetry=telemetry, clock=FrozenClock(START), store="memory:", **settings)


def busy(guard: Guard, *, person: str = "ana") -> None:
    """A session in which something of everything happens."""
    session = guard.session(
        principal={"id": person}, agent={"id": "bot", "name": "Bot", "workflow": "returns"}, id="s-1"
    )
    for amount in (5, 7, 500, "many"):
        session.check_call("refund", {"amount": amount}, call_id=f"c{amount}")
    session.check_result("refund", {"secret": 1, "ok": True}, args={"amount": 5}, call_id="c5")
    session.check_call("wait", {})
    session.check_call("mail.send", {})
    session.check_call("unheard of", {})
    session.check_output("write to lena@mail.test")
    session.report(
        Usage("small", input_tokens=100, cached_tokens=30, output_tokens=20, cost=(Decimal("0.25"), "USD"))
    )
    session.check_call("stop", {})
