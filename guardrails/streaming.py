"""Outputs that leave in pieces: checked and redacted as their whole would be (law L8).

Takes pieces of a text, gives pieces that may go on. What could still become part of something that is
redacted or denied is held back, and no more than that. Where a statement asks something of the text that only
its whole can tell (its length, a schema, a score), all of it is held back until it ends; `hold` says which.

    stream = session.stream_output()
    for piece in model:
        show(stream.feed(piece))
    show(stream.close())
"""

from __future__ import annotations

from guardrails.errors import EvaluationError
from guardrails.model import Outcome
from guardrails.runtime.engine import MAX_TEXT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
    from typing import Any

    from guardrails.model import Decision
    from guardrails.redaction.streams import RedactingStream
    from guardrails.runtime.program import Effect, Unit
    from guardrails.session import Session

LONGEST_TOKEN = 128
"""Characters that a reversible token has at most: what is held back behind a `<` until it is closed."""


STEP = 32
"""Characters that come together before detectors are asked whether a text is denied: each look costs as much as
one at all that is kept."""


class OutputStream:
    """One output in pieces. Not for several threads at once.

    `decision` is the newest decision: of the beginning, of what was denied on the way, or of the whole. `hold`:
    the most characters that are ever held back; None where the whole text is, because the policy asks for it.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._unit: Unit = session.guard.engine.program.unit("output", None)
        self._whole = not _can_stream(session, self._unit)
        self._pieces: list[str] = []
        self._length = 0
        self._over = False
        self._watches = [] if self._whole else _detectors_of(self._unit, session)
        self._waiting = ""
        self._looked = 0
        self._behind = ""
        self._redacting: RedactingStream | None = None
        self._tail = Tail(session) if _reveals(session) and not self._whole else None
        self.decision: Decision | None = None
        if not self._whole:
            self._begin()
        self.hold = self._hold()

    @property
    def denied(self) -> bool:
        """Whether nothing more goes on."""
        return self.decision is not None and self.decision.outcome is not Outcome.ALLOW

    def feed(self, piece: str) -> str:
        """What can go on by now. Of a text that is denied, the reason is the last piece, and all that comes
        later gives nothing. Raises `EvaluationError` for what is no text, and stays as it was."""
        if piece.__class__ is not str:
            piece = _text_of(piece)
        if self._over or self.denied:
            return ""
        if self._whole:
            self._pieces.append(piece)
            self._length += len(piece)
            return "" if self._length <= MAX_TEXT else self._judged()
        return self._passed(piece, is_last=False)

    def close(self) -> str:
        """The rest, once nothing more comes."""
        if self._over or self.denied:
            self._over = True
            return ""
        self._over = True
        return self._judged() if self._whole else self._passed("", is_last=True)

    # --- the whole, where only it can tell -----------------------------------------------------

    def _judged(self) -> str:
        text = "".join(self._pieces)
        self._pieces = []
        decision = self.decision = self._session.check_output(text)
        if decision.outcome is not Outcome.ALLOW:
            self._over = True
            return decision.message
        return str(decision.payload) if decision.transforms else text

    # --- piece by piece ------------------------------------------------------------------------

    def _begin(self) -> None:
        """Check what does not depend on the text, and see which redactions hold."""
        decision = self.decision = self._session.check_output("")
        if decision.outcome is not Outcome.ALLOW:
            return
        changes = tuple([effect.change for effect in _redactions(self._session, self._unit)])
        if changes:
            from guardrails.runtime.redacting import redactor_for

            try:
                self._redacting = redactor_for(changes, self._session._subject).stream()
            except EvaluationError:
                # Decided as the whole would be: the error is in the decision, which denies.
                self.decision = self._session.check_output("x")

    def _passed(self, piece: str, *, is_last: bool) -> str:
        try:
            clean = self._cleared(piece, is_last=is_last)
            if clean is None:
                return self._denied()
            out = self._redacted(clean, is_last=is_last)
        except EvaluationError as error:
            return self._failed(error)
        return self._tail.feed(out, is_last=is_last) if self._tail else out

    def _cleared(self, piece: str, *, is_last: bool) -> str | None:
        """What of the text no detector can object to any more; None where one does."""
        if not self._watches:
            return piece
        self._waiting += piece
        new = len(self._waiting) - self._looked
        if not is_last and new < max(STEP, len(self._waiting) >> 4):
            return ""
        window = self._behind + self._waiting
        begin, upto = len(self._behind), len(window)
        for detector in self._watches:
            settled = len(window) if is_last else detector.settled(window)
            if any(begin <= match.start < settled for match in detector.find(window)):
                if self._objects(window):
                    return None
                continue
            upto = min(upto, max(settled, begin))
        left = max((detector.left for detector in self._watches), default=0)
        self._behind = window[max(0, upto - left) : upto]
        self._waiting = window[upto:]
        self._looked = len(self._waiting)
        return window[begin:upto]

    def _objects(self, window: str) -> bool:
        """Whether the policy denies a text with this in it."""
        decision = self._session.check_output(window)
        if decision.outcome is Outcome.ALLOW:
            return False
        self.decision = decision
        return True

    def _redacted(self, text: str, *, is_last: bool) -> str:
        stream = self._redacting
        if stream is None:
            return text
        out = stream.feed(text) + (stream.close() if is_last else "")
        ledger = self._session._ledger
        if ledger is not None:
            ledger.save_tokens()
        return out

    def _denied(self) -> str:
        self._over = True
        message = self.decision.message if self.decision else ""
        return self._redacting.close_denied(message) if self._redacting else message

    def _failed(self, error: EvaluationError) -> str:
        """A detector could not judge the text: the rest is withheld, as the whole would be."""
        from guardrails.model import Decision
        from guardrails.runtime.engine import NOWHERE
        from guardrails.runtime.failures import failure_of

        failure = failure_of(error, "output", NOWHERE)
        self.decision = Decision(Outcome.DENY, self._session.guard.digest, errors=(failure,))
        self._over = True
        return "The rest is withheld, because it could not be checked."

    def _hold(self) -> int | None:
        if self._whole:
            return None
        held: int = sum(detector.hold for detector in self._watches)
        held += (held >> 3) + STEP if held else 0
        held += self._redacting.hold if self._redacting else 0
        return held + (LONGEST_TOKEN if self._tail else 0)

    # --- whole iterables -----------------------------------------------------------------------

    def pieces(self, source: Iterable[str]) -> Iterator[str]:
        """All pieces of `source` as they can go on."""
        from guardrails.stream_parameters import check_source

        check_source(source, "__iter__")
        return self._passing(source)

    def _passing(self, source: Iterable[str]) -> Iterator[str]:
        for piece in source:
            if out := self.feed(piece):
                yield out
            if self._over:
                return
        if out := self.close():
            yield out

    def apieces(self, source: AsyncIterable[str]) -> AsyncIterator[str]:
        """The same for pieces that are awaited."""
        from guardrails.stream_parameters import check_source

        check_source(source, "__aiter__")
        return self._apassing(source)

    async def _apassing(self, source: AsyncIterable[str]) -> AsyncIterator[str]:
        async for piece in source:
            if out := self.feed(piece):
                yield out
            if self._over:
                return
        if out := self.close():
            yield out


def _text_of(piece: Any) -> str:
    from guardrails.stream_parameters import piece_of

    return piece_of(piece)


class Tail:
    """Turns reversible tokens back in a text that grows, and holds back what may become one."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._held = ""

    def feed(self, text: str, *, is_last: bool) -> str:
        text = self._held + text
        cut = text.rfind("<")
        is_open = cut >= 0 and ">" not in text[cut:] and len(text) - cut <= LONGEST_TOKEN
        upto = cut if is_open and not is_last else len(text)
        self._held = text[upto:]
        vault = self._session._subject.vault
        return str(vault.restore(text[:upto])) if vault is not None else text[:upto]


