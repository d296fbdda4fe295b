"""The text that Prometheus reads (format 0.0.4): all numbers of a process, as they are now.

Takes the numbers, gives the text for a `/metrics` page; `CONTENT_TYPE` goes with it. Needs no library.
"""

from __future__ import annotations

from guardrails.telemetry.catalogue import COUNTER, HISTOGRAM, MEASURES, exposed_label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from guardrails.telemetry.catalogue import Measure
    from guardrails.telemetry.numbers import Numbers

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def exposition(numbers: Numbers) -> str:
    """Every series of every measure that has any, in the order of the catalogue and of the labels."""
    return "".join(f"{line}\n" for measure in MEASURES for line in _measure(measure, numbers))


def _measure(measure: Measure, numbers: Numbers) -> Iterator[str]:
    lines = list(_lines(measure, numbers))
    if lines:
        yield f"# HELP {measure.exposed} {_escaped(measure.about, quote=False)}"
        yield f"# TYPE {measure.exposed} {measure.kind}"
        yield from lines


def _lines(measure: Measure, numbers: Numbers) -> Iterator[str]:
    if measure.kind == HISTOGRAM:
        for labels, (counts, total, count) in sorted(numbers.measured(measure).items()):
            yield from _histogram(measure, labels, counts, total, count)
        return
    values = numbers.counted(measure) if measure.kind == COUNTER else numbers.gauge(measure)
    for labels, value in sorted(values.items()):
        yield f"{measure.exposed}{_labels(measure, labels)} {_number(value)}"


def _histogram(
    measure: Measure, labels: tuple[str, ...], counts: tuple[int, ...], total: float, count: int
) -> Iterator[str]:
    below = 0
    for bound, inside in zip((*map(_number, measure.bounds), "+Inf"), counts, strict=True):
        below += inside
        yield f"{measure.exposed}_bucket{_labels(measure, labels, (('le', bound),))} {below}"
    yield f"{measure.exposed}_sum{_labels(measure, labels)} {_number(total)}"
    yield f"{measure.exposed}_count{_labels(measure, labels)} {count}"


def _labels(measure: Measure, values: tuple[str, ...], more: Iterable[tuple[str, str]] = ()) -> str:
    """An empty label is left out, which means the same."""
    named = [*zip(map(exposed_label, measure.labels), values, strict=True), *more]
    inside = ",".join(f'{name}="{_escaped(value, quote=True)}"' for name, value in named if value)
    return f"{{{inside}}}" if inside else ""


def _escaped(text: str, *, quote: bool) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quote else text


def _number(value: float) -> str:
    """Whole numbers without a point, others with all their digits."""
    if abs(value) < 1e15 and value == int(value):
        return str(int(value))
    return {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}.get(repr(float(value)), repr(float(value)))
