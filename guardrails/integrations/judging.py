"""Judging: what the policy says to a moment of a host.

Takes a moment, and a `Bench` that decides events; gives the answer that the host can express. The one idea: a call
of the host may mean several calls, and the strictest decision on any of them is the decision on all.

Hosts run steps again when a session goes on, and some fire a hook twice. The same event of the same call is
charged once, and written to the audit log once, unless its outcome is another one now.
"""

from __future__ import annotations

from guardrails.integrations.contract import GO, Answer, Verdict, fitted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Protocol

    from guardrails.integrations.contract import Moment
    from guardrails.integrations.hosts import Host
    from guardrails.model import Decision

    class Bench(Protocol):
        """Who decides events as data, for a principal and an agent."""

        def decide(self, event: dict[str, Any], *, once: str = "") -> Decision:
            """The decision on an event. With `once`, a name of the event, it is written down once."""
            ...

        def agreed(self, event: dict[str, Any], decision: Decision, *, once: str = "") -> Decision:
            """The decision on a call that asks, as if whoever sits at the host had agreed: it is charged from now on,
            because it runs without another question to guard once they do."""
            ...

        def keep(self, once: str, event: dict[str, Any], text: str) -> None:
            """Keep a text with an event, for whoever tells of the same event again."""
            ...

        def kept(self, once: str, event: dict[str, Any]) -> str:
            """What is kept with an event; empty where it is not known."""
            ...

        def held(self, once: str) -> str:
            """What is held for an earlier event; empty where nothing is known of it."""
            ...

        def seal(self, session: str, why: str) -> None:
            """Allow nothing more in a session."""
            ...


CANARY = "guard_doctor_canary"
"""A tool that no host has: `guard doctor` asks about it, and it is denied whatever the policy says."""

RANKS = ("allow", "ask", "deny", "halt")


class Setting:
    """For whom the host's agent works, which agent it is, and for which groups of reviewers the person in front
    of the host may answer."""

    __slots__ = ("agent", "here", "principal")

    def __init__(
        self, principal: Mapping[str, Any], agent: Mapping[str, Any], here: Sequence[str] = ()
    ) -> None:
        self.principal = dict(principal)
        self.agent = dict(agent)
        self.here = frozenset(here)


def judged(bench: Bench, host: Host, moment: Moment, setting: Setting) -> Answer:
    """The answer to a moment. A session that can only be sealed is sealed here."""
    if moment.point not in ("input", "pre_tool", "post_tool", "output"):
        return GO
    ables = able(host, moment)
    if moment.point == "pre_tool":
        answer = _calls(bench, moment, setting, ables)
    else:
        answer = fitted(_JUDGES[moment.point](bench, moment, setting), moment, ables)
    if answer.form == "seal":
        bench.seal(moment.session, answer.reason)
    return answer


def able(host: Host, moment: Moment) -> frozenset[str]:
    """What a host can do at a moment."""
    known = host.ABILITIES
    return known.get(f"{moment.point}:{moment.event}") or known.get(moment.point, frozenset())


# --- calls -------------------------------------------------------------------------------------


def _calls(bench: Bench, moment: Moment, setting: Setting, ables: frozenset[str]) -> Answer:
    events = [_event(moment, setting, number, "call") for number in range(len(moment.calls))]
    decisions = []
    for number, event in enumerate(events):
        decisions.append(bench.decide(event, once=_once(moment, number)))
        if decisions[-1].outcome.value in ("deny", "halt"):
            break
    worst = max(decisions, key=lambda decision: RANKS.index(decision.outcome.value))
    verdict = _of_calls(moment, setting, worst, decisions)
    if any(call.tool == f"other.{CANARY}" for call in moment.calls):
        verdict = Verdict(
            "deny", f"The canary of `guard doctor` is denied; the policy {worst.policy} was asked."
        )
    answer = fitted(verdict, moment, ables)
    is_asked = worst.outcome.value == "ask" or _is_full(worst) or any(each.approval for each in decisions)
    if is_asked and (before := _asked_before(bench, moment, setting, events)):
        return before
    if answer.form == "ask":
        answer = _charged(bench, moment, setting, (events, decisions), answer)
    if answer.form not in ("go", "change", "ask"):
        _take_back(bench, events, decisions)
    return answer


def _is_full(decision: Decision) -> bool:
    """Whether nothing but limits and budgets refuses a call, which it may have filled itself."""
    return (
        decision.outcome.value == "deny"
        and not decision.errors
        and bool(decision.reasons)
        and all(reason.effect in ("limit", "budget") for reason in decision.reasons)
    )


def _charged(
    bench: Bench,
    moment: Moment,
    setting: Setting,
    asked: tuple[list[dict[str, Any]], list[Decision]],
    answer: Answer,
) -> Answer:
    """The question of the host, with the call charged already; a refusal where a limit has no room for it."""
    events, decisions = asked
    for number, decision in enumerate(decisions):
        if decision.outcome.value == "ask":
            decisions[number] = again = bench.agreed(events[number], decision, once=_once(moment, number))
            if again.outcome.value != "allow":
                return Answer("refuse", reason_of(again))
    if once := _once(moment, 0):
        from guardrails.strict_json import write_json

        bench.keep(once, events[0], write_json([sorted(setting.here), answer.reason, answer.value]))
    return answer


