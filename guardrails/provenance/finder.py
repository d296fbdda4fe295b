"""The finder: which blocks have a word or a value.

Takes keys and layers, gives blocks. The one idea: old text is looked up in postings, and text that no postings have
yet is searched as it stands. A layer sorts in as much text as its searches have cost so far, so that one question
about megabytes costs a few passes through memory, many questions cost a few steps each, and taking text in
costs next to nothing.
"""

from __future__ import annotations

from bisect import bisect_left

from guardrails.provenance.coding import coded_blocks
from guardrails.provenance.layers import KEYS, fitting, keys_of
from guardrails.provenance.postings import Postings, entries_of
from guardrails.provenance.searching import can_search, search
from guardrails.provenance.segments import BLOCKS, Room, Segment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from guardrails.provenance.archive import Archive
    from guardrails.provenance.layers import Layers

PRICE = {"word": 200, "name": 40, "email": 40, "iban": 120, "number": 200, "grouped": 200, "date": 200, "leet": 200,
         "loose": 300}  # fmt: skip
"""Passes through a text that cost about as much as sorting it into a layer."""

READING = 100_000
"""Bytes that are searched in the time that a block takes to be read."""

FLUSH = 1 << 14
"""Entries that wait to be sorted in."""

MANY = 129
"""Blocks that are counted."""

MAKING = 8
"""Bytes that are searched in the time that one is put into another spelling."""

AT_ONCE = 32
"""Segments that are sorted into a layer at a time."""

REMEMBERED = 512
"""Searches that are kept until something is added."""

KEPT = 2_000_000
"""Bytes of other spellings of the text that are kept for the next search."""


class _Layer:
    __slots__ = ("done", "postings", "spent")

    def __init__(self) -> None:
        self.postings = Postings()
        self.done = 0
        self.spent = 0


class _Hits:
    """The blocks that a search finds, as far as anybody asked."""

    __slots__ = ("_more", "blocks")

    def __init__(self, more: Iterator[int]) -> None:
        self._more = more
        self.blocks: list[int] = []

    def at_least(self, most: int) -> list[int]:
        """So many of the blocks, or all."""
        while len(self.blocks) < most:
            block = next(self._more, -1)
            if block < 0:
                break
            self.blocks.append(block)
        return self.blocks


class Finder:
    """Finds the blocks of an archive."""

    __slots__ = ("_archive", "_counts", "_hits", "_layers", "_patience", "_room", "_segments")

    def __init__(self, archive: Archive, patience: float = 1.0) -> None:
        """With more `patience`, text is searched more often until it is sorted in; with none, it is at once."""
        self._archive = archive
        self._patience = patience
        self._layers = {name: _Layer() for name in KEYS}
        self._segments: list[Segment] = []
        self._hits: dict[tuple[str, str], _Hits] = {}
        self._counts: dict[Layers, dict[str, int]] = {}
        self._room = Room(KEPT)

    def prepare(self) -> None:
        """Take note of what was added, and sort in what the searches so far have earned."""
        first = self._segments[-1].last if self._segments else 0
        last = len(self._archive)
        if first < last:
            self._forget()
            for start in range(first, last, BLOCKS):
                self._segments.append(Segment(self._archive, self._room, start, min(last, start + BLOCKS)))
        for name, layer in self._layers.items():
            if layer.spent and layer.done < len(self._segments):
                self._earned(name, layer)

    def _earned(self, name: str, layer: _Layer) -> None:
        price, last, before = PRICE.get(name, 0) * self._patience, layer.done, layer.done
        while last < min(len(self._segments), before + AT_ONCE):
            cost = price * self._segments[last].size
            if cost > layer.spent:
                break
            layer.spent -= int(cost)
            last += 1
        if last > before:
            self._sort_in(name, last)
            self._forget()

    def _forget(self) -> None:
        self._hits.clear()
        self._counts.clear()

    def _sort_in(self, name: str, last: int) -> None:
        """Enter the text before a segment into a layer."""
        layer, entries = self._layers[name], list[int]()
        for segment in self._segments[layer.done : last]:
            for block, keys in self._keys(name, segment):
                entries += entries_of(keys, block)
                if len(entries) > FLUSH:
                    layer.postings.add(entries)
                    entries = []
            if name == "word":
                segment.forget()
        layer.postings.add(entries)
        layer.done = last

    def _keys(self, name: str, segment: Segment) -> Iterator[tuple[int, Iterable[str]]]:
        whole = ((block, None) for block in range(segment.first, segment.last))
        for block, keys in coded_blocks(segment) if name == "coded" else whole:
            yield block, keys_of(name, self._archive.text(block)) if keys is None else keys

    # --- answers -------------------------------------------------------------------------------

    def count(self, key: str, layers: Layers) -> int:
        """How many blocks have a key, or a few more; of many, perhaps only that they are many."""
        counts = self._counts.setdefault(layers, {})
        count = counts.get(key)
        if count is None:
            if len(counts) >= REMEMBERED:
                counts.clear()
            count = counts[key] = sum(self._count(name, key) for name in fitting(layers, key))
        return count

    def _count(self, name: str, key: str) -> int:
        layer = self._layer(name)
        count = layer.postings.count(key)
        if layer.done < len(self._segments) and count < MANY:
            count += len(self._searched(name, key).at_least(MANY - count))
        return count

    def blocks(self, key: str, layers: Layers, most: int) -> list[int]:
        """The blocks with a key in order, and perhaps some without; of more than `most`, the first and last."""
        found = set[int]()
        for name in fitting(layers, key):
            layer = self._layer(name)
            found.update(layer.postings.blocks(key, most))
            if layer.done < len(self._segments):
                found.update(_ends(self._searched(name, key).at_least(len(self._archive)), most))
        return _ends(sorted(found), most)

    def is_near(self, key: str, layers: Layers, block: int) -> bool:
        """Whether the block or one beside it has a key."""
        for name in fitting(layers, key):
            layer = self._layer(name)
            if layer.postings.is_near(key, block):
                return True
            if layer.done == len(self._segments):
                continue
            blocks = self._searched(name, key).at_least(len(self._archive))
            place = bisect_left(blocks, block - 1)
            if place < len(blocks) and blocks[place] <= block + 1:
                return True
        return False

    def _layer(self, name: str) -> _Layer:
        layer = self._layers[name]
        if layer.done < len(self._segments) and (not can_search(name) or not self._patience):
            self._sort_in(name, len(self._segments))
        return layer

    def _searched(self, name: str, key: str) -> _Hits:
        """The blocks with a key among the text that its layer does not have yet."""
        found = self._hits.get((name, key))
        if found is None:
            if len(self._hits) >= REMEMBERED:
                self._hits.clear()
            found = self._hits[name, key] = _Hits(self._search(name, key))
        return found

    def _search(self, name: str, key: str) -> Iterator[int]:
        layer = self._layers[name]
        for segment in self._segments[layer.done :]:
            layer.spent += segment.size
            made = self._room.made
            for block, sure in search(name, key, segment):
                if not sure:
                    layer.spent += READING
                if sure or key in keys_of(name, self._archive.text(block)):
                    yield block
            layer.spent += MAKING * (self._room.made - made)


def _ends(blocks: list[int], most: int) -> list[int]:
    return blocks if len(blocks) <= most else blocks[: most // 2] + blocks[-(most // 2) :]
