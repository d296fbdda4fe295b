"""Random policies that mostly load, and events aimed at them.

A policy is drawn as text, expression by expression and by type, over the fields of a few tools that the
tool file describes (`TOOLS`) or that nobody describes. Events hold values near the constants of the
policies, and everything a model may send instead: fields that are missing, null, mistyped or huge.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

_ITEM = {
    "type": "object",
    "properties": {"price": {"type": "number"}, "qty": {"type": "integer"}, "name": {"type": "string"}},
    "required": ["price"],
}
_ARGS: dict[str, Any] = {
    "amount": {"type": "number"},
    "count": {"type": "integer"},
    "note": {"type": "string"},
    "currency": {"enum": ["EUR", "USD"]},
    "live": {"type": "boolean"},
    "to": {"type": "string", "format": "email"},
    "file": {"type": "string", "format": "path"},
    "link": {"type": "string", "format": "uri"},
    "source": {"type": "string", "format": "ipv4"},
    "tags": {"type": "array", "items": {"type": "string"}},
    "copies": {"type": "array", "items": {"type": "string", "format": "email"}},
    "items": {"type": "array", "items": _ITEM},
    "meta": {"type": "object"},
}
NAMES = ("pay", "pay.refund", "send")
TOOLS = json.dumps(
    {
        "tools": [
            {
                "name": name,
                "description": "",
                "inputSchema": {"type": "object", "properties": _ARGS, "required": ["amount", "note"]},
                "annotations": {"destructiveHint": name == "pay"},
            }
            for name in NAMES
        ]
    }
)
"""A tool file whose tools all take the same arguments, of every type."""

PRELUDE = """
param top: decimal = 100
param staff: set<email> = {"ann@acme.com", "bob@acme.com"}
type principal {
  id: string
  level?: int
  tags: set<string>
  mail?: email
  extra?: any
}
let big = args.amount > top
let inside(to: email) = to.domain in {"acme.com", "acme.co.uk"}
let twice(n: decimal) = n * 2
"""

AVOIDED: frozenset[str] = frozenset({"bad element"})
"""What the strategies leave out because the engine does not do it yet; the corpus holds each of these as a
`pending` case. A name that is taken out of this set is drawn from then on."""

NUMBERS = ("0", "1", "2", "5", "100", "0.1", "0.3", "99.99", "1_000", "123456789012345678901234567890")
WORDS = ("a", "b", "EUR", "USD", "ab", "ünï", "/workspace/a.md", "x y")
PATTERNS = ("a+", "[0-9]+", "(a|ab)*", "^a", "b$", ".*", "a.b", "[^a]")
GLOBS = ("*", "**", "a*", "/workspace/*", "?", "*.md")
COMPARED = ("==", "!=", "<", "<=", ">", ">=")


class Writer:
    """Draws the text of expressions. `variables` are the quantifier variables in scope, by what they stand for."""

    def __init__(self, draw: st.DrawFn, mode: str) -> None:
        self.draw = draw
        self.mode = mode
        self.variables: dict[str, str] = {}
        self._named = 0

    def pick(self, *options: Any) -> Any:
        chosen = self.draw(st.sampled_from(options))
        return chosen() if callable(chosen) else chosen

    def quoted(self) -> str:
        return json.dumps(self.pick(*WORDS), ensure_ascii=False)

    # --- numbers -------------------------------------------------------------------------------

    def number(self, depth: int) -> str:
        simple: list[Any] = [
            lambda: self.pick(*NUMBERS),
            lambda: self.pick(*NUMBERS),
            "args.amount",
            "args.amount",
        ]
        simple += [
            "args.count",
            "top",
            "principal.level",
            "args.meta.n",
            *(name + ".price" for name in self._of("item")),
        ]
        if depth <= 0 or self.pick(True, True, False):
            return str(self.pick(*simple))
        return str(self.pick(*self._numbers(depth - 1)))

    def _numbers(self, depth: int) -> list[Any]:
        return [
            lambda: f"({self.number(depth)} {self.pick('+', '-', '*', '/', '%')} {self.number(depth)})",
            lambda: f"-{self.number(0)}",
            lambda: f"({self.pick('args.amount', 'args.meta.n', 'args.count')} else {self.pick(*NUMBERS)})",
            lambda: f"{self.pick('abs', 'round', 'floor', 'ceil', 'twice')}({self.number(depth)})",
            lambda: f"{self.pick('min', 'max')}({self.number(depth)}, {self.number(depth)})",
            lambda: f"{self.pick('length', 'number')}({self.text(depth)})",
            lambda: f"count({self.pick('args.tags', 'args.items', 'args.copies', 'principal.tags')})",
            lambda: self.aggregate(depth),
            "args.items[0].price",
        ]

    def aggregate(self, depth: int) -> str:
        name = self._bind("item")
        where = f" where {self.condition(depth)}" if self.pick(True, False) else ""
        kind = self.pick("count", "sum", "min", "max")
        value = "" if kind == "count" else f"{self.number(0)} for "
        found = f"{kind}({value}{name} in args.items{where})"
        del self.variables[name]
        return found

    def _bind(self, kind: str) -> str:
        self._named += 1
        name = f"v{self._named}"
        self.variables[name] = kind
        return name

    def _of(self, kind: str) -> list[str]:
        return [name for name, other in self.variables.items() if other == kind]

    # --- texts and collections -----------------------------------------------------------------

    def text(self, depth: int) -> str:
        simple = [self.quoted, "args.note", "args.note", "args.meta.s", "principal.id", "tool.name"]
        simple += self._of("tag") + [name + ".name" for name in self._of("item")]
        if depth <= 0 or self.pick(True, True, False):
            return str(self.pick(*simple))
        inner = depth - 1
        return str(
            self.pick(
                lambda: f"{self.pick('lower', 'upper', 'trim')}({self.text(inner)})",
                lambda: f"({self.pick('args.note', 'args.meta.s')} else {self.quoted()})",
                lambda: f"text({self.pick('args.amount', 'args.count', 'args.live')})",
                "args.tags[0]",
                f"{self.read('email', 'args.to')}.local",
                f"{self.read('path', 'args.file')}.name",
            )
        )

    def words(self, depth: int) -> str:
        """A set of strings."""
        simple = [self.literal_set, self.literal_set, "args.tags", "principal.tags"]
        if depth <= 0 or self.pick(True, True, False):
            return str(self.pick(*simple))
        inner = depth - 1
        return str(
            self.pick(
                lambda: f"({self.words(inner)} {self.pick('|', '&', '-')} {self.literal_set()})",
                lambda: f"set({self.pick('args.tags', 'principal.tags')})",
                lambda: f"({self.literal_set()} | {{{self.text(inner)}}})",
            )
        )

    def read(self, kind: str, field: str) -> str:
        """A field that the tool file types, or a conversion of one that nobody typed."""
        return field if self.mode == "typed" else f"{kind}({field})"

    def other_words(self, depth: int) -> str:
        return self.literal_set() if "equal lists" in AVOIDED else self.words(depth)

    def literal_set(self) -> str:
        return "{" + ", ".join(sorted({self.quoted() for _ in range(self.pick(1, 2, 3))})) + "}"

    # --- conditions ----------------------------------------------------------------------------

    def condition(self, depth: int) -> str:
        if depth <= 0 or self.pick(True, False):
            return str(self.pick(*self._tests(depth)))
        inner = depth - 1
        return str(
            self.pick(
                lambda: f"({self.condition(inner)} and {self.condition(inner)})",
                lambda: f"({self.condition(inner)} or {self.condition(inner)})",
                lambda: f"(not {self.condition(inner)})",
                lambda: self.quantifier(inner),
            )
        )

    def quantifier(self, depth: int) -> str:
        kind, collection = self.pick(("tag", "args.tags"), ("item", "args.items"), ("copy", "args.copies"))
        name = self._bind(kind)
        where = f" where {self.condition(depth - 1)}" if self.pick(True, False, False) else ""
        found = f"({self.pick('any', 'all')} {name} in {collection}{where}: {self.condition(depth)})"
        del self.variables[name]
        return found

    def _tests(self, depth: int) -> list[Any]:
        inner = max(0, depth - 1)
        return [
            lambda: f"{self.number(inner)} {self.pick(*COMPARED)} {self.number(inner)}",
            lambda: f"{self.number(inner)} {self.pick(*COMPARED)} {self.number(inner)}",
            lambda: f"{self.text(inner)} {self.pick('==', '!=')} {self.text(inner)}",
            lambda: f"{self.text(inner)} {self.pick('in', 'not in')} {self.words(inner)}",
            lambda: f"{self.number(inner)} in {{1, 5, {self.pick(*NUMBERS)}}}",
            lambda: f"{self.words(inner)} {self.pick(*COMPARED)} {self.other_words(inner)}",
            lambda: f"{self.text(inner)} {self.pick('contains', 'not contains')} {self.quoted()}",
            lambda: f"{self.text(inner)} contains /{self.pick(*PATTERNS)}/",
            lambda: f"{self.text(inner)} {self.pick('matches', 'not matches')} /{self.pick(*PATTERNS)}/",
            lambda: f'{self.text(inner)} like "{self.pick(*GLOBS)}"',
            lambda: f"{self.pick('starts_with', 'ends_with')}({self.text(inner)}, {self.quoted()})",
            lambda: f"args.tags contains {self.text(inner)}",
            lambda: f"has {self.field()}",
            lambda: f"{self.field()} {self.pick('==', '!=')} null",
            lambda: self.pick(*self._domain_tests()),
            "args.live",
            "args.live == true",
            "big",
            'args.currency == "EUR"',
            'args.currency in {"EUR", "USD"}',
            "tool.destructive",
            "true",
        ]

    def _domain_tests(self) -> list[Any]:
        mail = ["args.to", *self._of("copy")]
        known = ("Ann@ACME.com", "ann@acme.com", "eve@evil.com")
        return [
            lambda: f"inside({self.pick(*mail)})",
            lambda: f'{self.read("email", self.pick(*mail))} == "{self.pick(*known)}"',
            lambda: f"{self.read('email', self.pick(*mail))} in staff",
            f"(all c in args.copies: {self.read('email', 'c')} in staff)",
            "args.copies <= staff",
            'principal.mail == "ann@acme.com"',
            f"{self.read('email', 'args.to')} == principal.mail",
            'args.file within "/workspace"',
            f'{self.read("path", "args.file")} within "/workspace/sub"',
            f'{self.read("ip", "args.source")} within "10.0.0.0/8"',
            f'{self.read("url", "args.link")}.host == "acme.com"',
            f'{self.read("url", "args.link")}.scheme in {{"https"}}',
            *(() if "else canonical" in AVOIDED else ('(args.to else "ann@acme.com") == "ann@acme.com"',)),
            *(() if "declared any" in AVOIDED else ("principal.extra == 1", 'principal.extra == "a"')),
            "args.amount * 1s > 5m",
            "now > now - 5m",
            "args.amount * 80% < 80",
            'money(args.amount, "EUR") <= 100.00 EUR',
            '{"a": 1, "b": 2}[args.note] == 1',
        ]

    def field(self) -> str:
        """A path that may be missing."""
        canonical = {"to", "file", "link", "source"} if "has canonical" in AVOIDED else set()
        fields = [f"args.{name}" for name in _ARGS if name not in canonical]
        fields += [
            "args.meta.n",
            "args.meta.deep.x",
            "principal.level",
            *(name + ".name" for name in self._of("item")),
        ]
        return str(self.pick(*fields, "args.items[0].name", 'args.meta["n"]'))


# --- statements and files ----------------------------------------------------------------------


def _statement(writer: Writer, label: str) -> str:
    effect: str = writer.pick(
        "allow", "allow", "allow", "deny", "deny", "ask finance", "halt", "flag odd", "review by quality", "require",
        lambda: _threshold(writer),
        lambda: f"redact {_target(writer)} with {_method(writer)}",
        lambda: f"redact /{writer.pick(*PATTERNS)}/ in {_target(writer)} with {_method(writer)}",
    )  # fmt: skip
    head = writer.pick("", "", "", "shadow ")
    clauses = writer.pick("", "when", "when", "unless", "when unless").split()
    if effect == "require":
        effect = f"require {writer.condition(2)}"
        clauses = [] if "guarded require" in AVOIDED else clauses
    tail = "".join(f" {clause} {writer.condition(2)}" for clause in clauses)
    return f"  {label}: {head}{effect}{tail}"


def _threshold(writer: Writer) -> str:
    bound = writer.pick("5", "0.3", "top", "args.count", "principal.level")
    first, second, last = (writer.pick("allow", "ask finance", "deny", "halt") for _ in range(3))
    return (
        f"threshold {writer.number(1)} {{ up to 0: {first}; up to {bound}: {second}; above: {last} }}"
        if bound != "top"
        else f"threshold {writer.number(1)} {{ up to {bound}: {second}; above: {last} }}"
    )


def _target(writer: Writer) -> str:
    return "args." + str(
        writer.pick("note", "tags", "tags.*", "items.*.name", "items.*.name", "meta", "meta.s", "items")
    )


def _method(writer: Writer) -> str:
    return str(writer.pick("mask", "drop", 'replace "x"', 'replace "yy"', "last 1", "last 2", "last 4"))


def _block(writer: Writer, labels: Any) -> str:
    tools = writer.pick("pay", "send", '"pay.*"', '"*"', 'pay, "pay.refund"', 'pay, "s*"')
    shadow = writer.pick("", "", "", "shadow ")
    lines = [_statement(writer, next(labels)) for _ in range(writer.pick(1, 2, 3))]
    clause = writer.pick("", "", "", f" when {writer.condition(1)}", f" unless {writer.condition(1)}")
    if "guarded require" in AVOIDED and any("require" in line for line in lines):
        clause = ""
    return f"{shadow}on call {tools}{clause} {{\n" + "\n".join(lines) + "\n}\n"


@st.composite
def policies(draw: st.DrawFn, mode: str = "typed") -> list[tuple[str, str]]:
    """One or two files, `(name, text)`; `mode` is typed (with `TOOLS`) or untyped."""
    writer = Writer(draw, mode)
    labels = (f"s{index}" for index in range(100))
    head = writer.pick("", "", "default call ask\n", "default call allow\n")
    first = (
        "policy one\n" + PRELUDE + head + "".join(_block(writer, labels) for _ in range(writer.pick(1, 2)))
    )
    files = [("one.guard", first)]
    if writer.pick(True, False, False):
        shadow = writer.pick("", "", "shadow ")
        files.append(("two.guard", f"{shadow}policy two\n" + _block(writer, labels)))
    return files


# --- events ------------------------------------------------------------------------------------

JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, True, False, 0, -1, 10**40, 1e300, float("nan"), float("inf"), 0.1),
        *("5", "", "\ud800", "\x00", [], {}, [None], [[1]], {"n": {}}),
    ]
)
NUMERIC: st.SearchStrategy[Any] = st.sampled_from(
    [
        0,
        1,
        2,
        5,
        6,
        100,
        101,
        100.0,
        0.1,
        0.3,
        0.1 + 0.2,
        99.99,
        -5,
        1000,
        1.5,
        123456789012345678901234567890,
    ]
)
TEXTUAL = st.sampled_from([*WORDS, "aaa", "5", "12.5", "a.b", "A", "abab 123 aa"])
MAILS = st.sampled_from(
    [
        "ann@acme.com",
        "Ann@ACME.com",
        "eve@evil.com",
        "Bob <bob@acme.com>",
        "x@acme.co.uk",
        "not mail",
        "a@b@acme.com",
    ]
)
PLACES = st.sampled_from(
    ["/workspace/a.md", "/workspace/../etc", "/workspace/sub/b", "a.md", "~/x", "/workspace-evil", "/w%2e"]
)
LINKS = st.sampled_from(
    ["https://acme.com/x", "HTTPS://ACME.com:443", "http://evil.com", "https://acme.com@evil.com", "x"]
)
SOURCES = st.sampled_from(["10.1.2.3", "11.0.0.1", "010.1.1.1", "::1", "acme.com"])


def _mostly(good: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(good, good, good, good, good, JUNK)


def _some(items: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A list, or something else."""
    good = st.lists(items, max_size=3)
    return st.one_of(good, good, good, good, good, JUNK)


