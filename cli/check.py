"""`guard check`: the decision on one event, or on a stream of them.

This is the cold path: everything that it imports is paid for by every call of an agent that asks this
command, so it imports what the decision needs and nothing else.
"""

from __future__ import annotations

import os
import sys

from guardrails.errors import EventError, GuardError

from . import exits
from .check_options import HELP, Request, parse
from .json_values import json_of, option_value, text_of_file
from .policies import Policy
from .problems import Stop, malformed, usage
from .stores import check_prices, opened, own_file, own_store, state_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from guardrails.guard import Guard
    from guardrails.model import Decision
    from guardrails.state import State

EVENT_OPTIONS = ("call", "input", "output", "events")


def check(words: list[str]) -> int:
    """Run the command; gives the exit code."""
    request = parse(words)
    source = source_of(request)
    if not request.paths:
        raise usage("a policy file is needed", "such as `guard check policy.guard --call issue_refund`")
    if source == "events":
        from .check_events import check_events

        return check_events(request)
    event, stop = event_of(request, source)
    policy = Policy(request)
    decider = Decider(request, policy)
    if event.__class__ is dict and event.get("type") == "usage":
        check_prices(decider.state)
    decision = _decided(decider, event, stop)
    _write(decision, request.get("format"))
    sys.stdout.flush()
    policy.keep()
    return exits.OUTCOMES[decision.outcome.value]


def source_of(request: Request) -> str:
    """Where the event comes from: an option of EVENT_OPTIONS, or `stdin`. Stops when that is not clear."""
    given = [name for name in EVENT_OPTIONS if request.get(name) is not None]
    piped = "-" in request.paths
    request.paths[:] = [path for path in request.paths if path != "-"]
    if len(given) > 1 or (given and piped):
        both = " and ".join([*(f"`--{name}`" for name in given), *(["`-`"] if piped else [])])
        raise usage(f"{both} each give an event, and one is decided at a time")
    for name in ("args", "result"):
        if request.get(name) is not None and given != ["call"]:
            raise usage(f"`--{name}` goes with `--call`")
    if request.get("fail-on") is not None and given != ["events"]:
        raise usage("`--fail-on` goes with `--events`")
    if not given and not piped and sys.stdin.isatty():
        raise usage("there is no event", f"give `--call TOOL`, or an event as JSON on standard input; {HELP}")
    return given[0] if given else "stdin"


def event_of(request: Request, source: str) -> tuple[dict[str, Any], Callable[[str], Stop]]:
    """The event of a request, and how to complain about it."""
    if source == "stdin":
        text = text_of_file("-", malformed)
        if not text.strip():
            raise usage("there is no event on standard input", HELP)
        return with_defaults(json_of(text, "standard input", malformed), defaults_of(request)), malformed
    return with_defaults(_described(request, source), defaults_of(request)), usage


def _described(request: Request, source: str) -> dict[str, Any]:
    """The event that the options describe."""
    text = request.values[source]
    if source != "call":
        return {"type": source, "text": text}
    if not text:
        raise usage("`--call` needs the name of a tool")
    args = request.get("args")
    event = {"type": "call", "tool": text, "args": option_value(args, "args") if args is not None else {}}
    result = request.get("result")
    if result is not None:
        event |= {"type": "result", "result": option_value(result, "result")}
    return event


def defaults_of(request: Request) -> dict[str, Any]:
    """What the options say about every event that does not say it itself."""
    found: dict[str, Any] = {}
    for name in ("principal", "agent"):
        text = request.get(name)
        if text is not None:
            found[name] = option_value(text, name)
    found |= {name: request.values[name] for name in ("session", "time") if name in request.values}
    return found


def with_defaults(event: Any, defaults: dict[str, Any]) -> Any:
    return {**defaults, **event} if event.__class__ is dict and defaults else event


class Decider:
    """Decides the events of a request, by the policy and by what a store knows."""

    def __init__(self, request: Request, policy: Policy) -> None:
        self._policy = policy
        needed = policy.program.head["stateful"]
        self.state: State | None = state_of(request.get("store"), request.get("prices"), needed=needed)
        self._audit = request.get("audit")
        self._guard = self._watched(policy.guard(self.state))

    def decide(self, event: Any) -> Decision:
        """The decision on an event. Raises `EventError` for a malformed one.

        A policy that keeps nothing needs no store, until it halts a session: that is written down then, so that
        whoever asks about the session later finds it halted.
        """
        decision = self._guard.decide(event)
        if decision.outcome.value == "halt" and self.state is None and "session" in event and own_file():
            self.state = opened(own_store())
            self._guard = self._watched(self._policy.guard(self.state))
            return self._guard.decide(event)
        return decision

    def _watched(self, guard: Guard) -> Guard:
        """The guard, with the audit log that somebody named. Stops where the policy wants one and nobody did."""
        if (
            self._audit is None
            and not os.environ.get("GUARD_AUDIT")
            and not guard.engine.program.head.get("audit")
        ):
            return guard
        from guardrails.audit.errors import AuditError

        try:
            guard.write_to(self._audit)
        except AuditError as error:
            raise Stop(exits.IO, f"error: {error}") from error
        return guard


def _decided(decider: Decider, event: Any, stop: Callable[[str], Stop]) -> Decision:
    try:
        return decider.decide(event)
    except EventError as error:
        raise stop(f"the event is malformed: {error}") from error
    except GuardError as error:
        raise stop(f"the event cannot be decided: {error}") from error


def _write(decision: Decision, form: str | None) -> None:
    if form == "json":
        from guardrails.decision_json import decision_as_json
        from guardrails.strict_json import write_json

        sys.stdout.write(write_json(decision_as_json(decision)) + "\n")
        return
    from guardrails.decision_text import render_decision

    from .terminal import is_colored

    sys.stdout.write(render_decision(decision, color=is_colored(sys.stdout)))
