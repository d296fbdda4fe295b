"""Refusals by a limit, a budget or a breaker: which one, how full it is, and when to try again."""

from __future__ import annotations

from guardrails.model import Denial
from guardrails.runtime.denial import subject_of
from guardrails.stores.breakers import Shut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from guardrails.model import Decision
    from guardrails.runtime.accounts import Wanted
    from guardrails.runtime.engine import Engine, Judged
    from guardrails.stores.demands import Demand, Refused

UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def refusal(
    engine: Engine, judged: Judged, wanted: Wanted, answer: Refused | Shut, others: Sequence[Refused | Shut] = ()
) -> Decision:  # fmt: skip
    """The decision on an event that does not fit: because of `answer`, and of `others` as well."""
    meter = _asked(wanted, answer)
    bits = 0
    for each in (answer, *others):
        bits |= 1 << _asked(wanted, each).bit
    decision = engine.conclude(judged, bits).about(())
    seconds = None if answer.retry_after is None else answer.retry_after / 1_000_000

    def explained(decided: Decision) -> Denial:
        effect = judged.unit.effects[meter.bit]
        why = (
            _shut(effect) if isinstance(answer, Shut) else _full(effect, wanted.demands[answer.index], answer)
        )
        reason = f": {effect.because.rstrip().rstrip('.')}" if effect.because else ""
        advice = _advice(seconds, is_shut=isinstance(answer, Shut))
        message = f"{subject_of(judged.unit)} is denied{reason}: {why}. {advice}"
        waits = seconds is not None or isinstance(answer, Shut)
        return Denial("retry_after" if waits else "never", message, None, seconds)

    decision._denial = explained
    return decision


def _asked(wanted: Wanted, answer: Refused | Shut) -> Any:
    """The meter or fuse that an answer is about."""
    return wanted.fuses[answer.index] if isinstance(answer, Shut) else wanted.meters[answer.index]


def _shut(effect: Any) -> str:
    fallback = dict(effect.duty[1])["text"] if effect.duty else ""
    words = f"the breaker `{effect.applied.name}` is open after failures"
    return f"{words}. {fallback.rstrip().rstrip('.')}" if fallback else words


def _full(effect: Any, demand: Demand, answer: Refused) -> str:
    used = answer.fills[answer.index] if len(answer.fills) > answer.index else "all"
    unit = _window(demand.window)
    asked = (
        ""
        if demand.left or demand.member or demand.amount == 1
        else f", and `{demand.amount}` more was asked for"
    )
    return f"`{effect.applied.name}` lets {demand.limit} through{unit}, and {used} of that are used{asked}"


def _window(window: Any) -> str:
    width = getattr(window, "width", None)
    if width is not None:
        return " per session" if width == 365 * 86_400_000_000 else f" per {span_of(width / 1_000_000)}"
    unit = getattr(window, "unit", None)
    return f" per {unit}" if unit else ""


def _advice(seconds: float | None, *, is_shut: bool) -> str:
    if seconds is not None:
        return f"Retry after {span_of(seconds)}, not before."
    return (
        "A trial call is under way; retry a little later."
        if is_shut
        else "Waiting does not help; do not retry."
    )


def span_of(seconds: float) -> str:
    """A time in words of at most two units, rounded up: `1d 2h`, `45s`, `0.2s`."""
    if seconds < 1:
        return f"{max(seconds, 0.001):.3f}".rstrip("0").rstrip(".") + "s"
    left, parts = -int(-seconds // 1), []
    for name, size in UNITS:
        if left >= size:
            parts.append(f"{left // size}{name}")
            left %= size
    return " ".join(parts[:2])
