"""What the scripts in Redis answer, in the port's own words; the same for sync and async."""

from __future__ import annotations

from guardrails.errors import EvaluationError, TooLarge
from guardrails.stores.breakers import Gauge, Shut
from guardrails.stores.demands import (
    Fill,
    Refused,
    RequestReused,
    amount_of,
    amounts_of,
    counter_parts,
    granted_units,
    levels_of,
)
from guardrails.stores.halts import Halt
from guardrails.stores.port import StoreUnavailable
from guardrails.stores.sessions import Moved, Past

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Protocol

    from guardrails.stores.breakers import Gate
    from guardrails.stores.demands import Demand, Granted, Level
    from guardrails.stores.windows import Window

    class Reader(Protocol):
        def __call__(
            self, rest: list[Any], demands: Sequence[Demand], request: str | None
        ) -> Granted | Refused | Shut | Moved: ...


def reserved(
    reply: list[Any], name: str, demands: Sequence[Demand], request: str | None
) -> Granted | Refused | Shut | Moved:
    """The answer to a reservation that was to be named `name`."""
    if not reply or reply[0].__class__ is int or reply[0] not in _READERS:
        return granted_units(name, _wholes(reply), tuple(demands))
    return _READERS[reply[0]](reply[1:], demands, request)


def fills(reply: list[bytes], demands: Sequence[Demand]) -> tuple[Fill, ...]:
    return tuple(_fill(text, demand) for demand, text in zip(demands, reply, strict=True))


def windows_of(names: list[bytes]) -> list[tuple[str, Window, str]]:
    """What to ask about the counters of these names: name, window, and no earlier name."""
    counters = [name.decode("utf-8", "surrogatepass") for name in names]
    return [(name, counter_parts(name)[1], "") for name in counters]


def levels(counters: Sequence[tuple[str, Window, str]], reply: list[bytes], prefix: str) -> tuple[Level, ...]:
    amounts = [_wholes(text.split()) for text in reply]
    seen = [(name, used, reserved) for (name, _, _), (used, reserved) in zip(counters, amounts, strict=True)]
    return levels_of(seen, prefix)


def gauges(reply: list[Any], gates: Sequence[Gate]) -> tuple[Gauge, ...]:
    return tuple(
        Gauge(gate.key, state.decode(), failures, outcomes, wait or None)
        for gate, (state, failures, outcomes, wait) in zip(gates, reply, strict=True)
    )


def remembered(reply: int | list[int]) -> int | Moved:
    return reply if isinstance(reply, int) else Moved(reply[0])


def recalled(reply: list[Any]) -> Past:
    last, texts = reply
    return Past(last, tuple([text.decode("utf-8", "surrogatepass") for text in texts]))


def halts(reply: list[list[bytes]]) -> tuple[Halt, ...]:
    return tuple(sorted(map(_halt, reply), key=lambda halt: halt.scope))


def failure(error: Exception) -> EvaluationError:
    """The port's word for an error of redis-py or of a script."""
    text = str(error)
    if "GUARD large" in text:
        return TooLarge("the sum of a counter is more than it can hold")
    if "GUARD fine" in text:
        return EvaluationError("a reported amount has more decimals than its counter")
    if "GUARD unreserved" in text:
        key = text.split("GUARD unreserved ", 1)[1].split(" script:", 1)[0]
        return EvaluationError(f"nothing was reserved on `{key}`")
    if "GUARD clock" in text:
        return StoreUnavailable("the clocks of the store and of this machine are far apart")
    if "GUARD unsure" in text:
        return StoreUnavailable("the connection broke off and nobody knows whether the note was written")
    if "GUARD doubt" in text:
        return StoreUnavailable("the connection broke off and nobody knows whether the document was written")
    return StoreUnavailable(f"the store in Redis cannot be used: {text}")


def _granted(rest: list[Any], demands: Sequence[Demand], request: str | None) -> Granted:
    return granted_units(rest[0].decode(), _wholes(rest[1:]), tuple(demands))


def _refused(rest: list[Any], demands: Sequence[Demand], request: str | None) -> Refused:
    wait = int(rest[1])
    return Refused(rest[0], None if wait < 0 else wait, amounts_of(_wholes(rest[2:]), demands))


def _shut(rest: list[Any], demands: Sequence[Demand], request: str | None) -> Shut:
    return Shut(rest[0], None if rest[1] < 0 else rest[1])


def _moved(rest: list[Any], demands: Sequence[Demand], request: str | None) -> Moved:
    return Moved(rest[0])


def _reused(rest: list[Any], demands: Sequence[Demand], request: str | None) -> Moved:
    raise RequestReused(request or "")


_READERS: dict[Any, Reader] = {
    b"granted": _granted, b"refused": _refused, b"shut": _shut, b"moved": _moved, b"reused": _reused,
}  # fmt: skip


def _wholes(numbers: Sequence[Any]) -> list[int]:
    """Numbers of up to 53 bits come as such, larger ones as digits."""
    return [number if number.__class__ is int else int(number) for number in numbers]


def _fill(text: bytes, demand: Demand) -> Fill:
    used, held = [amount_of(int(whole), demand.decimals) for whole in text.split()]
    return Fill(demand.key, used, held, demand.limit)


def _halt(entry: list[bytes]) -> Halt:
    scope, who, why, since, until = [field.decode("utf-8", "surrogatepass") for field in entry]
    return Halt(scope, who, why, int(since), int(until) if until else None)
