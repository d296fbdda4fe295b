"""Numbers in texts: quantities, account numbers, cards and phone numbers.

Takes a text, gives stretches with keys (see `forms`). The one idea: digits may be grouped, but only where the
grouping is that of a known kind of number; any other blank between digits separates two numbers.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    Span: TypeAlias = tuple[int, int, str]

_NUMBER = re.compile(r"(\d{1,3}(?:,\d{3})+(?:\.\d{1,40})?|\d{1,40}(?:\.\d{1,40})?)(?![\w@-]|[.,:/+-]\w|%\d)")
_NOT_BEFORE_NUMBER = frozenset("_.,/:@%")
_IBAN = re.compile(r"\d\d(?<=[A-Za-z]\d\d)(?=(?:[ -]?[A-Za-z0-9]){11})")
_NOT_BEFORE_IBAN = frozenset("_.@/+-")
_NOT_BEFORE_GROUPS = frozenset("_.,/:@%#+-")
_DIGIT_BLANK = frozenset(f"{digit} " for digit in "0123456789")
_GROUPED = re.compile(r"\+?\(?\d[\d ().\-/\u00a0\u202f]{5,28}\d(?![\w@]|[.,:/+-]\d|-\w| ?[\d(])")
_LENGTHS_ROWS = """
AD:24 AE:23 AL:28 AT:20 AZ:28 BA:20 BE:16 BG:22 BH:22 BI:27 BR:29 BY:28 CH:21 CR:22 CY:28 CZ:24 DE:22
DJ:27 DK:18 DO:28 EE:20 EG:29 ES:24 FI:18 FK:18 FO:18 FR:27 GB:22 GE:22 GI:23 GL:18 GR:27 GT:28 HN:28
HR:21 HU:28 IE:22 IL:23 IQ:23 IS:26 IT:27 JO:30 KW:30 KZ:20 LB:28 LC:32 LI:21 LT:20 LU:20 LV:21 LY:25
MC:27 MD:24 ME:22 MK:19 MN:20 MR:27 MT:31 MU:30 NI:28 NL:18 NO:15 OM:23 PK:24 PL:28 PS:29 PT:25 QA:29
RO:24 RS:22 RU:33 SA:24 SC:31 SD:18 SE:24 SI:19 SK:24 SM:27 SO:23 ST:25 SV:28 TL:23 TN:24 TR:26 UA:29
VA:22 VG:24 XK:20 YE:30
"""
_LENGTHS = dict(pair.split(":") for pair in _LENGTHS_ROWS.split())
_CALLING = re.compile(
    r"1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|(?:2[1-689]|3[578]|42|5[09]|6[7-9]|8[058]|9[679])\d"
)
_CARD = re.compile(r"\d{4}([ -])\d{4}\1\d{4}\1\d{1,7}|\d{4}([ -])\d{6}\2\d{5}")
_NORTH_AMERICAN = re.compile(r"\(?\d{3}\)?[ .-]\d{3}[.-]\d{4}|\(\d{3}\) ?\d{3} \d{4}")
_THOUSANDS = re.compile("\\d{1,3}([\u00a0\u202f])\\d{3}(?:\\1\\d{3})*")
_SINGLES = re.compile(r"(?<!\d)\d\D+\d(?!\d)")
_NOT_DIGIT = re.compile(r"\D")


def number_spans(text: str, start: int = 0, end: int | None = None) -> Iterator[Span]:
    """Quantities; the key is the shortest decimal form. `1,234` and `1.234` stand only for themselves, because
    the mark is a decimal one in half of the world."""
    for found in _NUMBER.finditer(text, start, len(text) if end is None else end):
        sign = _sign(text, found.start())
        key = _quantity(found.group()) if sign is not None else None
        if sign is not None and key is not None:
            yield found.start() - len(sign), found.end(), "-" + key if sign == "-" else key


def _sign(text: str, place: int) -> str | None:
    """What stands before a number as its sign; None where it belongs to something longer."""
    before = text[place - 1 : place]
    if before in ("+", "-"):
        further = text[place - 2 : place - 1] if place > 1 else ""
        joined = further.isalnum() or further in _NOT_BEFORE_NUMBER or further in ("+", "-")
        return None if further and joined else before
    return None if before.isalnum() or before in _NOT_BEFORE_NUMBER else ""


def _quantity(digits: str) -> str | None:
    whole, stop, fraction = digits.partition(".")
    if "," in whole:
        if not stop and whole.count(",") == 1:
            return None if whole[0] == "0" else digits
        whole = whole.replace(",", "")
    elif stop and len(fraction) == 3 and len(whole) <= 3 and whole != "0":
        return digits
    if len(whole) > 1 and whole[0] == "0":
        return None
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole


def iban_spans(text: str, start: int = 0, end: int | None = None) -> Iterator[Span]:
    """Account numbers with a right length and check number, in groups or not."""
    for found in _IBAN.finditer(text, start, len(text) if end is None else end):
        first = found.start() - 2
        length = _LENGTHS.get(text[max(0, first) : found.start()].upper())
        if length is None or not _opens(text, first):
            continue
        last, code = _taken(text, first, int(length))
        if code and not _goes_on(text, last) and _has_right_check(code):
            yield first, last, code.lower()


def _opens(text: str, place: int) -> bool:
    before = text[place - 1 : place]
    return not (before.isalnum() or before in _NOT_BEFORE_IBAN)


def _taken(text: str, start: int, length: int) -> tuple[int, str]:
    code, place = "", start
    while len(code) < length and place < len(text):
        if text[place] not in " -":
            code += text[place]
        place += 1
    return place, code.upper() if len(code) == length else ""


def _goes_on(text: str, end: int) -> bool:
    return text[end : end + 1].isalnum() or (
        text[end : end + 1] in ("-", "@") and text[end + 1 : end + 2].isalnum()
    )


def _has_right_check(code: str) -> bool:
    return (
        code.isascii()
        and code.isalnum()
        and int("".join(str(int(c, 36)) for c in code[4:] + code[:4])) % 97 == 1
    )


def grouped_spans(text: str, start: int = 0, end: int | None = None) -> Iterator[Span]:
    """Numbers in groups: phone numbers, cards and thousands with blanks that do not break. The key of an international phone
    number starts with `+`, that of a national one with 0, all others are the digits."""
    for found in _GROUPED.finditer(text, start, len(text) if end is None else end):
        key = _grouped(found.group()) if _starts(text, found.start()) else None
        if key is not None:
            yield (*found.span(), key)


def _starts(text: str, place: int) -> bool:
    before = text[place - 1 : place]
    return not (before.isalnum() or before in _NOT_BEFORE_GROUPS or text[place - 2 : place] in _DIGIT_BLANK)


def _grouped(text: str) -> str | None:
    digits = _NOT_DIGIT.sub("", text.replace("(0)", ""))
    if _SINGLES.search(text) or text.count("/") > 1:
        return None
    if _CARD.fullmatch(text) and _has_luhn(digits):
        return digits
    if text[0] == "+" or (text[:2] == "00" and len(digits) > 9):
        return _international(digits.removeprefix("00") if text[0] != "+" else digits)
    if _NORTH_AMERICAN.fullmatch(text) or _THOUSANDS.fullmatch(text):
        return digits
    if text[0] == "0" or text[:2] == "(0":
        return digits if 8 <= len(digits) <= 13 and "." not in text else None
    return digits if digits == text else None


def _international(digits: str) -> str | None:
    return "+" + digits if 8 <= len(digits) <= 15 and _CALLING.match(digits) else None


def _has_luhn(digits: str) -> bool:
    odd = sum(map(int, digits[-1::-2]))
    return (odd + sum(sum(divmod(2 * int(d), 10)) for d in digits[-2::-2])) % 10 == 0


def same_number(left: str, right: str) -> bool:
    """Whether two keys are the same number: also a national phone number and the same one with a country's
    calling code before it."""
    if left == right:
        return True
    national, abroad = (left, right) if right[0] == "+" else (right, left)
    if len(national) == 10 and abroad == "+1" + national:
        return True
    if national[0] != "0" or abroad[0] != "+" or len(national) < 9:
        return False
    code = abroad[1:].removesuffix(national[1:])
    return len(code) < len(abroad) - 1 and bool(_CALLING.fullmatch(code))
