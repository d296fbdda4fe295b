"""Pins: what each tool of a server was when it was first seen.

A server can change the description or schema of a tool after somebody looked at it. The digest of each definition is
kept in the store, by server and by what is started or reached for it; a tool with another digest is quarantined
(hidden, and denied by name) until a person accepts the change. A tool that is new is pinned when it is first seen.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from guardrails.errors import GuardError, Unavailable
from guardrails.gateway.links import Local
from guardrails.language.toolfile import canonical_json
from guardrails.stores.documents import MOST_SCANNED, Document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from guardrails.gateway.links import Place
    from guardrails.runtime.ports import Clock
    from guardrails.stores.port import Store

PREFIX = "mcp-pins/"
KEEP = 10 * 365 * 86_400_000_000
MAX_RACES = 64
UNSEEN = ("_meta", "icons")
"""Members of a definition that no model reads."""


class PinError(GuardError):
    """Pins cannot be read or changed as asked."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """The pins of a server: `tools` are name -> digest, `changed` those that are something else now."""

    key: str
    server: str
    where: str
    tools: Mapping[str, str] = field(default_factory=dict)
    changed: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        parts = {"server": self.server, "where": self.where, "tools": self.tools, "changed": self.changed}
        return json.dumps({**parts, "tools": dict(self.tools), "changed": dict(self.changed)}, sort_keys=True)


def digest_of_tool(definition: Mapping[str, Any]) -> str:
    """The digest of all that a client may show a model of a tool."""
    seen = {name: value for name, value in definition.items() if name not in UNSEEN}
    return "sha256:" + sha256(canonical_json(seen).encode("utf-8", "surrogatepass")).hexdigest()


class Pins:
    """The pins in a store. Every method may block, and raises `Unavailable` without the store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def compared(self, place: Place, digests: Mapping[str, str], *, accept: bool = False) -> frozenset[str]:
        """The tools that are not what they were; those that are new are pinned. With `accept`, all are."""
        key = key_of(place)

        def change(pinned: Pinned) -> Pinned:
            known = {**digests, **pinned.tools} if not accept else {**pinned.tools, **digests}
            changed = {name: digest for name, digest in digests.items() if known[name] != digest}
            gone = {name: digest for name, digest in pinned.changed.items() if name not in digests}
            return Pinned(key, place.name, shown(place), known, {**gone, **changed})

        pinned = self._changed(key, Pinned(key, place.name, shown(place)), change)
        return frozenset(name for name in digests if pinned.tools[name] != digests[name])

    def accept(self, server: str, tools: Iterable[str] = ()) -> tuple[str, ...]:
        """Pin what tools of a server are now: those that are named, else all; the names of those that changed.
        Raises `PinError` where there is nothing to accept."""
        wanted, found = frozenset(tools), list[str]()
        for each in [each for each in self.all() if server in (each.server, each.key.removeprefix(PREFIX))]:
            taken = [name for name in each.changed if not wanted or name in wanted]
            if taken:
                self._changed(each.key, each, lambda pinned, taken=taken: _accepted(pinned, taken))
                found += taken
        missing = wanted.difference(found)
        if missing or not found:
            what = ", ".join(f"`{name}`" for name in sorted(missing)) or "no tool"
            raise PinError(
                f"{what} of `{server}` has {'not ' if missing else ''}changed, so nothing is accepted"
            )
        return tuple(sorted(set(found)))

    def all(self) -> Iterator[Pinned]:
        """The pins of all servers."""
        after = ""
        while True:
            page = self._store.scan(PREFIX, now=self._clock.now(), after=after)
            yield from (_read(document) for document in page)
            if len(page) < MOST_SCANNED:
                return
            after = page[-1].key

    def _changed(self, key: str, empty: Pinned, change: Any) -> Pinned:
        for _ in range(MAX_RACES):
            now = self._clock.now()
            document = self._store.read(key, now=now)
            before = empty if document is None else _read(document)
            after: Pinned = change(before)
            if document is not None and after == before:
                return after
            version = 0 if document is None else document.version
            if isinstance(self._store.swap(key, after.text, version=version, keep=KEEP, now=now), Document):
                return after
        raise Unavailable("the pins of a server changed too often")


def _accepted(pinned: Pinned, taken: Iterable[str]) -> Pinned:
    fresh = {name: pinned.changed[name] for name in taken if name in pinned.changed}
    left = {name: digest for name, digest in pinned.changed.items() if name not in fresh}
    return Pinned(pinned.key, pinned.server, pinned.where, {**pinned.tools, **fresh}, left)


def _read(document: Document) -> Pinned:
    try:
        data = json.loads(document.text)
        return Pinned(document.key, data["server"], data["where"], dict(data["tools"]), dict(data["changed"]))
    except (ValueError, KeyError, TypeError) as error:
        raise PinError(f"the pins in `{document.key}` cannot be read: {error}") from None


def key_of(place: Place) -> str:
    """Where the pins of a server are. Another command or address is another server."""
    if isinstance(place, Local):
        parts = [place.name, place.command, *place.args, place.cwd or ""]
    else:
        parts = [place.name, place.url]
    return PREFIX + sha256(json.dumps(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def shown(place: Place) -> str:
    """What a server is, without arguments, which may hold keys."""
    return place.command if isinstance(place, Local) else place.url.partition("?")[0]
