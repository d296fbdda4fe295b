"""Documents in SQLite: a row each, as one transaction sees them."""

from __future__ import annotations

from guardrails.stores.documents import FEW_OLD, Changed, Document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sqlite3 import Connection

READ = "SELECT version, ends, text FROM document WHERE key = ?"
WRITE = "INSERT OR REPLACE INTO document VALUES (?, ?, ?, ?)"
SCAN = """SELECT key, version, text FROM document WHERE key > ?1 AND key >= ?2 AND (?3 IS NULL OR key < ?3)
  AND ends > ?4 ORDER BY key LIMIT ?5"""
CLEAR = "DELETE FROM document WHERE key IN (SELECT key FROM document WHERE ends <= ? ORDER BY ends LIMIT ?)"


def read(connection: Connection, key: str, now: int) -> Document | None:
    found = connection.execute(READ, (key,)).fetchone()
    return None if found is None or found[1] <= now else Document(key, found[0], found[2])


def swap(connection: Connection, document: Document, ends: int, now: int) -> Document | Changed:
    """Write what follows on the version before it; `document.version` is the one that it will have."""
    found = connection.execute(READ, (document.key,)).fetchone()
    last, before = (found[0], found[1]) if found is not None and found[1] > now else (0, ends)
    if document.version - 1 != last:
        return Changed(last)
    connection.execute(WRITE, (document.key, document.version, max(ends, before), document.text))
    if document.version == 1:
        connection.execute(CLEAR, (now, FEW_OLD))
    return document


def scan(connection: Connection, prefix: str, after: str, most: int, now: int) -> tuple[Document, ...]:
    terms = (after, prefix, following(prefix), now, most)
    return tuple([Document(*row) for row in connection.execute(SCAN, terms)])


def following(prefix: str) -> str | None:
    """The first key after all that begin with `prefix`; None where there is none."""
    plain = prefix.rstrip("\U0010ffff")
    if not plain:
        return None
    after = ord(plain[-1]) + 1
    return plain[:-1] + chr(0xE000 if 0xD800 <= after < 0xE000 else after)
