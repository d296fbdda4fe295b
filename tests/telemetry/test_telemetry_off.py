"""Off by default: nothing is imported, nothing stands around a session, and on or off the decisions are the same."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from telemetry_guards import POLICY, START, Sdk, shop

from guardrails import Guard
from guardrails.decision_json import decision_as_json
from guardrails.runtime.clock import FrozenClock
from guardrails.session import Session


def _imported(code: str, environment: dict[str, str] | None = None) -> set[str]:
    script = f"import sys\n{code}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment
    )
    return set(done.stdout.split())


def test_a_guard_without_telemetry_imports_nothing_of_it() -> None:
    code = (
        f"from guardrails import Guard\nGuard.from_text({POLICY!r}).session().check_call('mail.send', {{}})"
    )
    found = _imported(code)
    assert not [
        name
        for name in found
        if name.startswith(("guardrails.telemetry", "guardrails.observing", "opentelemetry"))
    ]


def test_numbers_need_no_opentelemetry() -> None:
    load = f"Guard.from_text({POLICY!r}, telemetry='metrics')"
    code = f"from guardrails import Guard\n{load}.session().check_call('mail.send', {{}})"
    found = _imported(code)
    assert "guardrails.telemetry" in found
    assert not [name for name in found if name.startswith("opentelemetry")]


def test_the_environment_can_say_it() -> None:
    from os import environ

    code = f"from guardrails import Guard\nguard = Guard.from_text({POLICY!r})\nassert guard.telemetry.prometheus()"
    assert "guardrails.telemetry" in _imported(code, {**environ, "GUARD_TELEMETRY": "metrics"})


@pytest.mark.parametrize("way", ["otel", "otlp"])
def test_a_missing_extra_is_named(way: str) -> None:
    code = (
        "class Missing:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name.split('.')[0] == 'opentelemetry': raise ImportError(name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "from guardrails import Guard\n"
        f"try:\n    Guard.from_text({POLICY!r}, telemetry={way!r})\n"
        "except ImportError as error:\n    print('SAID', str(error).replace(' ', '_'))"
    )
    said = " ".join(_imported(code))
    assert "guard-policy[telemetry]" in said


def test_a_guard_without_telemetry_opens_plain_sessions() -> None:
    assert type(Guard.from_text(POLICY).session()) is Session
    assert type(shop().session()) is not Session


def _decisions(guard: Guard) -> list[Any]:
    session = guard.session(principal={"id": "ana"}, agent={"id": "bot"}, id="s-1")
    found = [session.check_call("refund", {"amount": amount}) for amount in (5, 990, 7, "x", 99, 99)]
    found += [
        session.check_call("wait", {}),
        session.check_call("nobody knows", {}),
        session.check_call("", {}),
    ]
    found += [
        session.check_output("to lena@mail.test"),
        session.check_input("x"),
        session.check_call("stop", {}),
    ]
    found.append(session.check_call("refund", {"amount": 1}))
    return [
        {
            name: value
            for name, value in decision_as_json(each).items()
            if name not in ("reservation", "request", "approval")
        }
        for each in found
    ]


def test_with_telemetry_every_decision_is_the_same() -> None:
    def plain() -> Guard:
        return Guard.from_text(POLICY, clock=FrozenClock(START), store="memory:")

    expected = [_without_ids(each) for each in _decisions(plain())]
    for telemetry in ("metrics", Sdk().telemetry, Sdk(conventions="draft").telemetry):
        assert [_without_ids(each) for each in _decisions(shop(telemetry))] == expected


def _without_ids(value: Any) -> Any:
    """A decision without the ids that are drawn anew each time."""
    import re

    if isinstance(value, str):
        return re.sub(r"[0-9A-Za-z_-]{20,}", "<id>", value)
    if isinstance(value, dict):
        return {name: _without_ids(each) for name, each in value.items()}
    return [_without_ids(each) for each in value] if isinstance(value, list | tuple) else value


def test_a_mistake_in_telemetry_decides_nothing_and_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    guard = shop()
    assert guard.telemetry is not None

    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(guard.telemetry.recorder, "checked", broken)
    assert guard.session(principal={"id": "ana"}).check_call("refund", {"amount": 5}).allowed
    assert 'guard_telemetry_errors_total{error_type="ZeroDivisionError"} 1' in guard.telemetry.prometheus()


def test_watching_twice_counts_once() -> None:
    guard = shop()
    assert guard.telemetry is not None
    guard.telemetry.watch(guard)
    guard.session().check_output("x")
    assert 'guard_point="output",guard_outcome="allow"} 1' in guard.telemetry.prometheus()


def test_two_telemetries_both_see_everything() -> None:
    guard, other = shop(), Sdk()
    assert guard.telemetry is not None
    other.telemetry.watch(guard)
    guard.session().check_output("x")
    assert len(other.spans) == 1
    for telemetry in (guard.telemetry, other.telemetry):
        assert 'guard_point="output",guard_outcome="allow"} 1' in telemetry.prometheus()


def test_a_guard_that_is_gone_is_watched_no_more() -> None:
    import gc

    sdk = Sdk()
    shop(sdk.telemetry)
    gc.collect()
    assert "guard_policy_info" not in sdk.telemetry.prometheus()
