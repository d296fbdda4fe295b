"""What happened, as a person wants to read it: the attempt, its outcome, and why, with the policy's own line."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from guardrails import ApprovalRequired, Decision, Refused, Session
from guardrails.model import Applied, Place

COLORS = {"allowed": "32", "changed": "36", "asked": "33", "denied": "31"}
INDENT = " " * 10
WIDTH = 104
"""Characters of a shown line."""


class Story:
    """Runs tools as an agent would and tells each attempt; `counts` says how many came out how."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.colored = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def chapter(self, title: str, about: str) -> None:
        print(f"\n{self._paint(title, '1')}\n{about}\n")

    def attempt(self, session: Session, tool: Callable[..., Any], **args: Any) -> None:
        """The agent calls a tool; the hook decides, and what happened is told."""
        ran: list[tuple[Any, Any]] = []
        guarded = session.tool(_watched(tool, ran))
        what = f"{self._paint(tool.__name__, '1')}  {_short(', '.join(map(_argument, args, args.values())))}"
        try:
            given = guarded(**args)
        except Refused as refusal:
            self._refused(what, refusal)
        else:
            passed, found = ran[0]
            same = {name: passed[name] for name in args}
            self._ran(what, [*_changes(args, same), *_changes(found, given)], given)

    def text(self, direction: str, before: str, decision: Decision) -> None:
        """A text that went into or out of the model."""
        after = decision.payload if decision.transforms else before
        self._ran(self._paint(direction, "1"), _changes(before, after), after)

    def _ran(self, what: str, changes: list[str], given: Any) -> None:
        self._head("changed" if changes else "allowed", what)
        for line in changes or [f"-> {_plain(given)}"]:
            self._line(line)

    def _refused(self, what: str, refusal: Refused) -> None:
        decision = refusal.decision
        self._head("asked" if isinstance(refusal, ApprovalRequired) else "denied", what)
        for approval in decision.approvals if isinstance(refusal, ApprovalRequired) else ():
            self._line(f"waits for {' or '.join(approval.reviewers)}, and is not run before")
        for reason in decision.reasons:
            self._reason(reason)
        for error in decision.errors[:1]:
            self._line(f"could not be evaluated: {error.message}")
        if not decision.reasons:
            self._line("nothing in the policy allows it")

    def _reason(self, reason: Applied) -> None:
        if reason.message:
            self._line(reason.message)
        place = f"{os.path.relpath(reason.place.file)}:{reason.place.line}:{reason.place.column}"
        print(f"{INDENT}{self._paint(f'{place}  {_source(reason.place)}', '2')}")

    def _head(self, outcome: str, what: str) -> None:
        self.counts[outcome] += 1
        print(f"{self._paint(outcome.ljust(8), COLORS[outcome])}  {what}")

    def _line(self, text: str) -> None:
        print(f"{INDENT}{_short(text)}")

    def _paint(self, text: str, color: str) -> str:
        return f"\x1b[{color}m{text}\x1b[0m" if self.colored else text


def _watched(tool: Callable[..., Any], ran: list[tuple[Any, Any]]) -> Callable[..., Any]:
    """The tool, which also keeps what it was run with and what it gave back before the policy changed it."""

    @wraps(tool)
    def run(**named: Any) -> Any:
        found = tool(**named)
        ran.append((named, found))
        return found

    return run


def _changes(before: Any, after: Any) -> list[str]:
    """What a transform did: fields that are left out, and values before and after."""
    if before == after:
        return []
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return [f"was  {_plain(before)}", f"now  {_plain(after)}"]
    gone = [name for name in before if name not in after]
    changed = [name for name in after if before[name] != after[name]]
    lines = [f"left out: {', '.join(gone)}"] if gone else []
    return lines + [f"{name}: {_plain(before[name])} -> {_plain(after[name])}" for name in changed]


def _source(place: Place) -> str:
    """The line of the policy that a place begins on, without the message that is told anyway."""
    line = Path(place.file).read_text(encoding="utf-8").splitlines()[place.line - 1]
    return line.split(" because ")[0].strip()


def _argument(name: str, value: Any) -> str:
    return _plain(value) if isinstance(value, str) else f"{name}={_plain(value)}"


def _plain(value: Any) -> str:
    return value.strip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"
