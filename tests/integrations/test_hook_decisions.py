"""The same decision at every door: recorded events of the coding pack, through the hook of each host and without."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from events import CALL

from guardrails import Guard
from guardrails.integrations.contract import Moment
from guardrails.integrations.hosts import HOSTS, host_named
from guardrails.integrations.judging import Setting, judged
from guardrails.model import Decision, Outcome

PACK = Path(__file__).parents[2] / "policies/coding"
FORMS = {"allow": {"go", "change"}, "ask": {"ask", "refuse"}, "deny": {"refuse"}, "halt": {"stop", "refuse"}}


class Bench:
    """Decides without a store, and keeps what was decided."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.decisions: list[Decision] = []

    def decide(self, event: dict[str, Any], *, once: str = "") -> Decision:
        self.decisions.append(self.guard.decide(event))
        return self.decisions[-1]

    def agreed(self, event: dict[str, Any], decision: Decision, *, once: str = "") -> Decision:
        return Decision(Outcome.ALLOW, decision.policy)

    def keep(self, once: str, event: dict[str, Any], text: str) -> None:
        """Nobody tells of an event twice here."""

    def kept(self, once: str, event: dict[str, Any]) -> str:
        return ""

    def held(self, once: str) -> str:
        return ""

    def seal(self, session: str, why: str) -> None:
        raise AssertionError(f"nothing is sealed before a call: {why}")


def told(host: str, event: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """A recorded call in the words of a host; None where it has no such tool."""
    import importlib

    tools = importlib.import_module(f"guardrails.integrations.hosts.{HOSTS[host]}").TOOLS
    for name, tool in tools.items():
        if tool.name != event["tool"] or tool.given or not set(event["args"]) <= set(tool.fields):
            continue
        return name, {tool.fields[key][0]: value for key, value in event["args"].items()}
    return None


def recorded() -> list[dict[str, Any]]:
    lines = (PACK / "events.jsonl").read_text(encoding="utf-8").splitlines()
    return [event for event in map(json.loads, lines) if event["type"] == "call"]


@pytest.fixture(scope="module")
def pack() -> Guard:
    return Guard.load(PACK / "coding.guard")


@pytest.mark.parametrize("host", HOSTS)
def test_recorded_calls_have_the_same_outcome_through_a_host(host: str, pack: Guard) -> None:
    module, setting, compared = host_named(host), Setting({}, {"id": host}), 0
    for event in recorded():
        words = told(host, event)
        if words is None:
            continue
        moment: Moment = module.read(CALL[host](*words) | {"cwd": "/workspace"}, "/workspace")
        if moment.calls[0].tool.startswith("other."):
            continue
        bench = Bench(pack)
        answer = judged(bench, module, moment, setting)
        plain = pack.decide({"type": "call", "tool": event["tool"], "args": event["args"]})
        assert bench.decisions[0].outcome is plain.outcome, (event, moment.calls[0].args)
        assert answer.form in FORMS[plain.outcome.value]
        compared += 1
    assert compared >= 20


@pytest.mark.parametrize("host", HOSTS)
def test_what_a_host_writes_is_what_was_decided(host: str, pack: Guard) -> None:
    """An outcome that is not an allow is a refusal, or a question, in the bytes of the host too."""
    from guardrails.integrations.recorded import is_refusal

    module, setting = host_named(host), Setting({}, {"id": host})
    write: Callable[..., Any] = module.write
    for event in recorded():
        words = told(host, event)
        if words is None:
            continue
        moment = module.read(CALL[host](*words) | {"cwd": "/workspace"}, "/workspace")
        bench = Bench(pack)
        reply = write(moment, judged(bench, module, moment, setting))
        blocked = is_refusal(host, reply.out, reply.err, reply.code) or '"ask"' in reply.out
        assert blocked is not bench.decisions[-1].allowed
