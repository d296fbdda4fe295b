"""Values: when two spellings of something that was found are the same thing.

Takes an entity and a text, gives the form under which tokens and hashes know it. Nothing is ever shown in
this form.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LABEL_LENGTH = 40
"""The most characters of an entity's name in a placeholder."""

LETTERS = "bcdfghjkmnpqrstv"
"""One letter for each hexadecimal digit: no vowel, so no words; no digit, so no numbers."""


def canonical(entity: str, text: str) -> str:
    """The one form of the spellings of a value: of e-mail addresses without regard to case, of numbers
    without what separates their digits, of all else without outer blanks."""
    import unicodedata

    plain = unicodedata.normalize("NFKC", text).strip()
    return _FORMS.get(entity, str)(plain)


def label(entity: str) -> str:
    """An entity's name as placeholders spell it: capital letters, digits and underscores."""
    plain = "".join(c if c.isascii() and c.isalnum() else "_" for c in entity.upper())
    return plain[:LABEL_LENGTH] if plain[:1].isalpha() else f"X{plain}"[:LABEL_LENGTH]


def in_letters(data: bytes) -> str:
    return data.hex().translate(_TO_LETTERS)


def alphanumeric(text: str) -> str:
    return "".join(character for character in text if character.isalnum())


def _number(text: str) -> str:
    return "".join(character for character in text if character.isdigit() or character == "+")


def _code(text: str) -> str:
    return alphanumeric(text).upper()


_TO_LETTERS = str.maketrans("0123456789abcdef", LETTERS)

_FORMS: dict[str, Callable[[str], str]] = {
    "EMAIL_ADDRESS": str.casefold,
    "CREDIT_CARD": _number,
    "PHONE_NUMBER": _number,
    "US_SSN": _number,
    "US_ITIN": _number,
    "UK_NHS": _number,
    "US_BANK_NUMBER": _number,
    "IBAN_CODE": _code,
    "US_PASSPORT": _code,
    "US_DRIVER_LICENSE": _code,
    "MEDICAL_LICENSE": _code,
}
