"""The policies that mutation starts from: everything in the project that is one, and some of every statement."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]

OWN = (
    """policy everything
type principal { id: string; level?: int; tags: set<string>; mail?: email }
type tier = "gold" | "basic"
param top: decimal = 100
param staff: set<email> = {"ann@acme.com", "bob@acme.com"}
let big = args.amount > top
let inside(to: email) = to.domain in {"acme.com", "acme.co.uk"}
default call deny because "closed"
on call pay, "pay.*" when args.live unless args.count > 3 {
  own: allow when args.amount <= top and not big
  size: threshold args.amount { up to 10: allow
    up to top: ask 2 of finance within 4h else ceo
    above: deny because "too large" }
  stop: shadow halt when args.note matches /rm -rf .*/
  flag "odd" when args.amount % 7 == 0
  review by ann within 24h
}
on call send { allow when all to in args.copies where to.domain != "x.com": inside(to)
  redact args.note with last 4
  deny when count(x in args.items where x.price > 10) > 2 or sum(x.price * x.qty for x in args.items) >= 1_000.50 }
on result send { only fields id, name, orders.*
  only rows where row.id == principal.id
  drop fields card
  redact /[0-9]{4}-[0-9]{4}/ in result with mask }
on input { deny when text contains "secret" }
on output { redact /[0-9]{16}/ with replace "[card]" }
""",
    """on call t {
  a: allow when args.path within "/workspace" and args.url.host within "10.0.0.0/8"
  b: deny when args.to.domain in ["a.com", "b.com"]
  c: require args.map["k"].x else 0 + 1 == 1
  d: deny when now - time(args.at) <= 24h
  e: ask when sql.read_only(args.q) and sql.tables(args.q) <= {"orders", "products"}
  f: deny when any c in shell.commands(args.cmd): c.name == "rm"
  g: deny when (args.n + 1) * 2 - 3 / 4 % 5 >= -6 and args.s like "**/*.md" or args.xs contains 1
  h: deny when args.a == null or has args.b.c and {1, 2} | {3} & {4} <= args.set
}
""",
    """type label { public < internal < secret }
on session { limit 200 calls; budget tokens 200_000 warn at 80%; limit duration 15m; limit retries 3 }
breaker payments on call "payments.*" { open after 5 failures in 1m; retry after 60s
  fallback "Payments are unavailable." }
detector IBAN = pattern /[A-Z]{2}[0-9]{2}/ checksum mod97 context "iban", "account"
flow secret, internal to call send only when args.to == "x" because "no"
reveal in call send.body
audit durable else deny
on call t { limit 3 per 1d by args.c; limit sum(args.amount) to 1000 per 1d by principal.id burst 5
  label untrusted; schema "reply.json"; redact pii(EMAIL_ADDRESS) in args.body }
""",
)


@cache
def policies() -> tuple[str, ...]:
    """All seeds, without repetitions, in an order that does not depend on the machine."""
    found = [*OWN, *_packs(), *_corpus(), *_pages()]
    return tuple(dict.fromkeys(text for text in found if text.strip()))


def typed() -> str:
    """The seed for which there is a tool file (`strategies.TOOLS`)."""
    return OWN[0]


@cache
def deciding() -> tuple[str, ...]:
    """Seeds that load, nearly all of them, to be asked about events."""
    return (OWN[1], *dict.fromkeys(_corpus()))


def _packs() -> Iterator[str]:
    for path in sorted(ROOT.glob("policies/**/*.guard")):
        yield path.read_text(encoding="utf-8")


def _corpus() -> Iterator[str]:
    for path in sorted(ROOT.glob("tests/corpus/*.json")):
        for group in json.loads(path.read_text(encoding="utf-8"))["groups"]:
            policy = group["policy"]
            yield from [policy] if isinstance(policy, str) else [file["text"] for file in policy]


def _pages() -> Iterator[str]:
    for path in (*sorted(ROOT.glob("tests/spec/**/*.md")), ROOT / "grammar" / "README.md"):
        page = path.read_text(encoding="utf-8") if path.exists() else ""
        for block in re.findall(r"```guard[^\n]*\n(.*?)```", page, re.DOTALL):
            yield re.sub(r"\s*#!.*", "", block)
