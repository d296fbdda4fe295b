"""Mutations of policy text: small slips, large accidents, and what somebody would try on purpose."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from fuzz.seeds import policies

TOKEN = re.compile(
    r'"(?:[^"\\\n]|\\.)*"|/(?:[^/\\\n]|\\.)+/|[A-Za-z_]\w*|\d[\d_.]*\w*|\s+|[^\w\s]+', re.ASCII
)

MAX_LENGTH = 20_000
"""Characters of a mutated policy, but for the mutations that are about length."""


def words(line: str) -> list[str]:
    return line.split()


# fmt: off
WORDS = (
    *words("policy use tools type param let default on call result input output session when unless because"),
    *words("allow ask deny halt flag review require threshold limit budget breaker redact only fields rows"),
    *words("where drop schema label shadow up to above within of else per by with mask last any all in not"),
    *words("and or is has matches like contains null true false count sum min max now args principal tool"),
    *words("row text agent seen flow reveal audit detector pattern sample warn at"),
    *words("== != <= >= < > = + - * / % | & ( ) [ ] { } : ; , . .. ... ? ! && || => -> # @ $ ^ ~ ` ' \\"),
    *words("0 1 -1 1e9 1e999999 0x10 007 1_000 1__0 1. .5 5% 999999999999% 90s 4h 1d 2w 500ms 1h30m 10MB 64KiB"),
    *('"', '""', '"\\u{110000}"', '"\\u{D800}"', '"\\q"', "/a/", "/(/", "/(a+)+$/", "/[/", "/\\p{L}/", "/a{1001}/"),
    *("5.00 USD", "1 XXX", "{1, 2}", '{"k": 1}', "[]", "{}", "\n", "\r\n", "\t", "\v", "\f", "\x00", "\ufeff"),
    *("\u2028", "\u202e", "\xa0", "ａrgs", "аrgs", "𝟏", "①", "ſ", "İ", "é", "e\u0301", "\ud800", "\udfff", "\U0010ffff"),
    *("args.amount", "principal.id", "result.x.*", "a.b.c[0]", 'args["k"]', "inside(args.to)", "let let = let"),
)
# fmt: on
"""What is put in: the language's words, its literals at their limits, and letters that look alike."""

# fmt: off
NESTED = ("(", ")"), ("[", "]"), ("{", "}"), ("not ", ""), ("-", ""), ("any x in xs: ", ""), ("has ", ""), ("f(", ")")
# fmt: on


def mutated(random: Random) -> str:
    """A seed after one to six mutations; now and then text that never was a policy."""
    if random.random() < 0.02:
        return noise(random, random.randrange(200))
    text = slipped(random.choice(policies()), random)
    return random.choice(EXTREMES)(text, random) if random.random() < 0.02 else text


def slipped(text: str, random: Random) -> str:
    """A text after one to six mutations."""
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 6))):
        text = random.choice(MUTATIONS)(text, random)[:MAX_LENGTH]
    return text


def noise(random: Random, length: int) -> str:
    """Characters of every kind, lone surrogates among them."""
    spans = ((0, 128), (0, 128), (0, 0x250), (0x2000, 0x2100), (0xD7F0, 0xE010), (0, 0x110000))
    return "".join(chr(random.randrange(*random.choice(spans))) for _ in range(length))


# --- small mutations ---------------------------------------------------------------------------


def _on_tokens(change: Callable[[list[str], int, Random], None]) -> Callable[[str, Random], str]:
    def mutate(text: str, random: Random) -> str:
        tokens = TOKEN.findall(text)
        if tokens:
            change(tokens, random.randrange(len(tokens)), random)
        return "".join(tokens)

    return mutate


def _delete(tokens: list[str], at: int, random: Random) -> None:
    del tokens[at : at + random.choice((1, 1, 2, 5))]


def _double(tokens: list[str], at: int, random: Random) -> None:
    end = at + random.choice((1, 1, 3, 8))
    tokens[at:at] = tokens[at:end]


def _swap(tokens: list[str], at: int, random: Random) -> None:
    other = random.randrange(len(tokens))
    tokens[at], tokens[other] = tokens[other], tokens[at]


def _replace(tokens: list[str], at: int, random: Random) -> None:
    tokens[at] = random.choice(WORDS)


def _insert(tokens: list[str], at: int, random: Random) -> None:
    tokens.insert(at, f" {random.choice(WORDS)} ")


def _insert_noise(tokens: list[str], at: int, random: Random) -> None:
    tokens.insert(at, noise(random, random.choice((1, 1, 4))))


def _shout(tokens: list[str], at: int, _: Random) -> None:
    tokens[at] = tokens[at].swapcase()


def _break_word(tokens: list[str], at: int, random: Random) -> None:
    cut = random.randrange(len(tokens[at]) + 1)
    tokens[at] = tokens[at][:cut] + random.choice(("", " ", "x", '"')) + tokens[at][cut + 1 :]


def _splice(text: str, random: Random) -> str:
    other = random.choice(policies())
    start = random.randrange(len(other))
    at = random.randrange(len(text) + 1)
    return text[:at] + other[start : start + random.choice((10, 100, 1_000))] + text[at:]


def _cut(text: str, random: Random) -> str:
    return text[: random.randrange(len(text) + 1)]


def _move_line(text: str, random: Random) -> str:
    lines = text.splitlines(keepends=True) or [""]
    line = lines.pop(random.randrange(len(lines)))
    for _ in range(random.choice((0, 1, 1, 2))):
        lines.insert(random.randrange(len(lines) + 1), line)
    return "".join(lines)


def _nest(text: str, random: Random) -> str:
    opening, closing = random.choice(NESTED)
    depth = random.choice((2, 5, 30, 63, 64, 65, 70))
    at = random.randrange(len(text) + 1)
    end = min(len(text), at + random.choice((0, 1, 10)))
    return text[:at] + opening * depth + text[at:end] + closing * depth + text[end:]


def _grow_number(text: str, random: Random) -> str:
    numbers = list(re.finditer(r"\d+", text))
    if not numbers:
        return text
    number = random.choice(numbers)
    grown = random.choice(("9" * 400, "9" * 5_000, "1e400", "0." + "0" * 400 + "1", "1" + "0" * 1_001, "00"))
    return text[: number.start()] + grown + text[number.end() :]


MUTATIONS: tuple[Callable[[str, Random], str], ...] = (
    *map(
        _on_tokens, (_delete, _double, _swap, _replace, _replace, _insert, _insert_noise, _shout, _break_word)
    ),
    *(_splice, _cut, _move_line, _nest, _grow_number),
)


# --- extremes ----------------------------------------------------------------------------------


def _deep(text: str, random: Random) -> str:
    opening, closing = random.choice(NESTED)
    depth = random.choice((500, 5_000))
    return f"{text}\non call t {{ deny when {opening * depth}x{closing * depth} }}\n"


def _long(text: str, random: Random) -> str:
    chain = random.choice((" and ", " + ", " | ", ".a", ", ", " or not ", "; "))
    return f"{text}\non call t {{ deny when {chain.join(['args.x'] * 2_000)} }}\n"


def _many(text: str, random: Random) -> str:
    return text[:400] * random.choice((10, 50))


EXTREMES: tuple[Callable[[str, Random], str], ...] = (_deep, _long, _many)
