"""Spending: usage that is reported afterwards is charged in full, whatever the budget has left."""

from __future__ import annotations

from guardrails.errors import EvaluationError, Unavailable
from guardrails.model import Decision, Outcome
from guardrails.runtime.accounts import charged_in_full, unrecorded, wanted_by, warnings_of
from guardrails.runtime.refusals import refusal
from guardrails.runtime.usage import record_of
from guardrails.stores.demands import Demand, Granted, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from guardrails.ledger import Ledger
    from guardrails.runtime.accounts import Wanted
    from guardrails.runtime.usage import Usage


def record_for(ledger: Ledger, usage: Usage) -> dict[str, Any]:
    """What budgets read of a report."""
    currencies = {meter[6] for meter in ledger.guard.engine.program.head["meters"] if meter[6]}
    try:
        return record_of(usage, ledger.state.prices, sorted(currencies))
    except EvaluationError as error:
        return {**record_of(_without_model(usage), None, sorted(currencies)), "unpriced": str(error)}


def _without_model(usage: Usage) -> Usage:
    from guardrails.runtime.usage import Usage

    return Usage(
        None, input_tokens=usage.input_tokens, cached_tokens=usage.cached_tokens,
        output_tokens=usage.output_tokens, tool_time=usage.tool_time, tool=usage.tool,
    )  # fmt: skip


def reported(ledger: Ledger, usage: Usage) -> Decision:
    """Charge a report. What cannot be priced stops the session, because its budget cannot be kept."""
    record, now = record_for(ledger, usage), ledger.clock.now()
    engine = ledger.guard.engine
    judged = engine.judge("usage", usage.tool, {}, record, ledger.subject, now)
    if isinstance(judged, Decision):
        return judged
    wanted = wanted_by(judged, ledger.session)
    decision = engine.conclude(judged, failed=wanted.failed)
    try:
        store = ledger.state.store
        answer = store.reserve(charged_in_full(wanted.demands), now=now, ttl=None) if wanted else None
    except Unavailable as error:
        ledger.state.owed.setdefault(ledger.session, []).append(usage)
        return unrecorded(engine, error)
    try:
        if isinstance(answer, Granted):
            store.commit(answer.reservation, now=now)
        if decision.outcome is not Outcome.ALLOW:
            why = record.get("unpriced") or "; ".join(failure.message for failure in decision.errors)
            scope, why = f"session:{ledger.session}", f"its usage cannot be charged: {why}"
            ledger.state.halt(scope, "guard", why, now=now, until=None)
            return decision
    except Unavailable as error:
        return unrecorded(engine, error)
    if not isinstance(answer, Granted):
        return decision
    over = _first_over(wanted, answer)
    if over is not None:
        return refusal(engine, judged, wanted, _room_again(store, wanted.demands[over], over, answer, now))
    return decision.holding("", warnings_of(judged, wanted, answer))


def _room_again(store: Any, demand: Demand, index: int, answer: Granted, now: int) -> Refused:
    """The refusal of whatever comes next, with the time after which something is left again."""
    ask = Demand(demand.key, 0, demand.limit, demand.window, demand.decimals, left=True)
    try:
        next_one = store.reserve([ask], now=now, ttl=1)
    except Unavailable:
        next_one = None
    wait = next_one.retry_after if isinstance(next_one, Refused) else None
    return Refused(index, wait, answer.fills)


def _first_over(wanted: Wanted, answer: Granted) -> int | None:
    """The budget that has nothing left now."""
    pairs = zip(wanted.demands, answer.fills, strict=False)
    return next((index for index, (demand, used) in enumerate(pairs) if used >= demand.limit), None)
