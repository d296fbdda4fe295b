"""Logs in databases as recordings: real ones, with all that a log in files has, and with many writers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from click.testing import CliRunner
from guardrails.cli.problems import Stop
from guardrails.cli.replay import command
from postgres_program import Postgres
from replay_logs import KEY, POLICY, Shop

from guardrails import Guard
from guardrails.runtime.clock import FrozenClock
from guardrails.runtime.usage import Usage
from guardrails.testing.cases import START

pytest.importorskip("cryptography", reason="an audit log seals its bodies")

STEPS = 1_200
SECOND = 1_000_000


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    named = os.environ.get("GUARD_TEST_POSTGRES")
    if named:
        yield named
        return
    started = Postgres()
    yield started.url
    started.remove()


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARD_AUDIT_KEY", KEY)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A log of its own in each database."""
    if request.param == "sqlite":
        return f"sqlite://{tmp_path}/log.db"
    pytest.importorskip("psycopg", reason="the driver of PostgreSQL")
    return f"{request.getfixturevalue('server')}?log={quote(str(tmp_path), safe='')}"


def run(folder: Path, text: str, *words: str) -> tuple[int, Any]:
    policy = folder / "shop.guard"
    policy.write_text(text, encoding="utf-8")
    given = [*words, "--policy", str(policy), "--against", "recorded", "--format", "json"]
    result = CliRunner().invoke(command, given, standalone_mode=False)
    if isinstance(result.exception, Stop):
        return result.exception.code, result.exception.text
    if result.exception is not None:
        raise result.exception
    return result.return_value, json.loads(result.stdout)


def without_places(report: dict[str, Any]) -> str:
    """A report without what differs from one log to the next: places, examples and random ids."""

    def bare(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                name: bare(each)
                for name, each in value.items()
                if name not in ("example", "affected", "files", "shared")
            }
        return [bare(each) for each in value] if isinstance(value, list) else value

    return json.dumps(bare(report), sort_keys=True)


def test_a_log_in_a_database(url: str, tmp_path: Path) -> None:
    """Nothing changes, the totals are those of the same log in files, and another policy is told from it."""
    for place in (url, f"file://{tmp_path}/log"):
        Shop(place, 11, sessions=12).work(STEPS)
    code, report = run(tmp_path, POLICY, url, "--jobs", "1", "--max-changes", "0")
    assert code == 0, report
    assert report["events"] >= STEPS
    assert report["changes"] == []
    _, files = run(tmp_path, POLICY, f"file://{tmp_path}/log", "--jobs", "1", "--max-changes", "0")
    assert without_places(report) == without_places(files)
    _, parts = run(tmp_path, POLICY, url, "--jobs", "2", "--max-changes", "0")
    assert without_places(parts) == without_places(report)
    code, report = run(tmp_path, POLICY.replace("args.amount > 90", "args.amount > 80"), url)
    assert code == 0, "what is stricter is no failure"
    assert "shop.most" in {change["statement"] for change in report["changes"]}


SHARED = """policy shared
on call pay {
  allow
  few: limit 2 per 1d by args.customer
}
on result pay { mine: deny when args.customer == "nobody" }
breaker bank on call pay {
  open after 2 failures in 10m
  retry after 5m
}
on session { budget tokens 1_000 }
"""


def test_many_writers(url: str, tmp_path: Path) -> None:
    """Calls are checked in one process and their results in another, which knows the call by its id or by the
    name of what is held for it; both write one log."""
    clock = FrozenClock(START)
    first, second = (
        Guard.from_text(
            [("shop.guard", SHARED)], clock=clock, audit=url, store=f"sqlite://{tmp_path}/store.db"
        )
        for _ in range(2)
    )
    seen = []
    for number in range(24):
        clock.advance(70 * SECOND)
        sessions = [guard.session(principal={"id": "p"}, id=f"s{number % 3}") for guard in (first, second)]
        args = {"customer": f"c{number % 5}"}
        call_id = f"k{number}" if number % 2 else None
        decision = sessions[0].check_call("pay", args, call_id=call_id, hold=3_600)
        seen.append(decision.outcome.value)
        held = "" if call_id else decision.reservation
        if decision.allowed and number % 4 == 3:
            sessions[1].failed("pay", args, call_id=call_id, decision=decision)
        elif decision.allowed and (held or call_id):
            answer = sessions[1].check_result("pay", {}, args=args, call_id=call_id, reservation=held)
            seen.append(answer.outcome.value)
        seen.append(sessions[number % 2].report(Usage("m", input_tokens=60)).outcome.value)
    for guard in (first, second):
        for observer in guard.observers:
            observer.log.close()  # type: ignore[attr-defined]  # the recorder's
    assert {"allow", "deny"} == set(seen)
    code, report = run(tmp_path, SHARED, url, "--max-changes", "0")
    assert code == 0, report["changes"]
    assert report["changes"] == []
    code, report = run(tmp_path, SHARED.replace("after 2 failures", "after 1 failures"), url)
    assert "shared.bank" in {change["statement"] for change in report["changes"]}


def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    code, text = run(tmp_path, POLICY, f"sqlite://{tmp_path}/gone.db")
    assert code == 64
    assert "there is no audit log at" in text
    pytest.importorskip("psycopg", reason="the driver of PostgreSQL")
    code, text = run(tmp_path, POLICY, "postgresql://guard@127.0.0.1:1/postgres?log=x&connect_timeout=1")
    assert code == 64
    assert "127.0.0.1" in text
