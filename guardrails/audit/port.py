"""The port of an audit log: where records are kept. Its homes are files, SQLite and PostgreSQL.

A home adds records and gives them back; it knows the chain only through the linker that it is given. What
`append` was given is on disk when it returns, in one piece with what went before it, however many threads and
processes write at once; when it raises, the caller must take nothing for written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from guardrails.audit.chain import Head
    from guardrails.audit.linking import Linker
    from guardrails.audit.subjects import Subjects


class Part:
    """A stretch of a log, in order: a segment file, or a whole table. `lines` end with a line feed each, but
    one that was cut off. `name` is for people. `size` is in bytes, 0 where nobody knows."""

    __slots__ = ("lines", "name", "size")

    def __init__(self, name: str, lines: Iterator[bytes], size: int = 0) -> None:
        self.name = name
        self.lines = lines
        self.size = size


class Home(Protocol):
    """Where a log is kept. Thread-safe, and safe for several processes."""

    linker: Linker

    def append(self, bodies: Sequence[bytes]) -> Head:
        """Add records, and give the head with them. Raises `AuditUnavailable`; `AuditError` for a log that is
        damaged."""
        ...

    def head(self) -> Head:
        """The end of the log as it is now. Raises like `append`."""
        ...

    def claim(self) -> int | None:
        """How many records the home's own note says there are; None where it keeps none."""
        ...

    def parts(self) -> Iterator[Part]:
        """All records as they are, whether or not they are sound. Raises `AuditError` without them."""
        ...

    def subjects(self) -> Subjects:
        """The keys of the people in it."""
        ...

    def close(self) -> None: ...
