"""The functions and properties of the language: one table for the checker, the compiler and the docs.

A signature says what a function takes, gives and does. `SPECIAL` names those whose result depends on their
arguments' types and is worked out by the checker.
"""

from __future__ import annotations

from dataclasses import dataclass

from guardrails.language import types as t


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    type: t.Type
    optional: bool = False
    constant: bool = False


@dataclass(frozen=True, slots=True)
class Signature:
    """`pure`: gives the same for the same arguments, and may be evaluated ahead or once."""

    name: str
    parameters: tuple[Parameter, ...]
    result: t.Type
    doc: str
    pure: bool = True

    def __str__(self) -> str:
        inside = ", ".join(f"{p.name}{'?' if p.optional else ''}: {p.type}" for p in self.parameters)
        return f"{self.name}({inside}) -> {self.result}"


def _parameters(text: str) -> tuple[Parameter, ...]:
    """`"text: string, zone?: string!"`: `?` may be left out, `!` must be a constant of the policy."""
    found = []
    for part in filter(None, text.split(", ")):
        name, kind = part.split(": ")
        found.append(
            Parameter(
                name.removesuffix("?"), _TYPES[kind.removesuffix("!")], name.endswith("?"), kind.endswith("!")
            )
        )
    return tuple(found)


COMMAND = t.Record(
    "command",
    (
        t.Field("program", t.STRING), t.Field("name", t.STRING), t.Field("args", t.ListOf(t.STRING)),
        t.Field("text", t.STRING), t.Field("writes", t.ListOf(t.STRING)), t.Field("reads", t.ListOf(t.STRING)),
    ),
)  # fmt: skip
"""One command of a shell line; its fields are properties of the canonical value."""

_TYPES: dict[str, t.Type] = {
    **t.SCALARS,
    "set<string>": t.SetOf(t.STRING),
    "list<string>": t.ListOf(t.STRING),
    "list<command>": t.ListOf(COMMAND),
    "list<url>": t.ListOf(t.URL),
    "map": t.MapOf(t.STRING, t.ANY),
    "money": t.MONEY,
    "labels": t.Labels(),
}

_TABLE = """
lower(text: string) -> string | the text in lower case
upper(text: string) -> string | the text in upper case
trim(text: string) -> string | the text without white space at its ends
starts_with(text: string, prefix: string) -> bool | whether the text begins with the prefix
ends_with(text: string, suffix: string) -> bool | whether the text ends with the suffix
split(text: string, separator: string) -> list<string> | the parts between separators
text(value: any) -> string | a number, truth value or string as text
number(text: any) -> decimal | a text such as `12.50` as an exact number; anything else in it is an error
abs(value: decimal) -> decimal | the value without its sign
round(value: decimal, digits?: int) -> decimal | rounded half-even to so many digits (0 when left out)
floor(value: decimal) -> decimal | the largest whole number not above the value
ceil(value: decimal) -> decimal | the smallest whole number not below the value
time(text: string, zone?: string!) -> time | an ISO 8601 time; one without an offset needs a zone
weekday(at: time, zone: string!) -> string | the day of the week there: `mon`, `tue`, ... `sun`
hour(at: time, zone: string!) -> int | the hour of the day there, 0 to 23
date(at: time, zone: string!) -> string | the date there, such as `2026-11-21`
window(hours: string!, zone: string!) -> window | weekly hours, such as `Mon-Fri 09:00-17:00`, for `now within ...`
money(amount: decimal, currency: string) -> money | an amount in a currency, comparable with `5.00 USD`
path(text: string, base?: path) -> path | a normalised path; a relative one is taken from `base`
real_path(text: string, base: path) -> path | like `path`, with symbolic links of this machine followed
url(text: string) -> url | a URL in canonical form
host(text: string) -> host | a host name or address in canonical form
email(text: string) -> email | exactly one mailbox
ip(text: string) -> ip | an IP address
cidr(text: string) -> cidr | a network, such as `10.0.0.0/8`
sql(query: string, dialect?: string!) -> sql | a parsed query
sql.read_only(query: string, dialect?: string!) -> bool | one statement that only reads
sql.tables(query: string, dialect?: string!) -> set<string> | the tables it reads or writes, in lower case
sql.written(query: string, dialect?: string!) -> set<string> | the tables it writes
sql.kinds(query: string, dialect?: string!) -> set<string> | statement kinds: `select`, `update`, ...
sql.functions(query: string, dialect?: string!) -> set<string> | the functions it calls
sql.statements(query: string, dialect?: string!) -> int | how many statements
sql.has_where(query: string, dialect?: string!) -> bool | every update and delete has a WHERE
sql.has_limit(query: string, dialect?: string!) -> bool | the query is bounded by a LIMIT
shell(line: string) -> shell | a parsed command line
shell.programs(line: string) -> set<string> | the names of all programs that it runs, anywhere in it
shell.commands(line: string) -> list<command> | all commands, with name, args, text, writes, reads
shell.redirects(line: string) -> set<string> | the files that it writes by redirection
shell.reads(line: string) -> set<string> | the files that it reads by redirection
shell.has_substitution(line: string) -> bool | it contains `$(...)` or backticks
shell.background(line: string) -> bool | it leaves something running in the background
language(text: string) -> string | the code of the language it is written in, such as `en`; `und` where that cannot be told
links(text: string) -> list<url> | the addresses that a text leads or loads to, written out or in Markdown and HTML
mentions(text: string, names: set<string>) -> bool | one of the names stands in the text as whole words, in any case
promises(text: string) -> set<string> | what it seems to promise: `refund`, `guarantee`, `discount`, `delivery`, ...
origin(value: any) -> labels | where in this session a value came from
"""

