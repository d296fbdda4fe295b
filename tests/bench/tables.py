"""What a section found: tables to read, and the same figures as data.

A figure is a plain number in base units (seconds, ratios, counts); `shown` makes it readable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Table:
    """Rows of named figures. `aim` says what was asked for, and stands under the table."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    aim: str = ""

    def add(self, *cells: Any) -> None:
        self.rows.append(cells)

    def text(self) -> str:
        lines = [self.columns, *(tuple(map(shown, row)) for row in self.rows)]
        widths = [max(len(line[index]) for line in lines) for index in range(len(self.columns))]
        rule = "  ".join("-" * width for width in widths)
        body = [_aligned(line, widths) for line in lines]
        aim = [f"aim: {self.aim}"] if self.aim else []
        return "\n".join([self.title, "", body[0], rule, *body[1:], *aim, ""])

    def data(self) -> dict[str, Any]:
        rows = [dict(zip(self.columns, map(plain, row), strict=True)) for row in self.rows]
        return {"title": self.title, "aim": self.aim, "rows": rows}


@dataclass(frozen=True, slots=True)
class Seconds:
    """A time, shown in the unit that suits it."""

    value: float

    def __str__(self) -> str:
        for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
            if self.value >= size:
                return f"{self.value / size:.2f} {unit}"
        return f"{self.value / 1e-9:.0f} ns"


@dataclass(frozen=True, slots=True)
class Ratio:
    value: float

    def __str__(self) -> str:
        return f"{self.value:.2f}x" if self.value < 100 else f"{self.value:,.0f}x"


def shown(cell: Any) -> str:
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def plain(cell: Any) -> Any:
    return cell.value if isinstance(cell, Seconds | Ratio) else cell


def _aligned(line: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        cell.ljust(width) if index == 0 else cell.rjust(width)
        for index, (cell, width) in enumerate(zip(line, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()
