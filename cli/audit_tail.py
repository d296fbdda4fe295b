"""`guard audit tail`: the newest records, and with `-f` those that come."""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import sleep
from typing import Any

import click

from guardrails.audit.query import BEFORE, SINCE, Query
from guardrails.audit.query_following import FollowedFiles, FollowedReader, Follower, last_place
from guardrails.audit.query_open import Reader, folder_of
from guardrails.strict_json import write_json

from . import exits
from .audit_filters import asked_for, audit_option, filter_options, named_log, opener, reading, reveal_option
from .audit_table import line
from .options import format_option
from .terminal import is_colored, width

PAUSE = 0.25
"""Seconds between two looks at a log that is followed."""


@click.command("tail")
@audit_option
@filter_options
@click.option(
    "-n", "--newest", type=click.IntRange(0), default=20, show_default=True, help="How many to begin with."
)
@click.option(
    "-f", "--follow", is_flag=True, help="Go on with new records, until interrupted; also across segments."
)
@reveal_option
@format_option("table", "jsonl")
def command(audit: str | None, newest: int, form: str, *, follow: bool, reveal: bool, **chosen: Any) -> int:
    """Show the newest records of an audit log, and follow it with -f."""
    log = named_log(audit)
    with reading(log) as reader:
        query = asked_for(chosen, log, newest=newest)
        shown, write = opener(log, reveal=reveal), _writer(form)
        seen = last_place(reader) if follow else -1
        if newest:
            for record in reader.records(query):
                if not follow or record["seq"] <= seen:
                    write(shown(record))
        sys.stdout.flush()
        if follow:
            _follow(_follower(reader, log, seen), query, lambda record: write(shown(record)))
    return exits.ALLOW


def _writer(form: str) -> Callable[[dict[str, Any]], None]:
    if form == "jsonl":
        return lambda record: click.echo(write_json(record))
    columns, color = width(sys.stdout), is_colored(sys.stdout)
    return lambda record: click.echo(line(record, columns, color=color), color=True)


def _follower(reader: Reader, log: str, seen: int) -> Follower:
    if log.startswith(("sqlite:", "postgresql:", "postgres:")):
        return FollowedReader(reader, seen)
    return FollowedFiles(folder_of(log), seen)


def _follow(follower: Follower, query: Query, write: Callable[[dict[str, Any]], None]) -> None:
    """Until Ctrl-C. What comes is new, so a time since when does not matter; one until when ends it never."""
    coming = Query(term for term in query.terms if term.operator not in (SINCE, BEFORE))
    while True:
        for record in follower.poll():
            if coming.matches(record):
                write(record)
        sys.stdout.flush()
        sleep(PAUSE)
