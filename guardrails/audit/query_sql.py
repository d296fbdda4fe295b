"""Queries as SQL: the terms of a query in the words of DuckDB, SQLite and PostgreSQL.

Takes a query, gives a condition and its parameters. The one idea: a dialect says how it reads a field of a
record and how it compares a pattern; all else is the same. Names of fields come from this package alone, and
are checked again here; whatever a person gave is a parameter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guardrails.audit.query import AFTER, BEFORE, COUNTED, HAS, LISTS, SINCE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guardrails.audit.query import Query, Term

COMPARED = {SINCE: ">=", BEFORE: "<", AFTER: ">"}
NUMBERS = ("us", "seq")


class Dialect:
    """How one engine reads records. `mark` is its sign for a parameter."""

    mark = "?"

    def number(self, field: str) -> str:
        return field

    def text(self, field: str) -> str:
        raise NotImplementedError

    def any_of(self, field: str, test: str) -> str:
        """Whether `test`, which speaks of `name`, holds for one of a list's names."""
        raise NotImplementedError

    def expanded(self, field: str, alias: str) -> tuple[str, str]:
        """What to select for every name of a list, and what to add after the table for it."""
        raise NotImplementedError

    def pattern(self, subject: str, pattern: str) -> tuple[str, str]:
        """A comparison with a pattern, and its parameter."""
        escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("*", "%")
        return f"{subject} LIKE {self.mark} ESCAPE '\\'", escaped


class DuckDialect(Dialect):
    """Records as rows with a typed column for each field."""

    def text(self, field: str) -> str:
        return f'"{field}"'

    def any_of(self, field: str, test: str) -> str:
        return f'len(list_filter(coalesce("{field}", []), lambda name: {test})) > 0'

    def expanded(self, field: str, alias: str) -> tuple[str, str]:
        return f"{alias}.name", f', unnest(coalesce("{field}", [])) AS {alias}(name)'


class SqliteDialect(Dialect):
    """Records as JSON texts in a column."""

    def __init__(self, column: str) -> None:
        self.column = column

    def number(self, field: str) -> str:
        return field if field == "seq" else f"json_extract({self.column}, '$.{field}')"

    def text(self, field: str) -> str:
        return f"json_extract({self.column}, '$.{field}')"

    def any_of(self, field: str, test: str) -> str:
        test = test.replace("name", "value")
        return f"EXISTS (SELECT 1 FROM json_each({self.column}, '$.{field}') WHERE {test})"

    def expanded(self, field: str, alias: str) -> tuple[str, str]:
        return f"{alias}.value", f", json_each({self.column}, '$.{field}') AS {alias}"

    def pattern(self, subject: str, pattern: str) -> tuple[str, str]:
        """LIKE does not tell capitals apart here, GLOB does."""
        escaped = "".join(f"[{letter}]" if letter in "[?" else letter for letter in pattern)
        return f"{subject} GLOB {self.mark}", escaped


class PostgresDialect(Dialect):
    """Records as JSON in a column."""

    mark = "%s"

    def __init__(self, column: str) -> None:
        self.column = column

    def number(self, field: str) -> str:
        return field if field == "seq" else f"({self.column} ->> '{field}')::bigint"

    def text(self, field: str) -> str:
        return f"{self.column} ->> '{field}'"

    def any_of(self, field: str, test: str) -> str:
        listed = self._listed(field)
        return f"EXISTS (SELECT 1 FROM {listed} AS listed(name) WHERE {test})"

    def expanded(self, field: str, alias: str) -> tuple[str, str]:
        return f"{alias}.name", f", {self._listed(field)} AS {alias}(name)"

    def _listed(self, field: str) -> str:
        return f"jsonb_array_elements_text(coalesce({self.column} -> '{field}', '[]'::jsonb))"


def condition(query: Query, dialect: Dialect) -> tuple[str, list[Any]]:
    """What stands after WHERE, and its parameters."""
    parts: list[str] = []
    parameters: list[Any] = []
    for term in query.terms:
        text, values = _term(term, dialect)
        parts.append(text)
        parameters += values
    return " AND ".join(parts) or "TRUE", parameters


def _term(term: Term, dialect: Dialect) -> tuple[str, list[Any]]:
    if term.operator in COMPARED:
        assert term.field in NUMBERS
        return f"{dialect.number(term.field)} {COMPARED[term.operator]} {dialect.mark}", list(term.values)
    assert term.field in COUNTED
    subject = "name" if term.operator == HAS else dialect.text(term.field)
    test, values = _any_text(subject, term.values, dialect)
    return (dialect.any_of(term.field, test), values) if term.operator == HAS else (test, values)


def _any_text(subject: str, values: Iterable[str], dialect: Dialect) -> tuple[str, list[Any]]:
    tests: list[str] = []
    parameters: list[Any] = []
    for value in values:
        test, parameter = (
            dialect.pattern(subject, value) if "*" in value else (f"{subject} = {dialect.mark}", value)
        )
        tests.append(test)
        parameters.append(parameter)
    return f"({' OR '.join(tests)})", parameters


def counting(query: Query, by: tuple[str, ...], table: str, dialect: Dialect) -> tuple[str, list[Any]]:
    """The statement that counts records by fields, the most frequent first. A record counts for every name of
    a list."""
    selected: list[str] = []
    tables = table
    for field in by:
        assert field in COUNTED
        if field in LISTS:
            expression, more = dialect.expanded(field, f"list_{field}")
            tables += more
        else:
            expression = dialect.text(field)
        selected.append(f"{expression} AS by_{len(selected)}")
    where, parameters = condition(query, dialect)
    places = ", ".join(str(number) for number in range(1, len(by) + 1))
    return (
        f"SELECT {', '.join(selected)}, count(*) AS records FROM {tables} WHERE {where} "
        f"GROUP BY {places} ORDER BY records DESC, {places}",
        parameters,
    )
