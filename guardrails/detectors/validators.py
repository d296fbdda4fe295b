"""Checksums and issuing rules of the numbers that identify people.

Takes the bare characters of a number (separators already gone), says whether it can be one. The one idea: a
pattern proposes and arithmetic disposes, so most of what only looks like a number falls away here.
"""

from __future__ import annotations

from hashlib import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_DOUBLED = bytes.maketrans(b"0123456789", b"0246813579")
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_STEPS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_ENDS = (1, 0x2BC830A3)
_PLACEHOLDER_SSNS = frozenset({"123456789", "987654320", "078051120", "219099999"})
_NEVER_ISSUED_ITIN = frozenset({"93"})

# Verhoeff's scheme: multiplication in the dihedral group of ten elements, and a permutation by position.
_TIMES = tuple(
    tuple((a + b) % 5 if a < 5 and b < 5 else 5 + (a + b) % 5 if a < 5 else 5 + (a - b) % 5 if b < 5 else (a - b) % 5
          for b in range(10))
    for a in range(10)
)  # fmt: skip
_TURN = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def luhn(text: str) -> bool:
    """The checksum of payment cards, IMEIs and Canadian social insurance numbers (ISO/IEC 7812-1)."""
    if not _is_number(text):
        return False
    plain, doubled = text[-1::-2].encode(), text[-2::-2].encode().translate(_DOUBLED)
    return (sum(plain) + sum(doubled) - 48 * len(text)) % 10 == 0


def mod97(text: str) -> bool:
    """ISO/IEC 7064 MOD 97-10 with the first four characters moved to the end, as in IBANs."""
    if len(text) < 5 or not (text.isascii() and text.isalnum()):
        return False
    return int("".join(str(int(c, 36)) for c in text[4:] + text[:4])) % 97 == 1


def mod11(text: str) -> bool:
    """Weights falling to 1 at the last character, the sum divisible by 11; a final `X` counts ten."""
    body, last = text[:-1], text[-1:].upper()
    if not _is_number(body) or not (last == "X" or _is_number(last)):
        return False
    values = [int(c) for c in body] + [10 if last == "X" else int(last)]
    return sum(v * w for v, w in zip(values, range(len(values), 0, -1), strict=True)) % 11 == 0


def verhoeff(text: str) -> bool:
    """The checksum of Indian Aadhaar numbers."""
    if not _is_number(text):
        return False
    state = 0
    for place, character in enumerate(reversed(text)):
        state = _TIMES[state][_turned(int(character), place % 8)]
    return state == 0


def mod10(text: str) -> bool:
    """Weights 3, 7, 1 repeated from the left, the sum divisible by 10, as in US bank routing numbers."""
    return _is_number(text) and sum(int(c) * (3, 7, 1)[i % 3] for i, c in enumerate(text)) % 10 == 0


def dea(text: str) -> bool:
    """A US registration to handle controlled substances: two letters (or a letter and 9) and seven digits."""
    digits = text[2:]
    if len(text) != 9 or not _is_number(digits):
        return False
    d = [int(c) for c in digits]
    return (d[0] + d[2] + d[4] + 2 * (d[1] + d[3] + d[5])) % 10 == d[6]


def base58check(text: str) -> bool:
    """A Bitcoin address of the old kinds: 25 bytes, the last four of which are a double SHA-256."""
    if not text or any(c not in _BASE58 for c in text):
        return False
    number = 0
    for character in text:
        number = number * 58 + _BASE58.index(character)
    if number.bit_length() > 200:
        return False
    raw = number.to_bytes(25, "big")
    return sha256(sha256(raw[:-4]).digest()).digest()[:4] == raw[-4:]


def bech32(text: str) -> bool:
    """A Bitcoin address of the newer kinds (BIP 173 and 350)."""
    if text != text.lower() and text != text.upper():
        return False
    prefix, mark, body = text.lower().rpartition("1")
    if not mark or not prefix or len(body) < 6 or len(text) > 90 or any(c not in _BECH32 for c in body):
        return False
    spread = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    return _bech32_rest([*spread, *map(_BECH32.index, body)]) in _BECH32_ENDS


def ssn(text: str) -> bool:
    """Whether nine digits can be a US social security number: no part is zero, no area that is never issued,
    none of the numbers printed in advertisements."""
    if len(text) != 9 or not _is_number(text) or text in _PLACEHOLDER_SSNS or len(set(text)) == 1:
        return False
    return text[:3] not in ("000", "666") and text[0] != "9" and text[3:5] != "00" and text[5:] != "0000"


