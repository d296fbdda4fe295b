"""Texts with and without personal data, and where it is.

Takes a seed, gives labelled texts: prose, JSON, CSV and logs, and clean texts full of what only looks like
personal data. The one idea: a text is a template whose slots are filled by generators, so that the labels are
known by construction and nobody's data is needed.
"""

from __future__ import annotations

import json
import re
from random import Random
from typing import NamedTuple

from detectors import pii_values as values

SLOTS = {
    "email": ("EMAIL_ADDRESS", values.email), "phone": ("PHONE_NUMBER", values.phone),
    "bare_phone": ("PHONE_NUMBER", values.bare_phone), "card": ("CREDIT_CARD", values.card),
    "iban": ("IBAN_CODE", values.iban), "ssn": ("US_SSN", values.ssn), "itin": ("US_ITIN", values.itin),
    "ip": ("IP_ADDRESS", values.ip), "mac": ("MAC_ADDRESS", values.mac), "url": ("URL", values.url),
    "date": ("DATE_TIME", values.date), "bitcoin": ("CRYPTO", values.bitcoin), "uuid": ("UUID", values.uuid),
    "dea": ("MEDICAL_LICENSE", values.dea), "nhs": ("UK_NHS", values.nhs),
    "account": ("US_BANK_NUMBER", values.account), "passport": ("US_PASSPORT", values.passport),
    "licence": ("US_DRIVER_LICENSE", values.licence),
}  # fmt: skip
"""Slot of a template, the entity it is labelled as, and what fills it."""

PROSE = """
Please write to <email> or call <phone> before Friday.
My card is <card>, and it expires soon.
The transfer goes to <iban> as agreed.
Her social security number is <ssn>.
He files with ITIN <itin> every spring.
The request came from <ip>, the laptop has MAC <mac>.
Have a look at <url> when there is time.
She was born on <date> in the north.
Send the coins to the wallet <bitcoin> today.
The prescriber's DEA number is <dea>.
The patient's NHS number is <nhs>.
Wire it to account number <account> at the bank.
His passport number is <passport>.
A driver's license, <licence>, was shown at the desk.
Reach me on my mobile, <bare_phone>, in the evening.
Copy <email> and <email>, not the list.
"""
RECORDS = """
{"name": "x", "email": "<email>", "phone": "<phone>"}
{"card_number": "<card>", "cvc": "123", "billing": {"iban": "<iban>"}}
{"ssn": "<ssn>", "birth_date": "<date>"}
{"client_ip": "<ip>", "session": "<uuid>", "homepage": "<url>"}
{"accountNumber": "<account>", "bank": "first"}
{"passport": "<passport>", "driver_license": "<licence>"}
{"mobile": "<bare_phone>", "wallet": "<bitcoin>"}
{"patient": {"nhs": "<nhs>"}, "dea": "<dea>"}
"""
ROWS = """
17,<email>,<phone>,gold
18,"<card>",<date>,silver
<ssn>;<iban>;yes
<ip>,<email>,200
"""
LOGS = """
level=info msg="login" user=<email> addr=<ip>
level=warn msg="payment refused" card=<card> attempt=3
GET /v2/items?mail=<email> 200 17ms
client <ip> closed the connection, mac=<mac>
level=debug phone=<phone> state=sent
"""
LOOKALIKES = """
commit <sha1> by the release bot
"sha256": "<sha256>"
"created": <epoch>, "updated": <epoch_ms>
"order_id": "<ten>", "tracking": "<twelve>"
upgraded from <version> to <version> in README.md
see src/main.rs, lib/util.py and docs/setup.sh
jane.do and run.it are members, not hosts; so is self.name
etag "<hex16>" size <nine>
tmp-<hex8> took <float> s and <float> ms
H1 and v2 rows: <seven> of <nine>
invoice <ten> line 12, ticket <eight>, build <eight>
std::vector<int> a; Foo::Bar b; ratio 16:9
isbn <isbn> page 214, part AB<seven>
fingerprint <fingerprint>
logo@2x.png and icon@3x.svg, package left-pad@1.3.0
lat <float> lon <float> zoom 12
chunk <nine>-<nine> of <ten> bytes
"nonce": "<base64>"
ref <six>-<six>, seq 000000<six>
numbers: <table>
"""
HELD_OUT = """
Hi, this is about the refund: you can get me at <phone> or under <email>, whichever is easier.
For the record, the customer (card ending unknown) read out <card> and hung up.
Beneficiary: ACME GmbH, IBAN <iban>, reference 2024/118.
Patient DOB <date>, insurance pending, contact via <email>.
The SSN on file is <ssn>; the one on the form differs.
Ticket #48213 was opened from <ip> at 10:42, see <url> for the thread.
Employee 20417 moved to building 7, extension 4410, room 3.114.
curl -s -H "X-Request: <uuid>" <url> | jq .items[3]
WARN 2317 --- [nio-8080-exec-3] c.a.p.PaymentController : declined pan=<card> code=51
{"user": {"mail": "<email>", "cell": "<phone>", "lastSeenIp": "<ip>"}, "score": 0.8731}
{"id": <nine>, "parent_id": <nine>, "ts": <epoch_ms>, "hash": "<sha1>"}
INSERT INTO people VALUES (42, '<email>', '<phone>', '<ssn>');
name;email;iban|x;<email>;<iban>
Deposit slip, checking account <account>, teller 4.
Scanned document: passport no. <passport>, issued somewhere.
Dr. Lee (DEA <dea>) signed the prescription for NHS no. <nhs>.
pip install numpy==1.26.4 pandas==<version> && python train.py --seed <seven>
diff --git a/core/io.rs b/core/io.rs index <hex8>..<hex8> 100644
ETA 12/15, batch <eight>-<six>, pallets 12-40, weight <float> kg
order no. <ten> shipped with tracking code <twelve>, 3 of 5 parcels
Model X<seven>, serial <nine>, firmware <version>, port 8080
call stack: frame.next.do(it.value), then os.name and data.is.ready
The score was 21-15, 19-21 and 15-10 after 1:12:45 hours.
ISBN <isbn>, pp. 112-118, doi:10.1000/<six>.<four>
block <nine> at height <seven>, nonce 0x<hex8>, gas 21000
temperature <float>, pressure 1013.25, humidity 40-60, sensor <hex16>
digest sha256:<sha256> size <nine>
Version history: <version>, <version>, <version>.
"""
"""Wording that was written after the rules and is not used to improve them."""

