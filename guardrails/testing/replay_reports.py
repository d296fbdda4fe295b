"""The review of a recording for people and programs: a `Review` in, text, JSON or Markdown out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from guardrails.strict_json import write_json
from guardrails.testing.replay import DIRECTIONS, Change, Direction, Review, Tally

OUTCOMES = ("allow", "ask", "deny", "halt")
LONGEST = 160
"""Characters of an example that are shown."""

HEADINGS: dict[Direction, str] = {
    "loosened": "Looser than before",
    "tightened": "Stricter than before",
    "other": "Same answer by other statements",
}


def in_order(review: Review, direction: Direction) -> list[tuple[Change, Tally]]:
    """The changes of a direction by statement, the most frequent first."""
    found = [(change, tally) for change, tally in review.changes.items() if change.direction == direction]
    return sorted(found, key=lambda pair: (-pair[1].count, pair[0].statement, pair[0].how))


def render_text(review: Review, *, compared: bool) -> str:
    """Sums, then every change with its count and an example; without an older policy, every statement."""
    lines = [_sums(review, compared=compared)]
    if not compared:
        lines += [f"  {tally.count:>8,}  {name}" for name, tally in _statements(review)]
        return "\n".join(lines) + "\n"
    for direction in DIRECTIONS:
        changes = in_order(review, direction)
        if changes:
            lines += ["", f"{HEADINGS[direction]}: {_events(review.changed[direction])}"]
        for change, tally in changes:
            lines.append(f"  {change.statement}")
            lines.append(f"    {change.how}: {_events(tally.count)}, first in line {tally.example.line}")
            lines.append(f"      {shown(tally)}")
    if not review.changes:
        lines.append("no event is decided otherwise")
    return "\n".join(lines) + "\n"


def _sums(review: Review, *, compared: bool) -> str:
    parts = [
        f"{review.outcomes[name]:,} {name}" + (f" (was {review.before[name]:,})" if compared else "")
        for name in OUTCOMES
        if review.outcomes[name] or review.before[name]
    ]
    errors = f"; {_events(review.errors)} with errors of evaluation" if review.errors else ""
    return f"{_events(review.events)}: {', '.join(parts) or 'none'}{errors}"


def _events(count: int) -> str:
    return f"{count:,} event{'' if count == 1 else 's'}"


def _statements(review: Review) -> list[tuple[str, Tally]]:
    return sorted(review.statements.items(), key=lambda pair: (-pair[1].count, pair[0]))


def shown(tally: Tally) -> str:
    """The example as JSON on one line; a long one is cut."""
    text = write_json(dict(tally.example.event))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def render_json(review: Review, *, compared: bool) -> str:
    """Everything, with whole examples."""
    found: dict[str, Any] = {
        "events": review.events,
        "outcomes": {name: review.outcomes[name] for name in OUTCOMES},
        "errors": review.errors,
        "statements": [{"statement": name, **_tally(tally)} for name, tally in _statements(review)],
    }
    if compared:
        found["before"] = {name: review.before[name] for name in OUTCOMES}
        found["changed"] = {name: review.changed[name] for name in DIRECTIONS}
        found["changes"] = [_change(*pair) for name in DIRECTIONS for pair in in_order(review, name)]
    return write_json(found) + "\n"


def _change(change: Change, tally: Tally) -> dict[str, Any]:
    head = {"direction": change.direction, "statement": change.statement, "how": change.how}
    return {**head, **_tally(tally)}


def _tally(tally: Tally) -> dict[str, Any]:
    example = {"line": tally.example.line, "event": dict(tally.example.event)}
    return {"count": tally.count, "example": example}


def render_markdown(review: Review, *, compared: bool) -> str:
    """A comment for a pull request."""
    return "".join(f"{line}\n" for line in _markdown(review, compared=compared))


def _markdown(review: Review, *, compared: bool) -> Iterator[str]:
    yield "## Replay of recorded events"
    yield ""
    yield _sums(review, compared=compared)
    if not compared:
        yield from ("", "| Statement | Events |", "| --- | ---: |")
        yield from (f"| {_cell(name)} | {tally.count:,} |" for name, tally in _statements(review))
        return
    for direction in DIRECTIONS:
        changes = in_order(review, direction)
        if changes:
            yield from ("", f"### {HEADINGS[direction]} ({_events(review.changed[direction])})", "")
            yield from ("| Statement | Change | Events | Example |", "| --- | --- | ---: | --- |")
        for change, tally in changes:
            code = shown(tally).replace("`", "'")
            example = f"line {tally.example.line}: `{code}`"
            yield f"| {_cell(change.statement)} | {_cell(change.how)} | {tally.count:,} | {_cell(example)} |"
    if not review.changes:
        yield from ("", "No event is decided otherwise.")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


REPORTS: dict[str, Callable[..., str]] = {
    "text": render_text,
    "json": render_json,
    "markdown": render_markdown,
}
"""Form -> how it is written; each takes a review and whether there was an older policy."""
