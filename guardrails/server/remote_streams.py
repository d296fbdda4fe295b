"""Texts in pieces, judged by a policy in another process. A stream has a connection for itself until it is closed.

Without an answer nothing goes on: `ServerUnavailable` is raised, and what was held back never comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guardrails.errors import EvaluationError
from guardrails.model import Outcome
from guardrails.server.connection import Connection, ServerUnavailable, answered
from guardrails.server.decision_read import decision_of
from guardrails.server.remote_parameters import check_text
from guardrails.server.remote_writing import written

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator

    from guardrails.model import Decision
    from guardrails.server.remote import RemoteGuard


class _Stream:
    """A text that goes to the server piece by piece."""

    def __init__(self, guard: RemoteGuard, opening: dict[str, Any]) -> None:
        self._guard = guard
        self._connection: Connection | None = guard.take()
        self.hold: int | None = self._ask(opening)["hold"]

    def feed(self, piece: str) -> str:
        """What can go on by now."""
        check_text("piece", piece)
        return "" if self._connection is None else self._told(self._ask({"text": piece}))

    def close(self) -> str:
        """The rest, once nothing more comes."""
        if self._connection is None:
            return ""
        out = self._told(self._ask({"end": True}))
        self._done()
        return out

    def _told(self, answer: dict[str, Any]) -> str:
        raise NotImplementedError

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self._connection is not None
        try:
            return answered(self._connection.ask(written(question)))
        except OSError as error:
            self._broken()
            raise ServerUnavailable(f"the server does not answer: {error}") from None
        except BaseException:
            self._broken()
            raise

    def _done(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._guard.keep(connection)

    def _broken(self) -> None:
        """The server may not be where this stream is: nothing more is asked on this connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class RemoteOutputStream(_Stream):
    """See `guardrails.streaming.OutputStream`."""

    decision: Decision | None = None

    @property
    def denied(self) -> bool:
        """Whether nothing more goes on."""
        return self.decision is not None and self.decision.outcome is not Outcome.ALLOW

    def _told(self, answer: dict[str, Any]) -> str:
        if answer["decision"] is not None:
            self.decision = decision_of(answer["decision"])
        elif answer["denied"]:
            raise ServerUnavailable("the server denies, and does not say why")
        return str(answer["text"])

    def pieces(self, source: Iterable[str]) -> Iterator[str]:
        """All pieces of `source` as they can go on."""
        for piece in source:
            if out := self.feed(piece):
                yield out
            if self.denied:
                break
        if out := self.close():
            yield out

    async def apieces(self, source: AsyncIterable[str]) -> AsyncIterator[str]:
        """The same for pieces that are awaited."""
        from asyncio import to_thread

        async for piece in source:
            if out := await to_thread(self.feed, piece):
                yield out
            if self.denied:
                break
        if out := await to_thread(self.close):
            yield out


class RemoteArgumentStream(_Stream):
    """See `guardrails.argument_streaming.ArgumentStream`."""

    error: EvaluationError | None = None

    def _told(self, answer: dict[str, Any]) -> str:
        if answer["failed"] is not None and self.error is None:
            self.error = EvaluationError(answer["failed"])
        return str(answer["text"])
