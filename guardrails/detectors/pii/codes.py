"""Codes of letters and digits: bank accounts, wallets, licences, passports, UUIDs.

Takes a plain text, gives candidates. The one idea: a code stands by itself between characters that are no part
of it, and its checksum, or a word before it, has to agree.
"""

from __future__ import annotations

import re
from functools import lru_cache

from guardrails.detectors.pii.candidates import Candidate
from guardrails.detectors.validators import IBAN_LENGTHS, base58check, bech32, dea, iban, uuid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

UNSPOKEN = 0.2
"""The most that a licence or a passport scores without a word for it."""

_APART = "(?<![A-Za-z0-9])"
_IBAN_HEAD = re.compile("([A-Za-z]{2})([ ]?)[0-9]{2}(?=[ .\\-\n]{0,3}[A-Za-z0-9])")
_WALLET = re.compile(
    "(?=[13bB])(?<![A-Za-z0-9])(?:bc1[a-z0-9]{8,87}|BC1[A-Z0-9]{8,87}|[13][1-9A-HJ-NP-Za-km-z]{25,34})(?![A-Za-z0-9])"
)
_ETHER = re.compile("0x[0-9a-fA-F]{40}(?![A-Za-z0-9])")
_DEA = re.compile("[ABCDEFGHJKLMPRSTUXabcdefghjklmprstux][A-Za-z9][0-9]{7}(?![A-Za-z0-9])")
_UUID = re.compile(
    "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}(?![A-Za-z0-9])"
)
_PASSPORT = re.compile("[A-Za-z][0-9]{8}(?![A-Za-z0-9])")
_L = "[A-Za-z]"
_LICENCE = re.compile(
    rf"(?<![\w\-./])(?:{_L}{{1,2}}[0-9]{{4,14}}{_L}?|{_L}[0-9]{{18}}|{_L}{{2}}[0-9]{{3}}|{_L}[0-9]{{3}}|[0-9]{{2}}{_L}{{3}}[0-9]{{5,6}}"
    rf"|[0-9]{{9}}{_L}|[0-9]{{8}}{_L}{{2}}|[0-9]{{3}}{_L}{{2}}[0-9]{{4}}|{_L}[0-9]{_L}[0-9]{_L}|[0-9]{{7,8}}{_L}"
    rf"|{_L}[0-9]{{2,4}}(?:[- ][0-9]{{2,4}}){{2,4}})(?![\w\-])"
)


def ibans(text: str) -> Iterator[Candidate]:
    """Account numbers of the length that their country uses."""
    for head in _IBAN_HEAD.finditer(text):
        country, space = head.groups()
        if (space and country != country.upper()) or not _is_apart(text, head.start()):
            continue
        length = IBAN_LENGTHS.get(country.upper())
        found = _account(length).match(text, head.start()) if length else None
        if found and _is_account(found.group()):
            yield Candidate(found.span(), "IBAN_CODE", (1.0, 1.0), "its country's length, checksum holds")


def _is_account(text: str) -> bool:
    """Whether the groups are those of an account: none is a word of the sentence around it."""
    words = any(len(group) > 4 and group.isalpha() for group in text.split())
    return not words and iban("".join(filter(str.isalnum, text)))


@lru_cache(maxsize=64)
def _account(length: int) -> re.Pattern[str]:
    return re.compile(f"[A-Za-z](?:[ .\\-\n]{{0,3}}[A-Za-z0-9]){{{length - 1}}}(?![A-Za-z0-9])")


def wallets(text: str) -> Iterator[Candidate]:
    """Addresses of Bitcoin, checksum included, and of Ethereum."""
    for found in _WALLET.finditer(text):
        check = bech32 if found.group()[:1] in "bB" else base58check
        if check(found.group()):
            yield Candidate(found.span(), "CRYPTO", (1.0, 1.0), "a Bitcoin address, checksum holds")
    for found in filter(lambda found: _is_apart(text, found.start()), _ETHER.finditer(text)):
        yield Candidate(found.span(), "CRYPTO", (0.6, 0.9), "forty hexadecimal digits after 0x")


def uuids(text: str) -> Iterator[Candidate]:
    """Universally unique identifiers of a version in use."""
    for found in _UUID.finditer(text):
        if _is_apart(text, found.start()) and uuid(found.group()):
            yield Candidate(found.span(), "UUID", (0.7, 0.7), "a UUID of a version in use")


def registrations(text: str) -> Iterator[Candidate]:
    """Registrations to prescribe controlled substances."""
    for found in _DEA.finditer(text):
        if _is_apart(text, found.start()) and dea(found.group()):
            alone = 0.6 if found.group().isupper() else 0.3
            yield Candidate(found.span(), "MEDICAL_LICENSE", (alone, 0.95), "checksum holds")


def passports(text: str) -> Iterator[Candidate]:
    """A letter and eight digits: a passport only after a word for one."""
    for found in _PASSPORT.finditer(text):
        if _is_apart(text, found.start()):
            yield Candidate(
                found.span(), "US_PASSPORT", (0.1, 0.65), "a letter and eight digits after a word for it"
            )


def licences(text: str) -> Iterator[Candidate]:
    """What a state may print on a driving licence: one only after a word for one."""
    for found in _LICENCE.finditer(text):
        yield Candidate(
            found.span(), "US_DRIVER_LICENSE", (UNSPOKEN, 0.65), "a state's shape after a word for it"
        )


def _is_apart(text: str, start: int) -> bool:
    """Whether no letter or digit of ASCII stands right before `start`."""
    before = text[max(0, start - 1) : start]
    return not (before.isalnum() and before.isascii())
