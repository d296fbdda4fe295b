"""Telemetry: what a guard does, as spans, numbers and alarms, for OpenTelemetry and Prometheus.

    guard = Guard.load("support.guard", telemetry="metrics")     # numbers, for Prometheus; needs nothing
    guard = Guard.load("support.guard", telemetry="otel")        # the process's own OpenTelemetry providers
    guard = Guard.load("support.guard", telemetry="otlp")        # an exporter, as the OTEL_ variables say
    guard = Guard.load("support.guard", telemetry=Telemetry(...))

Off by default, and a guard without it does not import this. The one law here: names and numbers go out, never
an argument, a text or a result.
"""

from __future__ import annotations

from guardrails.errors import EvaluationError
from guardrails.telemetry.alarms import Alarm, Sensitivity
from guardrails.telemetry.exposition import CONTENT_TYPE
from guardrails.telemetry.telemetry import Telemetry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guardrails.guard import Guard

WAYS = ("metrics", "otel", "otlp")

__all__ = ["CONTENT_TYPE", "WAYS", "Alarm", "Sensitivity", "Telemetry", "instrument"]


def instrument(guard: Guard, telemetry: str | Telemetry = "otel") -> Telemetry:
    """Watch the sessions that `guard` opens from now on, and give the telemetry that does. Raises
    `EvaluationError` for an unknown way, and `ImportError` that names the extra where it is missing."""
    found = _telemetry(telemetry) if isinstance(telemetry, str) else telemetry
    found.watch(guard)
    guard.telemetry = found
    return found


def _telemetry(way: str) -> Telemetry:
    if way == "metrics":
        return Telemetry()
    if way == "otel":
        return _of_the_process()
    if way == "otlp":
        from guardrails.telemetry.otlp import exporting

        return exporting()
    raise EvaluationError(f"`telemetry` is `metrics`, `otel`, `otlp` or a `Telemetry`, not `{way}`")


def _of_the_process() -> Telemetry:
    """With whatever providers the application set up for its process."""
    from guardrails.telemetry.otel import require

    require()
    from opentelemetry import _logs, metrics, trace

    return Telemetry(
        tracer_provider=trace.get_tracer_provider(),
        meter_provider=metrics.get_meter_provider(),
        logger_provider=_logs.get_logger_provider(),
    )
