"""Passes: a text goes in piece by piece, and comes out redacted.

A whole text is a stream of one piece, so both are the same code (law L8). What is let go is settled: all
matches that begin before it are known and complete. There are two passes, because what stood beside a match
may only be found once that is gone: the number behind `x` in `x4111...`, or what two ends form that `drop`
brings together. The second pass always leaves a mark, so nothing comes together again.
"""

from __future__ import annotations

from guardrails.redaction.matching import Finder
from guardrails.redaction.methods import MASK
from guardrails.redaction.overlaps import LONG, Joining, Stretch, Window
from guardrails.redaction.placeholders import Forms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from guardrails.redaction.methods import Rule
    from guardrails.redaction.overlaps import Found
    from guardrails.redaction.placeholders import Writer

    Counts = dict[str, int]

_SMALL = 512
"""Characters that are looked at again with every piece; of more, only once they have grown by a part."""

_JOINING = ("drop", "last")
"""Methods that may leave something that forms a match with what stands beside it."""

_STEPS = 128
"""A detector that needs much of the text before is asked again once there is a part of that many more."""


class Passes:
    """The passes that the rules of one place need over a text; made once, used for many texts."""

    __slots__ = ("_finders", "hold", "writer")

    def __init__(self, rules: Sequence[Rule], writer: Writer) -> None:
        forms = Forms([MASK, *(rule.method for rule in rules)], writer)
        again = [rule.by(MASK) if rule.method.kind in _JOINING else rule for rule in rules]
        self._finders = [Finder(rules, forms), Finder(again, forms)] if rules else []
        self.writer = writer
        self.hold = sum((LONG + finder.hold + finder.left + _SMALL) * 9 // 8 for finder in self._finders)

    def whole(self, text: str, context: Sequence[str], counts: Counts) -> str:
        """A whole text redacted; adds to `counts` how many stretches of each entity were."""
        for finder in self._finders:
            before, text = text, Pass(finder, self.writer, context, counts).feed(text, is_last=True)
            if text == before:
                # Another pass would find what this one did, which is nothing.
                break
        return text

    def begin(self, context: Sequence[str], counts: Counts) -> Chain:
        return Chain([Pass(finder, self.writer, context, counts) for finder in self._finders])

    def find(self, text: str, context: Sequence[str]) -> list[Found]:
        """What the first pass would redact."""
        return self._finders[0].find_all(text, context) if self._finders else []


class Chain:
    """The passes over one text."""

    __slots__ = ("_passes",)

    def __init__(self, passes: list[Pass]) -> None:
        self._passes = passes

    def feed(self, piece: str, *, is_last: bool = False) -> str:
        changes = True
        for each in self._passes:
            before = each.written
            piece = each.feed(piece, is_last=is_last, changed=changes)
            changes = each.written > before
        return piece

    @property
    def pending(self) -> int:
        """Characters that were fed and neither let go nor replaced yet."""
        return sum(each.pending for each in self._passes)


class Pass:
    """One pass over one text. Offsets count from where the text began."""

    __slots__ = (
        "_changed",
        "_context",
        "_counts",
        "_done",
        "_finder",
        "_joining",
        "_known",
        "_seen",
        "_whole",
        "_window",
        "_writer",
        "written",
    )

    def __init__(self, finder: Finder, writer: Writer, context: Sequence[str], counts: Counts) -> None:
        self._finder = finder
        self._writer = writer
        self._context = context
        self._counts = counts
        self._joining = Joining()
        self._window = Window("", complete=False)
        self._known = finder.known()
        self._done = 0
        self._seen = 0
        self._changed = 0
        self.written = 0
        self._whole = finder.judged_whole(context)

    @property
    def pending(self) -> int:
        return self._window.end - self._done

    def feed(self, piece: str, *, is_last: bool = False, changed: bool = True) -> str:
        """What can be let go by now. `changed`: whether `piece` is other than the pass before found it; in what
        is not, there is nothing more to be found."""
        window = self._window = Window(self._window.text + piece, self._window.start, complete=is_last)
        self._changed = window.end + 1 if changed else self._changed
        if not is_last and self._is_too_early():
            return ""
        self._seen = window.end
        upto = window.end if is_last else self._finder.settled(window, self._known)
        found = self._find(upto)
        complete = self._joining.take(found, window, upto)
        pieces = [part for stretch in complete for part in self._replaced(stretch)]
        pieces += self._let_go(upto)
        self._forget()
        return "".join(pieces)

    def _find(self, upto: int) -> list[Found]:
        window = self._window
        is_known = upto == self._known.offset and not window.complete
        if is_known or self._changed <= window.start:
            self._known.offset = upto
            return []
        return self._finder.find(window, self._context, self._known, upto)

    def _is_too_early(self) -> bool:
        """Whether looking again would cost much for the little that came."""
        new = self._window.end - self._seen
        much = max((self.pending - _SMALL) >> 4, self._finder.left // _STEPS)
        return self._window.end <= self._whole or new <= much

    def _let_go(self, upto: int) -> list[str]:
        """The plain text before what is still open; of a run that is longer than LONG, what stands for it."""
        stretch = self._joining.open
        if stretch is None:
            return [self._plain(upto)]
        if stretch.is_long and upto >= stretch.start + LONG and not stretch.written:
            return self._replaced(stretch)
        if stretch.written:
            self._done = max(self._done, min(stretch.end, self._window.end))
            return []
        return [self._plain(stretch.start)]

    def _plain(self, upto: int) -> str:
        text = self._window.part(self._done, max(upto, self._done))
        self._done = max(upto, self._done)
        return text

    def _replaced(self, stretch: Stretch) -> list[str]:
        """The text up to a stretch, and what stands for it."""
        before = self._plain(stretch.start)
        instead = [] if stretch.written else [before, self._written(stretch)]
        self._done = max(self._done, stretch.end)
        return instead

    def _written(self, stretch: Stretch) -> str:
        stretch.written = True
        self.written += 1
        entity, method = stretch.name.entity, stretch.method
        self._counts[entity] = self._counts.get(entity, 0) + 1
        if stretch.is_long and method.kind in ("hash", "token", "last"):
            method = MASK
        text = "" if stretch.is_long else self._window.part(stretch.start, stretch.end)
        return self._writer.match(method, entity, text)

    def _forget(self) -> None:
        keep = max(0, min(self._done, self._known.offset) - self._finder.left)
        if keep > self._window.start:
            text = self._window.part(keep, self._window.end)
            self._window = Window(text, keep, complete=False)