def _copies() -> st.SearchStrategy[Any]:
    """A list of mailboxes, some of which cannot be read."""
    mails = MAILS.filter(lambda mail: mail not in {"not mail", "a@b@acme.com"})
    copies = _some(mails if "bad element" in AVOIDED else _mostly(MAILS))
    return copies.filter(lambda value: "object for list" not in AVOIDED or not isinstance(value, dict))


_ITEMS = st.fixed_dictionaries(
    {}, optional={"price": _mostly(NUMERIC), "qty": _mostly(NUMERIC), "name": _mostly(TEXTUAL)}
)
_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "amount": _mostly(NUMERIC),
    "count": _mostly(NUMERIC),
    "note": _mostly(TEXTUAL),
    "currency": _mostly(st.sampled_from(["EUR", "USD", "GBP"])),
    "live": _mostly(st.booleans()),
    "to": _mostly(MAILS),
    "file": _mostly(PLACES),
    "link": _mostly(LINKS),
    "source": _mostly(SOURCES),
    "tags": _some(_mostly(TEXTUAL)),
    "copies": _copies(),
    "items": _some(_mostly(_ITEMS)),
    "meta": _mostly(
        st.fixed_dictionaries({}, optional={"n": _mostly(NUMERIC), "s": _mostly(TEXTUAL), "deep": JUNK})
    ),
}


