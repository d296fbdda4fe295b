"""Reversible tokens through the engine: among sessions, processes and races, and only where a policy reveals."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from content_cases import KEY

from guardrails import Guard, Outcome

POLICY = """
on result lookup { redact pii(EMAIL_ADDRESS, CREDIT_CARD) with token }
on input { redact pii(EMAIL_ADDRESS) with token }
on call "*" { allow }
reveal in call send.to
reveal in call send.cc.*
"""
ADDRESS = "ana@example.com"


def guard(store: str = "memory:", key: str | None = KEY, policy: str = POLICY) -> Guard:
    return Guard.from_text(policy, store=store, key=key)


def token_of(one: Guard, session: str, value: str = ADDRESS) -> str:
    payload = one.session(id=session).check_result("lookup", {"email": value}).payload
    return str(payload["email"])


def revealed(one: Guard, session: str, text: str) -> str:
    decision = one.session(id=session).check_call("send", {"to": text})
    return str(decision.payload["to"]) if decision.transforms else text


def test_a_token_goes_round() -> None:
    one = guard()
    token = token_of(one, "s")
    assert token.startswith("<EMAIL_ADDRESS_1_")
    assert revealed(one, "s", f"Ana {token}") == f"Ana {ADDRESS}"


def test_a_value_has_one_token_wherever_it_stands() -> None:
    session = guard().session(id="s")
    first = session.check_result(
        "lookup", {"a": ADDRESS, "b": [f"write {ADDRESS}", "bob@example.com"]}
    ).payload
    assert first["b"][0] == f"write {first['a']}"
    assert session.check_input(f"is it {ADDRESS}?").payload == f"is it {first['a']}?"
    assert first["b"][1].startswith("<EMAIL_ADDRESS_2_")


@pytest.mark.parametrize(
    ("tool", "args", "expected"),
    [
        ("send", {"to": "T", "cc": ["T", "x T"]}, {"to": "V", "cc": ["V", "x V"]}),
        ("send", {"to": "x", "body": "T"}, None), ("send", {"nested": {"to": "T"}}, None), ("other", {"to": "T"}, None),
        ("send", {"to": {"deep": ["T"]}}, {"to": {"deep": ["V"]}}), ("send", {"T": "x", "to": 5}, None),
    ],
)  # fmt: skip
def test_only_where_the_policy_says_so(tool: str, args: object, expected: object) -> None:
    one = guard()
    token = token_of(one, "s")

    def filled(value: object, by: dict[str, str]) -> object:
        if isinstance(value, str):
            return value.replace("T", by["T"]).replace("V", by["V"])
        if isinstance(value, list):
            return [filled(item, by) for item in value]
        if isinstance(value, dict):
            return {filled(key, by): filled(item, by) for key, item in value.items()}
        return value

    by = {"T": token, "V": ADDRESS}
    decision = one.session(id="s").check_call(tool, filled(args, by))
    assert decision.outcome is Outcome.ALLOW
    assert (decision.payload if decision.transforms else None) == filled(expected, by)


def test_neither_an_output_nor_a_result_reveals_where_nothing_says_so() -> None:
    one = guard()
    token = token_of(one, "s")
    session = one.session(id="s")
    assert not session.check_output(f"to {token}").transforms
    payload = session.check_result("lookup", {"x": token}).payload
    assert ADDRESS not in repr(payload)


def test_an_output_reveals_where_the_policy_says_so() -> None:
    one = guard(policy=POLICY + "reveal in output")
    token = token_of(one, "s")
    text = f"sent to {token}, <EMAIL_ADDRESS_9_bcdfghjkmn> and {token[:-2]}"
    expected = f"sent to {ADDRESS}, <EMAIL_ADDRESS_9_bcdfghjkmn> and {token[:-2]}"
    assert one.session(id="s").check_output(text).payload == expected
    stream = one.session(id="s").stream_output()
    assert "".join(map(stream.feed, text)) + stream.close() == expected


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token.replace("_1_", "_2_"), str.lower, lambda token: token[:-3] + "zz>",
        lambda token: token[1:], lambda token: token[:8] + "\u200b" + token[8:], lambda token: "<NAME" + token[6:],
    ],
)  # fmt: skip
def test_a_token_that_was_changed_reveals_nothing(change) -> None:  # type: ignore[no-untyped-def]
    one = guard()
    changed = change(token_of(one, "s"))
    assert revealed(one, "s", changed) == changed


def test_a_token_of_another_session_reveals_nothing() -> None:
    one = guard()
    token = token_of(one, "a")
    assert token_of(one, "b") != token
    assert revealed(one, "b", token) == token


def test_two_guards_share_what_is_in_the_store_and_nothing_is_in_the_clear(tmp_path: Path) -> None:
    store = f"sqlite:{tmp_path / 'guard.db'}"
    token = token_of(guard(store), "s")
    assert revealed(guard(store), "s", token) == ADDRESS
    assert token_of(guard(store), "s") == token
    decision = guard(store, "another key for the tests").session(id="s").check_call("send", {"to": token})
    assert (decision.outcome, [error.kind for error in decision.errors]) == (Outcome.DENY, ["unavailable"])
    assert "with another key" in decision.errors[0].message
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for part in (b"ana@", b"example.com", KEY.encode()):
        assert part not in stored


OTHER_PROCESS = """
import sys
from guardrails import Guard
store, token, key, policy = sys.argv[1:]
session = Guard.from_text(policy, store=store, key=key).session(id="s")
print(session.check_call("send", {"to": token}).payload["to"])
print(session.check_result("lookup", {"email": "new@example.com"}).payload["email"])
"""


def test_another_process_knows_the_tokens_and_makes_others(tmp_path: Path) -> None:
    store = f"sqlite:{tmp_path / 'guard.db'}"
    one = guard(store)
    token = token_of(one, "s")
    words = [sys.executable, "-c", OTHER_PROCESS, store, token, KEY, POLICY]
    out = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split("\n")
    assert out[0] == ADDRESS
    assert out[1].startswith("<EMAIL_ADDRESS_2_")
    assert revealed(one, "s", out[1]) == "new@example.com"


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_workers_that_make_tokens_at_the_same_time_agree(tmp_path: Path, kind: str) -> None:
    """All ask for their own values and a common one; a token means one value, and everybody knows all."""
    store = f"sqlite:{tmp_path / 'guard.db'}" if kind == "sqlite" else "memory:"
    shared = guard(store)
    guards = [guard(store) if kind == "sqlite" else shared for _ in range(4)]
    barrier = Barrier(len(guards))

    def work(number: int) -> dict[str, str]:
        found = {}
        session = guards[number].session(id="s")
        barrier.wait()
        for value in (ADDRESS, f"w{number}@example.com", "last@example.com"):
            found[value] = session.check_result("lookup", {"email": value}).payload["email"]
        return found

    with ThreadPoolExecutor(len(guards)) as pool:
        answers = list(pool.map(work, range(len(guards))))
    tokens: dict[str, set[str]] = {}
    for answer in answers:
        for value, token in answer.items():
            tokens.setdefault(token, set()).add(value)
    assert all(len(values) == 1 for values in tokens.values())
    assert len({answer[ADDRESS] for answer in answers}) == 1
    for token, values in tokens.items():
        assert {revealed(one, "s", token) for one in guards} == values


def test_hashes_are_the_same_by_key_and_value() -> None:
    def hashed(key: str, text: str) -> str:
        one = Guard.from_text("on output { redact pii(EMAIL_ADDRESS) with hash }", key=key)
        return str(one.session().check_output(text).payload)

    first = hashed(KEY, ADDRESS)
    assert first.startswith("<EMAIL_ADDRESS:")
    assert hashed(KEY, ADDRESS) == first
    assert hashed(KEY, "bob@example.com") != first
    assert hashed("another key for the tests", ADDRESS) != first


@pytest.mark.parametrize("method", ["hash", "token"])
def test_without_a_key_it_is_denied(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GUARD_KEY", raising=False)
    session = Guard.from_text(f"on output {{ redact pii(EMAIL_ADDRESS) with {method} }}").session()
    decision = session.check_output(f"to {ADDRESS}")
    assert (decision.outcome, [error.kind for error in decision.errors]) == (Outcome.DENY, ["unavailable"])
    assert decision.payload is None
    assert "GUARD_KEY" in decision.errors[0].message
    stream = session.stream_output()
    assert ADDRESS not in stream.feed(f"to {ADDRESS}") + stream.close()
    assert stream.denied


def test_threads_that_share_sessions_lose_no_token(tmp_path: Path) -> None:
    """Two sessions of two guards, each used by three threads: all that went out can be turned back."""
    store = f"sqlite:{tmp_path / 'guard.db'}"
    sessions = [guard(store).session(id="s") for _ in range(2)]
    barrier = Barrier(6)

    def work(number: int) -> dict[str, str]:
        found = {}
        barrier.wait()
        for count in range(6):
            for value in (f"w{number}x{count}@example.com", f"all{count}@example.com"):
                found[value] = sessions[number % 2].check_result("lookup", {"email": value}).payload["email"]
        return found

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(work, range(6)))
    finally:
        sys.setswitchinterval(interval)
    fresh = guard(store)
    for answer in answers:
        for value, token in answer.items():
            assert revealed(fresh, "s", token) == value


def test_what_others_wrote_first_is_given_from_now_on() -> None:
    from guardrails.redaction.vault import Vault

    one, two = Vault("s", bytes(32)), Vault("s", bytes(32))
    two.tokenise("EMAIL_ADDRESS", "other@example.com")
    mine, theirs = one.tokenise("EMAIL_ADDRESS", ADDRESS), two.tokenise("EMAIL_ADDRESS", ADDRESS)
    assert mine != theirs
    assert [one.learn(record) for record in two.unsaved()] == [False, True]
    assert one.tokenise("EMAIL_ADDRESS", ADDRESS) == theirs
    assert one.restore(f"{mine} {theirs}") == f"{ADDRESS} {ADDRESS}"
    assert len(one.unsaved()) == 1
