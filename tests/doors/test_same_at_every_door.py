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
from recorded_day import POLICY, recorded
from seen import Seen

SCRIPT = Path(sys.executable).with_name("guard")


@pytest.fixture(scope="module")
def day() -> list[dict[str, Any]]:
    return recorded()


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("GUARD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GUARD_CACHE", str(tmp_path / "cache"))
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


def compared(door: doors.Door, policy: Path, day: list[dict[str, Any]]) -> Counter[str]:
    """How often each outcome was seen at both; fails at the first difference. A result is told only of a call that
    went on."""
    direct, ran, counts = doors.Direct(policy), set[str](), Counter[str]()
    try:
        for number, event in enumerate(day):
            if event["type"] not in door.points:
                continue
            if event["type"] == "result" and event["call_id"] not in ran:
                continue
            wanted = direct.answer(event)
            if event["type"] == "call" and wanted.outcome == "go":
                ran.add(event["call_id"])
            found, expected = door.answer(event), door.fitted(event, wanted)
            assert found == expected, f"event {number}: {event}"
            counts[f"{event['type']} {wanted.outcome}{' changed' if wanted.payload is not None else ''}"] += 1
    finally:
        door.close()
    return counts


def test_the_day_has_everything(policy: Path, day: list[dict[str, Any]]) -> None:
    assert len(day) == 2_000
    counts = compared(doors.Direct(policy), policy, day)
    wanted = {
        "call go", "call go changed", "call ask", "call deny", "call halt", "result go", "result go changed",
        "result deny", "input go", "input go changed", "input deny", "output go", "output go changed", "output deny",
    }  # fmt: skip
    assert set(counts) == wanted
    assert min(counts.values()) >= 5


@pytest.mark.parametrize("door", [doors.Sessions, doors.Awaited, doors.Adapters, doors.ClaudeHook])
def test_in_process(door: type[doors.Door], policy: Path, day: list[dict[str, Any]]) -> None:
    made: Any = door
    assert sum(compared(made(policy), policy, day).values()) > 1_200


@pytest.mark.parametrize("door", [doors.Native, doors.AuthZen, doors.Opa, doors.ClaudeOverHttp])
def test_over_http(
    door: type[doors.Served], server: tuple[int, str], policy: Path, day: list[dict[str, Any]]
) -> None:
    assert sum(compared(door(server[0]), policy, day).values()) > 600


def test_over_frames(server: tuple[int, str], policy: Path, day: list[dict[str, Any]]) -> None:
    assert sum(compared(doors.Frames(server[1]), policy, day).values()) > 1_200


def test_a_door_that_lets_more_through_is_found(policy: Path, day: list[dict[str, Any]]) -> None:
    class Wide(doors.Direct):
        def answer(self, event: dict[str, Any]) -> Seen:
            found = super().answer(event)
            return Seen("go") if found.outcome == "ask" else found

    with pytest.raises(AssertionError, match="event"):
        compared(Wide(policy), policy, day)
