"""Queries: which records somebody asks for.

Takes what a person names (times, sessions, tools, ...), gives a `Query` that every reader understands: DuckDB
over files, SQL in a database, and `matches` for records that come in one by one. The one idea: a query is a
few plain terms, and nothing that anyone typed ever becomes part of a statement: it goes along as a parameter.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from guardrails.audit.errors import AuditError
from guardrails.model import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TEXTS = ("kind", "id", "ref", "trace", "session", "principal", "agent", "point", "tool", "call_id", "outcome", "status",
         "policy", "approval", "request")  # fmt: skip
"""Fields that are one text, by which records are found and counted."""

LISTS = ("statements", "reasons", "shadow", "labels", "answers_to")
"""Fields that are lists of names."""

COUNTED = (*TEXTS, *LISTS)
"""What records can be counted by."""

SINCE, BEFORE, AFTER, ONE_OF, HAS = "since", "before", "after", "one of", "has"


class Term(Value):
    """One thing that a record must be: `field` is since or before a time (`us`), after a place in the log
    (`seq`), one of some texts, or has one of them in its list. A text with `*` in it is a pattern."""

    __slots__ = ("field", "operator", "values")

    def __init__(self, field: str, operator: str, values: tuple[Any, ...]) -> None:
        self.field = field
        self.operator = operator
        self.values = values

    def matches(self, record: Mapping[str, Any]) -> bool:
        found = record.get(self.field)
        if found is None:
            return False
        if self.operator in (SINCE, BEFORE, AFTER):
            bound = self.values[0]
            return bool(
                found < bound
                if self.operator == BEFORE
                else found > bound
                if self.operator == AFTER
                else found >= bound
            )
        texts = found if self.operator == HAS else [found]
        return any(isinstance(text, str) and fits(pattern, text) for text in texts for pattern in self.values)


class Query(Value):
    """All terms must hold. At most the `newest` records are given, oldest first; None: all of them."""

    __slots__ = ("newest", "terms")

    def __init__(self, terms: Iterable[Term] = (), newest: int | None = None) -> None:
        self.terms = tuple(terms)
        self.newest = newest

    def matches(self, record: Mapping[str, Any]) -> bool:
        return all(term.matches(record) for term in self.terms)

    def also(self, *terms: Term) -> Query:
        """The same with more terms."""
        return Query((*self.terms, *terms), self.newest)

    @property
    def since(self) -> int | None:
        """Microseconds since 1970 before which no record is meant."""
        return max((term.values[0] for term in self.terms if term.operator == SINCE), default=None)

    @property
    def before(self) -> int | None:
        return min((term.values[0] for term in self.terms if term.operator == BEFORE), default=None)


def query_of(
    names: Mapping[str, Iterable[str]],
    *,
    since: int | None = None,
    before: int | None = None,
    newest: int | None = None,
) -> Query:
    """The query for texts by field, such as `{"tool": ["payments.*"], "outcome": ["deny", "halt"]}`; what is
    named more than once means any of them. Times are microseconds since 1970. Raises `AuditError` for a field
    that records are not found by."""
    terms = []
    for field, values in names.items():
        if field not in COUNTED:
            raise AuditError(f"records are not found by `{field}`; there are {', '.join(COUNTED)}")
        given = tuple(values)
        if given:
            terms.append(Term(field, HAS if field in LISTS else ONE_OF, given))
    if since is not None:
        terms.append(Term("us", SINCE, (since,)))
    if before is not None:
        terms.append(Term("us", BEFORE, (before,)))
    return Query(terms, newest)


def fits(pattern: str, text: str) -> bool:
    """Whether a text is the pattern's, in which `*` stands for any letters, and nothing else is special."""
    if "*" not in pattern:
        return pattern == text
    pieces = map(re.escape, pattern.split("*"))
    return re.fullmatch(".*".join(pieces), text, re.DOTALL) is not None


# --- times -------------------------------------------------------------------------------------

_AGO = re.compile(r"([0-9]{1,9})(s|m|h|d|w)")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
MICRO = 1_000_000


def moment(text: str, now: int) -> int:
    """A time in microseconds since 1970: `15m`, `2h`, `3d` (ago), a date, or a date and time (UTC unless it says
    otherwise). Raises `AuditError`."""
    ago = _AGO.fullmatch(text.strip())
    if ago is not None:
        return now - int(ago[1]) * _SECONDS[ago[2]] * MICRO
    try:
        found = datetime.fromisoformat(text.strip())
        found = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
        since = found - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        raise AuditError(
            f"`{text}` is no time: write `15m`, `2h` or `3d` for as long ago, a date such as 2026-11-21, "
            "or a time such as 2026-11-21T15:04:05Z"
        ) from None
    return (since.days * 86_400 + since.seconds) * MICRO + since.microseconds
