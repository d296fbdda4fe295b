"""Coverage for people and for the tools that read it: a `Coverage` in, a text out.

`text` lists what is missing; `html` is one file that needs no other, with the source in colours; `lcov` and
`cobertura` are what editors and CI systems read: a goal is a branch on its line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape
from itertools import groupby

from guardrails.testing.coverage import KINDS, Coverage, Goal, percent_of

_PLURALS = {"statement": "statements", "row": "rows", "limit": "limits", "condition": "conditions"}


def text_report(coverage: Coverage) -> str:
    """A line for every file, and below it every statement that misses something."""
    lines: list[str] = []
    for file in coverage.files:
        goals = coverage.of(file=file)
        lines.append(f"{file}: {_shown(goals)}")
        lines.append("  " + ", ".join(_kinds(goals)))
        lines += _missing(goals)
    if len(coverage.files) != 1:
        lines.append(f"all files: {_shown(coverage.goals)}")
    return "\n".join(lines) + "\n"


def _missing(goals: Sequence[Goal]) -> Iterator[str]:
    unmet = [goal for goal in goals if not goal.is_met]
    for statement, own in groupby(unmet, key=lambda goal: (goal.rule, goal.statement.line)):
        yield f"  {statement[0]} (line {statement[1]})"
        yield from dict.fromkeys(f"    {goal.missing}" for goal in own)


def _shown(goals: Sequence[Goal]) -> str:
    return f"{percent_of(goals):.1f}% ({sum(goal.is_met for goal in goals)} of {len(goals)})"


def _kinds(goals: Sequence[Goal]) -> Iterator[str]:
    for kind in KINDS:
        own = [goal for goal in goals if goal.kind == kind]
        if own:
            yield f"{_PLURALS[kind]} {sum(goal.is_met for goal in own)} of {len(own)}"


def by_line(coverage: Coverage, file: str) -> dict[int, list[Goal]]:
    """The goals of a file under the line that they stand on, in order."""
    found: dict[int, list[Goal]] = {}
    for goal in coverage.of(file=file):
        found.setdefault(goal.span.line, []).append(goal)
    return dict(sorted(found.items()))


# --- lcov --------------------------------------------------------------------------------------


def lcov_report(coverage: Coverage) -> str:
    """The tracefile of lcov: a line counts as hit as often as its most met goal."""
    return "".join(line + "\n" for file in coverage.files for line in _lcov(coverage, file))


def _lcov(coverage: Coverage, file: str) -> Iterator[str]:
    lines = by_line(coverage, file)
    goals = coverage.of(file=file)
    yield "TN:"
    yield f"SF:{file}"
    for number, own in lines.items():
        for branch, goal in enumerate(own):
            yield f"BRDA:{number},0,{branch},{goal.count if _reached(own) else '-'}"
    yield f"BRF:{len(goals)}"
    yield f"BRH:{sum(goal.is_met for goal in goals)}"
    for number, own in lines.items():
        yield f"DA:{number},{_hits(own)}"
    yield f"LF:{len(lines)}"
    yield f"LH:{sum(map(_reached, lines.values()))}"
    yield "end_of_record"


def _hits(goals: Sequence[Goal]) -> int:
    return max(goal.count for goal in goals)


def _reached(goals: Sequence[Goal]) -> bool:
    return _hits(goals) > 0


# --- Cobertura ---------------------------------------------------------------------------------


def cobertura_report(coverage: Coverage) -> str:
    """The XML of Cobertura. It has no time in it, so that the same coverage is the same file."""
    lines = [own for file in coverage.files for own in by_line(coverage, file).values()]
    head = _rates(lines, coverage.goals)
    body = "".join(_class(coverage, file) for file in coverage.files)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<coverage {head} lines-covered="{sum(map(_reached, lines))}" lines-valid="{len(lines)}"'
        f' branches-covered="{sum(goal.is_met for goal in coverage.goals)}"'
        f' branches-valid="{len(coverage.goals)}" complexity="0" version="1" timestamp="0">\n'
        "  <sources><source>.</source></sources>\n"
        f'  <packages>\n    <package name="policy" {head} complexity="0">\n      <classes>\n{body}'
        "      </classes>\n    </package>\n  </packages>\n</coverage>\n"
    )


def _rates(lines: Sequence[Sequence[Goal]], goals: Sequence[Goal]) -> str:
    line = sum(map(_reached, lines)) / len(lines) if lines else 1
    branch = sum(goal.is_met for goal in goals) / len(goals) if goals else 1
    return f'line-rate="{line:.4f}" branch-rate="{branch:.4f}"'


def _class(coverage: Coverage, file: str) -> str:
    lines = by_line(coverage, file)
    rates = _rates(list(lines.values()), coverage.of(file=file))
    rows = "".join(_cobertura_line(number, own) for number, own in lines.items())
    name = escape(file, quote=True)
    return (
        f'        <class name="{name}" filename="{name}" {rates} complexity="0">\n'
        f"          <methods/>\n          <lines>\n{rows}          </lines>\n        </class>\n"
    )


def _cobertura_line(number: int, goals: Sequence[Goal]) -> str:
    met = sum(goal.is_met for goal in goals)
    share = f"{met * 100 // len(goals)}% ({met}/{len(goals)})"
    return (
        f'            <line number="{number}" hits="{_hits(goals)}" branch="true"'
        f' condition-coverage="{share}"/>\n'
    )


# --- HTML --------------------------------------------------------------------------------------

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #1c1c1e; background: #fff }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table.sums { border-collapse: collapse } .sums td, .sums th { padding: .2rem .9rem .2rem 0; text-align: left }
ol { list-style: none; padding: 0; font: 13px/1.55 ui-monospace, monospace; border: 1px solid #d0d0d5 }
li { display: flex; border-left: .35rem solid transparent } li pre { margin: 0; white-space: pre-wrap; flex: 1 }
li .n { width: 3.5rem; text-align: right; padding-right: 1rem; color: #62626a; user-select: none }
li .s { width: 4rem; color: #62626a; text-align: right; padding-right: .6rem }
li.all { border-color: #1a7f37; background: #eefbf1 } li.some { border-color: #9a6700; background: #fff8e1 }
li.none { border-color: #c62828; background: #fdecea }
li.gap { padding-left: 3.5rem; font-family: system-ui, sans-serif; background: #fff8e1; border-color: #9a6700 }
@media (prefers-color-scheme: dark) {
  body { background: #17171a; color: #e8e8ea } ol { border-color: #3a3a40 } li .n, li .s { color: #a5a5ad }
  li.all { background: #12261a } li.some, li.gap { background: #2b2410 } li.none { background: #331a1a }
}
"""  # noqa: E501  # a style sheet is easier to read with a rule on a line


