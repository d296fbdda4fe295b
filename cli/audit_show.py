"""`guard audit show`: one decision, a session or a trace, as a time line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from guardrails.audit.query import Query, query_of
from guardrails.audit.query_open import Reader
from guardrails.audit.timeline import timeline
from guardrails.strict_json import write_json

from . import exits
from .audit_filters import audit_option, named_log, reading, reveal_option, say_unreadable, telling, url_of
from .options import format_option
from .problems import Stop

MOST = 10_000
"""Records of one time line; the newest are shown."""


@click.command("show")
@click.argument("id", metavar="ID")
@audit_option
@reveal_option
@format_option("text", "jsonl")
def command(id: str, audit: str | None, form: str, *, reveal: bool) -> int:
    """Show what happened, as a time line.

    ID is that of a decision (with what became of it), of a session (with those of its sub-agents), of a trace, or of
    an approval; it is looked for in this order.
    """
    log = named_log(audit)
    with reading(log) as reader:
        records = _found(reader, id)
        if not records:
            raise Stop(
                exits.FINDINGS,
                f"error: `{id}` is not in this log\n  = help: it is the id of a decision, a session, a trace or an approval",
            )
        for text in _lines(records, log, form, reveal=reveal):
            click.echo(text)
        if len(records) == MOST:
            click.echo(f"note: only the newest {MOST:,} records are shown", err=True)
        say_unreadable(reader, Query())
    return exits.ALLOW


def _lines(records: list[dict[str, Any]], log: str, form: str, *, reveal: bool) -> Iterator[str]:
    opened = None
    if reveal:
        from guardrails.audit.query_revealing import Revealer

        opened = Revealer(url_of(log))
    with telling():
        if form == "jsonl":
            yield from (write_json(opened.revealed(record) if opened else record) for record in records)
        else:
            yield from timeline(records, opened.body if opened else None)


def _found(reader: Reader, id: str) -> list[dict[str, Any]]:
    decision = _records(reader, "id", id)
    if decision:
        return sorted(decision + _records(reader, "ref", id), key=lambda record: record["seq"])
    session = _records(reader, "session", id) + _records(reader, "answers_to", id)
    found = sorted(session, key=lambda record: record["seq"]) or _records(reader, "trace", id)
    if found:
        return found
    asked = _records(reader, "request", id) + _records(reader, "approval", id)
    return sorted(asked, key=lambda record: record["seq"])


def _records(reader: Reader, field: str, id: str) -> list[dict[str, Any]]:
    return list(reader.records(query_of({field: [id]}, newest=MOST)))