IMPURE = frozenset({"real_path"})

SPECIAL = {
    "count": "count(xs) | how many elements a collection has",
    "length": "length(x) | how many characters a text has, or how many elements a collection has",
    "sum": "sum(xs) | the exact sum of a list of numbers; 0 when it is empty",
    "min": "min(a, b, ...) or min(xs) | the smallest number",
    "max": "max(a, b, ...) or max(xs) | the largest number",
    "keys": "keys(m) | the keys of a map, as a list",
    "values": "values(m) | the values of a map, as a list",
    "set": "set(xs) | the distinct elements of a list",
    "pii": "pii(x, ENTITY, ..., threshold = 0.5) | whether personal data stands in a text, or in any text of a value",
    "secrets": "secrets(x) | whether a key, token or password stands in it",
    "injection": "injection(x) | how much it reads like instructions to a model, 0 to 1",
}
"""Functions over collections, typed by the checker, with their documentation."""


def _read_table() -> dict[str, Signature]:
    signatures = {}
    for line in _TABLE.strip().splitlines():
        head, doc = line.split(" | ", 1)
        call, result = head.split(" -> ")
        name, inside = call.rstrip(")").split("(", 1)
        signatures[name] = Signature(name, _parameters(inside), _TYPES[result], doc, name not in IMPURE)
    return signatures


FUNCTIONS: dict[str, Signature] = _read_table()

PROPERTIES: dict[t.Type, dict[str, t.Type]] = {
    t.PATH: {
        "text": t.STRING, "name": t.STRING, "stem": t.STRING, "extension": t.STRING, "parent": t.PATH,
        "parts": t.ListOf(t.STRING), "absolute": t.BOOL, "hidden": t.BOOL,
    },
    t.URL: {
        "text": t.STRING, "scheme": t.STRING, "host": t.HOST, "port": t.INT, "path": t.STRING,
        "query": t.STRING, "fragment": t.STRING, "origin": t.STRING, "has_userinfo": t.BOOL,
    },
    t.HOST: {"text": t.STRING, "is_ip": t.BOOL, "private": t.BOOL},
    t.EMAIL: {"text": t.STRING, "local": t.STRING, "domain": t.HOST, "display": t.STRING},
    t.IP: {"text": t.STRING, "version": t.INT, "private": t.BOOL},
    t.CIDR: {"text": t.STRING, "version": t.INT},
    t.SQL: {
        "read_only": t.BOOL, "tables": t.SetOf(t.STRING), "written": t.SetOf(t.STRING),
        "kinds": t.SetOf(t.STRING), "functions": t.SetOf(t.STRING), "statements": t.INT,
        "has_where": t.BOOL, "has_limit": t.BOOL,
    },
    t.SHELL: {
        "programs": t.SetOf(t.STRING), "commands": t.ListOf(COMMAND), "redirects": t.SetOf(t.STRING),
        "reads": t.SetOf(t.STRING), "has_substitution": t.BOOL, "background": t.BOOL,
    },
}  # fmt: skip
"""The properties of typed values."""

TOOL = t.Record(
    "tool",
    (
        t.Field("name", t.STRING), t.Field("read_only", t.BOOL, optional=True),
        t.Field("destructive", t.BOOL, optional=True), t.Field("idempotent", t.BOOL, optional=True),
        t.Field("open_world", t.BOOL, optional=True),
    ),
)  # fmt: skip
"""What a policy can ask of the tool itself."""
