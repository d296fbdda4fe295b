"""Renderings: the same diagnostics for people, for programs, for code scanning and for GitHub's annotations.

Takes diagnostics and the texts that they point into, gives one string. Nothing is decided here: every
rendering shows what the diagnostic already says. Text of the user is shown so that it cannot act on the
terminal: control and direction characters appear as `<U+202E>`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from unicodedata import category, combining, east_asian_width
from urllib.parse import quote

from guardrails.diagnostics import Diagnostic, Fix, Note, Severity, Span
from guardrails.version import VERSION

TAB = 4
"""Columns of a tab in a shown source line."""

MAX_COLUMNS = 140
"""Columns of a shown source line; a longer one is cut around the place that matters."""

_BOLD, _RESET = "\x1b[1m", "\x1b[0m"
_BLUE = "\x1b[1;34m"
_COLORS: dict[Severity, str] = {"error": "\x1b[1;31m", "warning": "\x1b[1;33m", "info": "\x1b[1;36m"}


# --- for people --------------------------------------------------------------------------------


MAX_SHOWN = 200
"""How many diagnostics are shown as text; the other formats hold them all."""


def render_text(diagnostics: Sequence[Diagnostic], texts: Mapping[str, str], *, color: bool = False) -> str:
    """Every diagnostic with its source lines, and a last line that counts them; empty for none. `texts` is
    the text of each file by the name that spans use; a place without one is shown without its line."""
    if not diagnostics:
        return ""
    painter = _Painter(texts, color=color)
    blocks = [painter.diagnostic(diagnostic) for diagnostic in diagnostics[:MAX_SHOWN]]
    if len(diagnostics) > MAX_SHOWN:
        blocks.append(f"... and {len(diagnostics) - MAX_SHOWN:,} more")
    return "\n\n".join([*blocks, counted(diagnostics)]) + "\n"


def counted(diagnostics: Iterable[Diagnostic]) -> str:
    """`2 errors, 1 warning`."""
    severities = [diagnostic.severity for diagnostic in diagnostics]
    words: tuple[tuple[Severity, str], ...] = (("error", "error"), ("warning", "warning"), ("info", "hint"))
    counts = [(severities.count(severity), word) for severity, word in words]
    return ", ".join(f"{n} {word}{'s' if n > 1 else ''}" for n, word in counts if n) or "no findings"


def visible(text: str) -> str:
    """`text` on one line, with every character that a terminal would act upon spelled out."""
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(char: str) -> str:
    return f"<U+{ord(char):04X}>" if category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else char


class _Painter:
    """Lays out diagnostics over the lines of their files."""

    def __init__(self, texts: Mapping[str, str], *, color: bool) -> None:
        self.texts = texts
        self.color = color
        self._lines: dict[str, list[str]] = {}

    def diagnostic(self, diagnostic: Diagnostic) -> str:
        places = (diagnostic.span, *(note.span for note in diagnostic.notes))
        margin = max(len(str(span.line)) for span in places)
        head = self._paint(f"{diagnostic.severity}[{diagnostic.rule}]", _COLORS[diagnostic.severity])
        lines = [head + self._paint(f": {visible(diagnostic.message)}", _BOLD)]
        lines += self._snippet(diagnostic.span, margin, "^", _COLORS[diagnostic.severity])
        for note in diagnostic.notes:
            lines += self._note(note, margin)
        if diagnostic.help:
            lines.append(f"{' ' * margin} {self._paint('=', _BLUE)} help: {visible(diagnostic.help)}")
        return "\n".join(lines)

    def _note(self, note: Note, margin: int) -> Iterator[str]:
        yield self._paint("note", _BOLD) + f": {visible(note.message)}"
        yield from self._snippet(note.span, margin, "-", _BLUE)

    def _snippet(self, span: Span, margin: int, mark: str, color: str) -> Iterator[str]:
        """The place, its first line, and what of it is meant."""
        if span.file.startswith("<") and span.file not in self.texts:
            return
        yield f"{' ' * margin}{self._paint('-->', _BLUE)} {visible(str(span))}"
        line = self._line(span)
        if line is None:
            return
        source, offset, width = excerpt(line, span.column - 1, _last_column(span, line))
        more = f" to line {span.end_line}" if span.end_line > span.line else ""
        bar = self._paint("|", _BLUE)
        yield f"{' ' * margin} {bar}"
        yield f"{self._paint(str(span.line).rjust(margin), _BLUE)} {bar} {source}".rstrip()
        yield f"{' ' * margin} {bar} {' ' * offset}{self._paint(mark * width + more, color)}"

    def _line(self, span: Span) -> str | None:
        text = self.texts.get(span.file)
        if text is None:
            return None
        if span.file not in self._lines:
            self._lines[span.file] = [line.removesuffix("\r") for line in text.split("\n")]
        lines = self._lines[span.file]
        return lines[span.line - 1] if span.line <= len(lines) else ""

    def _paint(self, text: str, color: str) -> str:
        return f"{color}{text}{_RESET}" if self.color else text


def _last_column(span: Span, line: str) -> int:
    """Where the marks end on the first line: offset from 0, exclusive."""
    return max(len(line.rstrip()), span.column) if span.end_line > span.line else span.end_column - 1


def excerpt(line: str, start: int, end: int) -> tuple[str, int, int]:
    """`line` as it is shown, and the column and width there of its characters from `start` to `end`."""
    reach = 2 * MAX_COLUMNS
    base = max(0, start - reach)
    cells = [" " * TAB if char == "\t" else _shown(char) for char in line[base : start + reach]]
    widths = [columns(cell) for cell in cells]
    start, end = start - base, min(end - base, len(cells))
    first = max(0, start - MAX_COLUMNS // 3) if base or sum(widths[:end]) > MAX_COLUMNS else 0
    last, room = first, MAX_COLUMNS
    while last < len(cells) and widths[last] <= room:
        room -= widths[last]
        last += 1
    shown = "".join(cells[first:last])
    more = "…" if base + last < len(line) else ""
    left = "…" if base + first else ""
    return (
        f"{left}{shown}{more}",
        len(left) + sum(widths[first:start]),
        max(1, sum(widths[start : min(end, last)])),
    )


def columns(text: str) -> int:
    """The columns that a terminal gives to `text`."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)


