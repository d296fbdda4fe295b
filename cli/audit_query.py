"""`guard audit query`: the records that match, or how many there are."""

from __future__ import annotations

import sys
from typing import Any

import click

from guardrails.audit.query import COUNTED
from guardrails.strict_json import write_json

from . import exits
from .audit_filters import (
    asked_for,
    audit_option,
    filter_options,
    named_log,
    opener,
    reading,
    reveal_option,
    say_unreadable,
    telling,
)
from .audit_table import counts_table, table
from .options import format_option
from .problems import usage
from .terminal import is_colored, width

NAMES = {"statement": "statements", "reason": "reasons"}
"""What a person calls a field -> the field."""


@click.command("query")
@audit_option
@filter_options
@click.option(
    "-n", "--newest", type=click.IntRange(1), default=100, show_default=True, help="How many, at most."
)
@click.option("--all", "every", is_flag=True, help="All of them, however many.")
@click.option(
    "--count-by", metavar="FIELD[,FIELD]", help="Count records by fields, such as outcome or tool,statement."
)
@reveal_option
@format_option("table", "jsonl")
def command(
    audit: str | None,
    newest: int,
    count_by: str | None,
    form: str,
    *,
    every: bool,
    reveal: bool,
    **chosen: Any,
) -> int:
    """Find records of an audit log.

    Options of one kind mean any of their values, and options of several kinds all of them. The newest records are
    shown, oldest first. Files are read by DuckDB, databases by themselves; Parquet files of `guard audit export`
    are queried in the same way.
    """
    log = named_log(audit)
    with reading(log) as reader:
        query = asked_for(chosen, log, newest=None if every or count_by else newest)
        if count_by:
            fields = _fields(count_by)
            rows = reader.counts(query, fields)
            if form == "jsonl":
                for row in rows:
                    click.echo(write_json(dict(zip((*fields, "records"), row, strict=True))))
            else:
                click.echo(counts_table(rows, fields), nl=False)
        else:
            shown = opener(log, reveal=reveal)
            _show(map(shown, reader.records(query)), form, reveal=reveal)
        say_unreadable(reader, query)
    return exits.ALLOW


def _show(records: Any, form: str, *, reveal: bool) -> None:
    if form == "jsonl":
        for record in records:
            click.echo(write_json(record))
        return
    with telling():
        found = list(records)
    if not found:
        click.echo("no record matches")
        return
    click.echo(table(found, width(sys.stdout), color=is_colored(sys.stdout)), nl=False, color=True)
    if reveal:
        for record in found:
            if record.get("body"):
                click.echo(f"{record['seq']}: {write_json(record['body'])}")


def _fields(text: str) -> tuple[str, ...]:
    """The fields of `--count-by`."""
    found = tuple(NAMES.get(name.strip(), name.strip()) for name in text.split(","))
    for name in found:
        if name not in COUNTED:
            raise usage(f"records are not counted by `{name}`", f"there are {', '.join(COUNTED)}")
    if len(found) > 4 or len(set(found)) != len(found):
        raise usage("records are counted by one to four different fields")
    return found
