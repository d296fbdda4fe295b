"""SQL: text → `Sql`, what a query is, reads, writes and calls, whatever its spelling.

The one idea: facts are read off the syntax tree, never off the text, and only for statements that are
understood completely. A statement that does not parse, or that `sqlglot` merely carries along, is
ambiguous; a fact that is not certain errs to the strict side (`read_only` false, a table listed too many).

Tables behind views and inside stored procedures are not visible in a query: they are the database's to guard.
"""

from __future__ import annotations

from guardrails.canonical.text import ambiguous
from guardrails.canonical.value import Canonical, remembered

_ALIASES = {"postgresql": "postgres", "mssql": "tsql", "sqlserver": "tsql", "mariadb": "mysql"}
_NOT_SQL = frozenset({"dax", "prql", "solr", "tableau"})


class Sql(Canonical):
    """What is known of a query. All names are in lower case."""

    __slots__ = (
        "functions",
        "has_limit",
        "has_where",
        "kinds",
        "read_only",
        "statements",
        "tables",
        "written",
    )
    kinds: frozenset[str]
    """Of `select insert update delete merge create drop alter truncate grant copy call pragma set transaction
    explain show other`. A select that writes, say in a CTE, has the kind of that write too."""
    tables: frozenset[str]
    """Tables read or written, qualified as written; neither CTEs nor table functions."""
    written: frozenset[str]
    """Tables written, created, altered or dropped."""
    functions: frozenset[str]
    """Functions called, as written, without their schema."""
    statements: int
    read_only: bool
    """One statement that queries, explains or shows, and calls nothing that is not known to only compute."""
    has_limit: bool
    """Every statement is a query with a LIMIT, FETCH or TOP of a fixed number."""
    has_where: bool
    """Every update and delete has a WHERE that depends on a column; a truncate has none."""


def dialects() -> tuple[str, ...]:
    """The names that `dialect` may have; the empty one stands for SQL that reads the same in all."""
    from sqlglot.dialects.dialect import Dialects

    known = {dialect.value for dialect in Dialects} - _NOT_SQL
    return tuple(sorted(known | _ALIASES.keys()))


@remembered
def parse_sql(text: str, dialect: str = "") -> Sql:
    """Read one or more statements of a dialect of `dialects()`.

    Raises `Ambiguous` for what does not parse for certain, `ValueError` for an unknown dialect.
    """
    dialect = dialect.lower()
    if dialect not in dialects():
        raise ValueError(
            f"unknown SQL dialect `{dialect[:40]}`; known are {', '.join(filter(None, dialects()))}"
        )
    from guardrails.canonical.sql_statements import Facts, read_statement
    from guardrails.canonical.sql_tokens import statements

    dialect = _ALIASES.get(dialect, dialect)
    parts = statements(text, dialect)
    if not parts:
        raise ambiguous(text, "holds no SQL statement")
    facts = Facts(text, dialect)
    for part in parts:
        read_statement(part, facts)
    return Sql(
        ";\n".join(parts),
        kinds=frozenset(facts.kinds), tables=frozenset(facts.tables), written=frozenset(facts.written),
        functions=frozenset(facts.functions), statements=len(parts),
        read_only=len(parts) == 1 and not facts.acts, has_limit=facts.has_limit, has_where=facts.has_where,
    )  # fmt: skip