# --- for programs ------------------------------------------------------------------------------


def render_json(diagnostics: Sequence[Diagnostic]) -> str:
    """`{"version": 1, "counts": {...}, "diagnostics": [...]}`; lines and columns count from 1, ends are
    exclusive, offsets count code points."""
    severities = [diagnostic.severity for diagnostic in diagnostics]
    counts = {severity: severities.count(severity) for severity in _COLORS}
    report = {"version": 1, "counts": counts, "diagnostics": [_as_data(each) for each in diagnostics]}
    return json.dumps(report, indent=2, ensure_ascii=True) + "\n"


def _as_data(diagnostic: Diagnostic) -> dict[str, Any]:
    return {
        "rule": diagnostic.rule,
        "code": diagnostic.code or None,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "help": diagnostic.help or None,
        "span": diagnostic.span._asdict(),
        "notes": [{"message": note.message, "span": note.span._asdict()} for note in diagnostic.notes],
        "fix": _fix_as_data(diagnostic.fix) if diagnostic.fix else None,
    }


def _fix_as_data(fix: Fix) -> dict[str, Any]:
    edits = [{"span": edit.span._asdict(), "text": edit.text} for edit in fix.edits]
    return {"title": fix.title, "safety": fix.safety, "edits": edits}


# --- for code scanning -------------------------------------------------------------------------

_LEVELS: dict[Severity, str] = {"error": "error", "warning": "warning", "info": "note"}


