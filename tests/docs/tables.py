"""The tables of the reference that follow from the engine's own: functions and properties.

python tests/docs/tables.py        writes them anew into grammar/README.md
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from guardrails.language.builtins import FUNCTIONS, PROPERTIES, SPECIAL, Signature

REFERENCE = Path(__file__).parents[2] / "grammar/README.md"


def functions_table() -> str:
    """Every function that can be called, and what it does."""
    rows = [_row(signature) for signature in FUNCTIONS.values()]
    rows += [f"| `{head}` | {doc} |" for head, doc in (entry.split(" | ") for entry in SPECIAL.values())]
    return "\n".join(["| function | gives |", "|---|---|", *rows])


def _row(signature: Signature) -> str:
    notes = [f"; `{each.name}` is a constant" for each in signature.parameters if each.constant]
    return f"| `{signature}` | {signature.doc}{''.join(notes)} |"


def properties_table() -> str:
    """Every property of the canonical types, with its type."""
    rows = []
    for kind, known in PROPERTIES.items():
        listed = ", ".join(f"`{name}` ({of})" for name, of in known.items())
        rows.append(f"| `{kind}` | {listed} |")
    return "\n".join(["| type | properties |", "|---|---|", *rows])


TABLES = {"functions": functions_table, "properties": properties_table}


def with_tables(page: str) -> str:
    """A page with its marked tables as they should be."""
    for name, table in TABLES.items():
        marks = rf"(<!-- {name}: begin -->\n).*?(<!-- {name}: end -->)"
        page = re.sub(marks, partial(_filled, table), page, flags=re.S)
    return page


def _filled(table: Callable[[], str], marks: re.Match[str]) -> str:
    return f"{marks[1]}{table()}\n{marks[2]}"


if __name__ == "__main__":
    REFERENCE.write_text(with_tables(REFERENCE.read_text(encoding="utf-8")), encoding="utf-8")