# --- what a policy makes of a stream -----------------------------------------------------------


def _can_stream(session: Session, unit: Unit) -> bool:
    """Whether pieces can go on before the end: nothing asks for the whole, no other policy takes part, and no
    later rule asks what was said."""
    head = session.guard.engine.program.head
    plain = type(session).__name__ == "Session" and not head["uses_trace"]
    return plain and all(effect.watch is not None for effect in unit.effects)


def _reveals(session: Session) -> bool:
    return any(tool is None for tool, _ in session.guard.engine.program.head["reveals"])


def _detectors_of(unit: Unit, session: Session) -> list[Any]:
    """The detectors that statements watch for, each once."""
    from guardrails.runtime.content import detector_for

    specs = dict.fromkeys(watch for effect in unit.effects for watch in effect.watch)
    found = []
    for spec in specs:
        if spec[0] == "pattern":
            from guardrails.redaction.patterns import PatternDetector

            found.append(PatternDetector(spec[1]))
        else:
            found.append(detector_for(session._subject, spec))
    return found


def _redactions(session: Session, unit: Unit) -> list[Effect]:
    """The redactions that hold, which no text has a say in."""
    from guardrails.runtime.engine import Draft
    from guardrails.runtime.program import taken_apart

    event: tuple[Any, ...] = ({}, session._subject, "", session.guard.clock.now(), None)
    mask, failed, _ = taken_apart(unit.check(*event))
    return Draft(session.guard.engine.program, unit, mask, failed or ()).changes
