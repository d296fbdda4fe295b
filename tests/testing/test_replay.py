"""Replay: what a change of a policy changes for recorded events, and the command that says so."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from guardrails.cli.replay import command

from guardrails import EventError, Guard
from guardrails.testing.replay import Change, Replay

OLD = """policy p
on call pay {
  size: threshold args.n {
    up to 10: allow
    up to 20: ask boss
    above: deny
  }
  euros: require args.unit == "EUR"
  mark: flag seen
}
on result read {
  cards: redact /[0-9]{4}/
}
"""


def pay(n: int, unit: str = "EUR") -> dict[str, Any]:
    return {"type": "call", "tool": "pay", "args": {"n": n, "unit": unit}}


READ = {"type": "result", "tool": "read", "result": "number 1234 and abc"}


def review(new: str, *events: dict[str, Any], old: str = OLD) -> Replay:
    replay = Replay(Guard.from_text(new), Guard.from_text(old))
    for line, event in enumerate(events, 1):
        replay.decide(line, event)
    return replay


def changes(new: str, *events: dict[str, Any]) -> list[tuple[str, str, str]]:
    found = review(new, *events).review.changes
    return sorted((change.direction, change.statement, change.how) for change in found)


CHANGED = {
    "nothing": (OLD, [pay(5), READ], []),
    "a line that moved is no change": (OLD.replace("policy p\n", "policy p\n# more\n\n"), [pay(5), READ], []),
    "a higher row": (
        OLD.replace("up to 10", "up to 15"),
        [pay(12)],
        [("loosened", "p.size", "ask -> allow"), ("loosened", "p.size", "no longer: approval by 1 of boss")],
    ),
    "a lower row": (
        OLD.replace("up to 20", "up to 15"), [pay(18)], [("tightened", "p.size", "ask -> deny")],
    ),
    "a statement that is gone": (
        OLD.replace('  euros: require args.unit == "EUR"\n', ""),
        [pay(5, "USD"), pay(5)],
        [("loosened", "p.euros", "deny -> allow, no longer applies")],
    ),
    "a statement that is new": (
        OLD.replace("  mark:", "  even: deny when args.n == 4\n  mark:"),
        [pay(4), pay(5)],
        [("tightened", "p.even", "allow -> deny, applies now")],
    ),
    "an obligation that is gone": (
        OLD.replace("  mark: flag seen\n", ""),
        [pay(5)],
        [("loosened", "p.mark", "no longer: obligation flag name=seen")],
    ),
    "a redaction that is gone": (
        OLD.replace("  cards: redact /[0-9]{4}/\n", ""), [READ], [("loosened", "p.cards", "no longer: transform redact")],
    ),
    "a redaction that leaves more": (
        OLD.replace("{4}", "{5}"), [READ], [("loosened", "p.cards", "the payload comes out otherwise")],
    ),
    "a denial by one more statement": (
        OLD.replace("  mark:", "  more: deny when args.n > 50\n  mark:"), [pay(99)], [("other", "p.more", "applies now")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGED)
def test_a_change_is_told_by_statement(name: str) -> None:
    new, events, expected = CHANGED[name]
    assert changes(new, *events) == sorted(expected)


def test_counts_and_the_first_example() -> None:
    replay = review(OLD.replace("up to 10", "up to 15"), pay(1), pay(11), pay(12), pay(99))
    found = replay.review
    assert dict(found.outcomes) == {"allow": 3, "deny": 1}
    assert dict(found.before) == {"allow": 1, "ask": 2, "deny": 1}
    tally = found.changes[Change("loosened", "p.size", "ask -> allow", "pay")]
    assert (tally.count, tally.example.line, tally.example.event["args"]["n"]) == (2, 2, 11)
    assert found.changed == {"loosened": 2}


def test_an_event_can_be_looser_and_stricter() -> None:
    new = OLD.replace("  mark: flag seen\n", "  other: flag more\n")
    assert review(new, pay(5)).review.changed == {"loosened": 1, "tightened": 1}


def test_limits_count_by_the_time_of_the_events_and_apart_for_each_policy() -> None:
    limited = "policy p\non call pay {\n  allow\n  few: limit {n} per 1d\n}\n"
    event = {"type": "call", "tool": "pay", "args": {}, "session": "s"}
    days = [{**event, "time": f"2026-01-0{day}T12:00:00Z"} for day in (1, 1, 3)]
    untimed = [event]
    replay = review(limited.replace("{n}", "1"), *days, *untimed, old=limited.replace("{n}", "2"))
    assert dict(replay.review.outcomes) == {"allow": 2, "deny": 2}
    assert dict(replay.review.before) == {"allow": 4}


def test_a_malformed_event_is_not_counted() -> None:
    replay = Replay(Guard.from_text(OLD))
    with pytest.raises(EventError):
        replay.decide(1, {"type": "call"})
    assert replay.review.events == 0


def test_memory_does_not_grow_with_the_recording() -> None:
    """What is kept after 200 events and after 3,000 is the same but for a few kilobytes."""
    replay = Replay(Guard.from_text(OLD.replace("up to 10", "up to 15")), Guard.from_text(OLD))

    def feed(first: int, last: int) -> int:
        for line in range(first, last):
            replay.decide(line, {**pay(line % 30), "call_id": f"call-{line}"})
        return tracemalloc.get_traced_memory()[0]

    feed(0, 200)  # what is made once, such as compiled code, is not counted
    tracemalloc.start()
    try:
        before = feed(200, 400)
        after = feed(400, 3_000)
    finally:
        tracemalloc.stop()
    assert after - before < 64_000


# --- the command -------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "old.guard").write_text(OLD, encoding="utf-8")
    (tmp_path / "new.guard").write_text(OLD.replace("up to 10", "up to 15"), encoding="utf-8")
    (tmp_path / "strict.guard").write_text(OLD.replace("up to 10", "up to 5"), encoding="utf-8")
    lines = [json.dumps(pay(n)) for n in (1, 12, 99)]
    (tmp_path / "events.jsonl").write_text("\n".join([*lines, ""]), encoding="utf-8")
    (tmp_path / "broken.jsonl").write_text(
        "\n".join([lines[0], "{", '{"type": "x"}', lines[1]]), encoding="utf-8"
    )
    return tmp_path


def run(folder: Path, policy: str, *words: str) -> tuple[int, str]:
    """The exit code, and what a person sees, of a replay with a policy."""
    words = (*words, "--policy", policy)
    result = CliRunner().invoke(
        command, [str(folder / w) if w[0].isalpha() and "." in w else w for w in words], standalone_mode=False
    )
    if result.exception is not None:
        raise result.exception
    return result.return_value, result.output


def test_exit_codes(folder: Path) -> None:
    assert run(folder, "old.guard", "events.jsonl")[0] == 0
    assert run(folder, "old.guard", "events.jsonl", "--against", "old.guard")[0] == 0
    assert run(folder, "strict.guard", "events.jsonl", "--against", "old.guard")[0] == 0
    assert run(folder, "new.guard", "events.jsonl", "--against", "old.guard")[0] == 1
    assert run(folder, "new.guard", "broken.jsonl", "--against", "old.guard")[0] == 1
    code, text = run(folder, "new.guard", "broken.jsonl", "--against", "old.guard", "--strict")
    assert code == 65
    assert "broken.jsonl:2: it is not valid JSON" in text
    assert "broken.jsonl:3:" in text
    assert "there is no event type `x`" in text
    assert "2 events: 2 allow" in text


def test_text(folder: Path) -> None:
    text = run(folder, "new.guard", "events.jsonl", "--against", "old.guard")[1]
    assert text.splitlines()[:5] == [
        "3 events: 2 allow (was 1), 0 ask (was 1), 1 deny (was 1)",
        "",
        "Looser than before: 1 event",
        "  p.size on pay",
        "    ask -> allow: 1 event, first in line 2",
    ]


def test_json(folder: Path) -> None:
    data = json.loads(
        run(folder, "new.guard", "events.jsonl", "--against", "old.guard", "--format", "json")[1]
    )
    assert data["changed"] == {"loosened": 1, "tightened": 0, "other": 0}
    assert data["changes"][0]["example"]["event"] == pay(12)
    assert data["changes"][0]["example"]["line"] == 2
    assert data["changes"][0]["tool"] == "pay"


def test_markdown(folder: Path) -> None:
    text = run(folder, "new.guard", "events.jsonl", "--against", "old.guard", "--format", "markdown")[1]
    assert "### Looser than before (1 event)" in text
    assert "| p.size | pay | ask -> allow | 1 |  | line 2: `{" in text
