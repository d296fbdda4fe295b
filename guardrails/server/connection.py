"""One connection to a server of frames, as a client has it: questions go out, answers come back in order.

Without an answer there is no decision: `ServerUnavailable` is raised, and whoever catches it has to refuse.
"""

from __future__ import annotations

import socket
from select import POLLIN, poll
from typing import Any

from guardrails.approvals.answering import Rejected
from guardrails.errors import EvaluationError, EventError, PolicyError, TooLarge, Unavailable
from guardrails.json_positions import JsonError
from guardrails.strict_json import read_json, write_json

HEAD = 4


class ServerUnavailable(Unavailable):
    """The server cannot be reached, or did not answer in time: nothing is known to be allowed."""


class Connection:
    """One socket. `name` is that of the key, as the server knows it."""

    def __init__(self, path: str, key: str | None, timeout: float) -> None:
        self.name = ""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        self._poll = poll()
        self._poll.register(self._socket, POLLIN)
        try:
            self._socket.connect(path)
            if key is not None:
                self.name = str(answered(self.ask(written({"key": key}))).get("welcome", ""))
        except OSError as error:
            self._socket.close()
            raise ServerUnavailable(f"the server at `unix:{path}` cannot be reached: {error}") from None
        except Unavailable:
            self._socket.close()
            raise

    @property
    def is_open(self) -> bool:
        """Whether the other side is still there: nothing is there to be read, not even the end."""
        return not self._poll.poll(0)

    def ask(self, request: bytes) -> bytes:
        """The answer. Raises `OSError` and `ServerUnavailable`; the connection is of no use then."""
        self._socket.sendall(len(request).to_bytes(HEAD) + request)
        return self._read(int.from_bytes(self._read(HEAD)))

    def _read(self, length: int) -> bytes:
        data = self._socket.recv(length)
        if len(data) == length:
            return data
        parts = bytearray(data)
        while len(parts) < length:
            data = self._socket.recv(length - len(parts)) if data else b""
            if not data:
                raise ServerUnavailable("the connection was closed")
            parts += data
        return bytes(parts)

    def close(self) -> None:
        self._socket.close()


def written(value: Any) -> bytes:
    """A question as JSON. Raises `EventError` for what cannot be written."""
    try:
        return write_json(value).encode()
    except (ValueError, RecursionError) as error:
        raise EventError(f"the event cannot be written as JSON: {error}") from None


def answered(answer: bytes) -> dict[str, Any]:
    """An answer that is no problem. Raises what the problem is, by its name."""
    try:
        found = read_json(answer.decode())
    except (JsonError, UnicodeDecodeError):
        raise ServerUnavailable("the server's answer is not JSON") from None
    if not isinstance(found, dict):
        raise ServerUnavailable("the server's answer cannot be read")
    if found.get("error") is not None:
        raise problem_in(found["error"])
    return found


def problem_in(error: Any) -> Exception:
    """What a problem is to a host, as it would be in process."""
    told = error if isinstance(error, dict) else {}
    message = str(told.get("message") or "the server's answer cannot be read")
    code = told.get("code", "no decision")
    if code == "malformed_event":
        return EventError(message, told.get("at") or "")
    if code == "policy_error":
        return PolicyError((), message)
    kind = KINDS.get(code)
    return kind(message) if kind is not None else ServerUnavailable(f"{message} ({code})")


KINDS: dict[Any, type[Exception]] = {
    "bad_request": EvaluationError,
    "answer_rejected": Rejected,
    "no_such_request": Rejected,
    "too_large": TooLarge,
}
