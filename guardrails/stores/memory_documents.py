"""Documents in memory: a dict, for whoever holds the lock.

Those that are over lie around until there are twice as many as were kept at the last clearing.
"""

from __future__ import annotations

from guardrails.stores.documents import Changed, Document

FEW_DOCUMENTS = 1_024


class Documents:
    """The documents of a store, with the time at which each is over."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Document, int]] = {}
        self._sweep_above = FEW_DOCUMENTS

    def read(self, key: str, now: int) -> Document | None:
        found = self._kept.get(key)
        return found[0] if found is not None and now < found[1] else None

    def swap(self, document: Document, ends: int, now: int) -> Document | Changed:
        """Write what follows on the version before it; `document.version` is the one that it will have."""
        known = self.read(document.key, now)
        last = known.version if known is not None else 0
        if document.version - 1 != last:
            return Changed(last)
        before = self._kept[document.key][1] if known is not None else ends
        self._kept[document.key] = document, max(ends, before)
        if len(self._kept) > self._sweep_above:
            self._sweep(now)
        return document

    def scan(self, prefix: str, after: str, most: int, now: int) -> tuple[Document, ...]:
        names = sorted(
            key
            for key, (_, ends) in self._kept.items()
            if key > after and now < ends and key.startswith(prefix)
        )
        return tuple([self._kept[key][0] for key in names[:most]])

    def _sweep(self, now: int) -> None:
        self._kept = {key: found for key, found in self._kept.items() if now < found[1]}
        self._sweep_above = max(FEW_DOCUMENTS, 2 * len(self._kept))
