"""Streams: a text that arrives in pieces, cut anywhere, and goes on redacted as soon as it is settled.

Takes pieces of text or UTF-8, gives pieces which joined are what the whole text would have become (law L8).
Ordinary text is held back by a few characters, and nothing by more than `hold`; no piece ends within a
grapheme cluster.
"""

from __future__ import annotations

from guardrails.errors import Ambiguous, Unavailable
from guardrails.redaction.graphemes import MOST, GraphemeGate
from guardrails.redaction.passes import Passes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codecs import IncrementalDecoder
    from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Sequence
    from typing import Protocol

    from guardrails.redaction.passes import Counts
else:
    Protocol = object


class Redacting(Protocol):
    """What streams of texts and of JSON have in common."""

    def feed(self, piece: str) -> str:
        """What can go on by now. Raises `EvaluationError` when a detector cannot judge the text; then the
        stream is over, and what was not let go never is."""

    def close(self) -> str:
        """The rest, once nothing more comes."""

    def close_denied(self, message: str) -> str:
        """What ends the stream when it is denied on the way: what is held back is dropped."""


class RedactingStream:
    """One text in pieces. `hold`: the most characters that it ever keeps back; `context`: words around the
    text that it does not contain, such as the key that it stands under."""

    __slots__ = ("_chain", "_counts", "_decoder", "_gate", "_is_over", "_wrote", "hold")

    def __init__(self, passes: Passes, context: Sequence[str] = ()) -> None:
        self._counts: Counts = {}
        self._chain = passes.begin(context, self._counts)
        self._gate = GraphemeGate()
        self._decoder: IncrementalDecoder | None = None
        self._is_over = False
        self._wrote = ""
        self.hold = passes.hold + MOST + 1

    @property
    def counts(self) -> tuple[tuple[str, int], ...]:
        """How often each entity was redacted so far, by name."""
        return tuple(sorted(self._counts.items()))

    @property
    def pending(self) -> int:
        """Characters that are kept back now."""
        return self._chain.pending + self._gate.pending

    def feed(self, piece: str) -> str:
        """What can go on by now. Raises `EvaluationError` when a detector cannot judge the text; then the
        stream is over, and what was not let go never is."""
        return self._passed(piece, is_last=False)

    def feed_bytes(self, piece: bytes) -> bytes:
        """The same for UTF-8 that may be cut anywhere. Raises `Ambiguous` for bytes that are not UTF-8."""
        return self.feed(self._decoded(piece)).encode()

    def close(self) -> str:
        """The rest, once nothing more comes. Raises as `feed` does, and `Ambiguous` for bytes that end within
        a character."""
        rest = self._decoded(b"", is_last=True) if self._decoder else ""
        return self._passed(rest, is_last=True)

    def close_bytes(self) -> bytes:
        return self.close().encode()

    def close_denied(self, message: str) -> str:
        """What ends the text when it is denied on the way: what is held back is dropped, and `message` follows
        on a line of its own."""
        self._is_over = True
        return message if self._wrote in ("", "\n") else f"\n{message}"

    def _passed(self, piece: str, *, is_last: bool) -> str:
        self._require_open()
        self._is_over = True
        out = self._gate.feed(self._chain.feed(piece, is_last=is_last))
        self._is_over = is_last
        out += self._gate.close() if is_last else ""
        self._wrote = out[-1:] or self._wrote
        return out

    def _decoded(self, piece: bytes, *, is_last: bool = False) -> str:
        self._require_open()
        if self._decoder is None:
            from codecs import getincrementaldecoder

            self._decoder = getincrementaldecoder("utf-8")()
        try:
            return self._decoder.decode(piece, is_last)
        except UnicodeDecodeError as error:
            self._is_over = True
            raise Ambiguous(f"the stream is not UTF-8: {error.reason}") from error

    def _require_open(self) -> None:
        if self._is_over:
            raise Unavailable("the stream is over: it was closed, denied, or failed")


def redacted_pieces(stream: Redacting, pieces: Iterable[str]) -> Iterator[str]:
    """All pieces of a stream as they can go on, up to its end."""
    for piece in pieces:
        if out := stream.feed(piece):
            yield out
    if out := stream.close():
        yield out


async def redacted_pieces_async(stream: Redacting, pieces: AsyncIterable[str]) -> AsyncIterator[str]:
    """The same for pieces that are awaited."""
    async for piece in pieces:
        if out := stream.feed(piece):
            yield out
    if out := stream.close():
        yield out