WORST = {
    "`a.`": "a.", "`@`": "@", "`a@`": "a@", "`a@a.`": "a@a.", "letters": "a", "digits": "1", "digits and spaces": "1 ",
    "`+1 `": "+1 ", "groups of four": "4111 ", "`://`": "://", "`http://a`": "http://a", "`:`": ":", "`ab:`": "ab:",
    "`1.`": "1.", "`DE89 `": "DE89 ", "IBAN heads": "DE89", "`1-`": "1-", "`1/1/`": "1/1/", "`%40`": "%40",
    "zero width": "\u200b", "`bc1q`": "bc1q", "`A1`": "A1",
    "hexadecimal": "0123456789abcdef", "Cyrillic lookalikes": "аbс", "`(212) `": "(212) ",
    "dashed hexadecimal": "12345678-1234-", "cards": "4111111111111111 ", "e-mail addresses": "a@b.com ",
}  # fmt: skip
"""Units that long texts are made of, each to be hard on some recogniser."""

_SLOT = re.compile(r"<([a-z0-9_]+)>")


class Labelled(NamedTuple):
    """A text and the stretches of it that are personal data."""

    text: str
    labels: tuple[tuple[int, int, str], ...]
    kind: str


def filled(random: Random, template: str, kind: str) -> Labelled:
    """A template with its slots filled."""
    parts, labels, length, last = [], [], 0, 0
    for slot in _SLOT.finditer(template):
        before = template[last : slot.start()]
        entity, value = _value(random, slot.group(1))
        length += len(before)
        if entity:
            labels.append((length, length + len(value), entity))
        parts += [before, value]
        length += len(value)
        last = slot.end()
    return Labelled("".join(parts) + template[last:], tuple(labels), kind)


def _value(random: Random, slot: str) -> tuple[str, str]:
    if slot in SLOTS:
        entity, make = SLOTS[slot]
        return entity, make(random)
    return "", _lookalike(random, slot)


def _lookalike(random: Random, slot: str) -> str:
    counts = {"four": 4, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "twelve": 12}
    if slot in counts:
        return str(random.randrange(1, 10)) + values.digits(random, counts[slot] - 1)
    made = {
        "sha1": lambda: random.randbytes(20).hex(), "sha256": lambda: random.randbytes(32).hex(),
        "hex16": lambda: random.randbytes(8).hex(), "hex8": lambda: random.randbytes(4).hex(),
        "epoch": lambda: str(random.randrange(1_500_000_000, 1_800_000_000)),
        "epoch_ms": lambda: str(random.randrange(1_500_000_000_000, 1_800_000_000_000)),
        "version": lambda: ".".join(str(random.randrange(0, 30)) for _ in range(random.choice((3, 3, 4)))),
        "float": lambda: f"{random.uniform(0, 180):.{random.choice((2, 4, 7))}f}",
        "isbn": lambda: "978-3-16-" + values.digits(random, 6) + "-" + values.digits(random, 1),
        "fingerprint": lambda: ":".join(f"{b:02x}" for b in random.randbytes(16)),
        "base64": lambda: random.randbytes(18).hex().upper()[:24], "int": lambda: "int",
        "table": lambda: " ".join(str(random.randrange(100)) for _ in range(12)),
    }  # fmt: skip
    return made[slot]()


def lines(text: str) -> list[str]:
    return text.strip().split("\n")


def texts(seed: int, count: int) -> list[Labelled]:
    """`count` texts of all kinds, one in three of them clean; the same for the same seed."""
    random = Random(seed)
    return [_text(random, index) for index in range(count)]


def _text(random: Random, index: int) -> Labelled:
    kind, templates = (("prose", PROSE), ("clean", LOOKALIKES), ("json", RECORDS), ("log", LOGS), ("clean", LOOKALIKES),
                       ("csv", ROWS))[index % 6]  # fmt: skip
    chosen = random.choices(lines(templates), k=random.randrange(1, 5))
    return filled(random, ("\n" if kind != "prose" else " ").join(chosen), kind)


def held_out(seed: int, count: int) -> list[Labelled]:
    """As `texts`, of the wording that the rules have not seen, one line a text."""
    random = Random(seed)
    return [filled(random, random.choice(lines(HELD_OUT)), "held out") for _ in range(count)]


def leaves(text: str) -> list[tuple[str, str]]:
    """The strings of a JSON text with the names of their fields, as a walker over structures gives them."""
    found: list[tuple[str, str]] = []

    def walk(value: object, key: str) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                walk(inner, name)
        elif isinstance(value, str):
            found.append((value, key))

    walk(json.loads(text), "")
    return found
