"""What goes wrong around the server: workers, stores, disks, clocks. Nothing is let through, and nothing is lost."""

from __future__ import annotations

import http.client
import os
import resource
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from redis_program import free_port, redis_program, start_redis
from served import SCRIPT, Served

from guardrails import Guard
from guardrails.server.keys import LOCAL
from guardrails.server.service import Service

LIMITED = """\
policy limited
type principal { id: string }
on call pay { allow; daily: limit 2 per 1d by principal.id }
on call look { allow }
"""
SLOW = """\
from time import sleep
from guardrails import function

@function(pure=False, budget=10.0)
def takes_a_while(name: str) -> bool:
    sleep(3)
    return True
"""
ANA = {"principal": {"id": "ana"}, "session": "s"}


@pytest.fixture
def folder(folder: Path) -> Path:
    (folder / "limited.guard").write_text(LIMITED)
    return folder


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    end = monotonic() + seconds
    while monotonic() < end:
        if found := condition():
            return found
        sleep(0.05)
    raise AssertionError("it does not happen")


def workers_of(server: Served) -> list[int]:
    found = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
    return [int(each) for each in found.split()]


# --- workers -----------------------------------------------------------------------------------


def test_a_worker_is_killed_with_requests_under_way(serve: Any, folder: Path) -> None:
    (folder / "slowly.py").write_text(SLOW)
    (folder / "slow.guard").write_text(
        LIMITED.replace("look { allow }", "look { allow when takes_a_while(tool.name) }")
    )
    server = serve(
        "slow.guard", "--workers", "2", "--store", f"sqlite://{folder}/g.db", "--functions", "slowly",
        PYTHONPATH=str(folder),
    )  # fmt: skip
    ended: list[str] = []

    def ask() -> None:
        try:
            ended.append(server.call("look", {}, **ANA)["outcome"])
        except (http.client.HTTPException, OSError):
            ended.append("nothing")

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for each in threads:
        each.start()
    sleep(0.7)
    before = workers_of(server)
    for worker in before:
        os.kill(worker, signal.SIGKILL)
    for each in threads:
        each.join()
    assert ended == ["nothing"] * 4
    until(lambda: len(set(workers_of(server)) - set(before)) == 2)
    assert server.call("pay", {}, **ANA)["outcome"] == "allow"
    code, err = server.stop()
    assert (code, err.count("another one takes its place")) == (0, 2)


def test_what_a_killed_worker_held_comes_back_when_it_runs_out(serve: Any, folder: Path) -> None:
    server = serve("limited.guard", "--workers", "2", "--store", f"sqlite://{folder}/g.db")
    for number in range(2):
        held = server.call("pay", {}, hold=1.5, call_id=f"c{number}", **ANA)
        assert (held["outcome"], bool(held["reservation"])) == ("allow", True)
    for worker in workers_of(server):
        os.kill(worker, signal.SIGKILL)
    until(lambda: len(workers_of(server)) == 2)
    assert server.call("pay", {}, call_id="c9", **ANA)["outcome"] in ("allow", "deny")
    assert until(lambda: server.call("pay", {}, **ANA)["outcome"] == "allow")
    assert [server.call("pay", {}, **ANA)["outcome"] for _ in range(2)][-1] == "deny"


