"""Options of the commands that look for records: which log, which records, and whether bodies are opened."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import time_ns
from typing import Any

import click

from guardrails.audit.errors import AuditError
from guardrails.audit.query import Query, moment, query_of
from guardrails.audit.query_open import Reader, open_reader

from . import exits
from .problems import Stop, usage

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

audit_option: Decorator = click.option(
    "--audit",
    metavar="LOG",
    help="The log: a URL (file:///folder, sqlite:///file.db, postgresql://host/db) or path; else GUARD_AUDIT.",
)

reveal_option: Decorator = click.option(
    "--reveal",
    is_flag=True,
    help="Open sealed bodies, with the key of the log (GUARD_AUDIT_KEY or its file).",
)

FIELDS = {
    "session": "session",
    "tool": "tool",
    "outcome": "outcome",
    "statement": "statements",
    "principal": "principal",
    "agent": "agent",
    "point": "point",
    "kind": "kind",
    "trace": "trace",
    "above": "answers_to",
}
"""Option -> the field of a record that it asks for."""

HELP = {
    "session": "Of this session.",
    "tool": "About this tool; `payments.*` is a pattern.",
    "outcome": "With this outcome: allow, ask, deny or halt.",
    "statement": "To which this statement applied.",
    "principal": "Of this person: an id (which needs the key of the log), or a pseudonym.",
    "agent": "Of this agent.",
    "point": "At this point: call, result, input, output or usage.",
    "kind": "Of this kind, such as intent, outcome or halt.",
    "trace": "Of this trace.",
    "above": "Of sub-agents that answer to this session.",
}


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """All options that say which records are meant; each may be repeated for any of several."""
    for name in reversed(FIELDS):
        command = click.option(f"--{name}", multiple=True, metavar=name.upper(), help=HELP[name])(command)
    command = click.option("--until", metavar="TIME", help="Before this time.")(command)
    return click.option(
        "--since",
        metavar="TIME",
        help="Since this time: 15m, 2h or 3d ago, a date, or a date and time (UTC).",
    )(command)


def asked_for(chosen: Mapping[str, Any], url: str, *, newest: int | None = None) -> Query:
    """The query that the filter options make. Takes them out of what click gives."""
    names = {FIELDS[name]: list(chosen[name]) for name in FIELDS}
    names["principal"] = [known for given in names["principal"] for known in _principals(given, url)]
    since, before = (_moment(chosen[name]) for name in ("since", "until"))
    return query_of(names, since=since, before=before, newest=newest)


def _moment(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return moment(text, time_ns() // 1_000)
    except AuditError as error:
        raise usage(str(error)) from error


def _principals(given: str, url: str) -> list[str]:
    """A person as named, and under the pseudonym, where the key of the log is at hand."""
    from guardrails.audit.query_revealing import Revealer

    if not _has_key(url):
        return [given]
    revealer = Revealer(url_of(url))
    try:
        pseudonym = revealer.pseudonym(given)
    finally:
        revealer.close()
    return [given] if pseudonym is None else [given, pseudonym]


def _has_key(url: str) -> bool:
    from guardrails.audit.query_open import folder_of

    if os.environ.get("GUARD_AUDIT_KEY") or "key=" in url:
        return True
    if url.startswith(("postgresql:", "postgres:")):
        return False
    path = str(folder_of(url)).rstrip("/")
    return os.path.exists(f"{path}.key")


def is_url(place: str) -> bool:
    """Whether a place is named by a URL, as `guard check --audit` takes one; `file:log` is one too."""
    return "://" in place or place.startswith(("file:", "sqlite:"))


def url_of(place: str) -> str:
    """A place as a URL; a path is one of files."""
    return place if is_url(place) else f"file://{os.path.abspath(place)}"


def named_log(given: str | None) -> str:
    """The log that somebody named, here or in GUARD_AUDIT."""
    found = given or os.environ.get("GUARD_AUDIT")
    if not found:
        raise usage("an audit log is needed", "name it with `--audit /var/log/guard`, or in GUARD_AUDIT")
    return found


@contextmanager
def reading(place: str) -> Iterator[Reader]:
    """The reader of a log, closed afterwards; what is wrong with it ends the command."""
    with telling():
        reader = open_reader(place)
        try:
            yield reader
        finally:
            reader.close()


@contextmanager
def telling() -> Iterator[None]:
    """An error of the log in one line, with the exit code of a file that cannot be used."""
    try:
        yield
    except AuditError as error:
        raise Stop(exits.IO, f"error: {error}") from error


def opener(place: str, *, reveal: bool) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Makes a record as it is shown: with its body opened where that was asked for."""
    if not reveal:
        return dict
    from guardrails.audit.query_revealing import Revealer

    return Revealer(url_of(place)).revealed


def say_unreadable(reader: Reader, query: Query) -> None:
    """Lines that are no records are no part of an answer, so they are named beside it."""
    number = reader.unreadable(query)
    if number:
        lines = "1 line is no record" if number == 1 else f"{number:,} lines are no records"
        click.echo(f"note: {lines} (one may be being written); `guard audit verify` says more", err=True)