def render_sarif(diagnostics: Sequence[Diagnostic]) -> str:
    """A log of SARIF 2.1.0 with one run."""
    rules = sorted({diagnostic.rule for diagnostic in diagnostics})
    driver = {"name": "guard", "version": VERSION, "rules": [{"id": rule} for rule in rules]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(diagnostic, rules) for diagnostic in diagnostics],
    }
    log = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=True) + "\n"


def _sarif_result(diagnostic: Diagnostic, rules: list[str]) -> dict[str, Any]:
    text = f"{diagnostic.message}; {diagnostic.help}" if diagnostic.help else diagnostic.message
    result: dict[str, Any] = {
        "ruleId": diagnostic.rule,
        "ruleIndex": rules.index(diagnostic.rule),
        "level": _LEVELS[diagnostic.severity],
        "message": {"text": text},
        "locations": _sarif_locations([Note(diagnostic.span, "")]),
    }
    related = _sarif_locations(diagnostic.notes)
    if related:
        result["relatedLocations"] = [{"id": number, **place} for number, place in enumerate(related, 1)]
    if diagnostic.fix and diagnostic.fix.edits:
        result["fixes"] = [_sarif_fix(diagnostic.fix)]
    return result


def _sarif_locations(notes: Iterable[Note]) -> list[dict[str, Any]]:
    """The places of notes that lie in a file, with what they say."""
    return [
        {
            "physicalLocation": {"artifactLocation": _artifact(span.file), "region": _region(span)},
            **({"message": {"text": message}} if message else {}),
        }
        for span, message in ((note.span, note.message) for note in notes)
        if not span.file.startswith("<")
    ]


def _artifact(path: str) -> dict[str, str]:
    """A path as a URI: relative ones stay relative to where the command ran."""
    forward = path.replace("\\", "/")
    if forward.startswith("/"):
        return {"uri": f"file://{quote(forward)}"}
    if forward[1:3] == ":/":
        return {"uri": f"file:///{quote(forward, safe='/:')}"}
    return {"uri": quote(forward)}


def _region(span: Span) -> dict[str, int]:
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
        "charOffset": span.start,
        "charLength": span.end - span.start,
    }


def _sarif_fix(fix: Fix) -> dict[str, Any]:
    changes: dict[str, list[dict[str, Any]]] = {}
    for edit in fix.edits:
        replacement = {"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.text}}
        changes.setdefault(edit.span.file, []).append(replacement)
    return {
        "description": {"text": fix.title},
        "artifactChanges": [
            {"artifactLocation": _artifact(file), "replacements": found} for file, found in changes.items()
        ],
    }


# --- for GitHub --------------------------------------------------------------------------------

_COMMANDS: dict[Severity, str] = {"error": "error", "warning": "warning", "info": "notice"}
_IN_TEXT = "%\r\n"
_IN_FIELD = "%\r\n:,"


def render_github(diagnostics: Sequence[Diagnostic]) -> str:
    """Workflow commands, one a line, that GitHub shows as annotations of a pull request."""
    return "".join(_workflow_command(diagnostic) + "\n" for diagnostic in diagnostics)


def _workflow_command(diagnostic: Diagnostic) -> str:
    span = diagnostic.span
    fields = {"title": f"guard {diagnostic.rule}"}
    if not span.file.startswith("<"):
        fields |= {"file": span.file, "line": str(span.line), "endLine": str(span.end_line)}
        if span.line == span.end_line:
            fields |= {"col": str(span.column), "endColumn": str(max(span.column, span.end_column - 1))}
    written = ",".join(f"{name}={_escaped(value, _IN_FIELD)}" for name, value in fields.items())
    text = f"{diagnostic.message}\nhelp: {diagnostic.help}" if diagnostic.help else diagnostic.message
    return f"::{_COMMANDS[diagnostic.severity]} {written}::{_escaped(text, _IN_TEXT)}"


def _escaped(text: str, special: str) -> str:
    """`text` with the characters of `special` as percent codes."""
    return "".join(f"%{ord(char):02X}" if char in special else char for char in text)