def html_report(coverage: Coverage) -> str:
    """One page: sums, then each file line by line. A line is marked by a word as well as by its colour."""
    rows = "".join(_sums(file, coverage.of(file=file)) for file in coverage.files)
    parts = "".join(_source(coverage, file) for file in coverage.files)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Policy coverage: {coverage.percent:.1f}%</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>Policy coverage: {_shown(coverage.goals)}</h1>\n"
        f'<table class="sums"><thead><tr><th>File</th><th>Goals met</th><th>Of these</th></tr></thead>\n'
        f"<tbody>{rows}</tbody></table>\n{parts}</body>\n</html>\n"
    )


def _sums(file: str, goals: Sequence[Goal]) -> str:
    return f"<tr><td>{escape(file)}</td><td>{_shown(goals)}</td><td>{', '.join(_kinds(goals))}</td></tr>\n"


def _source(coverage: Coverage, file: str) -> str:
    lines = by_line(coverage, file)
    items = "".join(
        _html_line(number, text, lines.get(number, []))
        for number, text in enumerate(coverage.texts[file].splitlines(), 1)
    )
    return f"<h2>{escape(file)}</h2>\n<ol>\n{items}</ol>\n"


def _html_line(number: int, text: str, goals: Sequence[Goal]) -> str:
    met = sum(goal.is_met for goal in goals)
    mark = "" if not goals else "all" if met == len(goals) else "some" if met else "none"
    share = f"{met}/{len(goals)}" if goals else ""
    title = {"all": "all goals met", "some": "some goals met", "none": "no goal met", "": ""}[mark]
    line = (
        f'<li class="{mark}"><span class="n">{number}</span>'
        f'<span class="s" title="{title}">{share}</span><pre>{escape(text) or " "}</pre></li>\n'
    )
    gaps = (f'<li class="gap">{escape(goal.missing)}</li>\n' for goal in goals if not goal.is_met)
    return line + "".join(gaps)


REPORTS: dict[str, Callable[[Coverage], str]] = {
    "text": text_report,
    "html": html_report,
    "lcov": lcov_report,
    "cobertura": cobertura_report,
}
"""Form -> how it is written."""
