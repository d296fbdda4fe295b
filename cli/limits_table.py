"""The table of `guard limits`: one line a counter, with a bar, as wide as the terminal has room for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from guardrails.inspection import BreakerState, LimitState
from guardrails.runtime.refusals import span_of

from .terminal import plain

HEAD = ("limit", "for", "", "used", "per", "")
MOST = 10
"""Counters of one limit that are shown, the fullest first."""

LONGEST_BAR, SHORTEST_BAR = 20, 6
NARROWEST = (12, 8)
"""What name and `for` keep on a narrow terminal."""

GAP = "  "
RESET, FAINT, GREEN, YELLOW, RED = "\x1b[0m", "\x1b[2m", "\x1b[32m", "\x1b[33m", "\x1b[31m"
NEARLY = 0.8


class Row:
    """One line: its cells, how full the bar is (None: no bar), and its color."""

    def __init__(self, cells: Sequence[str], share: float | None = None, color: str = "") -> None:
        self.cells = [plain(cell) for cell in cells]
        self.share = share
        self.color = color


def table(states: Iterable[LimitState | BreakerState], width: int, *, color: bool) -> str:
    """The lines of the table."""
    found = tuple(states)
    rows = [Row(HEAD, color=FAINT), *_rows(found)]
    if sum(_sizes(rows, 0, squeezed=(2,))) + len(GAP) * (len(HEAD) - 1) > width:
        rows = [Row(HEAD, color=FAINT), *_rows(found, brief=True)]
    sizes = _sizes(rows, width)
    return "".join(_line(row, sizes, color=color).rstrip() + "\n" for row in rows)


def _rows(states: Iterable[LimitState | BreakerState], *, brief: bool = False) -> Iterator[Row]:
    """The lines below the head; brief ones leave out what is not settled yet, what is counted by, and zones."""
    for (name, _), group in groupby(states, lambda state: (state.name, getattr(state, "per", ""))):
        found = sorted(group, key=_fullness, reverse=True)
        yield from (_row(state, brief=brief) for state in found[:MOST])
        if len(found) > MOST:
            more = f"and {len(found) - MOST:,} more" + ("" if brief else ", less full")
            yield Row((name, more, "", "", "", ""), color=FAINT)


def _fullness(state: Any) -> float:
    share = _share(state)
    return -1.0 if share is None else share


def _share(state: Any) -> float | None:
    limit = getattr(state, "limit", None)
    if limit is None:
        return None
    return float(state.used / limit) if limit else 1.0


def _row(state: LimitState | BreakerState, *, brief: bool) -> Row:
    name = f"{state.name} (shadow)" if state.shadow else state.name
    if isinstance(state, BreakerState):
        return _breaker_row(state, name, _counted_for(state, brief=brief))
    share = _share(state)
    shade = "" if share is None else RED if share >= 1 else YELLOW if share >= NEARLY else GREEN
    held = "" if brief or not state.reserved else f" ({_amount(state, state.reserved)} not settled)"
    per = state.per.partition(" in ")[0] if brief else state.per
    return Row(
        (name, _counted_for(state, brief=brief), "", _used(state) + held, per, _room(state, brief=brief)),
        share,
        shade,
    )


def _breaker_row(state: BreakerState, name: str, counted_for: str) -> Row:
    shade = {"closed": GREEN, "half open": YELLOW, "open": RED}.get(state.state, "")
    failures = f"{state.failures} of {state.outcomes} failed" if state.outcomes else ""
    failures = failures if state.state else "not listed"
    wait = "" if state.retry_in is None else f"trial in {span_of(state.retry_in)}"
    return Row((name, counted_for, state.state, failures, "", wait), color=shade)


def _counted_for(state: LimitState | BreakerState, *, brief: bool) -> str:
    session = getattr(state, "session", None)
    parts = [] if session is None else [session if brief else f"session {session}"]
    if not parts and getattr(state, "per", "") == "session" and not state.by:
        parts = ["each session"]
    if state.by and not state.values:
        parts += [f"each {by}" for by in state.by]
    parts += [value if brief else f"{by} {value}" for by, value in zip(state.by, state.values, strict=False)]
    return ", ".join(parts) or "all"


def _used(state: LimitState) -> str:
    unit = state.unit and f" {state.unit}"
    if state.limit is None:
        return f"{_amount(state, state.used)}{unit}, limit varies"
    return f"{_amount(state, state.used)} of {_amount(state, state.limit)}{unit}"


def _amount(state: LimitState, amount: Any) -> str:
    if state.measure == "tool_time":
        return span_of(float(amount) / 1_000_000) if amount else "0s"
    if isinstance(amount, int):
        return f"{amount:,}"
    text = f"{amount:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _room(state: LimitState, *, brief: bool) -> str:
    full = "full" if state.is_full else ""
    if state.room_in is None:
        return full
    if full and brief:
        return f"room in {span_of(state.room_in)}"
    return ", ".join(
        [full, f"room in {span_of(state.room_in)}"] if full else [f"anew in {span_of(state.room_in)}"]
    )


# --- layout ------------------------------------------------------------------------------------


def _sizes(rows: Sequence[Row], width: int, squeezed: Sequence[int] = (2, 1, 0)) -> list[int]:
    """The width of each column: what is too wide is taken from the bars first, then from the `for` and the
    names; the rest is what the table is for, and stays whole."""
    sizes = [max(len(row.cells[column]) for row in rows) for column in range(len(HEAD))]
    smallest = (*NARROWEST, max(SHORTEST_BAR, sizes[2]))
    sizes[2] = max(LONGEST_BAR, sizes[2])
    for column in squeezed:
        over = sum(sizes) + len(GAP) * (len(sizes) - 1) - width
        if over > 0:
            sizes[column] = max(min(smallest[column], sizes[column]), sizes[column] - over)
    return sizes


def _line(row: Row, sizes: Sequence[int], *, color: bool) -> str:
    cells = [_fitted(cell, size) for cell, size in zip(row.cells, sizes, strict=True)]
    if row.share is not None:
        full = min(int(row.share * sizes[2]), sizes[2])
        cells[2] = "#" * full + "." * (sizes[2] - full)
    if color and row.color == FAINT:
        return f"{FAINT}{GAP.join(cells).rstrip()}{RESET}"
    if color and row.color:
        cells[2] = f"{row.color}{cells[2]}{RESET}"
    return GAP.join(cells)


def _fitted(text: str, size: int) -> str:
    return text.ljust(size) if len(text) <= size else f"{text[: size - 1]}…"
