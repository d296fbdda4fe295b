"""Phone numbers among windows of digit groups.

Takes a window (see `numbers`), gives candidates. The one idea: how a number is written says more than which
digits it has. A plus sign, a bracketed area code or the hyphens of North America stand by themselves; other
groupings need the numbering plan to agree, and bare digits need a word before them.
"""

from __future__ import annotations

import re

from guardrails.detectors.pii.candidates import Candidate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from guardrails.detectors.pii.numbers import Window

REGIONS = ("US", "GB", "DE", "FR", "IL", "IN", "CA", "BR", "ES", "IT", "NL", "AU")
"""Where a number without a country code may be from."""

_EXTENSION = re.compile(
    r"[ ,;]{0,3}(?:ext(?:ension|n)?\.?|x)[ .:]{0,2}[0-9]{1,6}(?![0-9A-Za-z])", re.IGNORECASE
)
_SCORES = {"(": 0.75, "-": 0.65, ".": 0.6, "/": 0.55, " ": 0.55}
_PHONE_GAP = re.compile(r"[ \-.()/\n·•∙]{1,3}")


def phone_of_ten(window: Window) -> Iterator[Candidate]:
    """A number of North America: area, exchange and line, with or without the leading 1."""
    digits = window.digits[-10:]
    if (len(window.digits) == 11 and window.digits[0] != "1") or not _is_north_american(digits):
        return
    if not all(_PHONE_GAP.fullmatch(gap) for gap in window.gaps()) or not window.free():
        return
    start = _with_bracket(window, window.start)
    mark = "(" if "(" in window.text[start : window.end] else window.gaps()[-1].strip() or " "
    scores = (_SCORES.get(mark, 0.55), 0.95)
    yield Candidate(
        (start, _extended(window)), "PHONE_NUMBER", scores, "area, exchange and line of North America"
    )


def local_phone(window: Window) -> Iterator[Candidate]:
    """Three and four digits: a phone only after a word that says so."""
    if window.even() in ("-", ".", " ") and window.free() and window.digits[0] not in "01":
        span = (window.start, _extended(window))
        yield Candidate(span, "PHONE_NUMBER", (0.2, 0.6), "seven digits after words for a phone")


def foreign_phone(windows: list[Window]) -> Iterator[Candidate]:
    """A number after a plus sign: the longest window that its country's plan knows, else the longest possible."""
    fitting = [w for w in windows if len(w.digits) <= 15 and all(map(_PHONE_GAP.fullmatch, w.gaps()))]
    for window in reversed(fitting):
        if _is_known("+" + window.digits, None):
            yield _foreign(window, (0.85, 1.0), "its country's plan knows the number")
            return
    for window in reversed(fitting):
        if _is_possible("+" + window.digits):
            yield _foreign(window, (0.6, 0.95), "a number of a length that its country uses")
            return


def trunk_phone(window: Window) -> Iterator[Candidate]:
    """A run that is no other shape: a national number, if a numbering plan agrees."""
    digits = window.digits
    if not 7 <= len(digits) <= 14 or not window.free() or _is_something_else(window):
        return
    grouped = len(window.shape) > 1
    alone = 0.55 if grouped and digits[0] == "0" else 0.4 if grouped else 0.3
    start = _with_bracket(window, window.start)
    if start < window.start and grouped:
        alone = 0.6
    number = "+" + digits[2:] if digits[:2] == "00" else digits
    span = (start, _extended(window))
    reason = "a numbering plan knows the number"
    yield Candidate(span, "PHONE_NUMBER", (alone, 0.8), reason, lambda: _is_known_somewhere(number))


def _is_something_else(window: Window) -> bool:
    from guardrails.detectors.pii.numbers import looks_like_date

    gaps = window.gaps()
    if (len(gaps) == 1 and gaps[0] in (".", "_")) or not all(_PHONE_GAP.fullmatch(gap) for gap in gaps):
        return True
    return looks_like_date(window) or (len(gaps) == 3 and set(gaps) == {"."} and max(window.shape) <= 3)


def _is_north_american(digits: str) -> bool:
    return digits[0] not in "01" and digits[1:3] != "11" and digits[3] not in "01"


def _with_bracket(window: Window, start: int) -> int:
    return (
        start - 1
        if start and window.text[start - 1] == "(" and ")" in window.text[start : window.end]
        else start
    )


def _extended(window: Window) -> int:
    """The end of the number with its extension, if one follows."""
    found = _EXTENSION.match(window.text, window.end)
    return found.end() if found else window.end


def _foreign(window: Window, scores: tuple[float, float], reason: str) -> Candidate:
    start = window.text.rfind("+", 0, window.start)
    return Candidate((start, _extended(window)), "PHONE_NUMBER", scores, reason)


def _is_known_somewhere(number: str) -> bool:
    if number.startswith("+"):
        return _is_known(number, None)
    return any(_is_known(number, region) for region in REGIONS)


def _is_known(number: str, region: str | None) -> bool:
    import phonenumbers

    if region is None and _is_known_at_once(number[1:]):
        return True
    try:
        return bool(phonenumbers.is_valid_number(phonenumbers.parse(number, region)))
    except phonenumbers.NumberParseException:
        return False


def _is_known_at_once(digits: str) -> bool:
    """Whether a number of digits only, its country code first, is valid as it stands: no reading, no trunk zero."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneNumber, is_valid_number

    for length in (1, 2, 3):
        country, rest = digits[:length], digits[length:]
        if int(country) in COUNTRY_CODE_TO_REGION_CODE and rest and rest[0] != "0":
            return bool(is_valid_number(PhoneNumber(country_code=int(country), national_number=int(rest))))
    return False


def _is_possible(number: str) -> bool:
    import phonenumbers

    try:
        return bool(phonenumbers.is_possible_number(phonenumbers.parse(number, None)))
    except phonenumbers.NumberParseException:
        return False
