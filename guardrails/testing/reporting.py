"""Results for people and machines: reports of files in, text, JSON, JUnit or TAP out.

A failure shows what was expected and what came, the smallest difference between them, and the statements that
applied with their lines of the policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from xml.etree import ElementTree

from guardrails.renderings import visible
from guardrails.testing.running import Failure, Result, Statement

VERSION = 1
_RED, _GREEN, _FAINT, _BOLD, _RESET = "\x1b[31m", "\x1b[32m", "\x1b[2m", "\x1b[1m", "\x1b[0m"


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one test file. `error` is why its cases could not be run, as text for people, and `kind`
    says whether the test file or the policy is at fault."""

    file: str
    results: tuple[Result, ...] = ()
    error: str = ""
    kind: str = ""

    @property
    def is_bad(self) -> bool:
        return bool(self.error) or any(result.is_bad for result in self.results)


def counts_of(reports: Iterable[Report]) -> dict[str, int]:
    """How many cases there are of each status, and how many files could not be run (`errors`)."""
    found = dict.fromkeys(("passed", "failed", "skipped", "xfailed", "xpassed", "errors"), 0)
    for report in reports:
        found["errors"] += bool(report.error)
        for result in report.results:
            found[result.status] += 1
    return found


# --- text --------------------------------------------------------------------------------------


def render_text(reports: Sequence[Report], *, color: bool = False) -> str:
    """Everything that is not as expected, and a last line that counts."""
    lines = [line for report in reports for line in _report_lines(report, color=color)]
    return "\n".join([*lines, _summary(counts_of(reports), color=color)]) + "\n"


def _report_lines(report: Report, *, color: bool) -> Iterator[str]:
    if report.error:
        yield f"{_painted('ERROR', _RED, color=color)} {report.file}"
        yield report.error.rstrip("\n")
        yield ""
    for result in report.results:
        if result.is_bad:
            yield from failure_lines(report.file, result, color=color)
            yield ""


def failure_lines(file: str, result: Result, *, color: bool = False) -> Iterator[str]:
    """A failed case, in lines."""
    name = _painted(visible(result.case), _BOLD, color=color)
    yield f"{_painted('FAIL', _RED, color=color)} {file}:{result.span.line} {name}"
    if result.status == "xpassed":
        yield f"  it passes, and is marked as an expected failure: {visible(result.reason)}"
        yield "  = help: take the mark away"
    for failure in result.failures:
        yield from _failure_lines(file, failure, color=color)


def _failure_lines(file: str, failure: Failure, *, color: bool) -> Iterator[str]:
    at = f", at {file}:{failure.span.line}:{failure.span.column}" if file else ""
    yield f"  {visible(failure.step)}{at}"
    for each in failure.mismatches:
        yield f"    {each.aspect}"
        yield f"      expected {_painted(visible(each.expected), _GREEN, color=color)}"
        yield f"      got      {_painted(visible(each.got), _RED, color=color)}"
        yield from (f"        {visible(line)}" for line in each.diff)
    if failure.statements:
        yield "    what applied"
        for statement in failure.statements:
            yield from _statement_lines(statement, color=color)
    elif failure.mismatches and failure.mismatches[0].aspect in ("outcome", "by"):
        yield "    no statement applied"
    errors = dict.fromkeys(failure.errors)
    if errors:
        yield "    could not be evaluated"
        yield from (f"      {visible(error)}" for error in errors)


def failure_text(failure: Failure, file: str = "") -> str:
    """A failure as a text of its own, for tests in Python."""
    return "\n".join(_failure_lines(file, failure, color=False))


def _statement_lines(statement: Statement, *, color: bool) -> Iterator[str]:
    kept = ", which could not be evaluated and stands" if statement.kept_by_error else ""
    at = f" at {statement.place}" if statement.place and statement.place != statement.name else ""
    yield f"      {statement.name}: {statement.effect}{at}{kept}"
    if statement.source:
        yield _painted(f"        | {visible(statement.source)}", _FAINT, color=color)


def _summary(counts: Mapping[str, int], *, color: bool) -> str:
    words = {
        "passed": "passed", "failed": "failed", "xpassed": "passed unexpectedly",
        "xfailed": "failed as expected", "skipped": "skipped",
        "errors": "file with errors" if counts["errors"] == 1 else "files with errors",
    }  # fmt: skip
    text = ", ".join(f"{counts[name]} {word}" for name, word in words.items() if counts[name])
    bad = counts["failed"] + counts["xpassed"] + counts["errors"]
    return _painted(text or "no cases", _RED if bad else _GREEN, color=color)


