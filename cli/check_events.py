"""`guard check --events`: a stream of events in, one decision a line out.

A line that is not an event gets an error in its place, never an outcome, and the others are still decided.
"""

from __future__ import annotations

import os
import sys

from guardrails.decision_json import decision_as_json
from guardrails.errors import EventError, GuardError
from guardrails.json_positions import JsonError
from guardrails.strict_json import read_json, write_json

from . import exits
from .check import Decider, defaults_of, with_defaults
from .json_values import decoded
from .policies import Policy
from .problems import Stop, unreadable
from .stores import check_prices

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, BinaryIO

    from guardrails.model import Decision

    from .check_options import Request

OUTCOMES = tuple(exits.OUTCOMES)
BAR = 30
"""Characters of the progress bar."""


class Malformed(Exception):
    """A line that is not an event: why, and where in it."""

    def __init__(self, message: str, column: int | None, pointer: str) -> None:
        super().__init__(message)
        self.message = message
        self.column = column
        self.pointer = pointer

    def __str__(self) -> str:
        column = "" if self.column is None else f":{self.column}"
        pointer = f" (at {self.pointer})" if self.pointer else ""
        return f"{column}: {self.message}{pointer}"

    def as_json(self) -> dict[str, Any]:
        return {"message": self.message, "column": self.column, "pointer": self.pointer}


def check_events(request: Request) -> int:
    """Decide every event of the stream; gives the exit code."""
    path = request.values["events"]
    defaults = defaults_of(request)
    with _opened(path) as stream:
        policy = Policy(request)
        decider = Decider(request, policy)
        check_prices(decider.state)
        run = _Run("standard input" if path == "-" else path, decider, defaults)
        render = _line_text if request.get("format") == "text" else _line_json
        for number, line in enumerate(_with_progress(stream), 1):
            if line.strip():
                sys.stdout.write(render(number, *run.decide(number, line)))
    sys.stdout.flush()
    sys.stderr.write(run.summary() + "\n")
    policy.keep()
    return run.exit_code(request.get("fail-on"))


def _opened(path: str) -> BinaryIO:
    try:
        return sys.stdin.buffer if path == "-" else open(path, "rb")
    except OSError as error:
        raise unreadable(path, error) from error


class _Run:
    """Decides lines, and counts what came out."""

    def __init__(self, source: str, decider: Decider, defaults: dict[str, Any]) -> None:
        self.source = source
        self.decider = decider
        self.defaults = defaults
        self.counts = dict.fromkeys(OUTCOMES, 0)
        self.malformed = 0

    def decide(self, number: int, line: bytes) -> tuple[dict[str, Any], Decision | Malformed]:
        """The event of a line and its decision, or what is wrong with it."""
        event: dict[str, Any] = {}
        try:
            event = with_defaults(_event(line), self.defaults)
            decision = _decided(self.decider, event)
        except Malformed as problem:
            self.malformed += 1
            sys.stderr.write(f"error: {self.source}:{number}{problem}\n")
            return event, problem
        self.counts[decision.outcome.value] += 1
        return event, decision

    def summary(self) -> str:
        parts = [f"{count:,} {name}" for name, count in self.counts.items() if count]
        total = sum(self.counts.values())
        malformed = f"; {self.malformed:,} malformed" if self.malformed else ""
        return f"{total:,} event{'' if total == 1 else 's'}: {', '.join(parts) or 'none'}{malformed}"

    def exit_code(self, fail_on: str | None) -> int:
        if self.malformed:
            return exits.DATA
        strictest = max(
            (name for name, count in self.counts.items() if count), key=OUTCOMES.index, default="allow"
        )
        failed = fail_on is not None and OUTCOMES.index(strictest) >= OUTCOMES.index(fail_on)
        return exits.OUTCOMES[strictest] if failed else exits.ALLOW


def _event(line: bytes) -> Any:
    try:
        text = decoded(line.rstrip(b"\r\n"), "the line")
        return read_json(text)
    except JsonError as error:
        raise Malformed(error.message, error.extent.start + 1, error.pointer) from error
    except Stop as stop:
        raise Malformed(stop.text.removeprefix("error: "), None, "") from stop


def _decided(decider: Decider, event: Any) -> Decision:
    try:
        return decider.decide(event)
    except EventError as error:
        raise Malformed(error.message, None, error.pointer) from error
    except GuardError as error:
        raise Malformed(str(error), None, "") from error


# --- output ------------------------------------------------------------------------------------


def _line_json(number: int, event: dict[str, Any], answer: Decision | Malformed) -> str:
    """`{"line": 3, "call_id": "c1", "outcome": ...}`, or `{"line": 3, "error": {...}}`."""
    head: dict[str, Any] = {"line": number}
    if event.__class__ is dict and "call_id" in event:
        head["call_id"] = event["call_id"]
    if isinstance(answer, Malformed):
        return write_json({**head, "error": answer.as_json()}) + "\n"
    return write_json({**head, **decision_as_json(answer)}) + "\n"


def _line_text(number: int, event: dict[str, Any], answer: Decision | Malformed) -> str:
    """`3: deny issue_refund: ...`."""
    if isinstance(answer, Malformed):
        return f"{number}: malformed{answer}\n"
    about = event.get("tool", event["type"])
    because = f": {answer.message}" if answer.message else ""
    return f"{number}: {answer.outcome.value} {about}{because}\n"


def _with_progress(stream: BinaryIO) -> Iterator[bytes]:
    """The lines of the stream, with a bar on standard error when people look at that and not at the output."""
    if not (sys.stderr.isatty() and not sys.stdout.isatty()):
        yield from stream
        return
    size = os.fstat(stream.fileno()).st_size
    done = 0
    for number, line in enumerate(stream, 1):
        yield line
        done += len(line)
        if number % 200 == 0:
            _draw(number, done / size if size else None)
    sys.stderr.write("\r\x1b[K")


def _draw(number: int, share: float | None) -> None:
    full = 0 if share is None else round(BAR * min(share, 1.0))
    bar = f"[{'#' * full}{'.' * (BAR - full)}] " if share is not None else ""
    sys.stderr.write(f"\r{bar}{number:,} events")
    sys.stderr.flush()
