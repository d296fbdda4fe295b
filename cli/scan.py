"""`guard scan`: what the detectors see in a text, and why.

The file goes by in chunks. Matches are reported once they are settled, so that memory does not grow with the
file; for signs of injection, which are judged in whole texts, it is seen through windows that overlap.
"""

from __future__ import annotations

import codecs
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

import click

from guardrails.detectors.injection import SUSPICIOUS, InjectionDetector
from guardrails.detectors.matches import Detector
from guardrails.detectors.pii import PiiDetector
from guardrails.detectors.secrets import ENTITIES, SecretDetector
from guardrails.errors import EvaluationError

from . import exits
from .options import format_option
from .problems import malformed, unreadable, usage
from .terminal import is_colored

CHUNK = 1 << 16
"""Bytes that are read at once."""

WINDOW = 1 << 15
"""Characters in which signs of injection are looked for together."""

OVERLAP = 1 << 12
"""Characters that one window has in common with the next."""

INJECTION = "INJECTION"

_EXCERPT = 60
_SHOWN = 4


class Finding(NamedTuple):
    """What was found, counted in characters of the file from 0; lines and columns count from 1."""

    entity: str
    score: float
    start: int
    end: int
    line: int
    column: int
    text: str
    reason: str


@click.command("scan")
@click.argument("file", type=click.Path())
@click.option(
    "--entity", "entities", multiple=True, metavar="NAME", help="Report only this; may be repeated."
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    default=SUSPICIOUS,
    show_default=True,
    help="The least score to report.",
)
@format_option("text", "json")
def command(file: str, entities: tuple[str, ...], threshold: float, form: str) -> int:
    """Show the personal data, secrets and signs of injection in FILE (`-`: standard input).

    Secrets are shown by their first characters only. The exit code is 1 when something was found. With
    `--format json` every finding is an object on a line of its own.
    """
    scan = _Scan(frozenset(entities), threshold)
    count = 0
    with opened(file) as stream:
        try:
            for finding in scan.findings(texts(stream, file)):
                count += 1
                click.echo(_rendered(finding, file, form))
        except EvaluationError as error:
            raise malformed(f"`{file}` cannot be judged: {error}") from error
    if not count and form == "text":
        click.echo("nothing found")
    return exits.FINDINGS if count else exits.ALLOW


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    if path == "-":
        yield sys.stdin.buffer
        return
    try:
        with open(path, "rb") as file:
            yield file
    except OSError as error:
        raise unreadable(path, error) from error


def texts(stream: BinaryIO, source: str) -> Iterator[str]:
    """The text of a file in pieces, the last one empty."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    position = 0
    try:
        while data := stream.read(CHUNK):
            yield decoder.decode(data)
            position += len(data)
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise malformed(f"`{source}` is not UTF-8 text near byte {position + error.start + 1}") from error


class _Place(NamedTuple):
    """A place in the file: characters before it, and its line and column, which count from 1."""

    offset: int = 0
    line: int = 1
    column: int = 1

    def after(self, text: str) -> _Place:
        """The place behind `text`, which begins here."""
        lines = text.count("\n")
        column = len(text) - text.rfind("\n") if lines else self.column + len(text)
        return _Place(self.offset + len(text), self.line + lines, column)


class _Scan:
    """The detectors that can find what is asked for, each at its own place in the file."""

    def __init__(self, entities: frozenset[str], threshold: float) -> None:
        self._watchers: list[_Follower | _Windows] = [
            _Follower(each) for each in _detectors(entities, threshold)
        ]
        if not entities or INJECTION in entities:
            self._watchers.append(_Windows(threshold))

    def findings(self, texts: Iterator[str]) -> Iterator[Finding]:
        """Every finding of a text that comes in pieces, each detector's by place."""
        for text in texts:
            for watcher in self._watchers:
                yield from watcher.feed(text)
        for watcher in self._watchers:
            yield from watcher.close()


