"""One SQL statement: text → its facts, added to a `Facts`.

The one idea: a single walk over the tree carries along which CTE names are visible at each node, so that
a name is a table exactly where the database would look for one: `WITH t AS (SELECT * FROM t)` reads `t`.
"""

from __future__ import annotations

from guardrails.canonical.sql_functions import SYSTEM_SCHEMAS, computes
from guardrails.canonical.sql_tokens import tokenized
from guardrails.canonical.text import ambiguous

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_QUERIES = frozenset({"Select", "Union", "Intersect", "Except", "Subquery", "Values"})
_WRITES = {
    "Insert": "insert", "Update": "update", "Delete": "delete", "Merge": "merge", "Create": "create",
    "Drop": "drop", "Alter": "alter", "TruncateTable": "truncate", "Copy": "copy", "Into": "create",
    "LoadData": "other",
}  # fmt: skip
_DML = frozenset({"Insert", "Update", "Delete", "Merge"})
_OTHER_ROOTS = {
    "Set": "set", "Use": "set", "Transaction": "transaction", "Commit": "transaction",
    "Rollback": "transaction", "Grant": "grant", "Revoke": "grant", "Execute": "call", "Comment": "alter",
    "Attach": "other", "Detach": "other", "Analyze": "other", "Kill": "other", "Cache": "other",
    "Uncache": "other", "Refresh": "other", "Export": "copy", "Put": "copy", "Install": "other",
}  # fmt: skip
_EXPLAIN_OPTIONS = frozenset(
    {"ANALYZE", "ANALYSE", "VERBOSE", "QUERY", "PLAN", "EXTENDED", "FORMATTED", "LOGICAL", "CODEGEN", "COST"}
)
_PRAGMA_LOOKUPS = frozenset(
    {
        "table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo",
        "foreign_key_list", "database_list", "collation_list", "function_list", "module_list",
        "pragma_list", "compile_options",
    }
)  # fmt: skip
_PRAGMA_STATES = frozenset(
    {
        "user_version", "schema_version", "application_id", "encoding", "page_count", "page_size",
        "freelist_count", "foreign_keys",
    }
)  # fmt: skip
_TRANSACT = frozenset({"tsql", "fabric"})
_SHARED_HINTS = frozenset({"NOLOCK", "READPAST", "READUNCOMMITTED", "READCOMMITTED", "SNAPSHOT"})


_UNTYPED_FUNCTIONS = frozenset(
    {"Anonymous", "AnonymousAggFunc", "CombinedAggFunc", "CombinedParameterizedAgg", "ParameterizedAgg"}
)


class Facts:
    """What has been learned so far; `acts` once anything does more than read."""

    def __init__(self, text: str, dialect: str) -> None:
        self.text, self.dialect = text, dialect
        self.source = text
        self.kinds: set[str] = set()
        self.tables: set[str] = set()
        self.written: set[str] = set()
        self.functions: set[str] = set()
        self.acts = False
        self.has_limit = self.has_where = True


def read_statement(text: str, facts: Facts) -> None:
    """Add what one statement is and does."""
    first = tokenized(text, facts.dialect)[0]
    reader = _TOKEN_READERS.get(text[first.start : first.end + 1].upper())
    if reader is not None:
        facts.has_limit = False
        reader(text[first.end + 1 :].strip(), facts)
    else:
        _read_tree(_parsed(text, facts), facts)


# --- statements that are read from their tokens -------------------------------------------------


def _read_explain(text: str, facts: Facts) -> None:
    start, runs = _after_options(text, facts)
    inner = Facts(facts.text, facts.dialect)
    root = _parsed(text[start:], inner)
    if type(root).__name__ not in _QUERIES and type(root).__name__ not in _WRITES:
        raise ambiguous(facts.text, "explains something that is not understood")
    _read_tree(root, inner)
    facts.kinds.add("explain")
    facts.tables |= inner.tables
    facts.functions |= inner.functions
    if runs:
        facts.kinds |= inner.kinds
        facts.written |= inner.written
        facts.acts, facts.has_where = True, facts.has_where and inner.has_where


def _after_options(text: str, facts: Facts) -> tuple[int, bool]:
    """Where the explained statement starts, and whether explaining runs it."""
    tokens = tokenized(text, facts.dialect)
    place, runs = 0, False
    if len(tokens) > 1 and tokens[0].text == "(" and tokens[1].text.upper() not in ("SELECT", "WITH", "("):
        place = next((i for i, token in enumerate(tokens) if token.text == ")"), 0) + 1
        runs = any(token.text.upper() in ("ANALYZE", "ANALYSE") for token in tokens[:place])
    while place < len(tokens) and tokens[place].text.upper() in _EXPLAIN_OPTIONS:
        runs = runs or tokens[place].text.upper() in ("ANALYZE", "ANALYSE")
        place += 1
    if [token.text.upper() for token in tokens[place : place + 2]] == ["FORMAT", "="]:
        place += 3
    if place >= len(tokens):
        raise ambiguous(facts.text, "explains nothing")
    return tokens[place].start, runs


