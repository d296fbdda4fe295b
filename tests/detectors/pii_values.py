"""Values that identify nobody, of every kind that the detector of personal data knows.

Takes a random generator, gives texts: checksums are worked out here, in ways of their own, so that they do not
share a mistake with the detector.
"""

from __future__ import annotations

from hashlib import sha256
from random import Random

_FIRST = "ana ben chloe dmitri elena farid grace hugo ines jonas kemal lucia mara nils olga pavel"
FIRST = _FIRST.split()
_LAST = "smith garcia mueller rossi novak tanaka silva dubois okafor jansen kowalski haddad"
LAST = _LAST.split()
HOSTS = ("example.com", "example.org", "mail.example.net", "acme.co.uk", "firma.de", "studio.io", "uni.edu")
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_CARD_HEADS = (("4", 16), ("51", 16), ("55", 16), ("2221", 16), ("2720", 16), ("34", 15), ("37", 15), ("6011", 16),
               ("65", 16), ("3530", 16), ("36", 14), ("62", 16), ("62", 18), ("4", 19))  # fmt: skip
_IBANS = {"DE": "d" * 18, "GB": "LLLL" + "d" * 14, "FR": "d" * 21 + "Ld", "NL": "LLLL" + "d" * 10, "ES": "d" * 20,
          "CH": "d" * 17, "BE": "d" * 12, "IT": "L" + "d" * 22}  # fmt: skip
_AREAS = ("212", "415", "312", "617", "206", "512", "303", "404")


def digits(random: Random, count: int) -> str:
    return "".join(random.choice("0123456789") for _ in range(count))


def email(random: Random) -> str:
    name = random.choice(("{f}.{l}", "{f}_{l}", "{f}{n}", "{f}+{l}", "{f}-{l}", "o'{l}"))
    name = name.format(f=random.choice(FIRST), l=random.choice(LAST), n=random.randrange(100))
    return f"{name}@{random.choice(HOSTS)}"


def phone(random: Random) -> str:
    a, b, c = random.choice(_AREAS), str(random.randrange(200, 999)), digits(random, 4)
    while b[1:] == "11":
        b = str(random.randrange(200, 999))
    shapes = (
        f"({a}) {b}-{c}",
        f"{a}-{b}-{c}",
        f"{a}.{b}.{c}",
        f"+1 {a} {b} {c}",
        f"+1-{a}-{b}-{c}",
        f"1-{a}-{b}-{c}",
    )
    french = f"{digits(random, 2)} {digits(random, 2)}"
    abroad = (f"+44 20 7946 0{digits(random, 3)}", f"+49 30 2093{digits(random, 4)}", f"+33 1 42 68 {french}",
              f"+91 98{digits(random, 3)} {digits(random, 5)}")  # fmt: skip
    return random.choice(shapes + abroad)


def bare_phone(random: Random) -> str:
    return random.choice(_AREAS) + str(random.randrange(212, 299)) + digits(random, 4)


def card(random: Random) -> str:
    head, length = random.choice(_CARD_HEADS)
    body = head + digits(random, length - len(head) - 1)
    return grouped_card(random, body + check_digit(body))


def check_digit(body: str) -> str:
    """The digit that makes `body` pass the checksum of cards."""
    total = 0
    for place, digit in enumerate(map(int, reversed(body))):
        total += sum(divmod(digit * 2, 10)) if place % 2 == 0 else digit
    return str(-total % 10)


def grouped_card(random: Random, number: str) -> str:
    mark = random.choice(("", " ", "-"))
    if len(number) == 15 and mark:
        return mark.join((number[:4], number[4:10], number[10:]))
    return mark.join(number[i : i + 4] for i in range(0, len(number), 4))


def iban(random: Random) -> str:
    country, shape = random.choice(sorted(_IBANS.items()))
    body = "".join(digits(random, 1) if c == "d" else random.choice("ABCDEFGHKLMNPRSTUVWX") for c in shape)
    number = "".join(str(ord(c) - 55) if c.isalpha() else c for c in body + country + "00")
    full = f"{country}{98 - int(number) % 97:02}{body}"
    return full if random.random() < 0.5 else " ".join(full[i : i + 4] for i in range(0, len(full), 4))


def ssn(random: Random) -> str:
    area = random.choice([n for n in range(100, 899) if n != 666])
    return f"{area}-{random.randrange(10, 99)}-{random.randrange(1000, 9999)}"


def itin(random: Random) -> str:
    return f"9{digits(random, 2)}-{random.choice((70, 75, 88, 55, 94))}-{random.randrange(1000, 9999)}"


def ip(random: Random) -> str:
    if random.random() < 0.7:
        return ".".join(str(random.randrange(1, 255)) for _ in range(4))
    return "2001:db8:" + ":".join(f"{random.randrange(1, 65536):x}" for _ in range(6))


def mac(random: Random) -> str:
    return random.choice(":-").join(f"{random.randrange(1, 256):02x}" for _ in range(6))


def url(random: Random) -> str:
    path = random.choice(("", "/", "/account/42", "/p?user=7&tab=2", "/a/b#top"))
    return random.choice(("https://", "http://", "www.")) + random.choice(HOSTS[:4]) + path


def date(random: Random) -> str:
    y, m, d = random.randrange(1950, 2030), random.randrange(1, 13), random.randrange(1, 29)
    return random.choice((f"{y}-{m:02}-{d:02}", f"{m:02}/{d:02}/{y}", f"{d:02}.{m:02}.{y}", f"{y}/{m:02}/{d:02}",
                          f"{y}-{m:02}-{d:02}T10:{d:02}:00Z"))  # fmt: skip


def bitcoin(random: Random) -> str:
    raw = b"\x00" + random.randbytes(20)
    raw += sha256(sha256(raw).digest()).digest()[:4]
    number, text = int.from_bytes(raw, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        text = _BASE58[rest] + text
    return "1" * (len(raw) - len(raw.lstrip(b"\x00"))) + text


def uuid(random: Random) -> str:
    h = random.randbytes(16).hex()
    return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"


def dea(random: Random) -> str:
    d = [random.randrange(10) for _ in range(6)]
    check = (d[0] + d[2] + d[4] + 2 * (d[1] + d[3] + d[5])) % 10
    return random.choice("ABFM") + random.choice("SGMR") + "".join(map(str, d)) + str(check)


def nhs(random: Random) -> str:
    while True:
        body = random.choice("467") + digits(random, 8)
        check = 11 - sum(int(c) * w for c, w in zip(body, range(10, 1, -1), strict=True)) % 11
        if check != 10:
            full = body + str(check % 11)
            return f"{full[:3]} {full[3:6]} {full[6:]}"


def account(random: Random) -> str:
    return str(random.randrange(1, 10)) + digits(random, random.choice((7, 9, 11)))


def passport(random: Random) -> str:
    return random.choice(("A", "C")) + digits(random, 8) if random.random() < 0.5 else "5" + digits(random, 8)


def licence(random: Random) -> str:
    return random.choice("ABCDFHKMSV") + digits(random, random.choice((7, 8, 12)))
