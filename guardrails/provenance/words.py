"""Words: how a text is cut for the index, and how much a piece of it says.

Takes texts, gives folded words and estimates in bits. The one idea: a piece is evidence of its origin only if it
is unlikely to be written by chance, so characters are counted by how much each tells, and common words tell
nothing.
"""

from __future__ import annotations

import re
import unicodedata

WORD = re.compile(r"[^\W_]+")
"""A word of the index: letters and digits of any script."""

_NAME = re.compile(r"[A-Z][^\W_]{0,40}")
_NEXT = re.compile(r"[^\S\x00]+([A-Z][^\W_]{0,40})")

_DECIMAL = re.compile(r"(?<![\w.,-])\d{1,40}\.\d{1,40}(?![\w.,-])")

LONGEST = 64
"""Characters of a word that the index tells apart; of longer ones, the first so many."""

ENOUGH = 19.5
"""Bits below which a piece is weak: six digits are just enough."""

LETTER, DIGIT = 4.1, 3.32
"""Bits of one letter and of one digit; of anything else, 1."""

_REPEAT = re.compile(r"(.)(?=\1)", re.S)

_STOP_ROWS = """
a an and are as at be been but by can could did do does for from had has have he her him his how i if in
into is it its me my no not of on or our out she should so than that the their them then there these they
this those to up us was we were what when where which who will with would you your
"""
STOP = frozenset(_STOP_ROWS.split())
"""Words that are not indexed, because almost every text has them."""

_COMMON_ROWS = """
about account address admin again all also amount april archive august back bank bill body book budget
call cancel cash check class clear client close company confirm contact copy correct create credit
customer daily data date day debit december default delete deny detail details done draft due email empty
enable error event false february file final first folder friday general great group hello high home hotel
hour house important inbox info invoice item items january july june just last later left like list local
long mail main manager march meeting member message minute monday money month monthly more music name new news next
night none normal note null number october old offer office open order other paid password pay payment pending
people phone place plan please price private project public random read ready reason received reminder
rent reply report request reserve response result return right room sales saturday save search second
secret secure security send sent september service session share show some start status stop string
subject success summary sunday support system task team test text thank thanks thursday time title today
tomorrow total transfer travel true tuesday type undefined unknown update urgent user value very visit
wednesday week weekly welcome work world year yearly yes yesterday
"""
COMMON = frozenset(_COMMON_ROWS.split())
"""Single words that say nothing about who wrote them."""


def composed(text: str) -> str:
    """`text` in the Unicode form NFC, in which equal characters are equal."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def folded_words(text: str) -> list[str]:
    """The words of `text` regardless of case; decimal numbers are none, they are found by what they amount to."""
    if "." in text:
        text = _DECIMAL.sub(" ", text)
    return WORD.findall(composed(text).casefold())


def names_in(text: str) -> list[str]:
    """Pairs of words with a capital, one behind the other. They are indexed, because the words of a name can both
    be common where the name is not."""
    found = []
    for first in _NAME.finditer(text):
        second = _NEXT.match(text, first.end())
        if second:
            found.append(f"{first.group()} {second.group(1)}".casefold())
    return found


def is_telling(word: str) -> bool:
    """Whether the index keeps a folded word: not those that almost every text has, nor one or two Latin letters."""
    if len(word) > 2:
        return word not in STOP
    return not (word.isascii() and word.isalpha())


def bits(text: str) -> float:
    """How much `text` tells, in bits, under a model of single characters; a repeated character tells little."""
    letters, digits = sum(map(str.isalpha, text)), sum(map(str.isdigit, text))
    repeats = 0 if len(text) < 2 else len(_REPEAT.findall(text))
    return LETTER * letters + DIGIT * digits + (len(text) - letters - digits) - 3 * repeats


def is_weak(text: str) -> bool:
    """Whether `text` could well have been written without knowing its source."""
    words = WORD.findall(composed(text).casefold())
    if all(word in COMMON or word in STOP for word in words) and len(words) < 3:
        return True
    if len(words) > 16:
        return False
    return bits(text[:256]) < ENOUGH