def _painted(text: str, paint: str, *, color: bool) -> str:
    return f"{paint}{text}{_RESET}" if color else text


# --- for machines ------------------------------------------------------------------------------


def render_json(reports: Sequence[Report]) -> str:
    """`{"version": 1, "counts": {...}, "files": [{"file", "error", "cases": [...]}]}`."""
    import json

    files = [
        {"file": each.file, "error": each.error or None, "cases": [_as_data(r) for r in each.results]}
        for each in reports
    ]
    data = {"version": VERSION, "counts": counts_of(reports), "files": files}
    return json.dumps(data, indent=2, ensure_ascii=True) + "\n"


def _as_data(result: Result) -> dict[str, Any]:
    return {
        "name": result.case,
        "status": result.status,
        "line": result.span.line,
        "seconds": round(result.seconds, 6),
        "reason": result.reason or None,
        "failures": [_failure_data(each) for each in result.failures],
    }


def _failure_data(failure: Failure) -> dict[str, Any]:
    return {
        "step": failure.step,
        "line": failure.span.line,
        "column": failure.span.column,
        "mismatches": [asdict(each) for each in failure.mismatches],
        "statements": [asdict(each) for each in failure.statements],
        "errors": list(dict.fromkeys(failure.errors)),
    }


def render_junit(reports: Sequence[Report]) -> str:
    """XML as JUnit writes it; a file that could not be run is an error of one case."""
    suites = ElementTree.Element("testsuites")
    for report in reports:
        _junit_suite(suites, report)
    ElementTree.indent(suites)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"
    )


def _junit_suite(suites: ElementTree.Element, report: Report) -> None:
    counts = counts_of([report])
    suite = ElementTree.SubElement(
        suites, "testsuite", name=_xml(report.file), tests=str(len(report.results) + counts["errors"]),
        failures=str(counts["failed"] + counts["xpassed"]), errors=str(counts["errors"]),
        skipped=str(counts["skipped"] + counts["xfailed"]),
    )  # fmt: skip
    if report.error:
        case = ElementTree.SubElement(suite, "testcase", classname=_xml(report.file), name="load")
        ElementTree.SubElement(case, "error", message=report.kind).text = _xml(report.error)
    for result in report.results:
        _junit_case(suite, report.file, result)


def _junit_case(suite: ElementTree.Element, file: str, result: Result) -> None:
    case = ElementTree.SubElement(
        suite, "testcase", classname=_xml(file), name=_xml(result.case), file=_xml(file),
        line=str(result.span.line), time=f"{result.seconds:.6f}",
    )  # fmt: skip
    if result.is_bad:
        text = "\n".join(failure_lines(file, result))
        ElementTree.SubElement(case, "failure", message=_xml(headline(result))).text = _xml(text)
    elif result.status in ("skipped", "xfailed"):
        ElementTree.SubElement(case, "skipped", message=_xml(result.reason))


def _xml(text: str) -> str:
    """Text without the characters that XML cannot hold."""
    return "".join(char if char in "\n\t" or char.isprintable() else f"<U+{ord(char):04X}>" for char in text)


def headline(result: Result) -> str:
    """A failure in a few words."""
    if result.status == "xpassed":
        return "passed unexpectedly"
    found = [each for failure in result.failures for each in failure.mismatches]
    return "; ".join(f"{each.aspect}: expected {each.expected}, got {each.got}" for each in found[:1])


def render_tap(reports: Sequence[Report]) -> str:
    """The Test Anything Protocol, version 13."""
    points = [point for report in reports for point in _points(report)]
    lines = ["TAP version 13", f"1..{len(points)}"]
    for number, (ok, text, details) in enumerate(points, start=1):
        lines += [f"{'' if ok else 'not '}ok {number} - {text}", *(f"# {line}" for line in details)]
    return "\n".join(lines) + "\n"


def _points(report: Report) -> Iterator[tuple[bool, str, Sequence[str]]]:
    if report.error:
        yield False, f"{_tap(report.file)} cannot be run", report.error.splitlines()
    for result in report.results:
        text = _tap(f"{report.file}: {result.case}")
        if result.status == "skipped":
            yield True, f"{text} # SKIP {_tap(result.reason)}", ()
        elif result.status == "xfailed":
            yield False, f"{text} # TODO {_tap(result.reason)}", ()
        else:
            lines = list(failure_lines(report.file, result)) if result.is_bad else []
            yield not result.is_bad, text, lines


def _tap(text: str) -> str:
    return visible(text).replace("#", "\\#")


RENDERINGS = {"json": render_json, "junit": render_junit, "tap": render_tap}
