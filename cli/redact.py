"""`guard redact`: a text or JSON document without the personal data and secrets in it.

The file goes by in chunks and comes out as soon as it is settled, so that memory does not grow with it. What
could not be judged stops the output where it is: nothing unredacted follows.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from guardrails.detectors.matches import Detector
from guardrails.detectors.pii import DEFAULT, PiiDetector
from guardrails.detectors.secrets import ENTITIES, SecretDetector
from guardrails.errors import EvaluationError
from guardrails.redaction.methods import DROP, HASH, MASK, Method, Rule, last, replace
from guardrails.redaction.redactor import Redactor
from guardrails.redaction.streams import Redacting
from guardrails.runtime.content import PERSONAL
from guardrails.runtime.host import secret_of

from . import exits
from .problems import malformed, usage
from .scan import opened, texts

METHODS = {"mask": MASK, "hash": HASH, "drop": DROP}
"""Methods that take nothing."""


@click.command("redact")
@click.argument("file", type=click.Path())
@click.option(
    "--entity", "entities", multiple=True, metavar="NAME", help="Redact only this; may be repeated."
)
@click.option("--secrets/--no-secrets", "secrets", default=True, help="Keys, tokens and passwords as well.")
@click.option(
    "--with", "method", metavar="HOW", default="mask", show_default=True,
    help="What stands in their place: mask, drop, hash (with GUARD_KEY), last:N or replace:TEXT.",
)  # fmt: skip
@click.option("--json", "is_json", is_flag=True, help="FILE is JSON, and keeps its shape.")
@click.option("--counts", is_flag=True, help="Say on standard error how much of what was redacted.")
def command(
    file: str, entities: tuple[str, ...], *, secrets: bool, method: str, is_json: bool, counts: bool
) -> int:
    """Write FILE (`-`: standard input) without the personal data and secrets in it.

    Without `--entity` that is what `redact pii` and `redact secrets` of a policy mean. A file that cannot be
    judged to its end is cut there, with exit code 65.
    """
    how = _method(method)
    rules = [Rule(detector, how) for detector in _detectors(frozenset(entities), secrets=secrets)]
    redactor = _redactor(rules, needs_key=how == HASH)
    stream = redactor.json_stream() if is_json else redactor.stream()
    with opened(file) as source:
        try:
            for piece in _pieces(stream, texts(source, file)):
                click.echo(piece, nl=False)
        except EvaluationError as error:
            sys.stdout.flush()
            raise malformed(f"`{file}` cannot be redacted to its end: {error}") from error
    if is_json:
        click.echo()
    if counts:
        told = ", ".join(f"{entity} {count}" for entity, count in stream.counts)
        click.echo(f"redacted: {told or 'nothing'}", err=True)
    return exits.ALLOW


def _pieces(stream: Redacting, source: Iterator[str]) -> Iterator[str]:
    for text in source:
        yield stream.feed(text)
    yield stream.close()


def _method(text: str) -> Method:
    name, colon, argument = text.partition(":")
    if name in METHODS and not colon:
        return METHODS[name]
    if name == "last" and argument.isascii() and argument.isdigit():
        return last(int(argument))
    if name == "replace" and colon:
        return replace(argument)
    raise usage(
        f"`{text}` is no way to redact", "write mask, drop, hash, last:N such as last:4, or replace:TEXT"
    )


def _detectors(entities: frozenset[str], *, secrets: bool) -> list[Detector]:
    """Those that find what is asked for."""
    hidden, personal = entities & ENTITIES, entities - ENTITIES
    found: list[Detector] = []
    if hidden or (secrets and not entities):
        found.append(SecretDetector(hidden or None))
    if personal or not entities:
        found.append(_personal(personal))
    return found


def _personal(entities: frozenset[str]) -> Detector:
    try:
        return PiiDetector(entities or PERSONAL)
    except EvaluationError as error:
        others = ", ".join(f"`{entity}`" for entity in sorted(DEFAULT | ENTITIES))
        raise usage(str(error), f"there are {others}") from error


def _redactor(rules: list[Rule], *, needs_key: bool) -> Redactor:
    try:
        key = secret_of(None)
    except EvaluationError as error:
        raise usage(f"GUARD_KEY is too short: {error}") from error
    if needs_key and key is None:
        raise usage("`--with hash` needs a key", "set GUARD_KEY to a secret of 16 bytes or more")
    return Redactor(rules, key=key)
