"""Which recognisers can find anything in a text at all.

Takes a plain text, gives the families of recognisers whose necessary condition it meets. The one idea: almost
all text contains nothing, and a text without digits, `@` and names of hosts is told apart by a few searches for
single bytes. What is left goes through all conditions in one pass of RE2. Its automaton can run out of memory
and then finds nothing at all, so one condition always holds: an answer without it is no answer.
"""

from __future__ import annotations

import re
from functools import lru_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EMAIL = "email"
URL = "url"
NUMBER = "number"
IP = "ip"
MAC = "mac"
DATE = "date"
MONTH = "month"
IBAN = "iban"
WALLET = "wallet"
UUID = "uuid"
LICENCE = "licence"
DIGIT = "digit"

_ALWAYS = "always"
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_MEMORY = 64 << 20
_TOO_LONG = 1 << 20

CONDITIONS: tuple[tuple[str, str], ...] = (
    (_ALWAYS, ""),
    (EMAIL, r"@(?:[^\s@]|\[)"),
    (URL, r"://|\.(?:[A-Za-z]{2}|[^\x00-\x7f])"),
    (NUMBER, r"[0-9](?:[ \t\r\n.\-/()·•∙_]{0,3}[0-9]){6}"),
    (IP, r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]|[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:"),
    (MAC, r"[0-9A-Fa-f]{2}[:\-][0-9A-Fa-f]{2}[:\-][0-9A-Fa-f]{2}|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}"),
    (DATE, r"[0-9][./\-][0-9]{1,2}[./\-][0-9]{2}|[0-9]/[0-9]{2}"),
    (MONTH, rf"(?i:[0-9][ \-](?:of )?(?:{_MONTHS})|(?:{_MONTHS})\-[0-9]{{2}}|(?:{_MONTHS})[a-z]{{0,6}}\.? [0-9])"),
    (IBAN, r"(?:[A-Z]{2} ?|[A-Za-z]{2})[0-9]{2}(?:[ .\-\n]{0,3}[A-Za-z0-9]){11}"),
    (WALLET, r"(?i:bc1[0-9a-z]{8})|[13][1-9A-HJ-NP-Za-km-z]{25}|0x[0-9A-Fa-f]{40}"),
    (UUID, r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-"),
    (LICENCE, r"[A-Za-z][0-9]{3}|[0-9]{3}[A-Za-z]|[A-Za-z][0-9][A-Za-z][0-9][A-Za-z]|[A-Za-z][0-9]{2,4}[ \-][0-9]"),
    (DIGIT, "[0-9]"),
)  # fmt: skip
"""Family, and what a text must contain for it; written for RE2 and `re` alike."""

NAMES = tuple(name for name, _ in CONDITIONS)
ALL = frozenset(NAMES) - {_ALWAYS}
NOTHING: frozenset[str] = frozenset()
_ENDING = re.compile(r"\.(?:[A-Za-z]{2}|[^\x00-\x7f])")


def families(text: str) -> frozenset[str]:
    """The families that can match in `text`; never too few."""
    digits = any(digit in text for digit in "0123456789")
    if not digits:
        return _without_digits(text)
    return _by_set(text)


def _without_digits(text: str) -> frozenset[str]:
    """Every family but addresses needs a digit."""
    found = set()
    if "@" in text:
        found.add(EMAIL)
    if "://" in text or ("." in text and _ENDING.search(text)):
        found.add(URL)
    if text.count(":") > 4 or text.count("-") > 4:
        found.add(MAC)
    return frozenset(found)


def _by_set(text: str) -> frozenset[str]:
    conditions = _re2_set()
    if conditions is None or len(text) > _TOO_LONG:
        return _one_by_one(text)
    matched = conditions.Match(text)
    if 0 not in matched:
        return ALL
    return frozenset(NAMES[index] for index in matched if index)


def _one_by_one(text: str) -> frozenset[str]:
    """The same answer with one pass for each condition, of RE2 where it is installed."""
    return frozenset(name for name, search in _searches() if name != _ALWAYS and search(text))


@lru_cache(maxsize=1)
def _re2_set() -> Any:
    """All conditions as one automaton; None where RE2 is not installed."""
    try:
        import re2
    except ImportError:
        return None
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    conditions = re2.Set.SearchSet(options)
    for _, pattern in CONDITIONS:
        conditions.Add(pattern)
    conditions.Compile()
    return conditions


@lru_cache(maxsize=1)
def _searches() -> tuple[tuple[str, Any], ...]:
    try:
        import re2 as engine
    except ImportError:
        engine = re
    return tuple((name, engine.compile(pattern).search) for name, pattern in CONDITIONS)
