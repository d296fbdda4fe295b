"""Reversible tokens of a session: made where a policy redacts with them, turned back where it reveals.

Takes the session's vault and its log in the store. What a vault learns is written there before the text with
the token goes out, so that any worker can turn it back; a worker that was slower judges the event anew.
"""

from __future__ import annotations

from _thread import allocate_lock

from guardrails.errors import EvaluationError, Unavailable
from guardrails.model import Decision, Transform
from guardrails.redaction.vault import Vault
from guardrails.stores.sessions import Moved, Note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from typing import Any

    from guardrails.runtime.engine import Subject

    Path = tuple[str, ...]


class Tokens:
    """The tokens of one session."""

    __slots__ = ("_key", "_last", "_lock", "_log", "_session", "in_output", "keep", "reveals", "subject")

    def __init__(
        self, subject: Subject, session: str, reveals: Iterable[tuple[str | None, Path]], keep: int
    ) -> None:
        self.subject = subject
        self.keep = keep
        self.reveals: dict[str, list[Path]] = {}
        self.in_output = False
        for tool, path in reveals:
            if tool is None:
                self.in_output = True
            else:
                self.reveals.setdefault(tool, []).append(path)
        self._session = session
        self._log = f"{session}\x1fvault"
        self._last = 0
        self._lock = allocate_lock()
        self._key: bytes | None = subject.host.key

    def catch_up(self, now: int) -> Generator[Any, Any, bool]:
        """Learn what other workers made tokens for; True where a value has another token than it got here. Raises
        `Unavailable` without the store, and for records that were made with another key."""
        if self._key is None:
            return False
        vault, known = self._vault(self._key), self._last
        past = yield ("recall", (self._log,), {"after": known, "now": now})
        if past.last < known:
            raise Unavailable("the tokens of this session have expired")
        try:
            late = [vault.learn(record) for record in past.texts]
        except EvaluationError as error:
            raise Unavailable(str(error)) from error
        self._last = max(self._last, past.last)
        return any(late)

    def _vault(self, key: bytes) -> Vault:
        """The session's vault, one for all threads that share the session."""
        with self._lock:
            if self.subject.vault is None:
                self.subject.vault = Vault(self._session, key)
            return self.subject.vault  # type: ignore[no-any-return]  # a subject holds it for others untyped

    def save(self, now: int) -> Generator[Any, Any, bool]:
        """Write down what is new, whichever thread made it; False when a value has another token by now, and the
        event is to be judged anew."""
        vault, agreed = self.subject.vault, True
        while vault is not None and (records := vault.unsaved()):
            for record in records:
                known = self._last
                answer = yield ("remember", (Note(self._log, record, self.keep, known),), {"now": now})
                if isinstance(answer, Moved):
                    agreed = not (yield from self.catch_up(now)) and agreed
                    break
                vault.saved(record)
                self._last = max(self._last, answer)
        return agreed

    def revealed(self, tool: str | None, args: Any) -> Any:
        """The arguments with tokens turned back where the policy says so."""
        paths = self.reveals.get(tool or "")
        if not paths or self.subject.vault is None or args.__class__ is not dict:
            return args
        for path in paths:
            args = _restored(args, path, self.subject.vault)
        return args

    def finished(self, point: str, given: Any, judged: Any, decision: Decision) -> Decision:
        """The decision with what goes on: arguments as they were revealed, an output with its values."""
        if point == "call" and judged != given and not decision.transforms:
            return decision.replacing(judged, Transform("reveal", ("",), "reveal"))
        if point == "output" and self.in_output and self.subject.vault is not None:
            text = decision.payload if decision.transforms else given
            restored = self.subject.vault.restore(text)
            if restored != text:
                return decision.replacing(restored, Transform("reveal", ("",), "reveal"))
        return decision


def _restored(value: Any, path: Path, vault: Vault) -> Any:
    """The value with the tokens below `path` turned back; a list on the way stands for its elements."""
    if not path:
        return vault.restore(value)
    if value.__class__ is list:
        inner = path[1:] if path[0] == "*" else path
        return [_restored(item, inner, vault) for item in value]
    if value.__class__ is not dict:
        return value
    return {
        name: _restored(item, path[1:], vault) if path[0] in (name, "*") else item
        for name, item in value.items()
    }