def _detectors(entities: frozenset[str], threshold: float) -> list[Detector]:
    """A detector for each family of the entities that are asked for; all families without any."""
    if not entities:
        return [SecretDetector(threshold=threshold), PiiDetector(threshold=threshold)]
    secrets, personal = entities & ENTITIES, entities - ENTITIES - {INJECTION}
    found: list[Detector] = [SecretDetector(secrets, threshold=threshold)] if secrets else []
    try:
        return [*found, PiiDetector(personal, threshold=threshold)] if personal else found
    except EvaluationError as error:
        others = ", ".join(f"`{entity}`" for entity in sorted({INJECTION, *ENTITIES}))
        raise usage(str(error), f"beside personal data there are {others}") from error


class _Follower:
    """A detector and the part of the text that it still needs: what is not settled, and what is left of that."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._place = _Place()
        self._text = ""
        self._done = 0

    def feed(self, text: str) -> Iterator[Finding]:
        """The findings that are settled now."""
        self._text += text
        settled = max(self._done, self._detector.settled(self._text))
        yield from self._between(settled)
        cut = max(0, settled - self._detector.left)
        self._place = self._place.after(self._text[:cut])
        self._text = self._text[cut:]
        self._done = settled - cut

    def close(self) -> Iterator[Finding]:
        yield from self._between(len(self._text))

    def _between(self, end: int) -> Iterator[Finding]:
        is_secret = self._detector.name == "secrets"
        for match in self._detector.find(self._text):
            if self._done <= match.start < end:
                place = self._place.after(self._text[: match.start])
                text = self._text[match.start : match.end]
                shown = (
                    f"{text[: min(_SHOWN, len(text) // _SHOWN)]}… ({len(text)} characters)"
                    if is_secret
                    else _excerpt(text)
                )
                yield Finding(
                    match.entity, match.score, place.offset, place.offset + len(text),
                    place.line, place.column, shown, match.reason,
                )  # fmt: skip


class _Windows:
    """The detector of injection, and the window that it is shown next."""

    def __init__(self, threshold: float) -> None:
        self._detector = InjectionDetector()
        self._threshold = threshold
        self._place = _Place()
        self._text = ""
        self._seen = 0

    def feed(self, text: str) -> Iterator[Finding]:
        """The findings of the windows that are full."""
        self._text += text
        while len(self._text) >= WINDOW:
            yield from self._window(self._text[:WINDOW])
            step = WINDOW - OVERLAP
            self._place = self._place.after(self._text[:step])
            self._text = self._text[step:]

    def close(self) -> Iterator[Finding]:
        yield from self._window(self._text)

    def _window(self, text: str) -> Iterator[Finding]:
        """Each reason once, with the score of the window that it helped to."""
        signal = self._detector.score(text)
        if signal.score < self._threshold:
            return
        for reason in sorted(signal.reasons, key=lambda reason: reason.start):
            if self._place.offset + reason.end > self._seen:
                place = self._place.after(text[: reason.start])
                yield Finding(
                    INJECTION, signal.score, place.offset, self._place.offset + reason.end, place.line, place.column,
                    _excerpt(text[reason.start : reason.end]), f"{reason.words} ({reason.kind} {reason.weight:g})",
                )  # fmt: skip
        self._seen = self._place.offset + len(text)


def _excerpt(text: str) -> str:
    """The start of a text with everything visible that could play with a terminal."""
    cut = text[:_EXCERPT] + ("…" if len(text) > _EXCERPT else "")
    return "".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in cut)


def _rendered(finding: Finding, source: str, form: str) -> str:
    if form == "json":
        return json.dumps(finding._asdict(), ensure_ascii=False)
    where = f"{source}:{finding.line}:{finding.column}"
    score = f"{finding.score:.2f}"
    entity = click.style(finding.entity, fg="red", bold=True) if is_colored(sys.stdout) else finding.entity
    return f"{where}: {entity} {score} {finding.text}" + (f"\n  {finding.reason}" if finding.reason else "")
