"""Events sorted by time without holding them all: runs on disk, merged.

Takes the items of a stretch, gives a run for each part: its items in order of time, in blocks that can be
read one at a time. A part is then read as one sequence. Runs that follow each other in time are read one
after the other, and only where they overlap are they merged.
"""

from __future__ import annotations

import marshal
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import merge
from typing import BinaryIO

from guardrails.testing.replay_items import Item

BLOCK = 256
"""Items that are read at once."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some items of a run: where they lie in a file, or their bytes where there is no common file."""

    offset: int
    length: int
    data: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Run:
    """Items of one stretch for one part, in order. `first` and `last` are their keys."""

    chunk: int
    path: str
    blocks: tuple[Block, ...]
    first: tuple[int, ...]
    last: tuple[int, ...]

    def __iter__(self) -> Iterator[Item]:
        for block in self.blocks:
            yield from marshal.loads(self._bytes(block))

    def _bytes(self, block: Block) -> bytes:
        if block.data is not None:
            return block.data
        with open(self.path, "rb") as stream:
            stream.seek(block.offset)
            return stream.read(block.length)


def key(item: Item) -> tuple[int, ...]:
    """The order of events: by time, and in the order of the recording where that is the same."""
    return (item[0] or 0, item[1], item[2], item[3])


def spooled(parts: dict[int, list[Item]], chunk: int, folder: str | None) -> dict[int, Run]:
    """The runs of a stretch, by part; in a file of `folder`, or in memory without one."""
    if folder is None:
        return {part: _run(items, chunk, "", None) for part, items in parts.items()}
    path = os.path.join(folder, f"{chunk:08}")
    with open(path, "wb", buffering=1 << 16) as stream:
        return {part: _run(items, chunk, path, stream) for part, items in parts.items()}


def _run(items: list[Item], chunk: int, path: str, stream: BinaryIO | None) -> Run:
    items.sort(key=key)
    blocks = []
    for start in range(0, len(items), BLOCK):
        data = marshal.dumps(items[start : start + BLOCK], 2)
        if stream is None:
            blocks.append(Block(0, len(data), data))
        else:
            blocks.append(Block(stream.tell(), len(data)))
            stream.write(data)
    return Run(chunk, path, tuple(blocks), key(items[0]), key(items[-1]))


def in_order(runs: Sequence[Run]) -> Iterator[Item]:
    """The items of all runs by time."""
    for group in _overlapping(sorted(runs, key=lambda run: (run.first, run.chunk))):
        yield from group[0] if len(group) == 1 else merge(*group, key=key)


def _overlapping(runs: Iterable[Run]) -> Iterator[list[Run]]:
    group: list[Run] = []
    last: tuple[int, ...] = ()
    for run in runs:
        if group and run.first > last:
            yield group
            group = []
        last = max(last, run.last) if group else run.last
        group.append(run)
    if group:
        yield group
