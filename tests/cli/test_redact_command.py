"""`guard redact`: what it leaves of a file, in which shape, and with which exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import Command
from guardrails.cli import scan

TEXT = 'mail bob@example.com, card 4111 1111 1111 1111\npassword = "hunter2x!"\n'


def test_a_text_goes_on_without_what_was_found(guard: Command, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TEXT)
    expected = 'mail [REDACTED], card [REDACTED]\npassword = "[REDACTED]"\n'
    assert guard("redact", "a.txt") == (0, expected, "")
    assert guard("redact", "-", stdin=expected) == (0, expected, "")


def test_counts_are_told_beside_the_text(guard: Command) -> None:
    result = guard("redact", "-", "--counts", stdin=TEXT)
    assert result.err == "redacted: CREDIT_CARD 1, EMAIL_ADDRESS 1, PASSWORD 1\n"
    assert guard("redact", "-", "--counts", stdin="good morning") == (
        0, "good morning", "redacted: nothing\n",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("mask", "card [REDACTED]."), ("drop", "card ."), ("last:4", "card ***1111."), ("replace:(card)", "card (card)."),
        ("replace:", "card ."), ("last:0", "card [REDACTED]."),
    ],
)  # fmt: skip
def test_every_method(guard: Command, how: str, expected: str) -> None:
    assert guard("redact", "-", "--with", how, stdin="card 4111 1111 1111 1111.").out == expected


def test_hashes_are_stable_by_key(guard: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def hashed(key: str) -> str:
        monkeypatch.setenv("GUARD_KEY", key)
        return guard("redact", "-", "--with", "hash", stdin="bob@example.com").out

    first = hashed("a key for the tests")
    assert first.startswith("<EMAIL_ADDRESS:")
    assert (hashed("a key for the tests"), hashed("another for the tests") != first) == (first, True)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--entity", "EMAIL_ADDRESS"), 'mail [REDACTED], card 4111 1111 1111 1111\npassword = "hunter2x!"\n'),
        (("--entity", "PASSWORD"), 'mail bob@example.com, card 4111 1111 1111 1111\npassword = "[REDACTED]"\n'),
        (("--no-secrets",), 'mail [REDACTED], card [REDACTED]\npassword = "hunter2x!"\n'),
    ],
)  # fmt: skip
def test_only_what_is_asked_for(guard: Command, words: tuple[str, ...], expected: str) -> None:
    assert guard("redact", "-", *words, stdin=TEXT).out == expected


def test_json_keeps_its_shape_and_its_keys_are_context(guard: Command) -> None:
    document = {"to": ["bob@example.com", 5, None], "login": {"password": "hunter2x!"}, "note": "a\nb"}
    result = guard("redact", "-", "--json", stdin=json.dumps(document))
    assert result.code == 0
    assert json.loads(result.out) == {
        "to": ["[REDACTED]", 5, None], "login": {"password": "[REDACTED]"}, "note": "a\nb",
    }  # fmt: skip
    assert result.out.endswith("}\n")


def test_what_is_no_json_ends_where_it_is(guard: Command) -> None:
    result = guard("redact", "-", "--json", stdin='{"a": "bob@example.com" "b"')
    assert result.code == 65
    assert "cannot be redacted to its end: no JSON" in result.err
    assert "bob" not in result.out


def test_a_long_file_in_small_chunks_is_as_the_whole(guard: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "".join(f"line {number} is grün\n{TEXT if number % 700 == 3 else ''}" for number in range(2_000))
    whole = guard("redact", "-", stdin=text).out
    monkeypatch.setattr(scan, "CHUNK", 997)
    assert guard("redact", "-", stdin=text).out == whole
    assert (whole.count("[REDACTED]"), "bob@" in whole) == (9, False)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--with", "hsh"), "`hsh` is no way to redact"),
        (("--with", "last:x"), "`last:x` is no way to redact"),
        (("--with", "mask:3"), "`mask:3` is no way to redact"),
        (("--with", "hash"), "set GUARD_KEY"),
        (("--entity", "SHOE_SIZE"), "`SHOE_SIZE`"),
    ],
)
def test_mistakes_of_the_command_line(
    guard: Command, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], told: str
) -> None:
    monkeypatch.delenv("GUARD_KEY", raising=False)
    result = guard("redact", "-", *words, stdin=TEXT)
    assert (result.code, result.out, told in result.err) == (64, "", True)


def test_a_short_key_and_bytes_that_are_no_text(guard: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert guard("redact", "-", stdin=b"abc\xff\xfe").code == 65
    assert guard("redact", "nothing.txt").code == 64
    monkeypatch.setenv("GUARD_KEY", "short")
    result = guard("redact", "-", stdin=TEXT)
    assert (result.code, "GUARD_KEY is too short" in result.err) == (64, True)
