"""Words of a shell command: a syntax node → its literal text, or the finding that it is computed.

The one idea: quoting is undone exactly as bash does it, so `r\\m`, `r''m` and `$'\\x72m'` are all `rm`, and what
bash would still expand (variables, patterns, braces, `~`) makes the word not literal.
"""

from __future__ import annotations

from guardrails.canonical.text import ambiguous

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tree_sitter import Node

_CONTROL = {
    "n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "v": "\v",
    "\\": "\\", "'": "'", '"': '"', "?": "?",
}  # fmt: skip
_BARE = frozenset({"word", "number", "extglob_pattern", "variable_name", "file_descriptor", "test_operator"})
_NEVER_BARE = frozenset(" \t\n;|&<>()`\"'$")


class Word:
    """A word: its text with quotes undone (or as written when computed), and whether it is literal."""

    __slots__ = ("literal", "text")

    def __init__(self, text: str, *, literal: bool = True) -> None:
        self.text = text
        self.literal = literal


def source_of(node: Node) -> str:
    return (node.text or b"").decode()


def read_word(node: Node) -> Word:
    """The word at `node`."""
    text, bare = [], []
    for piece, quoted in _pieces(node):
        if piece is None:
            return Word(source_of(node), literal=False)
        text.append(piece)
        bare.append("\0" * len(piece) if quoted else piece)
    return Word("".join(text), literal=not _expands("".join(bare)))


def _expands(bare: str) -> bool:
    """Whether the unquoted characters of a word still mean something to the shell."""
    if any(c in bare for c in "*?["):
        return True
    if "{" in bare and "}" in bare and ("," in bare or ".." in bare):
        return True
    return bare[:1] in ("~", "=") and len(bare) > 0


def _pieces(node: Node) -> Iterator[tuple[str | None, bool]]:
    """The parts of a word: text (None when computed) and whether it was quoted."""
    kind = node.type
    if kind == "concatenation":
        for child in node.children:
            yield from _pieces(child)
    elif kind in _BARE or kind == "=" or (not node.is_named and kind.isalpha()):
        yield from _unescaped(source_of(node))
    elif kind == "raw_string":
        yield source_of(node)[1:-1], True
    elif kind == "ansi_c_string":
        yield _ansi_c(source_of(node)), True
    elif kind == "string":
        yield from _string_pieces(node)
    else:
        yield None, False


def _unescaped(text: str) -> Iterator[tuple[str, bool]]:
    """Bare text with its backslashes undone."""
    place = 0
    while place < len(text):
        if text[place] != "\\":
            yield text[place], False
        elif text[place + 1 : place + 2] != "\n":
            yield text[place + 1 : place + 2], True
        place += 2 if text[place] == "\\" else 1


def _string_pieces(node: Node) -> Iterator[tuple[str | None, bool]]:
    """The inside of double quotes: taken from the source when nothing in it expands."""
    if any(child.is_named and child.type != "string_content" for child in node.children):
        yield None, False
        return
    import re

    yield re.sub(r'\\([$`"\\])|\\\n', lambda match: match[1] or "", source_of(node)[1:-1]), True


def _ansi_c(text: str) -> str:
    """The text that `$'…'` stands for."""
    import re

    pattern = r"\\(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|([0-7]{1,3})|(.))"

    def decoded(match: re.Match[str]) -> str:
        digits = match[1] or match[2] or match[3]
        if match[5] is not None:
            return _control(match[5], text)
        number = int(digits, 16) if digits else int(match[4], 8) & 0xFF
        if not 0 < number < 0x80:
            raise ambiguous(text, "contains an escape that shells decode differently")
        return chr(number)

    return re.sub(pattern, decoded, text[2:-1], flags=re.DOTALL)


def _control(character: str, text: str) -> str:
    if character not in _CONTROL:
        raise ambiguous(text, "contains an escape that shells decode differently")
    return _CONTROL[character]


def require_sound_leaf(node: Node, line: str) -> None:
    """Check the grammar's work: a token may hold no unescaped character that ends or starts something."""
    text, kind = source_of(node), node.type
    if kind not in _SOUND:
        if node.is_named:
            require_plain_text(text, line)
    elif not _SOUND[kind](text):
        raise ambiguous(line, "can be split into words in more than one way")


def require_plain_text(text: str, line: str) -> None:
    """Text that the grammar takes as it is (of a here-document or a pattern) must be nothing that runs."""
    import re

    if re.search(r"`|[$<>]\(|\$[\w{]", _without_escapes(text)):
        raise ambiguous(line, "can be split into words in more than one way")


def _without_escapes(text: str) -> str:
    import re

    return re.sub(r"\\.", "", text, flags=re.DOTALL)


def _is_sound_word(text: str) -> bool:
    rest = _without_escapes(text)
    return text[0] != "#" and not rest.endswith("\\") and _NEVER_BARE.isdisjoint(rest)


def _is_sound_raw_string(text: str) -> bool:
    return len(text) >= 2 and text[0] == text[-1] == "'" and text.count("'") == 2


def _is_sound_ansi_c_string(text: str) -> bool:
    return len(text) >= 3 and text[:2] == "$'" and text[-1] == "'" and "'" not in _without_escapes(text[2:-1])


def _is_sound_string_content(text: str) -> bool:
    import re

    return re.search(r'["`]|\$[\w({]', _without_escapes(text)) is None


_SOUND: dict[str, Callable[[str], bool]] = {
    "word": _is_sound_word,
    "number": _is_sound_word,
    "raw_string": _is_sound_raw_string,
    "ansi_c_string": _is_sound_ansi_c_string,
    "string_content": _is_sound_string_content,
    "comment": lambda text: "\n" not in text,
    "heredoc_body": lambda text: True,
}
"""For each kind of token, whether its text can only be that token."""
