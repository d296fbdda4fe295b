"""Receipts: which checks of a session ran, so that a check that was skipped is noticed.

Takes what an adapter did (a call was judged, its result was judged, a text passed), gives an `Unmediated` as soon as
something turns up that no check has seen. The one idea: an adapter depends on hooks of a framework, and a framework
that stops calling a hook says nothing; so what comes out at the other end (results in the model's input, the answer
of the run) is held against the receipts.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from threading import Lock
from typing import TypeVar

from guardrails.errors import GuardError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

Kept = TypeVar("Kept")

MOST = 100_000
"""Calls, and texts, of a session of which something is known."""

OPEN, WAITING, REFUSED, ENDED = "open", "waiting", "refused", "ended"
"""A call that may run; one that waits for people; one that may not run; one whose result was judged, or that failed."""


class Unmediated(GuardError):
    """Something went past the checks: a call, a result or a text that no check has seen."""


class Receipt:
    """One call: its tool, what its arguments were (as a digest), and how far it is."""

    __slots__ = ("mark", "state", "tool")

    def __init__(self, tool: str, mark: str, state: str) -> None:
        self.tool = tool
        self.mark = mark
        self.state = state


class Newest(OrderedDict[str, Kept]):
    """A dictionary that forgets what was put into it longest ago, because some sessions never end. What is forgotten is
    unknown, and the unknown is refused."""

    def __setitem__(self, key: str, value: Kept) -> None:
        super().__setitem__(key, value)
        if len(self) > MOST:
            with suppress(KeyError):
                self.popitem(last=False)


class Receipts:
    """Those of one session. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._names = Newest[str]()
        self._calls = Newest[Receipt]()
        self._texts = Newest[bool]()
        self._before = Newest[bool]()
        self._count = 0

    # --- calls ---------------------------------------------------------------------------------

    def name(self, tool: str, mark: str, id: str | None) -> tuple[str, str]:
        """The name of a call in this session, and that of the open call that it takes the place of, if any.

        It is the host's own id while that means one call: a step that a host runs again has the same id, tool and
        arguments, and is charged once. Other arguments, or a call that has ended already, are another call.
        """
        with self._lock:
            self._count += 1
            if id is None:
                return f"guard-{self._count}", ""
            known = self._names.get(id, id)
            receipt = self._calls.get(known)
            if receipt is None or (receipt.tool == tool and receipt.mark == mark and receipt.state != ENDED):
                return known, ""
            self._names[id] = f"{id}~{self._count}"
            return self._names[id], known if receipt.state == OPEN else ""

    def judged(self, name: str, tool: str, mark: str, state: str) -> None:
        """A call was judged."""
        with self._lock:
            self._calls[name] = Receipt(tool, mark, state)

    def known(self, id: str) -> str:
        """The name of the call that a host means by an id."""
        return self._names.get(id, id)

    def knows(self, id: str) -> bool:
        """Whether a call was judged here."""
        return self._names.get(id, id) in self._calls

    def ended(self, id: str, tool: str) -> str:
        """The name of a call whose result is here. Raises `Unmediated` unless it was allowed."""
        with self._lock:
            name = self._names.get(id, id)
            receipt = self._calls.get(name)
            if receipt is None or receipt.tool != tool:
                raise Unmediated(
                    f"there is a result of `{tool}` (call {id}), and no check has seen that call"
                )
            if receipt.state in (REFUSED, WAITING):
                raise Unmediated(f"`{tool}` (call {id}) ran although it was not allowed")
            receipt.state = ENDED
            return name

    def closed(self, name: str) -> None:
        """A call did not run after all, or failed: no result will come."""
        with self._lock:
            receipt = self._calls.get(name)
            if receipt is not None:
                receipt.state = ENDED

    # --- what comes out at the other end ----------------------------------------------------------

    def from_before(self, ids: Iterable[str]) -> None:
        """Calls that were in the history when this session's process began: nothing is known of them here."""
        with self._lock:
            for id in ids:
                if self._names.get(id, id) not in self._calls:
                    self._before[id] = True

    def heard(self, id: str, tool: str = "") -> None:
        """The model is about to read the result of a call. Raises `Unmediated` where that was not judged."""
        receipt = self._calls.get(self._names.get(id, id))
        if receipt is None and id in self._before:
            return
        named = f"`{tool}` (call {id})" if tool else f"the call {id}"
        if receipt is None:
            raise Unmediated(f"the model is about to read a result of {named} that no check has seen")
        if receipt.state == OPEN:
            raise Unmediated(f"the model is about to read the result of {named}, which was not checked")

    def passed(self, text: str) -> None:
        """A text went through the check of outputs, and may leave like this."""
        with self._lock:
            self._texts[_mark(text)] = True

    def left(self, text: str) -> None:
        """A text leaves. Raises `Unmediated` for one that did not pass."""
        if text and _mark(text) not in self._texts:
            raise Unmediated("an answer leaves that did not pass the check of outputs")

    def finished(self, ids: Iterable[str] | None = None) -> None:
        """The run is over. Raises `Unmediated` when a call that was allowed has no end: its result went past. `ids`
        are the calls of this run, where several share a session: that of an agent that is another one's tool."""
        with self._lock:
            wanted = set(self._calls) if ids is None else {self._names.get(id, id) for id in ids}
            found = [receipt for name, receipt in self._calls.items() if name in wanted]
        open_ones = sorted({receipt.tool for receipt in found if receipt.state == OPEN})
        if open_ones:
            names = ", ".join(f"`{tool}`" for tool in open_ones)
            raise Unmediated(
                f"the run is over, and no result of {names} was checked, although the call was allowed"
            )


def _mark(text: str) -> str:
    from hashlib import blake2b

    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def mark_of(args: object) -> str:
    """What stands for the arguments of a call; equal ones have the same."""
    from json import dumps

    try:
        return _mark(dumps(args, sort_keys=True, default=repr))
    except (TypeError, ValueError, RecursionError):
        return _mark(repr(args))
