"""Cases by number: a mutated policy, and when it loads, events for it. Whatever comes out must be an answer.

An answer is a list of diagnostics with places inside the text, a `PolicyError`, a `Decision` that can be
explained, printed and written as JSON, or an `EventError`. Everything else is a finding.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

from strategies import TOOLS

from fuzz.seeds import deciding, typed
from fuzz.texts import mutated, slipped
from fuzz.values import Hints, event, record, value
from guardrails.decision_json import decision_as_json
from guardrails.decision_text import render_decision
from guardrails.diagnostics import Diagnostic
from guardrails.errors import EventError, PolicyError
from guardrails.guard import Guard
from guardrails.language.formatter import format_text
from guardrails.language.parser import parse
from guardrails.model import Decision
from guardrails.runtime.clock import FrozenClock
from guardrails.strict_json import write_json

NOW = 1_767_225_600_000_000
EVENTS = 4
"""Events for a policy that loads."""

PATIENCE = 20.0
"""Seconds that one case may take; far more than any needs, even on a busy machine."""


class Stuck(BaseException):
    """A case that does not come to an end; nothing may catch it."""


@contextmanager
def hurried() -> Iterator[None]:
    """Stop what takes longer than PATIENCE, where the system has an alarm clock."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def ring(*_: Any) -> None:
        raise Stuck(f"no answer within {PATIENCE} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def run(number: int) -> str:
    """Run one case; gives what came of it. Raises what should not have come out."""
    random = Random(number)
    with hurried():
        text, tools = policy_of(random)
        guard = guard_of(text, tools)
        if guard is None:
            return "refused"
        hints = Hints(text)
        for _ in range(EVENTS):
            decide(guard, event(random, hints))
        by_session(guard, random, hints)
    return "decided"


def policy_of(random: Random) -> tuple[str, str | None]:
    """A case's policy, with a tool file or without: one that loads, for its events, or a mutated one."""
    chance = random.random()
    if chance < 0.15:
        return slipped(typed(), random) if random.random() < 0.5 else typed(), TOOLS
    return random.choice(deciding()) if chance < 0.5 else mutated(random), None


def shown(number: int) -> str:
    """The policy of a case, in ASCII, for whoever looks into a failure."""
    return ascii(policy_of(Random(number))[0]).replace("\\n", "\n")


def guard_of(text: str, tools: str | None = None) -> Guard | None:
    """The policy, if it loads; its diagnostics are looked at, and it is formatted, either way."""
    tree, found = parse(text, "policy.guard")
    examine(found, text)
    if tree is not None:
        examine(format_text(text, "policy.guard")[1], text)
    try:
        return Guard.from_text(text, tools=tools, clock=FrozenClock(NOW))
    except PolicyError as error:
        said = error.diagnostics
    assert said, "a policy that does not load says why"
    examine(said, text)
    return None


def examine(diagnostics: Any, text: str) -> None:
    """Every diagnostic is a sentence about a place in the text."""
    for diagnostic in diagnostics:
        assert isinstance(diagnostic, Diagnostic)
        assert diagnostic.message.strip(), diagnostic
        span = diagnostic.span
        if span.file == "policy.guard":
            assert 0 <= span.start <= span.end <= len(text), diagnostic
            assert span.line >= 1, diagnostic
            assert span.column >= 1, diagnostic


def decide(guard: Guard, asked: Any) -> Decision | None:
    try:
        return explained(guard.decide(asked))
    except EventError as error:
        return told(error)


def told(error: EventError) -> None:
    """An error of the event says what is wrong with it."""
    assert error.message
    assert str(error).startswith(error.message)


def by_session(guard: Guard, random: Random, hints: Hints) -> None:
    """The same through a session, where the host's own values come in unchecked."""
    session = guard.session(principal=dict(record(random, hints)), agent={"id": "a"})
    tool = random.choice(hints.tools)
    checks = (
        lambda: session.check_call(tool, dict(record(random, hints))),
        lambda: session.check_call(tool, value(random, hints)),
        lambda: session.check_result(tool, value(random, hints), args=value(random, hints)),
        lambda: session.check_input(value(random, hints)),
        lambda: session.check_output(value(random, hints)),
    )
    for check in checks:
        try:
            explained(check())
        except EventError as error:
            told(error)


def explained(decision: Decision) -> Decision:
    """A decision that holds together: it can be shown in every form there is."""
    assert isinstance(decision, Decision)
    assert (decision.denial is None) == decision.allowed
    assert isinstance(decision.message, str)
    if decision.payload is None:
        render_decision(decision)
        write_json(decision_as_json(decision))
    return decision
