"""The review of a recording for people and programs: an `Account` in, text, JSON or Markdown out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from guardrails.strict_json import write_json
from guardrails.testing.replay_changes import DIRECTIONS, Change, Direction
from guardrails.testing.replay_gates import Gate
from guardrails.testing.replay_items import PEOPLE
from guardrails.testing.replay_review import MOST_NAMES, Affected, Names, Review, Tally
from guardrails.testing.replay_running import Account

OUTCOMES = ("allow", "ask", "deny", "halt")
LONGEST = 160
"""Characters of an example that are shown."""

HEADINGS: dict[Direction, str] = {
    "loosened": "Looser than before",
    "tightened": "Stricter than before",
    "other": "Same answer by other statements",
}


@dataclass(frozen=True, slots=True)
class Report:
    """What is written: an account, whether it compares, its gates, and whether examples are shown."""

    account: Account
    compared: bool
    gates: Sequence[Gate] = ()
    examples: bool = True
    title: str = "Replay of recorded events"

    @property
    def review(self) -> Review:
        return self.account.review

    def place(self, tally: Tally) -> str:
        """Where the first event stands; the file only where there are several."""
        example = tally.example
        where = f" of {example.file}" if len(self.account.files) > 1 else ""
        return f"line {example.line}{where}"


def in_order(review: Review, direction: Direction) -> list[tuple[Change, Tally]]:
    """The changes of a direction by statement, the most frequent first."""
    found = [(change, tally) for change, tally in review.changes.items() if change.direction == direction]
    return sorted(found, key=lambda pair: (-pair[1].count, pair[0].statement, pair[0].tool, pair[0].how))


def statements_of(review: Review) -> list[tuple[str, Tally]]:
    return sorted(review.statements.items(), key=lambda pair: (-pair[1].count, pair[0]))


# --- sentences ---------------------------------------------------------------------------------


def sums(review: Review, *, compared: bool) -> str:
    parts = [
        f"{review.outcomes[name]:,} {name}" + (f" (was {review.before[name]:,})" if compared else "")
        for name in OUTCOMES
        if review.outcomes[name] or review.before[name]
    ]
    errors = f"; {events(review.errors)} with errors of evaluation" if review.errors else ""
    return f"{events(review.events)}: {', '.join(parts) or 'none'}{errors}"


def events(count: int) -> str:
    return f"{count:,} event{'' if count == 1 else 's'}"


def notes_of(report: Report) -> list[str]:
    """What has to be known to read the sums: events that could not be replayed as they were, bad lines, and
    limits that sessions share."""
    account, review = report.account, report.review
    found = []
    for reason in sorted(review.reasons):
        unlike = review.unlike[reason]
        count = events(review.reasons[reason])
        otherwise = (
            f"; {unlike:,} of them came out otherwise, which is not counted as a change" if unlike else ""
        )
        said = "taken from the recording" if reason in PEOPLE else "not replayable as recorded"
        found.append(f"{said}: {count} ({reason}){otherwise}")
    if review.unrecorded:
        found.append(f"not compared: {events(review.unrecorded)} without a recorded decision")
    if account.bad_count:
        lines = f"{account.bad_count:,} line{'' if account.bad_count == 1 else 's'}"
        found.append(f"left out: {lines} that could not be read")
    if account.shared:
        names = ", ".join(account.shared)
        found.append(
            f"sessions share {names}: those that charge the same counter were replayed together, "
            f"{account.largest:,} at most"
        )
    return found


def who(affected: Affected) -> str:
    """`12 principals (ana, ben, ...), 3 agents, 40 sessions`; empty where nobody is named."""
    kinds = (("principal", affected.principals), ("agent", affected.agents), ("session", affected.sessions))
    return ", ".join(_counted(names, kind) for kind, names in kinds if names.many or names.found)


def _counted(names: Names, kind: str) -> str:
    if names.many:
        return f"more than {MOST_NAMES:,} {kind}s"
    count = len(names.found)
    more = ", ..." if count > len(names.first) else ""
    return f"{count:,} {kind}{'' if count == 1 else 's'} ({', '.join(names.first)}{more})"


def shown(tally: Tally) -> str:
    """The example as JSON on one line; a long one is cut."""
    text = write_json(dict(tally.example.event))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


# --- text --------------------------------------------------------------------------------------


def render_text(report: Report) -> str:
    """Sums, then every change with its count, who is affected and an example; without an older decision, every
    statement."""
    return "".join(f"{line}\n" for line in _text(report))


def _text(report: Report) -> Iterator[str]:
    review = report.review
    yield sums(review, compared=report.compared)
    yield from notes_of(report)
    if not report.compared:
        yield from (f"  {tally.count:>8,}  {name}" for name, tally in statements_of(review))
        return
    for direction in DIRECTIONS:
        changes = in_order(review, direction)
        if changes:
            yield from ("", f"{HEADINGS[direction]}: {events(review.changed[direction])}")
        for change, tally in changes:
            yield from _change_text(report, change, tally)
    if not review.changes:
        yield "no event is decided otherwise"
    elif who(review.everybody):
        yield from ("", f"affected: {who(review.everybody)}")
    yield from (f"{'ok' if gate.holds(review) else 'FAILED'}: {gate.said(review)}" for gate in report.gates)


def _change_text(report: Report, change: Change, tally: Tally) -> Iterator[str]:
    yield f"  {change.statement} on {change.tool}"
    yield f"    {change.how}: {events(tally.count)}, first in {report.place(tally)}"
    named = who(report.review.affected[change])
    if named:
        yield f"      for {named}"
    if report.examples:
        yield f"      {shown(tally)}"


# --- JSON --------------------------------------------------------------------------------------


def render_json(report: Report) -> str:
    """Everything, with whole examples."""
    review, account = report.review, report.account
    found: dict[str, Any] = {
        "events": review.events,
        "outcomes": {name: review.outcomes[name] for name in OUTCOMES},
        "errors": review.errors,
        "statements": [{"statement": name, **_tally(report, tally)} for name, tally in statements_of(review)],
        "files": [{"path": p, "form": f} for p, f in zip(account.files, account.forms, strict=True)],
        "bad_lines": account.bad_count,
        "not_replayable": {
            reason: {"events": review.reasons[reason], "otherwise": review.unlike[reason]}
            for reason in sorted(review.reasons)
        },
        "shared": {"limits": list(account.shared), "largest": account.largest},
    }
    if report.compared:
        found["before"] = {name: review.before[name] for name in OUTCOMES}
        found["compared"] = review.compared
        found["unrecorded"] = review.unrecorded
        found["moves"] = [
            {"from": old, "to": new, "events": count} for (old, new), count in sorted(review.moves.items())
        ]
        found["altered"] = review.altered
        found["changed"] = {name: review.changed[name] for name in DIRECTIONS}
        found["affected"] = _affected(review.everybody)
        found["changes"] = [_change(report, *pair) for name in DIRECTIONS for pair in in_order(review, name)]
        found["gates"] = [
            {
                "gate": each.option,
                "limit": each.text,
                "events": each.count(review),
                "holds": each.holds(review),
            }
            for each in report.gates
        ]
    return write_json(found) + "\n"


def _change(report: Report, change: Change, tally: Tally) -> dict[str, Any]:
    head = {
        "direction": change.direction, "statement": change.statement, "tool": change.tool, "how": change.how,
    }  # fmt: skip
    return {**head, "affected": _affected(report.review.affected[change]), **_tally(report, tally)}


def _affected(affected: Affected) -> dict[str, Any]:
    kinds = {"principals": affected.principals, "agents": affected.agents, "sessions": affected.sessions}
    return {
        name: {
            "count": MOST_NAMES if names.many else len(names.found),
            "more": names.many,
            "first": names.first,
        }
        for name, names in kinds.items()
    }


def _tally(report: Report, tally: Tally) -> dict[str, Any]:
    example: dict[str, Any] = {"file": tally.example.file, "line": tally.example.line}
    if report.examples:
        example["event"] = dict(tally.example.event)
    return {"count": tally.count, "example": example}


# --- Markdown ----------------------------------------------------------------------------------


def render_markdown(report: Report) -> str:
    """A comment for a pull request."""
    return "".join(f"{line}\n" for line in _markdown(report))


def _markdown(report: Report) -> Iterator[str]:
    review = report.review
    yield from (f"## {report.title}", "", sums(review, compared=report.compared))
    yield from (f"\n{note[:1].upper()}{note[1:]}." for note in notes_of(report))
    if not report.compared:
        yield from ("", "| Statement | Events |", "| --- | ---: |")
        yield from (f"| {_cell(name)} | {tally.count:,} |" for name, tally in statements_of(review))
        return
    for direction in DIRECTIONS:
        changes = in_order(review, direction)
        if changes:
            yield from ("", f"### {HEADINGS[direction]} ({events(review.changed[direction])})", "")
            yield from (
                "| Statement | Tool | Change | Events | For | Example |",
                "| --- | --- | --- | ---: | --- | --- |",
            )
        for change, tally in changes:
            yield _row(report, change, tally)
    if not review.changes:
        yield from ("", "No event is decided otherwise.")
    if report.gates:
        yield ""
        yield from (f"- {'✅' if gate.holds(review) else '❌'} {gate.said(review)}" for gate in report.gates)


def _row(report: Report, change: Change, tally: Tally) -> str:
    code = f": `{shown(tally).replace('`', chr(39))}`" if report.examples else ""
    cells = (
        change.statement, change.tool, change.how, f"{tally.count:,}", who(report.review.affected[change]),
        report.place(tally) + code,
    )  # fmt: skip
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _html(report: Report) -> str:
    from guardrails.testing.replay_page import render_html

    return render_html(report)


REPORTS: dict[str, Callable[[Report], str]] = {
    "text": render_text,
    "json": render_json,
    "markdown": render_markdown,
    "html": _html,
}
"""Form -> how it is written."""
