"""Steps as they are written: an object of the file in, a `Step` out.

Each step has one key that says what it is (`call`, `result`, `input`, `advance`, ...), and the keys that go
with it. What an event needs beside that, such as its principal, comes from the fixtures.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guardrails.diagnostics import did_you_mean
from guardrails.testing import shapes
from guardrails.testing.cases import SESSION, Fixtures, Step, Want
from guardrails.testing.reading_wants import limits_of, wants_of
from guardrails.testing.shapes import Problems, Read
from guardrails.testing.yaml_tree import Node

PEOPLE = ("principal", "agent", "session")


def _who(problems: Problems, node: Node) -> Node:
    """A fixture's name or a record; looked up later, when the fixtures are known."""
    return node


_COMMON: dict[str, Read] = {
    "principal": _who, "agent": _who, "session": _who, "time": shapes.text, "expect": wants_of,
    "repeat": shapes.times, "parallel": shapes.times,
}  # fmt: skip
_CALL: dict[str, Read] = {"args": shapes.anything, "call_id": shapes.text}

_USAGE: dict[str, Read] = {
    "model": shapes.text, "tool": shapes.text, "input_tokens": shapes.count, "cached_tokens": shapes.count,
    "output_tokens": shapes.count, "cost": shapes.text, "tool_time": shapes.anything, "reservation": shapes.text,
}  # fmt: skip


def _usage(problems: Problems, node: Node) -> dict[str, Any]:
    return problems.fields(node, _USAGE, "`usage`")


def _halt(problems: Problems, node: Node) -> dict[str, Any]:
    if node.kind != "object":
        return {"scope": shapes.text(problems, node)}
    known: dict[str, Read] = {
        "scope": shapes.text, "by": shapes.text, "why": shapes.text, "for": shapes.duration,
    }  # fmt: skip
    return problems.fields(node, known, "`halt`")


def _author(problems: Problems, node: Node) -> str | None:
    return problems.choice(node, ("user", "agent"), "who wrote the input,")


EVENTS: dict[str, dict[str, Read]] = {
    "call": {"call": shapes.text, **_CALL, "tool_digest": shapes.text, "hold": shapes.seconds, **_COMMON},
    "result": {"result": shapes.text, "value": shapes.anything, **_CALL, **_COMMON},
    "input": {"input": shapes.text, "by": _author, **_COMMON},
    "output": {"output": shapes.text, **_COMMON},
    "usage": {"usage": _usage, **_COMMON},
    "done": {"done": shapes.text, **_CALL, **_COMMON},
    "failed": {"failed": shapes.text, **_CALL, **_COMMON},
    "not_run": {"not_run": shapes.text, **_CALL, **_COMMON},
}
"""The key that makes a step an event -> the keys that it may have."""

OTHERS: dict[str, dict[str, Read]] = {
    "advance": {"advance": shapes.duration},
    "at": {"at": shapes.moment},
    "halt": {"halt": _halt},
    "resume": {"resume": shapes.text},
    "limits": {"limits": limits_of},
}
"""The steps that are no event."""

STEPS = EVENTS | OTHERS
_OUTCOMES = {"done": "ok", "failed": "failed", "not_run": "not run"}
_KEYS = {name: None for keys in STEPS.values() for name in keys}


class Steps:
    """Reads the steps of cases that share `fixtures`."""

    def __init__(self, problems: Problems, fixtures: Fixtures) -> None:
        self.problems = problems
        self.fixtures = fixtures

    def step(self, node: Node) -> Step | None:
        """One step of a list, or a case that is one step; None where it is none."""
        if node.kind != "object":
            self.problems.expected("a step", node, f"such as `- call: TOOL`; steps are {_names(STEPS)}")
            return None
        kinds = [key for key, _ in node.pairs if key.value in STEPS]
        if not kinds:
            self._no_kind(node)
            return None
        kind = kinds[0].value
        known = STEPS[kind]
        found = self.problems.fields(node, known, f"a step with `{kind}`")
        if kind in OTHERS:
            action: Any = kind
            return Step(action, found.get(kind), kinds[0].span, _looks(kind, found, kinds[0]))
        return self._event(kind, found, kinds[0])

    def _no_kind(self, node: Node) -> None:
        for key, _ in node.pairs:
            near = did_you_mean(key.value, _KEYS)
            if key.value not in _KEYS:
                self.problems.say(
                    f"there is no step `{key.value}`", key.span, near or f"steps are {_names(STEPS)}"
                )
                return
        self.problems.say("this step does nothing", node.span, f"it needs one of {_names(STEPS)}")

    def _event(self, kind: str, found: Mapping[str, Any], key: Node) -> Step:
        event = self._named(kind, found, key)
        for name in ("args", "call_id", "tool_digest", "hold", "time", "by"):
            if name in found:
                event[name] = found[name]
        for name in PEOPLE:
            who = self._person(name, found.get(name))
            if who is not None:
                event[name] = who
        event.setdefault("session", SESSION)
        wants: tuple[Want, ...] = found.get("expect", ())
        return Step("event", event, key.span, wants, found.get("repeat", 1), found.get("parallel", 1))

    def _named(self, kind: str, found: Mapping[str, Any], key: Node) -> dict[str, Any]:
        """The event without what all events may have."""
        named = found[kind]
        if kind in _OUTCOMES:
            return {"type": "outcome", "tool": named, "outcome": _OUTCOMES[kind], "args": {}}
        if kind == "usage":
            return {"type": kind, **named}
        if kind in ("input", "output"):
            return {"type": kind, "text": named}
        event = {"type": kind, "tool": named}
        if kind == "result":
            if "value" not in found:
                self.problems.say("a result needs its `value`", key.span, "`value: null` is one too")
            return event | {"result": found.get("value")}
        digest = self.fixtures.digests.get(named)
        return event | {"args": {}} | ({"tool_digest": digest} if digest else {})

    def _person(self, name: str, node: Node | None) -> Any:
        """A principal, agent or session: by the name of a fixture, or written out."""
        known = getattr(self.fixtures, f"{name}s")
        if node is None:
            return self.fixtures.defaults.get(name)
        if node.kind in ("object", "null"):
            return node.plain()
        if node.kind == "text" and node.value in known:
            return known[node.value]
        if name == "session" and node.kind == "text" and not known:
            return node.value
        near = did_you_mean(node.raw, known) if node.raw else ""
        self.problems.say(f"there is no {name} `{node.raw}`", node.span, near or f"name it under `{name}s`")
        return None


def _looks(kind: str, found: Mapping[str, Any], key: Node) -> tuple[Want, ...]:
    return (Want("limits", found["limits"], key.span),) if kind == "limits" else ()


def _names(known: Mapping[str, Any]) -> str:
    return ", ".join(f"`{name}`" for name in known)