def _read_show(text: str, facts: Facts) -> None:
    """Shows nothing but metadata; names after FROM, IN or TABLE are listed as tables."""
    facts.kinds.add("show")
    tokens = tokenized(text, facts.dialect)
    for place, token in enumerate(tokens[:-1]):
        if token.text.upper() in ("FROM", "IN", "TABLE", "VIEW"):
            facts.tables.add(tokens[place + 1].text.lower())


def _read_pragma(text: str, facts: Facts) -> None:
    facts.kinds.add("pragma")
    tokens = [token.text.lower() for token in tokenized(text, facts.dialect)]
    tokens = tokens[2:] if tokens[1:2] == ["."] else tokens
    if tokens[:1] and tokens[0] in _PRAGMA_LOOKUPS and tokens[1:2] in ([], ["("]):
        facts.tables.update(tokens[2:3])
    elif len(tokens) != 1 or tokens[0] not in _PRAGMA_STATES:
        facts.acts = True


def _read_call(text: str, facts: Facts) -> None:
    """A procedure may do anything; its name and arguments read like those of a function."""
    inner = Facts(facts.text, facts.dialect)
    _read_tree(_parsed(f"SELECT {text}", inner), inner)
    if not inner.functions:
        raise ambiguous(facts.text, "calls something that is not understood")
    facts.kinds.add("call")
    facts.tables |= inner.tables
    facts.functions |= inner.functions
    facts.acts = True


_TOKEN_READERS = {"EXPLAIN": _read_explain, "SHOW": _read_show, "PRAGMA": _read_pragma, "CALL": _read_call}


# --- statements that are read from their tree ---------------------------------------------------


def _parsed(text: str, facts: Facts) -> Any:
    import logging

    import sqlglot
    from sqlglot.errors import SqlglotError

    # What it cannot parse is an error here, and nothing to be printed beside it.
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)

    facts.source = text
    first = tokenized(text, facts.dialect)[0].token_type.name
    if first in ("COMMAND", "FETCH", "RENAME") or (
        first == "EXECUTE" and facts.dialect not in ("tsql", "fabric")
    ):
        raise ambiguous(facts.text, "is a statement that is not understood")
    try:
        found = sqlglot.parse(text, dialect=facts.dialect or None)
    except (SqlglotError, RecursionError, ValueError, TypeError, AttributeError, IndexError, KeyError):
        # Beside its own errors the parser fails on odd input with those of its internals.
        raise ambiguous(facts.text, "does not parse as SQL") from None
    if len(found) != 1 or found[0] is None:
        raise ambiguous(facts.text, "does not parse as one statement")
    return found[0]


def _read_tree(root: Any, facts: Facts) -> None:
    _read_root(root, facts)
    aliases: dict[str, str] = {}
    targets: list[Any] = []
    for node, visible in _walk(root):
        name = type(node).__name__
        if name == "Table":
            _read_table(node, visible, facts, aliases)
        elif name in _WRITES:
            _read_write(node, name, facts, targets)
        else:
            _read_expression(node, name, facts)
    _read_targets(targets, aliases, facts)


def _read_root(root: Any, facts: Facts) -> None:
    name = type(root).__name__
    facts.has_limit = facts.has_limit and name in _QUERIES and _is_limited(root)
    if name in _QUERIES:
        facts.kinds.add("select")
    elif name == "Describe":
        facts.kinds.add("explain" if type(root.this).__name__ in _QUERIES | _WRITES.keys() else "show")
        facts.acts = facts.acts or bool(root.args.get("style"))
    elif name in _OTHER_ROOTS:
        facts.kinds.add(_OTHER_ROOTS[name])
        facts.acts = True
    elif name not in _WRITES:
        raise ambiguous(facts.text, "is a statement that is not understood")


def _is_limited(root: Any) -> bool:
    while type(root).__name__ == "Subquery" and not root.args.get("limit"):
        root = root.this
    limit = root.args.get("limit")
    options = limit.args.get("limit_options") if limit is not None else None
    if limit is None or (
        options is not None and (options.args.get("percent") or options.args.get("with_ties"))
    ):
        return False
    count = limit.args.get("expression") or limit.args.get("count")
    return type(count).__name__ == "Literal" and not count.is_string


def _walk(root: Any) -> Iterator[tuple[Any, frozenset[str]]]:
    """All nodes, each with the CTE names that it sees."""
    stack: list[tuple[Any, frozenset[str]]] = [(root, frozenset())]
    while stack:
        node, visible = stack.pop()
        yield node, visible
        clause = node.args.get("with_") or node.args.get("with")
        inside = visible
        if clause is not None and type(clause).__name__ == "With":
            for cte in clause.expressions:
                named = inside | {cte.alias.lower()}
                stack.append((cte, named if clause.args.get("recursive") else inside))
                inside = named
        stack.extend((child, inside) for child in node.iter_expressions() if child is not clause)


