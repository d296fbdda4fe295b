"""Reversible tokens of a session: made where a policy redacts with them, turned back where it reveals.

Takes the session's vault and its log in the store. What a vault learns is written there before the text with
the token goes out, so that any worker can turn it back; a worker that was slower judges the event anew.
"""

from __future__ import annotations

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

    __slots__ = ("_key", "_last", "_log", "_session", "in_output", "keep", "reveals", "subject")

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
        self._key: bytes | None = subject.host.key

    def catch_up(self, now: int) -> Generator[Any, Any, None]:
        """Learn what other workers made tokens for. Raises `Unavailable` without the store, and for records that
        were made with another key."""
        if self._key is None:
            return
        if self.subject.vault is None:
            self.subject.vault, self._last = Vault(self._session, self._key), 0
        past = yield ("recall", (self._log,), {"after": self._last, "now": now})
        if past.last < self._last:
            raise Unavailable("the tokens of this session have expired")
        for record in past.texts:
            try:
                self.subject.vault.learn(record)
            except EvaluationError as error:
                raise Unavailable(str(error)) from error
        self._last = past.last

    def save(self, now: int) -> Generator[Any, Any, bool]:
        """Write down what is new; False when somebody else did so first, and the event must be judged anew."""
        vault = self.subject.vault
        for record in vault.unsaved() if vault is not None else ():
            answer = yield ("remember", (Note(self._log, record, self.keep, self._last),), {"now": now})
            if isinstance(answer, Moved):
                self.subject.vault = None
                return False
            self._last = answer
        return True

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
