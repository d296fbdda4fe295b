"""Several processes and one store: nobody gets more than the limit, and a halt reaches everybody."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest
from command_line import Command
from counting import Pay, pay
from parser_tables import with_tables
from test_process import SCRIPT, run_process

__all__ = ["pay"]

CALL = [
    "check",
    "pay.guard",
    "--call",
    "pay",
    "--args",
    '{"customer": "c1", "amount": 1}',
    "--principal",
    '{"id": "a"}',
    "--session",
    "s",
]


@pytest.fixture(params=["sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite://{tmp_path}/shared.db"
    return f"{request.getfixturevalue('redis_url')}?timeout=10&prefix=test-{uuid4().hex}"


@pytest.fixture(autouse=True)
def tables(guard: Command, tmp_path: Path) -> None:
    """What a process would work out for itself before it asks the store."""
    with_tables(tmp_path / "cache")


def test_processes_at_the_same_time_share_a_limit(pay: Pay, store: str) -> None:
    run_process("compile", "pay.guard")
    words = [str(SCRIPT), *CALL, "--store", store]
    running = [subprocess.Popen(words, stdout=subprocess.DEVNULL) for _ in range(5)]
    assert sorted(process.wait(60) for process in running) == [0, 0, 20, 20, 20]
    found = json.loads(run_process("limits", "pay.guard", "--store", store, "--format", "json").stdout)
    assert {each["used"] for each in found["limits"] if each["statement"] == "pay.daily"} == {2}


def test_a_session_goes_on_in_another_process(pay: Pay, store: str) -> None:
    def fetched(outcome: str) -> int:
        call = {"type": "call", "tool": "fetch", "args": {}, "session": "s1", "call_id": uuid4().hex}
        call["principal"] = {"id": "ana"}
        code = run_process("check", "pay.guard", "--store", store, input=json.dumps(call).encode()).returncode
        told = call | {"type": "outcome", "outcome": outcome}
        run_process("check", "pay.guard", "--store", store, input=json.dumps(told).encode())
        return code

    assert [fetched("failed") for _ in range(3)] == [0, 0, 20]
    shown = run_process("limits", "pay.guard", "--store", store, "--format", "json")
    (breaker,) = (each for each in json.loads(shown.stdout)["limits"] if each["kind"] == "breaker")
    assert (breaker["state"], breaker["failures"]) == ("open", 2)
    assert 0 < breaker["retry_in"] <= 30


def test_a_halt_in_one_process_stops_the_next_check_of_another(pay: Pay, store: str) -> None:
    plain = ["check", "plain.guard", "--call", "pay", "--store", store]
    assert run_process(*CALL, "--store", store).returncode == 0
    assert run_process("halt", "tool:pay", "--why", "test", "--store", store).returncode == 0
    assert [run_process(*words, "--store", store).returncode for words in (CALL, plain[:-2])] == [20, 20]
    assert b"tool:pay" in run_process("halts", "--store", store).stdout
    assert run_process("resume", "tool:pay", "--store", store).returncode == 0
    assert run_process(*plain).returncode == 0
