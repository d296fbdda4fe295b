"""Up to where a text that is still growing is decided.

Takes the text so far, gives an offset. The one idea: no match reaches over certain places (a quote or brace; the
space after a word of some length that has no digit), whatever follows. The last such place is the answer. Where
none is near, in one long line without spaces, the answer is a place so far back that nothing in front of it can
depend on what follows.
"""

from __future__ import annotations

import re

from guardrails.detectors.normalise import LONGEST_ESCAPE, REACH, is_plain, normalised
from guardrails.errors import EvaluationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from guardrails.detectors.matches import Match

AHEAD = 2600
"""Characters of plain text behind its start that a match, and the decision about it, may need: the longest URL
with its host, and an extension after a phone number."""

HOLD = 1 << 17
"""The most that is kept back: `AHEAD`, if each of its characters is written as the longest escape, and as many
characters that show as nothing stand before it as are passed over."""

LEFT = 4800
"""What is to be kept of the text before: a match that can end there, one that it may begin in, each of the longest,
and the words before them."""

_REACHES = (256, 4096, 32_768, HOLD)
SENTENCE = re.compile(r"[.!?]\s+(?=[^\s])|\n")
_WORD = r"[!#$'-/:;=?-\[\]-z|~À-ÖØ-öø-ɏͰ-ϿЀ-ӿ]"
_BREAK = re.compile(rf'["<>{{}}]|(?<=[\s"<>{{}}]){_WORD}{{5,96}}\s')
_LETTERS = re.compile("[A-Za-zÀ-ÖØ-öø-ɏΑ-ώА-я]{5}")
_GOES_ON = re.compile(
    "january|february|march|april|august|september|october|november|december|extension", re.IGNORECASE
)


def settled(text: str, find: Callable[[str], list[Match]]) -> int:
    """See `Detector.settled`. `find` gives the matches of a stretch of the text."""
    for reach in _REACHES:
        place = last_break(text, max(0, len(text) - reach))
        if place or len(text) <= reach:
            break
    return place if len(text) - place <= AHEAD else max(place, _far_back(text, find))


def last_break(text: str, start: int) -> int:
    """The last place behind `start` that no match reaches over; 0 if there is none."""
    for found in reversed(list(_BREAK.finditer(text, start))):
        if len(found.group()) == 1 or _ends(found.group()):
            return found.end()
    return 0


def _ends(word: str) -> bool:
    """Whether no number or date goes on behind a word: it is no group of an account, no month, no `extension`."""
    return _LETTERS.search(word) is not None and _GOES_ON.search(word) is None


def _far_back(text: str, find: Callable[[str], list[Match]]) -> int:
    """A place outside of all matches that `AHEAD` characters follow, whatever is still to come."""
    if len(text) <= AHEAD:
        return 0
    begin = max(0, len(text) - (2 * AHEAD + LEFT if is_plain(text[-HOLD:]) else HOLD))
    tail = text[begin:]
    plain = normalised(tail)
    stable = plain.offset(len(tail) - REACH) - AHEAD
    if stable <= 0:
        return 0
    place = plain.span(stable, stable)[0]
    over = [match.start for match in find(tail) if match.start < place < match.end]
    place = min([place, *over])
    return begin + place if begin == 0 or place >= LEFT // 2 else 0


def settled_before(text: str, longest: int, find: Callable[[str], list[Match]]) -> int:
    """As `settled`, where matches of up to `longest` characters may also reach over the usual places."""
    limit = len(text) - longest - LONGEST_ESCAPE
    if limit <= 0:
        return 0
    place = settled(text[:limit], find)
    begin = max(0, place - LEFT)
    over = [m.start for m in find(text[begin:]) if m.start + begin < place < m.end + begin]
    return min([place, *(begin + start for start in over)])


def last_sentence(text: str) -> int:
    """Where the last sentence begins that may still be growing. Raises `EvaluationError` for one so long that
    it cannot be kept back."""
    place = 0
    for found in SENTENCE.finditer(text, max(0, len(text) - HOLD)):
        place = found.end()
    if not place and len(text) > HOLD:
        raise EvaluationError(
            f"a sentence is longer than {HOLD:,} characters: no model can judge it in a stream"
        )
    return place
