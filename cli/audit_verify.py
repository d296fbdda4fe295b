"""`guard audit verify`: whether a log is what was written, all of it, and nothing else."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from guardrails.audit.errors import AuditError
from guardrails.audit.verifying import Progress, Report, Verifier
from guardrails.strict_json import write_json

from . import exits
from .audit_filters import audit_option, named_log, url_of
from .options import format_option
from .problems import Stop, usage


@click.command("verify")
@audit_option
@click.option(
    "--anchor", "anchors", multiple=True, metavar="PLACE", help="A file or URL with anchors of the log."
)
@click.option(
    "--public-key",
    metavar="HEX|FILE",
    help="Check with this key alone: signatures and places, not the chain.",
)
@click.option(
    "--proof", metavar="FILE", help="Check one proof of `guard audit prove` instead; needs --public-key."
)
@format_option("text", "json")
def command(
    audit: str | None, anchors: tuple[str, ...], public_key: str | None, proof: str | None, form: str
) -> int:
    """Check that nothing in a log was changed, removed or added.

    The verifier first proves on a small log of its own that it finds damage. Exit code 1: the log is damaged; the
    first bad record is named, with its neighbours and the kind of damage (edit, gap, reorder, duplicate, fork,
    truncation, wrong key). Records that were cut off the end behind the last anchor cannot be missed by anyone:
    give `--anchor`.
    """
    if proof is not None:
        return _check_proof(proof, public_key)
    url = url_of(named_log(audit))
    try:
        report = verified(url, anchors, public_key, _bar(form))
    except AuditError as error:
        raise Stop(exits.IO, f"error: {error}") from error
    if form == "json":
        click.echo(write_json(report.as_json()))
    else:
        click.echo(told(report))
    return exits.ALLOW if report.is_sound else exits.FINDINGS


def verified(url: str, anchors: tuple[str, ...], public: str | None, progress: Progress | None) -> Report:
    """The report on the log at a URL. Raises `AuditError`."""
    from guardrails.audit.anchors import read_anchors
    from guardrails.audit.controls import prove_that_it_can_fail
    from guardrails.audit.log import opened_home

    prove_that_it_can_fail()
    found = [anchor for place in anchors for anchor in read_anchors(place)]
    home, keys = opened_home(url, is_read=True, needs_key=public is None)
    try:
        verifier = Verifier(
            home.parts, key=None if public else keys.chain, fingerprint=keys.fingerprint,
            public=_public(public) if public else None, anchors=found, claim=None if public else home.claim(),
        )  # fmt: skip
        return verifier.run(progress)
    finally:
        home.close()


def _public(text: str) -> bytes:
    from guardrails.audit.checkpoints import public_key

    if os.path.exists(text):
        with open(text) as file:
            text = file.read()
    return public_key(text)


def _check_proof(path: str, public: str | None) -> int:
    from guardrails.audit.proving import check_proof

    from .json_values import json_of, text_of_file
    from .problems import malformed

    if public is None:
        raise usage(
            "`--proof` needs `--public-key`", "the file `public.key` of the log, from a source that you trust"
        )
    proof: Any = json_of(text_of_file(path, malformed), path, malformed)
    try:
        checkpoint = check_proof(proof, _public(public))
    except AuditError as error:
        click.echo(f"not proven: {error}")
        return exits.FINDINGS
    click.echo(
        f"proven: record {proof['index']} is one of {checkpoint['size']} records of log {checkpoint['log']}"
    )
    return exits.ALLOW


# --- words -------------------------------------------------------------------------------------


def told(report: Report) -> str:
    damage = report.damage
    lines = []
    if damage is None:
        lines.append(
            f"sound: {report.records:,} records, {report.checkpoints:,} checkpoints, in {report.parts} parts"
        )
    else:
        lines.append(f"damaged ({damage.kind}): {damage.message}")
        if damage.part:
            lines.append(f"  in     {damage.part}")
        lines += [
            f"  {side:<6} {text}"
            for side, text in (("before", damage.before), ("after", damage.after))
            if text
        ]
        lines.append(f"  sound  {report.records:,} records before it")
    for note in report.repaired:
        lines.append(
            f"repaired: record {note['seq']} says that a crash left {note.get('bytes')} bytes half written"
        )
    if report.erased:
        lines.append(f"erased: {report.erased} people")
    if report.anchored is not None:
        lines.append(f"anchored: the first {report.anchored:,} records")
    elif damage is None:
        lines.append("not anchored: a cut end would show only with `--anchor`")
    rate = report.records / report.seconds if report.seconds else 0
    lines.append(f"root {report.root}, log {report.log}, {rate:,.0f} records/s")
    return "\n".join(lines)


def _bar(form: str) -> Progress | None:
    """Progress on standard error, for who watches."""
    if form != "text" or not sys.stderr.isatty():
        return None

    def show(records: int, size: int) -> None:
        sys.stderr.write(f"\r{records:>12,} records  {size / 1e6:>9,.1f} MB")
        sys.stderr.flush()

    return show