@st.composite
def arguments(draw: st.DrawFn) -> dict[str, Any]:
    """Arguments of a call; now and then a field is left out."""
    left_out = draw(st.sets(st.sampled_from(sorted(_FIELDS)), max_size=2))
    return {name: draw(values) for name, values in _FIELDS.items() if name not in left_out}


PRINCIPALS = st.fixed_dictionaries(
    {"id": _mostly(TEXTUAL), "tags": _mostly(st.lists(TEXTUAL, max_size=2))},
    optional={"level": _mostly(NUMERIC), "mail": _mostly(MAILS), "extra": _mostly(NUMERIC)},
)


@st.composite
def calls(draw: st.DrawFn) -> dict[str, Any]:
    """A call event."""
    return {
        "type": "call",
        "tool": draw(st.sampled_from([*NAMES, NAMES[0], "stranger"])),
        "args": draw(arguments()),
        "principal": draw(PRINCIPALS),
    }


# --- results and texts -------------------------------------------------------------------------

NAMED = ("id", "name", "card", "owner", "notes")


def _field_path(writer: Writer) -> str:
    return str(writer.pick(*NAMED, "owner.name", "owner.*", "notes.*", "orders.*.card", "orders.*", "*"))


def _change(writer: Writer, label: str) -> str:
    paths = ", ".join(sorted({_field_path(writer) for _ in range(writer.pick(1, 2, 3))}))
    targets = ", ".join(f"result.{path}" for path in paths.split(", "))
    effect = writer.pick(
        f"only fields {paths}",
        f"drop fields {paths}",
        "only rows where row.id > 1",
        "only rows where row.name == principal.id",
        f"redact {targets} with {_method(writer)}",
        f"redact /{writer.pick('[0-9]+', 'a+', 'ab', '[a-z]+')}/ in result with {_method(writer)}",
        "deny when result.id == 5",
        "ask",
    )
    clause = (
        ""
        if " when " in effect
        else writer.pick("", "", " when principal.level > 1", " unless has principal.mail")
    )
    return f"  {label}: {effect}{clause}"


