"""Refusals: a request that reaches no server, told as an HTTP status and a JSON-RPC error.

The error says what happened and what to do, and never more than its sender may know: a session of somebody else and one
that never was look the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guardrails.gateway.messages import (
    HEADER_MISMATCH,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    MISSING_CAPABILITY,
    PARSE_ERROR,
    UNSUPPORTED_VERSION,
    failure,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guardrails.gateway.links import Id, Message

STATUS = {
    PARSE_ERROR: 400,
    INVALID_REQUEST: 400,
    INVALID_PARAMS: 400,
    HEADER_MISMATCH: 400,
    MISSING_CAPABILITY: 400,
    UNSUPPORTED_VERSION: 400,
    METHOD_NOT_FOUND: 404,
}
"""The code of an error -> the HTTP status of an answer of the new era; any other error has 200."""


class Refusal(Exception):
    """Why a request goes no further. `id` is its own, where that is known."""

    def __init__(
        self,
        status: int,
        why: str,
        code: int = INVALID_REQUEST,
        *,
        id: Id | None = None,
        data: Any = None,
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        super().__init__(why)
        self.status = status
        self.headers = tuple(headers)
        self._message = failure(id, code, why, data)

    @property
    def body(self) -> bytes:
        return write(self._message)


def of_error(message: Message) -> Refusal:
    """The refusal that a JSON-RPC error is."""
    error = message["error"]
    id = message.get("id")
    return Refusal(status_of(message), error["message"], error["code"], id=id, data=error.get("data"))


def status_of(answer: Message) -> int:
    """The HTTP status of an answer of the new era."""
    return STATUS.get(answer["error"]["code"], 200) if "error" in answer else 200
