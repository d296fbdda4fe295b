"""OpenTelemetry: the numbers of a process as instruments of a meter, and events as log records.

Takes what the rest of this package keeps, gives it to OpenTelemetry's interfaces. The one idea: counters and
gauges are read when OpenTelemetry collects, so a decision pays nothing for them; only histograms, which cannot
be read whole, are told each value.
"""

from __future__ import annotations

from guardrails.telemetry.catalogue import COUNTER, GAUGE, MEASURES
from guardrails.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import Histogram, MeterProvider, Observation

    from guardrails.telemetry.catalogue import Measure
    from guardrails.telemetry.numbers import Labels, Numbers

SCOPE = "guardrails"


class MissingExtra(ImportError):
    """OpenTelemetry was asked for, and is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "telemetry to OpenTelemetry needs the extra `telemetry`: pip install 'guard-policy[telemetry]'; "
            'numbers for Prometheus need nothing: telemetry="metrics"'
        )


def require() -> None:
    """Raises `MissingExtra` where OpenTelemetry is not installed."""
    try:
        import opentelemetry.trace  # noqa: F401 - whether it is there
    except ImportError:
        raise MissingExtra from None


def export(numbers: Numbers, provider: MeterProvider) -> None:
    """Make every measure an instrument of the provider."""
    meter = provider.get_meter(SCOPE, VERSION)
    heard: dict[str, Histogram] = {}
    for measure in MEASURES:
        about: dict[str, Any] = {"unit": measure.unit, "description": measure.about}
        if measure.kind == COUNTER:
            meter.create_observable_counter(measure.name, [_reader(measure, numbers.counted)], **about)
        elif measure.kind == GAUGE:
            meter.create_observable_gauge(measure.name, [_reader(measure, numbers.gauge)], **about)
        else:
            heard[measure.name] = meter.create_histogram(
                measure.name, **about, explicit_bucket_boundaries_advisory=measure.bounds
            )

    def hear(measure: Measure, labels: Labels, value: float) -> None:
        heard[measure.name].record(value, _attributes(measure, labels))

    numbers.heard = hear


def _reader(measure: Measure, read: Callable[[Measure], Any]) -> Callable[[Any], Iterator[Observation]]:
    def observe(_: Any) -> Iterator[Observation]:
        from opentelemetry.metrics import Observation

        for labels, value in read(measure).items():
            yield Observation(value, _attributes(measure, labels))

    return observe


def _attributes(measure: Measure, labels: Labels) -> dict[str, str]:
    return {name: value for name, value in zip(measure.labels, labels, strict=True) if value}


class Events:
    """Events as log records of a provider."""

    def __init__(self, provider: LoggerProvider) -> None:
        self._logger = provider.get_logger(SCOPE, VERSION)

    def emit(self, name: str, attributes: dict[str, Any], *, is_warning: bool) -> None:
        from opentelemetry._logs import LogRecord, SeverityNumber
        from opentelemetry.context import get_current

        level = SeverityNumber.WARN if is_warning else SeverityNumber.INFO
        self._logger.emit(
            LogRecord(event_name=name, attributes=attributes, severity_number=level, context=get_current())
        )
