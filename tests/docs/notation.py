"""The notation of the reference's examples, line by line.

    call refund {"amount": 50} as {"id": "ana"} => deny by own_customer; error missing
    result lookup [{"id": 1}] => allow -> [{"id": 1}]
    input "some text" => allow
    args.n + 1 == 3 given {"n": 2} => true

Left of `=>` stands an event or an expression, right of it what is expected. Nothing that a line does not
mention is checked, but errors: a line without `error` must have none.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from guardrails import Decision, Guard, PolicyError

POINTS = {"call": "args", "result": "result", "input": "text", "output": "text", "failed": "args"}
_WORDS = {"as": "principal", "from": "agent", "with": "args", "at": "time", "in": "session"}
START = 1_795_262_400_000_000
"""When an event happens that does not say: 2026-11-21 12:00 UTC."""

_DECODER = json.JSONDecoder()


@dataclass(slots=True)
class Expectation:
    """What a line says will come out; None where it says nothing."""

    outcome: str
    statements: list[str] | None = None
    errors: list[str] = field(default_factory=list)
    obligations: list[str] = field(default_factory=list)
    payload: Any = None


def outcome_of(guard: Guard, line: str) -> tuple[Expectation, Expectation]:
    """Expected and actual, of a line of a `guard-check` block."""
    event, _, wanted = line.rpartition(" => ")
    expected = _expectation(wanted)
    return expected, _summary(guard.decide(event_of(event.strip()), now=START), expected)


def event_of(text: str) -> dict[str, Any]:
    """`call NAME ARGS as PRINCIPAL from AGENT in SESSION for TASK VALUES at TIME`, as the event it is."""
    kind, _, rest = text.partition(" ")
    event: dict[str, Any] = {"type": kind}
    if kind in ("call", "result", "failed"):
        event["tool"], rest = _tool(rest)
    if kind == "failed":
        event |= {"type": "outcome", "outcome": "failed"}
    if kind == "usage":
        used, rest = _value(rest)
        event |= used
    else:
        event[POINTS[kind]], rest = _value(rest)
    while rest:
        word, _, rest = rest.partition(" ")
        if word == "for":
            task, rest = _tool(rest)
            given, rest = _value(rest)
            event["session"] = {"id": event.get("session", "s0"), "task": task, "given": given}
            continue
        event[_WORDS[word]], rest = _tool(rest) if word == "in" else _value(rest)
    return event


def _tool(text: str) -> tuple[str, str]:
    if text.startswith('"'):
        return _value(text)
    name, _, rest = text.partition(" ")
    return name, rest


def _value(text: str) -> tuple[Any, str]:
    value, end = _DECODER.raw_decode(text.lstrip())
    return value, text.lstrip()[end:].lstrip()


def _expectation(text: str) -> Expectation:
    text, arrow, payload = text.partition(" -> ")
    outcome, *clauses = (part.strip() for part in text.split(";"))
    outcome, _, statements = outcome.partition(" by ")
    expected = Expectation(outcome.strip(), _listed(statements) if statements else None)
    for clause in clauses:
        word, _, names = clause.partition(" ")
        setattr(expected, {"error": "errors", "owes": "obligations"}[word], _listed(names))
    expected.payload = json.loads(payload) if arrow else None
    return expected


def _listed(text: str) -> list[str]:
    return sorted(name.strip() for name in text.split(","))


def _summary(decision: Decision, expected: Expectation) -> Expectation:
    return Expectation(
        str(decision.outcome),
        sorted(reason.label or "" for reason in decision.reasons) if expected.statements else None,
        sorted({failure.kind for failure in decision.errors}),
        sorted(duty.kind for duty in decision.obligations) if expected.obligations else [],
        decision.payload if expected.payload is not None else None,
    )


# --- expressions -------------------------------------------------------------------------------

_GIVEN = re.compile(r"^(?P<expression>.*?)(?: +given +(?P<given>.*))?$")


def probe_of(line: str) -> tuple[str, dict[str, Any]]:
    """The policy and the event that a line of a `guard-values` block stands for."""
    parts = _GIVEN.match(line.rpartition(" => ")[0].strip())
    assert parts is not None
    policy = f"on call probe {{ allow; probe: require {parts['expression'].strip()} }}\n"
    return policy, event_of(f"call probe {parts['given'] or '{}'}")


def value_of(line: str) -> tuple[str, str]:
    """Expected and actual, of a line of a `guard-values` block: `true`, `false`, `error KIND`, or
    `refused MESSAGE` for what does not load."""
    wanted = line.rpartition(" => ")[2].strip()
    policy, event = probe_of(line)
    try:
        guard = Guard.from_text(policy)
    except PolicyError as error:
        return wanted, _refusal(error, wanted)
    decision = guard.decide(event)
    if decision.errors:
        return wanted, f"error {decision.errors[0].kind}"
    return wanted, str(decision.allowed).lower()


def _refusal(error: PolicyError, wanted: str) -> str:
    """`wanted` itself where its message is among those of the error."""
    messages = "; ".join(diagnostic.message for diagnostic in error.diagnostics)
    word, _, message = wanted.partition(" ")
    return (
        wanted if word == "refused" and message and message.strip('"') in messages else f"refused {messages}"
    )
