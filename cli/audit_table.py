"""Records as lines of a table: one record a line, as wide as the terminal has room for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .terminal import plain

COLUMNS = ("time", "kind", "outcome", "event", "session", "agent", "principal", "decided by")
RESET, FAINT = "\x1b[0m", "\x1b[2m"
COLORS = {"allow": "\x1b[32m", "ask": "\x1b[33m", "deny": "\x1b[31m", "halt": "\x1b[31;1m"}
GAP = "  "
WIDEST = (23, 10, 7, 40, 34, 20, 16, 80)
"""Letters of each column, at most."""


def table(records: Iterable[Mapping[str, Any]], width: int, *, color: bool) -> str:
    """The lines, with a head."""
    rows = [cells_of(record) for record in records]
    sizes = sizes_of([COLUMNS, *rows])
    head = line_of(COLUMNS, sizes, width)
    lines = [f"{FAINT}{head}{RESET}" if color else head]
    lines += [_painted(row, sizes, width, color=color) for row in rows]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def line(record: Mapping[str, Any], width: int, *, color: bool) -> str:
    """One line, with columns of a fixed size, for records that come in one by one."""
    return _painted(cells_of(record), [23, 10, 7, 28, 20, 12, 16, 40], width, color=color).rstrip()


def cells_of(record: Mapping[str, Any]) -> tuple[str, ...]:
    event = " ".join(filter(None, [str(record.get("point") or ""), str(record.get("tool") or "")]))
    outcome = record.get("outcome") or record.get("status") or ""
    cells = (
        str(record.get("at", ""))[:23].replace("T", " "), record["kind"], outcome, event or _facts(record),
        record.get("session", ""), record.get("agent", ""), record.get("principal", ""),
        ", ".join(record.get("reasons") or ()),
    )  # fmt: skip
    return tuple(plain(str(cell)) for cell in cells)


def _facts(record: Mapping[str, Any]) -> str:
    facts = record.get("facts")
    return ", ".join(f"{name}={value}" for name, value in facts.items()) if isinstance(facts, dict) else ""


def sizes_of(rows: Sequence[Sequence[str]]) -> list[int]:
    return [
        min(max(len(row[at]) for row in rows), widest)
        for at, widest in zip(range(len(rows[0])), WIDEST, strict=False)
    ]


def line_of(cells: Sequence[str], sizes: Sequence[int], width: int) -> str:
    text = GAP.join(_fitted(cell, size) for cell, size in zip(cells, sizes, strict=True))
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _painted(cells: Sequence[str], sizes: Sequence[int], width: int, *, color: bool) -> str:
    text = line_of(cells, sizes, width)
    paint = COLORS.get(cells[2], "") if color else ""
    return f"{paint}{text}{RESET}" if paint else text


def _fitted(text: str, size: int) -> str:
    return text.ljust(size) if len(text) <= size else f"{text[: size - 1]}…"


def counts_table(rows: Iterable[Sequence[Any]], names: Sequence[str]) -> str:
    """Counts as a table, the numbers first."""
    shown = [("records", *names)]
    shown += [
        (f"{row[-1]:,}", *(plain("-" if cell is None else str(cell)) for cell in row[:-1])) for row in rows
    ]
    sizes = [max(len(row[at]) for row in shown) for at in range(len(shown[0]))]
    return "".join(
        GAP.join(
            [row[0].rjust(sizes[0]), *(_fitted(c, s) for c, s in zip(row[1:], sizes[1:], strict=True))]
        ).rstrip()
        + "\n"
        for row in shown
    )
