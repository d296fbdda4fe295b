"""What is said to the script in Redis and what its answers mean; the same for sync and async.

Takes calls of the port, gives `(operation, JSON)` pairs, and turns replies and errors into the port's own.
"""

from __future__ import annotations

import json
import os
from decimal import Decimal
from hashlib import sha1
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from redis import exceptions

from guardrails.errors import EvaluationError, TooLarge
from guardrails.exact import exact
from guardrails.stores.demands import Fill, Granted, Refused, RequestReused, amount_of, amounts_of, signature
from guardrails.stores.halts import Halt
from guardrails.stores.port import KEEP, StoreUnavailable
from guardrails.stores.windows import Calendar, Sliding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from guardrails.exact import Exact
    from guardrails.stores.demands import Demand
    from guardrails.stores.windows import Window

SCRIPT = Path(__file__).with_name("limits.lua").read_text(encoding="utf-8")
DIGEST = sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()
TIMEOUT = 1.0
OWN_OPTIONS = ("prefix", "clock", "timeout", "cluster")


class Address:
    """A URL taken apart: what redis-py is given, and what is for the store alone.

    `prefix` (default `guard`) names the store among others on the server and is the hash tag of all its
    keys; `timeout` is in seconds, for connecting and for each answer; `clock=caller` goes by the time that
    callers give instead of the server's, for replays and tests; `cluster=yes` is for a Redis Cluster.
    """

    __slots__ = ("caller_clock", "cluster", "prefix", "timeout", "url")

    def __init__(self, url: str) -> None:
        from guardrails.stores import seconds

        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        theirs = {name: value for name, value in options.items() if name not in OWN_OPTIONS}
        self.url = urlunsplit(parts._replace(query=urlencode(theirs)))
        self.prefix = "{" + options.get("prefix", "guard") + "}:"
        self.timeout = seconds(options.get("timeout", str(TIMEOUT)))
        self.caller_clock = options.get("clock") == "caller"
        self.cluster = options.get("cluster") == "yes"


class Protocol:
    """Requests to the script and readings of its replies."""

    def __init__(self, address: Address) -> None:
        self.address = address

    def reserve(self, demands: Sequence[Demand], now: int, ttl: int, request: str | None) -> tuple[str, str]:
        ask: dict[str, Any] = {
            "id": os.urandom(12).hex(), "ttl": ttl, "keep": KEEP, "signature": signature(demands),
            "demands": [_demand(demand, now) for demand in demands],
        }  # fmt: skip
        if request is not None:
            ask["request"] = request
        return self._ask("reserve", ask, now)

    def commit(self, reservation: str, actual: Mapping[str, Exact] | None, now: int) -> tuple[str, str]:
        return self._ask("commit", {"id": reservation, "actual": _plain(actual or {})}, now)

    def release(self, reservation: str) -> tuple[str, str]:
        return "release", json.dumps({"id": reservation, "now": 0})

    def fill(self, demands: Sequence[Demand], now: int) -> tuple[str, str]:
        return self._ask("fill", {"demands": [_demand(demand, now) for demand in demands]}, now)

    def halt(self, halt: Halt) -> tuple[str, str]:
        fields = {"scope": halt.scope, "who": halt.who, "why": halt.why}
        if halt.until is not None:
            fields["until"] = str(halt.until)
        return self._ask("halt", {"halt": fields}, halt.since)

    def resume(self, scope: str) -> tuple[str, str]:
        return self._ask("resume", {"scope": scope}, 0)

    def halts(self, now: int) -> tuple[str, str]:
        return self._ask("halts", {}, now)

    def found_halts(self, reply: list[bytes]) -> tuple[Halt, ...]:
        return tuple(sorted(map(_halt, reply), key=lambda halt: halt.scope))

    def answer(self, reply: list[Any], demands: Sequence[Demand], request: str | None) -> Granted | Refused:
        kind, *rest = reply
        if kind == b"granted":
            return Granted(rest[0].decode(), amounts_of(_wholes(rest[1]), demands))
        if kind == b"refused":
            wait = int(rest[1])
            return Refused(rest[0], None if wait < 0 else wait, amounts_of(_wholes(rest[2]), demands))
        raise RequestReused(request or "")

    def fills(self, reply: list[bytes], demands: Sequence[Demand]) -> tuple[Fill, ...]:
        fills = []
        for demand, text in zip(demands, reply, strict=True):
            used, reserved = (amount_of(whole, demand.decimals) for whole in _wholes(text))
            fills.append(Fill(demand.key, used, reserved, demand.limit))
        return tuple(fills)

    def failure(self, error: exceptions.RedisError) -> EvaluationError:
        """The port's word for an error of redis-py or of the script."""
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
        return StoreUnavailable(f"the store in Redis cannot be used: {text}")

    def _ask(self, operation: str, ask: dict[str, Any], now: int) -> tuple[str, str]:
        if self.address.caller_clock:
            ask["now"] = now
        return operation, json.dumps(ask, separators=(",", ":"))


def _demand(demand: Demand, now: int) -> dict[str, Any]:
    return {
        "name": demand.counter, "key": demand.key, "decimals": demand.decimals, "units": str(demand.units),
        "ceiling": str(demand.ceiling), "window": _window(demand.window, now),
    }  # fmt: skip


def _window(window: Window, now: int) -> dict[str, Any]:
    """The window for the script, which knows no calendar: it is told the periods around `now`."""
    if isinstance(window, Sliding):
        return {"width": window.width, "step": window.step}
    if isinstance(window, Calendar):
        start, end = window.bounds(now)
        before, _ = window.bounds(start - 1)
        _, after = window.bounds(end)
        return {"bounds": [before, start, end, after]}
    return {}


def _halt(text: bytes) -> Halt:
    fields = json.loads(text)
    until = fields.get("until")
    return Halt(
        fields["scope"],
        fields["who"],
        fields["why"],
        int(fields["since"]),
        None if until is None else int(until),
    )


def _plain(actual: Mapping[str, Exact]) -> dict[str, str]:
    """Amounts as digits with a point; negative ones are an error."""
    plain = {}
    for key, amount in actual.items():
        number = exact(amount)
        if number < 0:
            raise EvaluationError(f"`{amount}` is negative, and only amounts from 0 can be charged")
        if number >= 10**40:
            raise TooLarge(f"`{amount}` is more than a counter can hold")
        text = f"{Decimal(number):f}"
        plain[key] = text.rstrip("0").rstrip(".") if "." in text else text
    return plain


def _wholes(text: bytes) -> list[int]:
    return [int(whole) for whole in text.split()]