# --- the store ---------------------------------------------------------------------------------


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts a Redis on the same port, with the same data, again and again."""
    program, port, home = redis_program(), free_port(), tmp_path / "redis"
    home.mkdir()
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        started.append(start_redis(program, port, home))
        return started[-1]

    start.port = port  # type: ignore[attr-defined]
    yield start
    for each in started:
        each.kill()
        each.wait()


def test_the_store_goes_away_and_comes_back(serve: Any, redis: Any) -> None:
    store = redis()
    server = serve("limited.guard", "--store", f"redis://127.0.0.1:{redis.port}/0")
    assert server.call("pay", {}, principal={"id": "ana"})["outcome"] == "allow"
    assert server.get("/ready").status == 200
    store.kill()
    store.wait()
    sleep(0.1)  # for so long at most the halts are not asked for again
    for tool in ("pay", "look"):
        away = server.call(tool, {}, principal={"id": "ana"})
        assert (away["outcome"], {each["kind"] for each in away["errors"]}) == ("deny", {"unavailable"})
        reply = server.post("/v1/check", {"type": "call", "tool": tool, "args": {}, **ANA})
        assert (reply.status, reply.code) == (503, "unavailable")
    assert server.get("/ready").status == 503
    assert server.get("/health").status == 200
    redis()
    until(lambda: server.get("/ready").status == 200)
    outcomes = [server.call("pay", {}, principal={"id": "ana"})["outcome"] for _ in range(2)]
    assert outcomes == ["allow", "deny"]


# --- the disk ----------------------------------------------------------------------------------


def test_the_disk_of_the_log_is_full(serve: Any, folder: Path) -> None:
    (folder / "logged.guard").write_text("policy logged\naudit durable\non call ping { allow }\n")
    server = serve("logged.guard", "--audit", f"file://{folder}/log")
    assert server.call("ping", {})["outcome"] == "allow"
    size = max(part.stat().st_size for part in (folder / "log").glob("*.jsonl"))
    whole = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size + 1_500, whole[1]))
    found = [server.call("ping", {}) for _ in range(8)]
    outcomes = [each["outcome"] for each in found]
    assert outcomes[-1] == "deny"
    assert outcomes == sorted(outcomes)
    assert "could not be written to the audit log" in found[-1]["message"]
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, whole)
    until(lambda: server.call("ping", {})["outcome"] == "allow")
    code, err = server.stop()
    assert (code, "mistake" in err) == (0, False), err
    records = "".join(part.read_text() for part in (folder / "log").glob("*.jsonl"))
    told = outcomes.count("allow") + 2
    assert records.count('"tool": "ping"') + records.count('"tool":"ping"') >= told
    verified = subprocess.run(
        [str(SCRIPT), "audit", "verify", "--audit", f"file:{folder}/log"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert verified.stdout.startswith("sound"), verified


# --- the clock ---------------------------------------------------------------------------------

DAY = 86_400_000_000


class Jumping:
    """A clock that is set by the test, in microseconds."""

    def __init__(self) -> None:
        self.at = 1_800_000_000_000_000

    def now(self) -> int:
        return self.at


def test_a_clock_that_jumps_loosens_nothing(tmp_path: Path) -> None:
    clock = Jumping()
    guard = Guard.from_text(LIMITED, clock=clock, store=f"sqlite://{tmp_path}/g.db")
    service = Service(guard)

    def pay() -> str:
        event = {"type": "call", "tool": "pay", "args": {}, **ANA}
        return str(service.decided(event, LOCAL).outcome)

    assert [pay() for _ in range(3)] == ["allow", "allow", "deny"]
    for jump in (-3 * DAY, -1, 3 * DAY, DAY // 2, -DAY):
        clock.at += jump
        assert pay() == "deny", jump
    clock.at += 3 * DAY
    assert [pay() for _ in range(3)] == ["allow", "allow", "deny"]
    service.close()


def test_a_hold_ends_by_the_store_s_clock_whichever_way_it_jumps(tmp_path: Path) -> None:
    clock = Jumping()
    service = Service(Guard.from_text(LIMITED, clock=clock, store=f"sqlite://{tmp_path}/g.db"))

    def pay(**more: Any) -> str:
        event = {"type": "call", "tool": "pay", "args": {}, **ANA, **more}
        return str(service.decided(event, LOCAL).outcome)

    assert [pay(hold=60, call_id=str(number)) for number in range(3)] == ["allow", "allow", "deny"]
    clock.at -= 3600_000_000
    assert pay() == "deny"
    clock.at += 3600_000_000 + 61_000_000
    assert [pay(), pay(), pay()] == ["allow", "allow", "deny"]
    service.close()


# --- the whole machine -------------------------------------------------------------------------


def test_the_server_is_killed_and_started_again(serve: Any, folder: Path) -> None:
    path = folder / "guard.sock"
    words = ("limited.guard", "--store", f"sqlite://{folder}/g.db")
    first = serve(*words, binds=(f"unix:{path}",))
    assert [first.call("pay", {}, **ANA)["outcome"] for _ in range(2)] == ["allow", "allow"]
    first.process.kill()
    first.process.wait()
    assert path.exists()
    second = serve(*words, binds=(f"unix:{path}",))
    assert second.call("pay", {}, **ANA)["outcome"] == "deny"


def test_the_policy_file_is_gone(serve: Any, folder: Path) -> None:
    server = serve("plain.guard")
    shutil.move(folder / "plain.guard", folder / "away")
    until(lambda: server.get("/v1/policy").json["problem"])
    assert server.call("ping", {})["outcome"] == "allow"
    assert server.call("slow", {})["outcome"] == "deny"
    shutil.move(folder / "away", folder / "plain.guard")
    until(lambda: server.get("/v1/policy").json["problem"] is None)


def test_workers_end_when_their_parent_is_killed(serve: Any, folder: Path) -> None:
    path = folder / "guard.sock"
    words = ("limited.guard", "--store", f"sqlite://{folder}/g.db")
    server = serve(*words, "--workers", "2", binds=(f"unix:{path}",))
    workers = workers_of(server)
    assert len(workers) == 2
    assert server.call("look", {}, **ANA)["outcome"] == "allow"
    server.process.kill()
    server.process.wait()
    until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
    again = serve(*words, binds=(f"unix:{path}",))
    assert again.call("look", {}, **ANA)["outcome"] == "allow"