def _asked_before(
    bench: Bench, moment: Moment, setting: Setting, events: list[dict[str, Any]]
) -> Answer | None:
    """The question that the host was given for this very call, which is charged since: some hooks fire twice. It is no
    question to other people."""
    once = _once(moment, 0)
    text = bench.kept(once, events[0]) if once else ""
    if not text:
        return None
    from guardrails.strict_json import read_json

    here, reason, value = read_json(text)
    return Answer("ask", reason, value) if here == sorted(setting.here) else Answer("refuse", reason)


def _of_calls(moment: Moment, setting: Setting, worst: Decision, decisions: list[Decision]) -> Verdict:
    pairs = zip(moment.calls, decisions, strict=False)
    changed = [decision for call, decision in pairs if changes(decision, call.args)]
    payload = None
    if changed and len(moment.calls) == 1:
        payload = moment.calls[0].written_back(changed[0].payload, moment.host_input)
    return Verdict(
        worst.outcome.value, reason_of(worst), changed=bool(changed), payload=payload,
        question=question_of(decisions, setting),
    )  # fmt: skip


def _take_back(bench: Bench, events: list[dict[str, Any]], decisions: list[Decision]) -> None:
    """What a part of the call was charged is given back when the whole does not run."""
    for event, decision in zip(events, decisions, strict=False):
        if decision.reservation:
            report = {**event, "type": "outcome", "outcome": "not run", "reservation": decision.reservation}
            bench.decide(report)


def _is_here(decision: Decision, setting: Setting) -> bool:
    """Whether a person at the host may give what is asked: one person, of no group or of one that is here."""
    return all(
        approval.quorum <= 1 and (not approval.reviewers or not setting.here.isdisjoint(approval.reviewers))
        for approval in decision.approvals
    )


def question_of(decisions: Sequence[Decision], setting: Setting) -> str:
    """What the person at the host is asked; empty where somebody else has to answer."""
    asking = [decision for decision in decisions if decision.outcome.value == "ask"]
    if not all(_is_here(decision, setting) for decision in asking):
        return ""
    said = [reason.message for decision in asking for reason in decision.reasons if reason.message]
    return " ".join(dict.fromkeys(said)) or "The policy asks for your approval."


def changes(decision: Decision, payload: Any) -> bool:
    """Whether a decision makes something else of a payload; transforms that found nothing do not."""
    return bool(decision.transforms) and decision.payload != payload


def reason_of(decision: Decision) -> str:
    """What the model or the person is told; never empty for a refusal."""
    text = decision.message or ("" if decision.outcome.value == "allow" else "Blocked by policy.")
    if decision.outcome.value != "ask" or not decision.request:
        return text
    return f"{text} Approval {decision.request} is waiting for a person; try the same call again after that."


# --- results and texts -------------------------------------------------------------------------


def _results(bench: Bench, moment: Moment, setting: Setting) -> Verdict:
    if moment.failed:
        for number in range(len(moment.calls)):
            bench.decide({**_after(bench, moment, setting, number, "outcome"), "outcome": "failed"})
        return Verdict("allow")
    events = [
        {**_after(bench, moment, setting, number, "result"), "result": moment.payload}
        for number in range(len(moment.calls))
    ]
    decisions = [bench.decide(event, once=_once(moment, number)) for number, event in enumerate(events)]
    worst = max(decisions, key=lambda decision: RANKS.index(decision.outcome.value))
    changed = [decision for decision in decisions if changes(decision, moment.payload)]
    if len(changed) > 1:
        return Verdict(
            "deny", "The policy changes this result in several ways, which cannot be done at once."
        )
    payload = changed[0].payload if changed else None
    return Verdict(worst.outcome.value, reason_of(worst), changed=bool(changed), payload=payload)


def _after(bench: Bench, moment: Moment, setting: Setting, number: int, kind: str) -> dict[str, Any]:
    """An event of a call that was made, with the name of what is held for it."""
    event = _event(moment, setting, number, kind)
    held = bench.held(_once(moment, number, "pre_tool"))
    return {**event, "reservation": held} if held else event


def _input(bench: Bench, moment: Moment, setting: Setting) -> Verdict:
    return _text(bench, moment, setting, "input")


def _output(bench: Bench, moment: Moment, setting: Setting) -> Verdict:
    return _text(bench, moment, setting, "output")


def _text(bench: Bench, moment: Moment, setting: Setting, kind: str) -> Verdict:
    event = {**_who(moment, setting), "type": kind, "text": moment.payload}
    decision = bench.decide(event, once=_once(moment, 0))
    return Verdict(
        decision.outcome.value,
        reason_of(decision),
        changed=changes(decision, moment.payload),
        payload=decision.payload,
    )


_JUDGES = {"input": _input, "post_tool": _results, "output": _output}


# --- events ------------------------------------------------------------------------------------


def _event(moment: Moment, setting: Setting, number: int, kind: str) -> dict[str, Any]:
    call = moment.calls[number]
    event = {**_who(moment, setting), "type": kind, "tool": call.tool, "args": call.args}
    if moment.call_id is not None:
        event["call_id"] = moment.call_id if len(moment.calls) == 1 else f"{moment.call_id}/{number + 1}"
    return event


def _who(moment: Moment, setting: Setting) -> dict[str, Any]:
    return {"session": moment.session, "principal": setting.principal, "agent": setting.agent}


def _once(moment: Moment, number: int, point: str = "") -> str:
    """The name of an event by which it is known again; empty where the host gives none."""
    if moment.call_id is None:
        return ""
    return f"{moment.session}/{moment.call_id}/{point or moment.point}/{number}"
