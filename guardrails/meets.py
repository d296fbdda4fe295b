"""Meets: two verdicts on one event become one, which is as strict as both (see `guardrails.delegation`).

Takes the decisions of an agent's own policy and of those it answers to, gives the decision that holds. What
either of them says is in it; only the denial has to choose, so that an agent is told what helps by both.
"""

from __future__ import annotations

from guardrails.model import Consent, Decision, Denial, Outcome, strictest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Fits = Callable[[Mapping[str, Any]], bool]

BETWEEN = "\x1e"
"""Stands between the reservations of the two."""

OFFERED = " It would pass with "
"""How a denial offers other arguments."""


def joined(mine: Decision, theirs: Decision, payload: Any, fits: Fits | None = None) -> Decision:
    """The meet of two verdicts: the stricter outcome, and everything that either of them says."""
    outcome = strictest((mine.outcome, theirs.outcome))
    both = Decision(
        outcome,
        mine.policy if mine.policy == theirs.policy else f"{mine.policy}+{theirs.policy}",
        (*mine.applied, *theirs.applied),
        (*mine.errors, *theirs.errors),
        (*mine.transforms, *theirs.transforms),
        (*mine.obligations, *theirs.obligations),
        (*mine.approvals, *theirs.approvals),
        (*mine.shadow, *theirs.shadow),
        payload,
        None if outcome is Outcome.ALLOW else (lambda _: denial_of(mine, theirs, fits)),
    )
    both.consent = consent_of(mine, theirs, outcome)
    if outcome is Outcome.ALLOW and (mine.reservation or theirs.reservation):
        both.reservation = f"{mine.reservation}{BETWEEN}{theirs.reservation}"
    return both


def consent_of(mine: Decision, theirs: Decision, outcome: Outcome) -> Consent | None:
    """What people have to do with either; an approval is only told of where both let it through."""
    one, other = mine.consent or Consent(), theirs.consent or Consent()
    approval = one.approval or other.approval if outcome is Outcome.ALLOW else ""
    reviews, opened = (*one.reviews, *other.reviews), (*one.opened, *other.opened)
    found = Consent(one.request or other.request, approval, reviews, opened)
    return None if found == Consent() else found


def denial_of(mine: Decision, theirs: Decision, fits: Fits | None) -> Denial:
    """What the stricter side says; where both refuse alike, what helps by both."""
    first, second = (mine, theirs) if theirs.outcome <= mine.outcome else (theirs, mine)
    found = [denial for denial in (first.denial, second.denial) if denial is not None]
    said = found if first.outcome == second.outcome else found[:1]
    final = next((denial for denial in said if denial.kind == "never"), None)
    if final is not None:
        return final
    waits = [denial.retry_after for denial in said if denial.retry_after is not None]
    kind = next((denial.kind for denial in said if denial.kind == "retry_after"), said[0].kind)
    best = next((denial for denial in said if _is_offer(denial, fits)), None)
    if best is None:
        return Denial(kind, _without_offer(said[0]), None, max(waits, default=None))
    return Denial(kind, best.message, best.counterfactual, max(waits, default=None))


def _is_offer(denial: Denial, fits: Fits | None) -> bool:
    return denial.counterfactual is not None and fits is not None and fits(denial.counterfactual)


def _without_offer(denial: Denial) -> str:
    if denial.counterfactual is None:
        return denial.message
    return f"{denial.message.partition(OFFERED)[0]} It may pass with other arguments."
