"""`guard halt`, `guard resume` and `guard halts`: who is stopped, what is said of it, and what is wrong."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from counting import Pay, pay

__all__ = ["pay"]

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@pytest.mark.parametrize(
    "scope", [None, "all", "tool:pay", "tool:p*", "principal:ana", "session:s1", "agent:scout"]
)
def test_a_halt_stops_the_next_check_until_it_is_lifted(pay: Pay, scope: str | None) -> None:
    words = ("--agent", '{"id": "scout"}')
    given = [scope] if scope else []
    assert pay(*words).code == 0
    halted = pay.guard("halt", *given, "--by", "eve", "--why", "wrong prices")
    assert (halted.code, halted.err) == (0, "")
    stopped = pay(*words)
    assert stopped.code == 20
    assert "was halted by eve: wrong prices" in stopped.out
    assert pay.guard("resume", *given).code == 0
    assert pay(*words).code == 0


def test_a_halt_stops_nobody_else(pay: Pay) -> None:
    for scope in ("tool:fetch", "tool:pay*x", "principal:bob", "session:s2", "agent:scout"):
        assert pay.guard("halt", scope, "--why", "test").code == 0
    assert pay().code == 0


def test_a_policy_that_counts_nothing_is_stopped_too(pay: Pay) -> None:
    words = ("check", "plain.guard", "--call", "pay")
    assert pay.guard(*words).code == 0
    pay.guard("halt", "--by", "eve", "--why", "test")
    assert pay.guard(*words).code == 20


def test_a_session_that_a_policy_halts_stays_halted(pay: Pay, tmp_path: Path) -> None:
    def fine(*words: str) -> int:
        return pay.guard("check", "p.guard", "--output", "fine", *words).code

    stop = ("check", "p.guard", "--call", "stop")
    assert pay.guard(*stop).code == 30
    assert not (tmp_path / "state").exists()
    assert pay.guard(*stop, "--session", "s1").code == 30
    assert [fine("--session", "s1"), fine("--session", "s2"), fine()] == [20, 0, 0]
    (scope,) = (halt["scope"] for halt in json.loads(pay.guard("halts", "--format", "json").out)["halts"])
    assert scope == "session:s1"
    assert pay.guard("resume", scope).code == 0
    assert fine("--session", "s1") == 0


def test_a_stream_goes_by_what_it_halts(pay: Pay) -> None:
    stop = {"type": "call", "tool": "stop", "args": {}}
    fine = {"type": "output", "text": "fine"}
    events = [
        fine | {"session": "a"},
        stop | {"session": "a"},
        fine | {"session": "a"},
        fine | {"session": "b"},
    ]
    stream = "".join(json.dumps(event) + "\n" for event in events)
    result = pay.guard("check", "p.guard", "--events", "-", "--format", "text", stdin=stream)
    assert [line.split()[1] for line in result.out.splitlines()] == ["allow", "halt", "deny", "allow"]


def test_halts_are_listed(pay: Pay) -> None:
    assert pay.guard("halts").out.startswith("nothing is halted in sqlite://")
    pay.guard("halt", "tool:pay", "--by", "eve", "--why", "prices\x1b[2J", "--for", "2h")
    pay.guard("halt", "agent:a", "--by", "ana", "--why", "test")
    found = json.loads(pay.guard("halts", "--format", "json").out)["halts"]
    assert [(each["scope"], each["who"], each["why"]) for each in found] == [
        ("agent:a", "ana", "test"), ("tool:pay", "eve", "prices\x1b[2J"),
    ]  # fmt: skip
    assert found[0]["until"] is None
    assert all(ISO.fullmatch(found[1][name]) for name in ("since", "until"))
    lines = [ISO.sub("TIME", line) for line in pay.guard("halts").out.splitlines()]
    assert lines == [
        "`agent:a` by ana since TIME: test",
        "`tool:pay` by eve since TIME until TIME: prices<U+001B>[2J",
    ]


def test_a_halt_is_told_as_data(pay: Pay) -> None:
    done = json.loads(pay.guard("halt", "--why", "test", "--format", "json", "--store", "sqlite:x.db").out)
    assert (done["store"], done["halt"]["scope"], done["halt"]["until"]) == ("sqlite:x.db", "all", None)
    assert done["halt"]["who"]
    lifted = json.loads(pay.guard("resume", "--format", "json", "--store", "sqlite:x.db").out)
    assert lifted == {"store": "sqlite:x.db", "scope": "all", "resumed": True, "halted": []}


@pytest.mark.skipif(os.name != "posix", reason="users of POSIX")
def test_whoever_does_not_say_is_the_user_of_the_machine(pay: Pay, monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    monkeypatch.setenv("USER", "somebody-else")
    halt = json.loads(pay.guard("halt", "--why", "test", "--format", "json").out)["halt"]
    assert halt["who"] == pwd.getpwuid(os.getuid()).pw_name


def test_lifting_what_is_not_halted_says_what_is(pay: Pay) -> None:
    pay.guard("halt", "tool:pay", "--why", "test")
    result = pay.guard("resume")
    assert result.code == 1
    assert result.out.startswith("there is no halt of `all` in sqlite://")
    assert result.out.endswith("; still halted: `tool:pay`\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("halt",), "missing option `--why`"),
        (("halt", "--why", " "), "`--why` needs a reason"),
        (("halt", "everything", "--why", "x"), "`everything` names nothing to halt"),
        (("halt", "tool:", "--why", "x"), "`tool:` names nothing to halt"),
        (("resume", "everything"), "`everything` names nothing to halt"),
        (("halt", "--why", "x", "--for", "soon"), "`--for` takes a time such as `30m` or `2h`, not `soon`"),
        (("halt", "--why", "x", "--for", "0s"), "`--for` takes a time"),
        (("halt", "--why", "x", "--for", "5kb"), "`--for` takes a time"),
        (("halt", "--why", "x", "--store", "memory:"), "`memory:` is seen by one process only"),
        (("halts", "--store", "memory:"), "`memory:` is seen by one process only"),
        (("halts", "--store", "nonsense"), "`nonsense` names no store"),
        (("limits",), "a policy file is needed"),
        (("limits", "pay.guard", "--store", "memory:"), "`memory:` is seen by one process only"),
    ],
)
def test_a_wrong_command_is_a_usage_error(pay: Pay, words: tuple[str, ...], message: str) -> None:
    result = pay.guard(*words)
    assert (result.code, result.out) == (64, "")
    assert message in result.err


@pytest.mark.parametrize(
    "words",
    [("halt", "--why", "x"), ("resume",), ("halts",), ("limits", "pay.guard")],
    ids=lambda words: words[0],
)
def test_a_store_that_does_not_answer_is_an_error(pay: Pay, words: tuple[str, ...]) -> None:
    result = pay.guard(*words, "--store", "redis://ana:secret@127.0.0.1:1")
    assert (result.code, result.out) == (74, "")
    assert "cannot be used" in result.err
    assert "secret" not in result.err


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("guard hal", ["halt", "halts"]),
        ("guard halt a", ["all", "agent:"]),
        ("guard resume s", ["session:"]),
        ("guard limits --s", ["--session", "--store"]),
    ],
)
def test_the_shell_completes_commands_and_scopes(
    pay: Pay, monkeypatch: pytest.MonkeyPatch, words: str, found: list[str]
) -> None:
    monkeypatch.setenv("_GUARD_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    with pytest.raises(SystemExit):
        pay.guard()
    assert [line.partition(",")[2] for line in pay.guard.printed().splitlines()] == found
