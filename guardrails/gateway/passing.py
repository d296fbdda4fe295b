"""Passing: what a policy says of a result's parts, put together again; or the whole withheld."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guardrails.gateway.eras import DECISION_KEY
from guardrails.gateway.flights import Declined
from guardrails.gateway.judging import facts, plain, told
from guardrails.gateway.messages import DENIED
from guardrails.gateway.results import Unwritable
from guardrails.integrations.judging import changes
from guardrails.model import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guardrails.gateway.exchange import Exchange
    from guardrails.gateway.results import Part
    from guardrails.gateway.upstream import ServerError
    from guardrails.model import Decision


class Withheld(Exception):
    """A policy does not let this through."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(told(decision))
        self.decision = decision


async def passed(
    exchange: Exchange,
    tool: str,
    args: Any,
    parts: Sequence[Part],
    of: tuple[str | None, str] = (None, ""),
) -> dict[str, Any]:
    """The members of a result that a policy changed; `of` is the id of the call, and what was reserved for it. Raises
    `Withheld` when one part may not pass."""
    changed: dict[str, Any] = {}
    for part in parts:
        decision = await exchange.judge.result(tool, part.value, args, *of)
        stop_if_halted(exchange, decision)
        if decision.outcome is not Outcome.ALLOW:
            raise Withheld(decision)
        if not changes(decision, part.value):
            continue
        try:
            changed |= part.written(plain(decision.payload))
        except Unwritable as error:
            why = f"the result of `{tool}` is withheld: the policy changes it, and {error}"
            raise Withheld(exchange.judge.refusal(why, kind="type")) from None
        if part.last:
            return changed
    return changed


def stop_if_halted(exchange: Exchange, decision: Decision) -> None:
    """A halt ends the servers as well."""
    if decision.outcome is Outcome.HALT and exchange.judge.halted is not None:
        exchange.begin(exchange.stop_servers())


def merged(result: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
    """A result with what was changed; a member that became None is left out."""
    return {name: value for name, value in {**result, **changed}.items() if value is not None}


def declined(decision: Decision) -> Declined:
    """The error for a request whose result has no place for a denial."""
    return Declined(told(decision), DENIED, {DECISION_KEY: plain(facts(decision))})


async def text_judged(exchange: Exchange, tool: str, text: str) -> str | None:
    """A text of a server as a policy lets it through; None where it is withheld."""
    decision = await exchange.judge.result(tool, text, {})
    stop_if_halted(exchange, decision)
    if decision.outcome is not Outcome.ALLOW:
        return None
    if not changes(decision, text):
        return text
    return decision.payload if decision.payload.__class__ is str else None


async def excuse(exchange: Exchange, method: str, error: ServerError) -> str:
    """What a client is told of an error; the words of a server are judged as results of the method."""
    if not error.said_by:
        return error.message
    tool = exchange.naming.in_policy(error.said_by, method)
    text = await text_judged(exchange, tool, error.message)
    return f"the server `{error.said_by}` answered with an error that is withheld" if text is None else text
