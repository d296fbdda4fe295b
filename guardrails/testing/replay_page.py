"""The review of a recording as one HTML page: no script, no other file, to be read on paper as well.

Everything that comes from a recording or a policy is escaped, and the page forbids itself to load anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from guardrails.strict_json import write_json
from guardrails.testing.replay_changes import DIRECTIONS, Change
from guardrails.testing.replay_reports import (
    HEADINGS,
    OUTCOMES,
    Report,
    events,
    in_order,
    notes_of,
    statements_of,
    sums,
    who,
)
from guardrails.testing.replay_review import Tally

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --loose: #b3541e; --tight: #2b62a8; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .2rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
p.sums { font-size: 1.05rem; } ul.notes { color: inherit; opacity: .85; }
table { border-collapse: collapse; width: 100%; margin: .6rem 0; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
code, pre { font: 13px/1.45 ui-monospace, monospace; overflow-wrap: anywhere; white-space: pre-wrap; }
pre { background: var(--soft); padding: .6rem .8rem; margin: .4rem 0; }
details { border: 1px solid var(--line); border-left: .3rem solid var(--line); margin: .5rem 0; padding: .4rem .8rem; }
summary { cursor: pointer; } summary b { font-weight: 600; }
.loosened { border-left-color: var(--loose); } .tightened { border-left-color: var(--tight); }
.count { float: right; font-variant-numeric: tabular-nums; } .who { opacity: .85; margin: .3rem 0; }
.failed { color: #b00020; font-weight: 600; }
@media print { details { break-inside: avoid; } }
"""

POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def render_html(report: Report) -> str:
    """The page, complete in itself."""
    title = escape(report.title)
    head = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    )
    return head + "".join(f"{line}\n" for line in _body(report)) + "</body>\n</html>\n"


def _body(report: Report) -> Iterator[str]:
    review = report.review
    yield f'<p class="sums">{escape(sums(review, compared=report.compared))}</p>'
    notes = notes_of(report)
    if notes:
        yield f'<ul class="notes">{"".join(f"<li>{escape(note)}</li>" for note in notes)}</ul>'
    if report.gates:
        yield from _gates(report)
    if report.compared:
        yield from _moves(report)
        yield from _changes(report)
    yield from _statements(report)


def _gates(report: Report) -> Iterator[str]:
    yield "<h2>Gates</h2><ul>"
    for gate in report.gates:
        holds = gate.holds(report.review)
        word = "ok" if holds else "failed"
        yield f'<li class="{word}">{word}: {escape(gate.said(report.review))}</li>'
    yield "</ul>"


def _moves(report: Report) -> Iterator[str]:
    """From which outcome to which: a small table."""
    review = report.review
    known = [name for name in OUTCOMES if review.before[name] or review.outcomes[name]]
    yield "<h2>From outcome to outcome</h2>"
    yield f"<table><tr><th>was</th>{''.join(f'<th class=n>now {name}</th>' for name in known)}</tr>"
    for old in known:
        stayed = review.before[old] - sum(review.moves[old, new] for new in known if new != old)
        cells = (stayed if new == old else review.moves[old, new] for new in known)
        yield f"<tr><th>{old}</th>{''.join(f'<td class=n>{count:,}</td>' for count in cells)}</tr>"
    yield "</table>"


def _changes(report: Report) -> Iterator[str]:
    review = report.review
    if not review.changes:
        yield "<p>No event is decided otherwise.</p>"
        return
    yield f"<p>Affected: {escape(who(review.everybody)) or 'nobody is named'}.</p>"
    for direction in DIRECTIONS:
        changes = in_order(review, direction)
        if changes:
            yield f"<h2>{HEADINGS[direction]}: {events(review.changed[direction])}</h2>"
        for change, tally in changes:
            yield _change(report, change, tally)


def _change(report: Report, change: Change, tally: Tally) -> str:
    affected = who(report.review.affected[change])
    named = f'<p class="who">For {escape(affected)}.</p>' if affected else ""
    example = ""
    if report.examples:
        event = escape(write_json(dict(tally.example.event)))
        example = f"<p>First in {escape(report.place(tally))}:</p><pre>{event}</pre>"
    return (
        f'<details class="{change.direction}"><summary><span class="count">{tally.count:,}</span>'
        f"<b>{escape(change.statement)}</b> on <code>{escape(change.tool)}</code>: {escape(change.how)}</summary>"
        f"{named}{example}</details>"
    )


def _statements(report: Report) -> Iterator[str]:
    yield "<h2>Statements that applied</h2>"
    yield "<table><tr><th>Statement</th><th class=n>Events</th></tr>"
    for name, tally in statements_of(report.review):
        yield f"<tr><td><code>{escape(name)}</code></td><td class=n>{tally.count:,}</td></tr>"
    yield "</table>"
