"""An exporter of its own, for processes in which nobody set OpenTelemetry up: the sidecar and the command.

Sends spans, numbers and events over OTLP and HTTP, to where the usual variables say: OTEL_EXPORTER_OTLP_ENDPOINT,
OTEL_EXPORTER_OTLP_HEADERS, OTEL_SERVICE_NAME (`guard` without it), OTEL_METRIC_EXPORT_INTERVAL, and so on.
"""

from __future__ import annotations

from guardrails.telemetry.otel import MissingExtra
from guardrails.telemetry.telemetry import Telemetry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Exporting(Telemetry):
    """A telemetry with providers of its own. Call `close` before the process ends, or what came last is lost;
    it is also called at the interpreter's exit."""

    def __init__(self, providers: tuple[Any, Any, Any], **settings: Any) -> None:
        tracers, meters, loggers = providers
        super().__init__(tracer_provider=tracers, meter_provider=meters, logger_provider=loggers, **settings)
        self._ends: list[Callable[[], Any]] = [each.shutdown for each in providers]

    def close(self) -> None:
        """Send what is left, and stop."""
        while self._ends:
            self._ends.pop(0)()


def exporting(**settings: Any) -> Exporting:
    """A telemetry that exports by itself. Raises `ImportError` that names the extra where it is missing."""
    try:
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk._logs import LoggerProvider
        from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise MissingExtra from None
    resource = _resource()
    tracers = TracerProvider(resource=resource, shutdown_on_exit=True)
    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    meters = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())], resource=resource)
    loggers = LoggerProvider(resource=resource)
    loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    return Exporting((tracers, meters, loggers), **settings)


def _resource() -> Any:
    """Who sends: the service's name from the environment, else `guard`."""
    from os import environ

    from opentelemetry.sdk.resources import Resource

    return Resource.create({} if environ.get("OTEL_SERVICE_NAME") else {"service.name": "guard"})
