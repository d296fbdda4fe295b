"""Law L7 at the doors: the same recorded day, through every way in, gives the same decisions."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import doors
import pytest
from parser_tables import with_tables
from recorded_day import POLICY, Event, recorded
from seen import Seen

SCRIPT = Path(sys.executable).with_name("guard")


@pytest.fixture(scope="module")
def day() -> tuple[Event, ...]:
    return tuple(recorded())


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("GUARD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GUARD_CACHE", with_tables(tmp_path / "cache"))
    (tmp_path / "doors.guard").write_text(POLICY)
    return tmp_path / "doors.guard"


@pytest.fixture
def server(policy: Path) -> Iterator[tuple[int, str]]:
    """`guard serve`: its port, and the path of its frames."""
    frames = f"{policy.parent}/frames.sock"
    words = [str(SCRIPT), "serve", str(policy), "--bind", "127.0.0.1:0", "--frames", f"unix:{frames}"]
    process = subprocess.Popen([*words, "--store", "memory:"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        address = next(line for line in lines if "http" in line)
        yield int(address.strip().rsplit(":", 1)[1]), frames
    finally:
        process.terminate()
        process.wait(30)


def direct(policy: Path, points: frozenset[str], day: tuple[Event, ...]) -> list[tuple[Event, Seen]]:
    """What `Guard.decide` says to the events of these points. A result is told only of a call that went on."""
    key = (POLICY, points)
    if key not in _DIRECT:
        _DIRECT[key] = list(_decided(doors.Direct(policy), points, day))
    return _DIRECT[key]


_DIRECT: dict[tuple[str, frozenset[str]], list[tuple[Event, Seen]]] = {}


def _decided(
    door: doors.Door, points: frozenset[str], day: tuple[Event, ...]
) -> Iterator[tuple[Event, Seen]]:
    ran = set[str]()
    for event in day:
        if event["type"] not in points or (event["type"] == "result" and event["call_id"] not in ran):
            continue
        found = door.answer(event)
        if event["type"] == "call" and found.outcome == "go":
            ran.add(event["call_id"])
        yield event, found


def compared(door: doors.Door, policy: Path, day: tuple[Event, ...]) -> Counter[str]:
    """How often each outcome was seen at both; fails at the first difference."""
    counts = Counter[str]()
    try:
        for event, wanted in direct(policy, door.points, day):
            found, expected = door.answer(event), door.fitted(event, wanted)
            assert found == expected, f"event {event}"
            counts[f"{event['type']} {wanted.outcome}{' changed' if wanted.payload is not None else ''}"] += 1
    finally:
        door.close()
    return counts


def test_the_day_has_everything(policy: Path, day: tuple[Event, ...]) -> None:
    counts = compared(doors.Direct(policy), policy, day)
    assert counts.total() >= 2_000
    wanted = {
        "call go", "call go changed", "call ask", "call deny", "call halt", "result go", "result go changed",
        "result deny", "input go", "input go changed", "input deny", "output go", "output go changed", "output deny",
    }  # fmt: skip
    assert set(counts) == wanted
    assert min(counts.values()) >= 5


@pytest.mark.parametrize("door", [doors.Sessions, doors.Awaited, doors.Adapters, doors.ClaudeHook])
def test_in_process(door: type[doors.Door], policy: Path, day: tuple[Event, ...]) -> None:
    made: Any = door
    assert sum(compared(made(policy), policy, day).values()) >= 2_000


@pytest.mark.parametrize("door", [doors.Native, doors.AuthZen, doors.Opa, doors.ClaudeOverHttp])
def test_over_http(
    door: type[doors.Served], server: tuple[int, str], policy: Path, day: tuple[Event, ...]
) -> None:
    assert sum(compared(door(server[0]), policy, day).values()) >= 900


def test_over_frames(server: tuple[int, str], policy: Path, day: tuple[Event, ...]) -> None:
    assert sum(compared(doors.Frames(server[1]), policy, day).values()) >= 2_000


@pytest.mark.parametrize("door", [doors.Gateway, doors.GatewayOfNewEra])
def test_through_the_mcp_gateway(door: type[doors.Gateway], policy: Path, day: tuple[Event, ...]) -> None:
    assert sum(compared(door(policy, day), policy, day).values()) >= 1_400


def test_a_door_that_lets_more_through_is_found(policy: Path, day: tuple[Event, ...]) -> None:
    class Wide(doors.Direct):
        def answer(self, event: Event) -> Seen:
            found = super().answer(event)
            return Seen("go") if found.outcome == "ask" else found

    with pytest.raises(AssertionError, match="event"):
        compared(Wide(policy), policy, day)
