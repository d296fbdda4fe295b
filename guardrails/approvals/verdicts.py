"""Verdicts: what becomes of a decision that asks, once people have a say in it."""

from __future__ import annotations

from guardrails.model import Applied, Consent, Decision, Denial, Failure, Outcome, Place

NOWHERE = Place("<engine>", 0, 0, 0, 0)


def _copied(decision: Decision, outcome: Outcome, applied: tuple[Applied, ...] = ()) -> Decision:
    fresh = decision.about(())
    fresh.outcome = outcome
    fresh.applied = (*decision.applied, *applied)
    return fresh


def waiting(decision: Decision, request: str) -> Decision:
    """It asks, under this request."""
    fresh = decision.about(decision._denial)
    fresh.consent = Consent(request=request)
    return fresh


def opened(decision: Decision, request: str) -> Decision:
    """It asks, under a request that is new."""
    fresh = decision.about(decision._denial)
    fresh.consent = Consent(request=request, opened=(request,))
    return fresh


def granted(decision: Decision, request: str) -> Decision:
    """People approved: it is allowed, with all that the policy changes and owes."""
    fresh = _copied(decision, Outcome.ALLOW)
    fresh._denial = None
    fresh.reservation = decision.reservation
    fresh.consent = Consent(approval=request)
    return fresh


def approved_in_vain(decision: Decision, request: str) -> Decision:
    """People approved, and something else decides: the approval is there for another try."""
    fresh = decision.about(decision._denial)
    fresh.reservation = decision.reservation
    fresh.consent = Consent(request=request)
    return fresh


def refused(decision: Decision, request: str, why: str, *, retry_after: float | None = None) -> Decision:
    """People said no, or what they said does not count for this call."""
    message = f"the call is denied: {why}"
    applied = Applied("ask", Outcome.DENY, policy="guard", label="approval", message=why, place=NOWHERE)
    fresh = _copied(decision, Outcome.DENY, (applied,))
    advice = "Do not retry." if retry_after is None else "Try again later."
    denial = Denial(
        "never" if retry_after is None else "retry_after", f"{message}. {advice}", None, retry_after
    )
    fresh._denial = lambda _: denial
    fresh.consent = Consent(request=request)
    return fresh


def unasked(decision: Decision, error: Exception) -> Decision:
    """The store did not answer, so nobody was asked: denied for now, with the reason as an error."""
    from guardrails.runtime.failures import failure_of

    fresh = refused(decision, "", f"nobody could be asked: {error}", retry_after=1.0)
    failure: Failure = failure_of(error, "approval", NOWHERE)
    fresh.errors = (*decision.errors, failure)
    return fresh


def unaskable(decision: Decision, error: Exception) -> Decision:
    """It asks, and nobody can be asked about such a call: it stays so for good."""
    fresh = decision.about(())
    denial = Denial("never", f"the call needs approval, and cannot get it: {error}. Do not retry.")
    fresh._denial = lambda _: denial
    return fresh