@st.composite
def result_policies(draw: st.DrawFn) -> str:
    """A policy of transforms on one tool's result."""
    writer = Writer(draw, "untyped")
    lines = [_change(writer, f"s{index}") for index in range(writer.pick(1, 2, 3, 4))]
    return "on result t {\n" + "\n".join(lines) + "\n}\n"


_LEAF = st.sampled_from([1, 2, 5, True, None, "ab12", "aab 1234567", "card 12345678", "", "b", 0.5])
_OWNER = st.dictionaries(st.sampled_from(NAMED), _LEAF, max_size=3)
_RECORD = st.fixed_dictionaries(
    {},
    optional={
        "id": _LEAF, "name": _LEAF, "card": _LEAF, "owner": st.one_of(_OWNER, _LEAF),
        "notes": st.one_of(st.lists(_LEAF, max_size=3), _LEAF), "orders": st.lists(st.one_of(_OWNER, _LEAF), max_size=2),
    },
)  # fmt: skip


@st.composite
def results(draw: st.DrawFn) -> dict[str, Any]:
    """A result event: a record, rows, or something that is neither."""
    return {
        "type": "result",
        "tool": "t",
        "args": {},
        "result": draw(st.one_of(_RECORD, st.lists(st.one_of(_RECORD, _RECORD, _LEAF), max_size=3), _LEAF)),
        "principal": draw(st.fixed_dictionaries({}, optional={"id": _LEAF, "level": _LEAF, "mail": _LEAF})),
    }
