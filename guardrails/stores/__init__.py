"""Stores: where limits and budgets are counted, in one of three homes.

Takes a URL, gives a store. `memory:` counts in this process, `sqlite:///path` among the processes of one
machine, `redis://host:port/db` (or `rediss://`, with TLS) among machines.
"""

from __future__ import annotations

from guardrails.errors import EvaluationError
from guardrails.stores.breakers import Gate, Gauge, Opening, Shut
from guardrails.stores.demands import Demand, Fill, Granted, Level, Quota, Refused, RequestReused
from guardrails.stores.documents import Changed, Document
from guardrails.stores.halts import Halt
from guardrails.stores.port import AsyncStore, Store, StoreUnavailable
from guardrails.stores.sessions import Moved, Note, Past
from guardrails.stores.windows import LIFETIME, Calendar, Lifetime, Sliding

__all__ = [
    "LIFETIME", "AsyncStore", "Calendar", "Changed", "Demand", "Document", "Fill", "Gate", "Gauge", "Granted", "Halt",
    "Level", "Lifetime", "Moved", "Note", "Opening", "Past", "Quota", "Refused", "RequestReused", "Shut", "Sliding", "Store",
    "StoreUnavailable", "open_async_store", "open_store",
]  # fmt: skip


def open_store(url: str) -> Store:
    """The store at `url`; raises `EvaluationError` for a URL that names none.

    `sqlite:///var/lib/guard.db` is an absolute path and `sqlite:guard.db` one from the working directory;
    both take `?durable=os` and `?timeout=SECONDS`.
    """
    scheme, _, rest = url.partition(":")
    if url == "memory:":
        from guardrails.stores.memory import MemoryStore

        return MemoryStore()
    if scheme == "sqlite":
        from guardrails.stores.sqlite import SqliteStore

        path, options = _path_and_options(rest)
        return SqliteStore(path, options.get("durable", "process"), seconds(options.get("timeout", "5")))
    if scheme in ("redis", "rediss"):
        _need_redis(url)
        from guardrails.stores.redis import RedisStore

        return RedisStore(url)
    raise EvaluationError(f"`{url}` names no store: use `memory:`, `sqlite:///path` or `redis://host`")


def open_async_store(url: str) -> AsyncStore:
    """The store at `url` for `await`; a file is used from another thread."""
    if url.partition(":")[0] in ("redis", "rediss"):
        _need_redis(url)
        from guardrails.stores.redis import AsyncRedisStore

        return AsyncRedisStore(url)
    from guardrails.stores.awaited import AwaitedStore

    return AwaitedStore(open_store(url))


def _need_redis(url: str) -> None:
    from importlib.util import find_spec

    if find_spec("redis") is None:
        raise StoreUnavailable("a store in Redis needs a package: install `guard-policy[redis]`")


def seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 3_600:
        raise EvaluationError(f"`{text}` is not a number of seconds between 0 and 3600")
    return value


def _path_and_options(rest: str) -> tuple[str, dict[str, str]]:
    path, _, query = rest.partition("?")
    path = path.removeprefix("//")
    options: dict[str, str] = {}
    if query or "%" in path:
        from urllib.parse import parse_qsl, unquote

        path, options = unquote(path), dict(parse_qsl(query))
    unknown = set(options) - {"durable", "timeout"}
    if not path or unknown:
        raise EvaluationError(
            f"`sqlite:{rest}` is not the URL of a file, with `durable` or `timeout` at most"
        )
    # `/C:/x` is how a URL writes the path `C:/x`.
    return path[1:] if path[2:3] == ":" else path, options
