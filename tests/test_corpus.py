"""The decision corpus, on the reference and on the engine: both must give what a person wrote down.

A corpus file is `{"about", "groups": [{"name", "policy", "tools"?, "params"?, "cases"}]}`. A policy is one text
or a list of `{"name", "text"}`. A case is an event and what to expect of it: the outcome, the labels of the
statements that applied, the errors as `[label, kind]` (none when left out), and, where they are named,
`payload`, `shadow` (labels) and `kept` (labels of statements that stand by an error). A case with `past` lists
earlier events of the session, oldest first, as `reference.past` takes them (`ago`: seconds before now). One with
`pending` is one that the engine does not meet yet, with the reason. `{"$float": "nan"}` stands for a number
that JSON cannot write.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import reference

from guardrails.guard import Guard
from guardrails.language.parser import parse
from guardrails.language.schema import Tool, read_tools
from guardrails.model import Decision
from guardrails.runtime.events import session_of
from guardrails.runtime.trace import Trace, call_note, outcome_note, result_note, text_note

NOW = 1_767_225_600_000_000
"""Midnight of 1 January 2026, UTC."""

FILES = sorted(Path(__file__).parent.joinpath("corpus").glob("*.json"))


def special(value: dict[str, Any]) -> Any:
    return float(value["$float"]) if "$float" in value else value


def cases() -> Iterator[Any]:
    for path in FILES:
        for group in json.loads(path.read_text(encoding="utf-8"), object_hook=special)["groups"]:
            for index, case in enumerate(group["cases"]):
                yield pytest.param(group, case, id=f"{path.stem}: {group['name']} [{index}]")


def texts_of(group: dict[str, Any]) -> list[tuple[str, str]]:
    policy = group["policy"]
    return (
        [("policy.guard", policy)]
        if isinstance(policy, str)
        else [(file["name"], file["text"]) for file in policy]
    )


def tool_text(group: dict[str, Any]) -> str | None:
    return json.dumps({"tools": group["tools"]}) if "tools" in group else None


def described(group: dict[str, Any]) -> dict[str, Tool]:
    text = tool_text(group)
    return {tool.name: tool for tool in read_tools(text, "tools.json")[0]} if text else {}


def by_reference(
    group: dict[str, Any], event: dict[str, Any], past: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """The reference's verdict in the words of the corpus."""
    files = []
    for name, text in texts_of(group):
        file, problems = parse(text, name)
        assert file is not None, problems
        files.append(file)
    found = reference.decide(
        files, event, tools=described(group), params=group.get("params", {}), now=NOW, past=past
    )
    return {
        "outcome": found.outcome,
        "labels": sorted(label for label, _, _ in found.applied),
        "errors": sorted(list(error) for error in found.errors),
        "payload": found.payload,
        "shadow": sorted(label for label, _, _ in found.shadow),
        "kept": sorted(label for label, _, kept in (*found.applied, *found.shadow) if kept),
    }


def by_engine(
    group: dict[str, Any], event: dict[str, Any], past: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """The engine's decision in the words of the corpus."""
    guard = Guard.from_text(texts_of(group), tools=tool_text(group), params=group.get("params", {}))
    if past is None:
        return in_words(guard.decide(event, now=NOW))
    subject = guard.subject(event.get("principal", {}), event.get("agent", {}), session_of(event))
    subject.trace = trace_of(past)
    if event["type"] == "call":
        return in_words(guard.engine.call(event["tool"], event["args"], subject, NOW))
    if event["type"] == "result":
        return in_words(guard.engine.result(event["tool"], event.get("args"), event["result"], subject, NOW))
    return in_words(guard.engine.text(event["type"], event["text"], subject, NOW))


def trace_of(past: list[dict[str, Any]]) -> Trace:
    """The past as the engine knows it: by the notes that were written of it."""
    trace = Trace()
    for number, event in enumerate(past, 1):
        trace.add(number, note_of(event))
    return trace


def note_of(event: dict[str, Any]) -> str:
    kind, at, call_id = event["type"], event["at"], event.get("call_id")
    if kind in {"input", "output"}:
        return text_note(kind, event["text"], at)
    tool, args = event["tool"], event.get("args", {})
    if kind == "call":
        return call_note(tool, args, at, call_id)
    if kind == "result":
        return result_note(tool, args, event["result"], at, call_id)
    return outcome_note(tool, args, ok=event["outcome"] == "ok", at=at, call_id=call_id)


def past_of(case: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The earlier events of a case with their times; a second apart where nothing is said."""
    if "past" not in case:
        return None
    events = case["past"]
    return [
        {**event, "at": NOW - round(event.get("ago", len(events) - index) * 1_000_000)}
        for index, event in enumerate(events)
    ]


def in_words(decision: Decision) -> dict[str, Any]:
    return {
        "outcome": str(decision.outcome),
        "labels": sorted(applied.label or str(applied.place) for applied in decision.applied),
        "errors": sorted({(plain_name(error.statement), error.kind) for error in decision.errors}),
        "payload": decision.payload,
        "shadow": sorted(applied.label or str(applied.place) for applied in decision.shadow),
        "kept": sorted(
            applied.label or str(applied.place)
            for applied in (*decision.applied, *decision.shadow)
            if applied.kept_by_error
        ),
    }


def plain_name(statement: str) -> str:
    """`policy.label` without the policy; a place stays as it is."""
    return statement.rpartition(".")[2] if ":" not in statement else statement


def check(found: dict[str, Any], expected: dict[str, Any]) -> None:
    expected = {"errors": [], **expected}
    found = {**found, "errors": [list(error) for error in found["errors"]]}
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(("group", "case"), list(cases()))
def test_reference(group: dict[str, Any], case: dict[str, Any]) -> None:
    check(by_reference(group, case["event"], past_of(case)), case["expect"])


@pytest.mark.parametrize(("group", "case"), list(cases()))
def test_engine(group: dict[str, Any], case: dict[str, Any], request: pytest.FixtureRequest) -> None:
    if "pending" in case:
        request.applymarker(pytest.mark.xfail(reason=case["pending"], strict=True))
    check(by_engine(group, case["event"], past_of(case)), case["expect"])


def test_the_corpus_is_large_enough() -> None:
    assert len(list(cases())) >= 300