def _read_table(node: Any, visible: frozenset[str], facts: Facts, aliases: dict[str, str]) -> None:
    name = _table_name(node)
    if name is None or (name in visible and not node.args.get("db")):
        return
    if type(node.parent).__name__ == "UserDefinedFunction":
        return
    if type(node.parent).__name__ == "Execute":
        facts.functions.add(name.rpartition(".")[2])
        return
    facts.tables.add(name)
    if node.alias:
        aliases[node.alias.lower()] = name
    if '"' in name:
        # A quoted name with a dot or slash may be a file to some databases.
        facts.acts = True


def _table_name(node: Any) -> str | None:
    """The dotted name in lower case; a part that itself has a dot or slash is kept in quotes."""
    if type(node.this).__name__ not in ("Identifier", "Var", "Dot", "Parameter", "Placeholder"):
        return None
    parts = [part.name or part.sql() for part in node.parts]
    return ".".join(f'"{part}"' if any(c in part for c in './\\:"') else part for part in parts).lower()


def _read_write(node: Any, name: str, facts: Facts, targets: list[Any]) -> None:
    if type(node.parent).__name__ == "When":
        return
    described = type(node.parent).__name__ == "Describe"
    if not described:
        facts.kinds.add(_WRITES[name])
        facts.acts = True
        written = _targets(node, name)
        if not written and name in _DML:
            raise ambiguous(facts.text, "writes to something that is not a table")
        targets.extend(written)
    if name in ("Update", "Delete") and not described:
        facts.has_where = facts.has_where and _depends_on_column(node.args.get("where"))
    elif name == "TruncateTable":
        facts.has_where = False


def _targets(node: Any, name: str) -> list[Any]:
    """The table nodes that a writing node writes."""
    if name == "Copy" and not node.args.get("kind"):
        return []
    keys = ("expressions",) if name == "TruncateTable" else ("this", "tables")
    found = [node.args.get(key) for key in keys]
    flat = [one for item in found for one in (item if isinstance(item, list) else [item])]
    return [table for one in flat for table in _tables_of(one)]


def _tables_of(target: Any) -> Iterator[Any]:
    """The table that is written, with those joined to it: MySQL updates several at once."""
    kind = type(target).__name__
    if kind == "Schema":
        yield from _tables_of(target.this)
    elif kind == "Index":
        yield from _tables_of(target.args.get("table"))
    elif kind == "Table":
        yield target
        for join in target.args.get("joins") or ():
            yield from _tables_of(join.this)


def _read_targets(targets: list[Any], aliases: dict[str, str], facts: Facts) -> None:
    """List what is written; `UPDATE u … FROM users u` writes `users`."""
    for target in targets:
        name = _table_name(target)
        if name is None:
            continue
        real = aliases.get(name, name)
        if real != name and target.alias.lower() != name:
            facts.tables.discard(name)
        facts.written.add(real)


def _depends_on_column(where: Any) -> bool:
    """Whether each alternative of a condition reads a column, so that `x = 1 OR TRUE` is no condition."""
    if where is None:
        return False
    pending = [where.this]
    while pending:
        node = pending.pop()
        if type(node).__name__ in ("Or", "Paren"):
            pending.extend(node.iter_expressions())
        elif not any(type(part).__name__ == "Column" for part in node.walk()):
            return False
    return True


def _read_expression(node: Any, name: str, facts: Facts) -> None:
    from sqlglot import exp

    if name in ("Command", "Block", "IfBlock", "WhileBlock"):
        raise ambiguous(facts.text, "contains a statement that is not understood")
    if isinstance(node, exp.Func):
        _read_function(node, name, facts)
    elif name == "Lock":
        facts.acts = True
    elif name == "Column":
        facts.acts = facts.acts or (bool(node.table) and node.name.lower() == "nextval")
    elif name == "PropertyEQ":
        facts.acts = facts.acts or type(node.this).__name__ in ("Parameter", "SessionParameter")
    elif name == "WithTableHint":
        facts.acts = facts.acts or any(hint.name.upper() not in _SHARED_HINTS for hint in node.expressions)


def _read_function(node: Any, name: str, facts: Facts) -> None:
    typed = name not in _UNTYPED_FUNCTIONS
    called = (node.sql_name() if typed else str(node.name)).lower()
    written = called
    if "start" in node.meta:
        written = facts.source[node.meta["start"] : node.meta["end"] + 1].lower().strip('"`[]')
    if not typed or "start" in node.meta:
        facts.functions.add(written)
    if not (computes(called, typed=typed) and computes(written, typed=typed)) or _is_foreign(node):
        facts.acts = True


def _is_foreign(node: Any) -> bool:
    """Whether the function is called through a schema that is not the database's own."""
    parent = node.parent
    if type(parent).__name__ != "Dot" or parent.expression is not node:
        return False
    return parent.this.sql().strip('"`[]').lower() not in SYSTEM_SCHEMAS
