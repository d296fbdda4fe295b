"""`guard audit export`: records for other systems, as Parquet, OCSF or plain lines of JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import click

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
)
from .problems import Stop, usage

FORMS = ("jsonl", "ocsf", "parquet")


@click.command("export")
@audit_option
@filter_options
@click.option(
    "--to", "form", type=click.Choice(FORMS), default="jsonl", show_default=True, help="The form to write."
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Where to; else standard output."
)
@reveal_option
def command(audit: str | None, form: str, output: Path | None, *, reveal: bool, **chosen: Any) -> int:
    """Write records of an audit log for other systems.

    jsonl is the records as they are. ocsf is one event a line, of OCSF 1.8.0 (API Activity and Detection Finding).
    parquet is one file with a column for each field, which `guard audit query --audit FILE` reads quickly. A file is
    complete or not there at all.
    """
    log = named_log(audit)
    if form == "parquet" and output is None:
        raise usage("a Parquet file needs a name", "give it with `-o records.parquet`")
    if form == "parquet" and reveal:
        raise usage("`--reveal` does not go with Parquet", "use `--to jsonl`, or query the log with --reveal")
    with reading(log) as reader:
        query = asked_for(chosen, log)
        if form == "parquet":
            assert output is not None
            from guardrails.audit.export_parquet import write_parquet

            with complete(output) as passing:
                count = write_parquet(reader, query, passing)
        else:
            records = map(opener(log, reveal=reveal), reader.records(query))
            with _writing(output) as file:
                count = _write(records, _shape(form), file)
        say_unreadable(reader, query)
    click.echo(f"{count:,} record{'' if count == 1 else 's'} written", err=True)
    return exits.ALLOW


def _shape(form: str) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    if form == "jsonl":
        return lambda record: record
    from guardrails.audit.export_ocsf import ocsf_event

    return ocsf_event


def _write(
    records: Iterable[Mapping[str, Any]],
    shape: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    file: TextIO,
) -> int:
    count = 0
    for record in records:
        file.write(write_json(shape(record)) + "\n")
        count += 1
    return count


@contextmanager
def _writing(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        yield sys.stdout
        return
    with complete(output) as passing, open(passing, "w", encoding="utf-8") as file:
        yield file


@contextmanager
def complete(output: Path) -> Iterator[Path]:
    """A file beside `output` that takes its name once it is written; nobody else can read it until then."""
    passing = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        os.close(os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        yield passing
        os.replace(passing, output)
    except OSError as error:
        raise Stop(
            exits.IO, f"error: `{output}` cannot be written: {(error.strerror or str(error)).lower()}"
        ) from error
    finally:
        passing.unlink(missing_ok=True)
