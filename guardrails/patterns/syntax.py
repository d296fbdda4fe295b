"""The regular expressions of the language: text in, a tree with one fixed meaning out.

The accepted syntax is the part that RE2 and every common dialect read alike. What needs backtracking
(look-around, back references, possessive repeats), and what two engines read differently (`\\Z`, `{,3}`,
octal escapes), is refused with a cure. Flags and classes are resolved here, so the tree has neither.
"""

from __future__ import annotations

from guardrails.patterns import charsets
from guardrails.patterns.engines import PatternError
from guardrails.patterns.tree import Alt, Assertion, Chars, Repeat, Seq, copies, size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guardrails.patterns.charsets import Ranges
    from guardrails.patterns.tree import Node

MAX_LENGTH = 2_000
"""Characters of a pattern."""

MAX_REPEAT = 1_000
"""Copies that nested counted repeats may ask for."""

MAX_SIZE = 5_000
"""Places for a character once every counted repeat is written out."""

MAX_DEPTH = 50


def parse(text: str) -> Node:
    """The tree of a pattern. Raises `PatternError`."""
    if len(text) > MAX_LENGTH:
        raise PatternError(f"the pattern has {len(text)} characters, {MAX_LENGTH} are the most")
    tree = _Parser(text).whole()
    if copies(tree) > MAX_REPEAT:
        raise PatternError(f"the repeats of the pattern ask for more than {MAX_REPEAT} copies")
    if size(tree) > MAX_SIZE:
        raise PatternError(f"the pattern takes more than {MAX_SIZE} places once its repeats are written out")
    return tree


_CONTROLS = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}

_FOREIGN_ESCAPES = {
    "A": "", "b": "", "B": "", "z": "",
    "C": "single bytes cannot be matched",
    "E": "`\\Q...\\E` is not supported, escape each character",
    "G": "`\\G` is not supported",
    "K": "`\\K` is not supported",
    "N": "named characters are not supported, write `\\x{...}`",
    "P": "Unicode classes are not supported, list the characters",
    "Q": "`\\Q...\\E` is not supported, escape each character",
    "R": "`\\R` is not supported, write `\\r?\\n`",
    "U": "write `\\x{...}` for a character by its number",
    "X": "`\\X` is not supported",
    "Z": "`\\Z` means different things in different engines, write `\\z`",
    "e": "write `\\x1b` for escape",
    "g": "back references cannot run in linear time",
    "h": "write `[ \\t]` for `\\h`",
    "k": "back references cannot run in linear time",
    "p": "Unicode classes are not supported, list the characters",
    "u": "write `\\x{...}` for a character by its number",
}  # fmt: skip

_FOREIGN_GROUPS = (
    ("=", "look-ahead cannot run in linear time"),
    ("!", "look-ahead cannot run in linear time"),
    ("<=", "look-behind cannot run in linear time"),
    ("<!", "look-behind cannot run in linear time"),
    (">", "atomic groups are not supported, a plain group means the same here"),
    ("#", "comments inside a pattern are not supported"),
    ("(", "conditional groups are not supported"),
    ("P=", "back references cannot run in linear time"),
    ("P>", "recursion is not supported"),
    ("R", "recursion is not supported"),
    ("|", "branch reset groups are not supported"),
)