def itin(text: str) -> bool:
    """Whether nine digits can be a US individual taxpayer number."""
    if len(text) != 9 or not _is_number(text) or text[0] != "9":
        return False
    group = text[3:5]
    return (
        "50" <= group <= "65" or "70" <= group <= "88" or (group >= "90" and group not in _NEVER_ISSUED_ITIN)
    )


def nhs(text: str) -> bool:
    """A number of the health service of England, Wales or the Isle of Man."""
    return len(text) == 10 and mod11(text) and len(set(text)) > 1


def card(text: str) -> bool:
    """Whether digits are a number that a payment card network issues, checksum included."""
    return luhn(text) and len(set(text)) > 1 and card_network(text) != ""


def card_network(digits: str) -> str:
    """The network that issues numbers of this beginning and length; empty if none does."""
    head = int(digits[:6].ljust(6, "0")) if _is_number(digits) else -1
    for low, high, lengths, name in NETWORKS:
        if low <= head <= high and len(digits) in lengths:
            return name
    return ""


def _network(
    first: str, last: str, lengths: Iterable[int], name: str
) -> tuple[int, int, frozenset[int], str]:
    return int(first.ljust(6, "0")), int(last.ljust(6, "9")), frozenset(lengths), name


NETWORKS = (
    _network("4", "4", (13, 16, 19), "visa"),
    _network("51", "55", (16,), "mastercard"),
    _network("2221", "2720", (16,), "mastercard"),
    _network("34", "34", (15,), "american express"),
    _network("37", "37", (15,), "american express"),
    _network("300", "305", range(14, 20), "diners club"),
    _network("3095", "3095", range(14, 20), "diners club"),
    _network("36", "36", range(14, 20), "diners club"),
    _network("38", "39", range(14, 20), "diners club"),
    _network("6011", "6011", range(16, 20), "discover"),
    _network("644", "659", range(16, 20), "discover"),
    _network("3528", "3589", range(16, 20), "jcb"),
    _network("62", "62", range(16, 20), "unionpay"),
    _network("81", "81", range(16, 20), "unionpay"),
    _network("60", "60", (16,), "rupay"),
    _network("82", "82", (16,), "rupay"),
    _network("508", "508", (16,), "rupay"),
    _network("2200", "2204", range(16, 20), "mir"),
    _network("9792", "9792", (16,), "troy"),
    _network("506099", "506198", (16, 18, 19), "verve"),
    _network("50", "50", range(12, 20), "maestro"),
    _network("56", "58", range(12, 20), "maestro"),
    _network("6", "6", range(12, 20), "maestro"),
)
"""First and last beginning, numbers of digits, network. The first row that fits wins."""

_IBAN_ROWS = """
    AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20
    EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30
    KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23
    PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26
    UA29 VA22 VG24 XK20 YE30
"""

IBAN_LENGTHS = {row[:2]: int(row[2:]) for row in _IBAN_ROWS.split()}
"""Characters of an IBAN by country."""


def iban(text: str) -> bool:
    """An IBAN of the length that its country uses, checksum included."""
    upper = text.upper()
    return IBAN_LENGTHS.get(upper[:2]) == len(upper) and upper[2:4].isdigit() and mod97(upper)


def uuid(text: str) -> bool:
    """A UUID of a version in use; the nil UUID identifies nothing."""
    return text[14:15] in "12345678" and text[19:20].lower() in ("8", "9", "a", "b")


CHECKSUMS: dict[str, Callable[[str], bool]] = {
    "luhn": luhn,
    "mod10": mod10,
    "mod11": mod11,
    "mod97": mod97,
    "verhoeff": verhoeff,
    "iban": iban,
    "base58check": base58check,
    "bech32": bech32,
}


def checksums() -> tuple[str, ...]:
    """The names of the checksums that a recogniser of one's own can ask for."""
    return tuple(sorted(CHECKSUMS))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _turned(digit: int, times: int) -> int:
    for _ in range(times):
        digit = _TURN[digit]
    return digit


def _bech32_rest(values: list[int]) -> int:
    rest = 1
    for value in values:
        top, rest = rest >> 25, (rest & 0x1FFFFFF) << 5 ^ value
        for bit, step in enumerate(_BECH32_STEPS):
            rest ^= step if top >> bit & 1 else 0
    return rest
