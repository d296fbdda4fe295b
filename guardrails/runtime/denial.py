"""The denial contract: what an agent can do about a refusal, in a form that it can act on.

A counterfactual is only offered for plain bounds on numbers, and only after the engine has allowed the
changed arguments; members of sets, patterns and other secrets of the policy are never given away.
"""

from __future__ import annotations

from guardrails.model import Denial, Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from guardrails.model import Decision
    from guardrails.runtime.engine import Engine
    from guardrails.runtime.program import Effect, Unit

_FIXED = ("`principal", "`agent", "`session")
"""How messages about fields begin that an agent cannot change."""

MAX_TRIES = 64
"""How many changed calls are tried for one counterfactual."""


def explained(engine: Engine, unit: Unit, event: tuple[Any, ...] | None, decision: Decision) -> Denial:
    """The denial of a decision that is not an allow."""
    if decision.outcome is Outcome.ASK:
        return Denial("needs_approval", _ask_message(unit, decision))
    if decision.outcome is Outcome.HALT:
        return Denial("never", f"{subject_of(unit)} is denied and the session is halted{_because(decision)}")
    counterfactual = _counterfactual(engine, unit, event) if event and unit.point == "call" else None
    kind = "change_arguments" if counterfactual or _depends_on_arguments(unit, decision) else "never"
    return Denial(kind, _deny_message(unit, decision, kind, counterfactual), counterfactual)


def subject_of(unit: Unit) -> str:
    named = {
        "call": f"the call of `{unit.tool}`",
        "result": f"the result of `{unit.tool}`",
        "usage": "more usage",
    }
    return named.get(unit.point, f"the {unit.point} text")


def _because(decision: Decision) -> str:
    reasons = [
        _sentence(reason.message) or f"`{reason.effect}` at {reason.place}" for reason in decision.reasons
    ]
    return f": {'; '.join(reasons)}" if reasons else ""


def _sentence(message: str | None) -> str:
    """A reason as a part of a longer sentence."""
    return (message or "").rstrip().rstrip(".")


def _ask_message(unit: Unit, decision: Decision) -> str:
    people = ", ".join(sorted({name for approval in decision.approvals for name in approval.reviewers}))
    reasons = [_sentence(reason.message) for reason in decision.reasons if reason.message]
    because = f": {'; '.join(reasons)}" if reasons else ""
    return f"{subject_of(unit)} needs approval by {people or 'a person'}{because}. Do not repeat it before it is approved."


def _deny_message(unit: Unit, decision: Decision, kind: str, counterfactual: dict[str, Any] | None) -> str:
    because = _because(decision) or f": {_without_grant(unit, decision)}"
    problems = "".join(f" ({failure.message})" for failure in decision.errors[:3])
    advice = {
        "never": "Do not retry; no change of the arguments makes it pass.",
        "change_arguments": "It may pass with other arguments.",
    }[kind]
    if counterfactual:
        advice = (
            "It would pass with "
            + ", ".join(f"`{name}` = {value}" for name, value in counterfactual.items())
            + "."
        )
    return f"{subject_of(unit)} is denied{because}{problems}. {advice}"


def _without_grant(unit: Unit, decision: Decision) -> str:
    if any(effect.grants for effect in unit.effects):
        return "no statement that allows it applies"
    return "no statement of the policy allows it"


def _depends_on_arguments(unit: Unit, decision: Decision) -> bool:
    """Whether other arguments could make a difference to everything that denies."""
    if any(failure.message.startswith(_FIXED) for failure in decision.errors):
        return False
    denying = {reason.place for reason in decision.reasons}
    effects = [effect for effect in unit.effects if effect.applied.place in denying]
    if not all(effect.reads_args for effect in effects):
        return False
    grants = [effect for effect in unit.effects if effect.grants and not effect.shadow]
    return bool(effects) or any(effect.reads_args for effect in grants)


def _counterfactual(engine: Engine, unit: Unit, event: tuple[Any, ...]) -> dict[str, Any] | None:
    """Numbers that would be allowed instead, re-checked; the ones nearest to what was asked for."""
    args, subject, _, now, tool = event
    for changes in _candidates(unit, args):
        changed = args
        for path, value in changes:
            changed = replaced(changed, path, value)
        if engine.call(tool, changed, subject, now).outcome is Outcome.ALLOW:
            return {".".join(("args", *path)): value for path, value in changes}
    return None


def _candidates(unit: Unit, args: Any) -> Iterator[list[tuple[tuple[str, ...], Any]]]:
    """One bound at a time, nearest first."""
    found: list[tuple[float, tuple[str, ...], Any]] = []
    for path, bound in {bound for effect in unit.effects for bound in _disclosable(effect)}:
        current = _value_at(args, path)
        if current is None:
            continue
        number = _number(bound)
        steps = (number, number - 1, number + 1) if number.__class__ is int else (number,)
        found += [(abs(float(current) - float(step)), path, step) for step in steps if step != current]
    found.sort(key=lambda each: (each[0], each[1], str(each[2])))
    for _, path, value in found[:MAX_TRIES]:
        yield [(path, value)]


def _disclosable(effect: Effect) -> tuple[Any, ...]:
    return () if effect.shadow else effect.bounds


def _number(text: str) -> Any:
    return float(text) if "." in text or "E" in text else int(text)


def _value_at(args: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if args.__class__ is not dict or name not in args:
            return None
        args = args[name]
    if args.__class__ is float and args - args != 0.0:
        return None
    return args if args.__class__ in (int, float) and abs(args) < 10**300 else None


def replaced(args: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """The arguments with one field changed, the original left alone."""
    if len(path) == 1:
        return {**args, path[0]: value}
    return {**args, path[0]: replaced(args[path[0]], path[1:], value)}