class _Parser:
    """Recursive descent over the text; `flags` are those of the group being read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.index = 0
        self.depth = 0
        self.flags: frozenset[str] = frozenset()
        self.names: set[str] = set()

    def whole(self) -> Node:
        for index, char in enumerate(self.text):
            if "\ud800" <= char <= "\udfff":
                raise PatternError("half of a surrogate pair is no character", index)
        tree = self._alternatives()
        if self.index < len(self.text):
            raise self._error("unmatched `)`, write `\\)` for the character")
        return tree

    def _error(self, message: str) -> PatternError:
        return PatternError(message, self.index)

    def _peek(self) -> str:
        return self.text[self.index : self.index + 1]

    def _take(self, word: str) -> bool:
        if not self.text.startswith(word, self.index):
            return False
        self.index += len(word)
        return True

    def _alternatives(self) -> Node:
        options = [self._sequence()]
        while self._take("|"):
            options.append(self._sequence())
        return options[0] if len(options) == 1 else Alt(options)

    def _sequence(self) -> Node:
        items: list[Node] = []
        while self._peek() not in ("", "|", ")"):
            item = self._item()
            if item is not None:
                items.append(item)
        return items[0] if len(items) == 1 else Seq(items)

    def _item(self) -> Node | None:
        """One atom with its repeat; None for a flag group such as `(?i)`."""
        if self._repeat() is not None:
            raise self._error("there is nothing to repeat before this, escape it to mean the character")
        start = self.index
        atom = self._atom()
        after = self.index
        bounds = self._repeat()
        if bounds is None:
            return atom
        if atom is None or isinstance(atom, Assertion):
            self.index = start
            raise self._error(f"`{self.text[start:after]}` matches no text, so it cannot be repeated")
        node = Repeat(atom, *bounds)
        node.lazy = self._take("?")
        self._refuse_second_repeat()
        return node

    def _refuse_second_repeat(self) -> None:
        if self._peek() == "+":
            raise self._error("possessive repeats are not supported, drop the second `+`")
        if self._repeat() is not None:
            raise self._error("a repeat cannot be repeated, put the first one in a group")

    def _repeat(self) -> tuple[int, int | None] | None:
        """The bounds of a repeat that starts here, which is then consumed."""
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._take(sign):
                return bounds
        return self._counted() if self._peek() == "{" else None

    def _counted(self) -> tuple[int, int | None] | None:
        end = self.text.find("}", self.index)
        low, comma, high = self.text[self.index + 1 : max(end, self.index)].partition(",")
        if not _is_number(high) and high:
            return None
        if comma and not low:
            raise self._error("`{,n}` means different things in different engines, write `{0,n}`")
        if not _is_number(low):
            return None
        first, last = _count(low), _count(high) if high else None if comma else _count(low)
        if max(first, last or 0) > MAX_REPEAT:
            raise self._error(f"a repeat goes up to {MAX_REPEAT}")
        if last is not None and last < first:
            raise self._error("the second number of a repeat is below the first")
        self.index = end + 1
        return first, last

    def _atom(self) -> Node | None:
        start = self.index
        char = self._peek()
        if char == "(":
            return self._group()
        if char == "[":
            return self._class()
        if char == "\\":
            return self._escape()
        self.index += 1
        if char == ".":
            return Chars(charsets.ANYTHING if "s" in self.flags else charsets.NOT_NEWLINE, ".")
        if char == "^":
            return Assertion("line start" if "m" in self.flags else "start")
        if char == "$":
            return Assertion("line end" if "m" in self.flags else "end")
        return self._literal(ord(char), start)

    def _literal(self, code: int, start: int) -> Chars:
        written = self.text[start : self.index]
        if "i" not in self.flags:
            return Chars(((code, code),), written)
        raw = f"(?i:{_quoted(code)})" if code > 127 else ""
        return Chars(charsets.folded([(code, code)]), written, raw)

    def _group(self) -> Node | None:
        opened = self.index
        self.index += 1
        outer = self.flags
        if self._take("?"):
            body_follows = self._group_head(opened)
            if not body_follows:
                return None
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self._error(f"groups are nested more than {MAX_DEPTH} deep")
        tree = self._alternatives()
        if not self._take(")"):
            raise PatternError("this group is never closed, write `\\(` for the character", opened)
        self.depth -= 1
        self.flags = outer
        # A group is one item, whatever it holds: `(ab)` must not melt into its neighbours' repeats.
        return tree if isinstance(tree, Alt | Seq) else Seq([tree])

    def _group_head(self, opened: int) -> bool:
        """What follows `(?`: a name, or flags. Says whether a body follows."""
        for head, reason in _FOREIGN_GROUPS:
            if self.text.startswith(head, self.index):
                raise PatternError(reason, opened)
        if self._take("P<") or self._take("<"):
            self._group_name()
            return True
        return self._flags()

    def _group_name(self) -> None:
        end = self.text.find(">", self.index)
        name = self.text[self.index : end] if end > 0 else ""
        if not (name.isascii() and name.isidentifier()):
            raise self._error("a group's name is made of letters, digits and `_`")
        if name in self.names:
            raise self._error(f"two groups are called `{name}`")
        self.names.add(name)
        self.index = end + 1

    def _flags(self) -> bool:
        end = min((at for at in map(self._find, ":)") if at >= 0), default=self.index)
        on, dash, off = self.text[self.index : end].partition("-")
        closer = self.text[end : end + 1]
        unknown = [char for char in on + off if char not in "ims"]
        if unknown:
            raise self._error(f"`{unknown[0]}` is not a flag, there are `i`, `m` and `s`")
        if bool(dash) != bool(off) or not (on or off or closer == ":"):
            raise self._error("flags are written `(?i)`, `(?i:...)` or `(?s-i:...)`")
        self.index = end + 1
        self.flags = (self.flags | frozenset(on)) - frozenset(off)
        return closer == ":"

    def _find(self, char: str) -> int:
        return self.text.find(char, self.index)

    def _escape(self) -> Node:
        start = self.index
        letter = self.text[start + 1 : start + 2]
        place = {"A": "start", "z": "end", "b": "word", "B": "not word"}.get(letter)
        if place:
            self.index += 2
            return Assertion(place)
        perl = self._perl()
        if perl is not None:
            return Chars(perl, self.text[start : self.index])
        code = self._escaped_code()
        return self._literal(code, start)

    def _perl(self) -> Ranges | None:
        """`\\d`, `\\W` and the like, consumed; None when something else starts here."""
        letter = self.text[self.index + 1 : self.index + 2]
        if not letter or letter.lower() not in charsets.PERL:
            return None
        self.index += 2
        return self._named(charsets.PERL[letter.lower()], letter.isupper())

    def _named(self, ranges: Ranges, negated: bool) -> Ranges:  # noqa: FBT001 - a private continuation
        found = charsets.folded(ranges) if "i" in self.flags else ranges
        return charsets.complement(found) if negated else found

    def _escaped_code(self) -> int:
        """The code point of the escape that starts here, which is consumed."""
        letter = self.text[self.index + 1 : self.index + 2]
        if letter == "x":
            return self._hexadecimal()
        if letter in _CONTROLS:
            code = _CONTROLS[letter]
        elif letter and letter.isascii() and not letter.isalnum():
            code = ord(letter)
        else:
            raise self._error(_escape_complaint(letter))
        self.index += 2
        return code

    def _hexadecimal(self) -> int:
        start = self.index + 2
        end = self.text.find("}", start) if self.text.startswith("{", start) else start + 2
        digits = self.text[start:end].lstrip("{")
        if not 1 <= len(digits) <= 6 or any(char not in "0123456789abcdefABCDEF" for char in digits):
            raise self._error("a character's number is written `\\xhh` or `\\x{hhhh}`")
        if self.text[start] != "{" and len(digits) != 2:
            raise self._error("`\\x` takes two digits, or any number of them in braces")
        code = int(digits, 16)
        if code > charsets.LAST or 0xD800 <= code <= 0xDFFF:
            raise self._error(f"there is no character with the number {digits}")
        self.index = end + (self.text[start] == "{")
        return code

    def _class(self) -> Chars:
        start = self.index
        self.index += 1
        negated = self._take("^")
        found: list[tuple[int, int]] = []
        beyond = False
        first = True
        while first or self._peek() != "]":
            if not self._peek():
                raise PatternError("this class is never closed, write `\\[` for the character", start)
            ranges, literal = self._class_item()
            beyond = beyond or (literal and ranges[-1][1] > 127)
            found += charsets.folded(ranges) if literal and "i" in self.flags else ranges
            first = False
        self.index += 1
        written = self.text[start : self.index]
        result = charsets.complement(found) if negated else charsets.union(found)
        if not result:
            raise PatternError(f"`{written}` matches no character", start)
        return Chars(result, written, f"(?i:{written})" if beyond and "i" in self.flags else "")

    def _class_item(self) -> tuple[Ranges, bool]:
        """The next characters of a class, and whether they were listed rather than named."""
        start = self.index
        named = self._posix()
        if named is None and self._peek() == "\\":
            named = self._perl()
        if named is not None:
            if self._range_follows():
                raise PatternError("a named class cannot start a range, escape the `-`", start)
            return named, False
        low = self._class_code()
        if not self._range_follows():
            return ((low, low),), True
        self.index += 1
        high = self._class_code()
        if high < low:
            raise PatternError(f"the range `{self.text[start : self.index]}` is empty", start)
        if self._range_follows():
            raise self._error("this `-` could mean two things, escape it or move it to the end")
        return ((low, high),), True

    def _range_follows(self) -> bool:
        ahead = self.text[self.index : self.index + 2]
        return len(ahead) == 2 and ahead[0] == "-" and ahead[1] != "]"

    def _posix(self) -> Ranges | None:
        if not self.text.startswith("[:", self.index):
            return None
        end = self.text.find(":]", self.index + 2)
        if end < 0:
            return None
        name = self.text[self.index + 2 : end]
        if name.removeprefix("^") not in charsets.POSIX:
            raise self._error(f"there is no character class called `{name}`")
        self.index = end + 2
        return self._named(charsets.POSIX[name.removeprefix("^")], name.startswith("^"))

    def _class_code(self) -> int:
        if self._peek() != "\\":
            self.index += 1
            return ord(self.text[self.index - 1])
        letter = self.text[self.index + 1 : self.index + 2]
        if letter and letter in "bBAzdDwWsS":
            raise self._error(f"`\\{letter}` has no meaning at this place of a character class")
        return self._escaped_code()


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _count(digits: str) -> int:
    return int(digits) if len(digits) <= 6 else MAX_REPEAT + 1


def _quoted(code: int) -> str:
    return f"\\x{{{code:x}}}"


def _escape_complaint(letter: str) -> str:
    if not letter:
        return "the pattern ends in a lone backslash"
    if letter == "0":
        return "write `\\x00` for the character with the number zero"
    if letter.isdigit():
        return "back references cannot run in linear time"
    return _FOREIGN_ESCAPES.get(letter) or f"`\\{letter}` is not an escape of this language"
