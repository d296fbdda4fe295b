"""The syntax tree of a script: text → its nodes, once every character of the text is accounted for.

The one idea: the grammar is not trusted. What it skips or splits differently from bash (a word after a
redirection, a line joined by a backslash, the end of a here-document) would be a place to hide a command,
so each of these is checked on the text or given back to the command that it belongs to.
"""

from __future__ import annotations

from guardrails.canonical.shell_words import (
    Word,
    read_word,
    require_plain_text,
    require_sound_leaf,
    source_of,
)
from guardrails.canonical.text import ambiguous

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node, Parser

MAX_TREE = 200
"""How deep the syntax of one script may nest."""

MAX_STRUCTURE = 1_500
"""How often `(`, `)`, `|`, `<` or a backtick may occur: the parser takes quadratic time to recover from
errors around them."""

COMMANDS = frozenset({"command", "declaration_command", "unset_command"})
REDIRECTS = frozenset({"file_redirect", "heredoc_redirect", "herestring_redirect"})
_BEFORE_COMMENT = frozenset({b"", b" ", b"\t", b"\n", b";", b"&", b"|", b"(", b")"})
_OPERATORS = frozenset({b"", b";", b"&", b"|", b"(", b")"})
_SPACED = COMMANDS | {"file_redirect", "negated_command"}
_JOINED = frozenset({"pipeline", "list", "redirected_statement"})
_NOT_WORDS = REDIRECTS | COMMANDS | _JOINED
_HEREDOC_PARTS = frozenset({"file_descriptor", "heredoc_start", "heredoc_body", "heredoc_end"})
_MISREAD = "can be split into words in more than one way"


class Script:
    """A parsed script: its nodes in the order of the text, and where each stands in its parent.

    The grammar's library can tell a node's parent, but looks for it from the root each time.
    """

    __slots__ = ("_edges", "_parents", "attached", "nodes")

    def __init__(self, text: str, line: str) -> None:
        self.attached: set[int] = set()
        """Ids of the redirections whose stray words a command has taken."""
        self._parents: dict[int, Node] = {}
        self._edges: dict[int, tuple[int, int]] = {}
        self.nodes = list(self._walk(_tree(text, line), line))
        _require_accounted(self, text.encode(), line)

    def _walk(self, root: Node, line: str) -> Iterator[Node]:
        stack = [(root, 0)]
        while stack:
            node, depth = stack.pop()
            if node.is_error or node.is_missing or depth > MAX_TREE:
                raise ambiguous(line, "does not parse as a shell command")
            yield node
            children = node.children
            if children:
                self._edges[node.id] = (children[0].id, children[-1].id)
                self._parents.update((child.id, node) for child in children)
            stack.extend((child, depth + 1) for child in reversed(children))

    def parent(self, node: Node) -> Node | None:
        return self._parents.get(node.id)

    def parent_kind(self, node: Node) -> str:
        parent = self._parents.get(node.id)
        return "" if parent is None else parent.type

    def ends(self, parent: Node) -> tuple[int, int]:
        """The ids of the first and last child."""
        return self._edges[parent.id]


def _tree(text: str, line: str) -> Node:
    if any(text.count(character) > MAX_STRUCTURE for character in "()|<`"):
        raise ambiguous(line, f"has more than {MAX_STRUCTURE:,} parentheses or pipes")
    return _parser().parse(text.encode()).root_node


def _parser() -> Parser:
    import tree_sitter
    import tree_sitter_bash

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))


# --- accounting -----------------------------------------------------------------------------------


def _require_accounted(script: Script, source: bytes, line: str) -> None:
    """Between two tokens there is white space only, and within a command no line ends."""
    end = 0
    covered = _without_heredoc_text(script.nodes, source, line)
    for node in script.nodes:
        if node.child_count == 0 and node.end_byte > node.start_byte:
            _require_blank(covered[end : node.start_byte], line)
            _require_not_joined(source, end, node.start_byte, line)
            require_sound_leaf(node, line)
            _require_comment_start(node, source, line)
            _require_line_of_its_own(node, source, line)
            end = max(end, node.end_byte)
        if node.type == "{" and script.parent_kind(node) == "compound_statement":
            _require_group_start(node, source, line)
        if node.type in _SPACED:
            _require_separated(node, source, line)
    _require_blank(covered[end:], line)


def _without_heredoc_text(nodes: list[Node], source: bytes, line: str) -> bytes:
    """`source` with blanks where here-documents have text that the grammar gives no token."""
    covered = bytearray(source)
    for body in nodes:
        if body.type == "heredoc_body" and body.child_count:
            starts = [body.start_byte, *(child.end_byte for child in body.children)]
            ends = [*(child.start_byte for child in body.children), body.end_byte]
            for start, end in zip(starts, ends, strict=True):
                require_plain_text(source[start:end].decode(), line)
                covered[start:end] = b" " * (end - start)
    return bytes(covered)


def _require_blank(gap: bytes, line: str) -> None:
    if gap.replace(b"\\\n", b"").strip(b" \t\n"):
        raise ambiguous(line, _MISREAD)


def _require_not_joined(source: bytes, start: int, end: int, line: str) -> None:
    """A backslash at the end of a line, with no space around it, joins the words on its sides."""
    gap = source[start:end]
    if gap and not gap.replace(b"\\\n", b"") and source[max(0, start - 1) : start] not in _OPERATORS:
        raise ambiguous(line, _MISREAD)


def _require_comment_start(node: Node, source: bytes, line: str) -> None:
    before = source[max(0, node.start_byte - 1) : node.start_byte]
    joined = source[max(0, node.start_byte - 2) : node.start_byte] == b"\\\n"
    if node.type == "comment" and (joined or before not in _BEFORE_COMMENT):
        raise ambiguous(line, _MISREAD)


def _require_group_start(brace: Node, source: bytes, line: str) -> None:
    """A brace opens a group only before white space; else it is part of a word."""
    if source[brace.end_byte : brace.end_byte + 1] not in (b" ", b"\t", b"\n"):
        raise ambiguous(line, _MISREAD)


def _require_line_of_its_own(node: Node, source: bytes, line: str) -> None:
    """The word that ends a here-document must stand alone."""
    if node.type == "heredoc_end" and source[node.end_byte : node.end_byte + 1] not in (b"", b"\n"):
        raise ambiguous(line, "has a here-document whose end is not certain")


def _require_separated(node: Node, source: bytes, line: str) -> None:
    """The parts of a command are separated, by more than a joined line, and on one line."""
    for before, after in zip(node.children, node.children[1:], strict=False):
        gap = source[before.end_byte : after.start_byte]
        if b"\n" in gap.replace(b"\\\n", b""):
            raise ambiguous(line, _MISREAD)
        operator = node.type == "file_redirect" and not before.is_named
        redirect = before.type == "file_descriptor" or before.type in REDIRECTS or after.type in REDIRECTS
        if not gap.replace(b"\\\n", b"") and not operator and not redirect:
            raise ambiguous(line, _MISREAD)


# --- redirections ---------------------------------------------------------------------------------


def destinations(redirect: Node) -> list[Node]:
    """The words of a redirection: its file, and what the grammar wrongly leaves to it."""
    if redirect.type == "herestring_redirect":
        return []
    return [c for c in redirect.children if c.is_named and c.type not in _HEREDOC_PARTS | _NOT_WORDS]


def stray_words(redirect: Node) -> list[Node]:
    """What of `destinations` is an argument of the command in truth."""
    words = destinations(redirect)
    return words if redirect.type == "heredoc_redirect" else words[1:]


def redirects_of(command: Node, script: Script) -> list[Node]:
    """The redirections of a command, also where the grammar puts them around a whole pipe."""
    found = [child for child in command.children if child.type in REDIRECTS]
    current = command
    while (parent := script.parent(current)) is not None and parent.type in _JOINED:
        first, last = script.ends(parent)
        if parent.type == "redirected_statement":
            if current.id != first:
                break
            found += [child for child in parent.children if child.type in REDIRECTS]
        elif current.id != last:
            break
        current = parent
    return [one for redirect in found for one in (redirect, *_inner_redirects(redirect))]


def _inner_redirects(redirect: Node) -> list[Node]:
    return [child for child in redirect.children if child.type in REDIRECTS]


def fed_script(redirects: list[Node]) -> Word | None:
    """What a here-document or here-string feeds to a command."""
    for redirect in redirects:
        if redirect.type == "herestring_redirect":
            return read_word(redirect.children[-1])
        if redirect.type == "heredoc_redirect":
            text, quoted = heredoc_text(redirect), is_quoted(redirect)
            return Word(text, literal=quoted or not any(c in text for c in "$`\\"))
    return None


# --- here-documents -------------------------------------------------------------------------------


def _part(heredoc: Node, kind: str) -> str:
    return next((source_of(child) for child in heredoc.children if child.type == kind), "")


def heredoc_text(heredoc: Node) -> str:
    return _part(heredoc, "heredoc_body")


def is_quoted(heredoc: Node) -> bool:
    """Whether the shell takes the here-document as it is."""
    return _part(heredoc, "heredoc_start")[:1] in ("'", '"')


def require_certain_end(heredoc: Node, line: str) -> None:
    """The grammar must end a here-document where the shell does: at the first line that is its word."""
    start, text = _part(heredoc, "heredoc_start"), heredoc_text(heredoc)
    word = start[1:-1] if is_quoted(heredoc) else start
    tabs = "\t" if source_of(heredoc).lstrip("0123456789").startswith("<<-") else ""
    lines = [one.lstrip(tabs) if tabs else one for one in text.split("\n")]
    plain = bool(word) and all(c.isalnum() or c in "_-" for c in word)
    if not plain or word in lines or lines[-1] or _part(heredoc, "heredoc_end").lstrip("\t") != word:
        raise ambiguous(line, "has a here-document whose end is not certain")
    if not is_quoted(heredoc):
        _require_certain_body(heredoc, text, line)


def _require_certain_body(heredoc: Node, text: str, line: str) -> None:
    """An unquoted here-document runs its substitutions, and joins lines before it looks for its end."""
    if "`" in text:
        raise ambiguous(line, "has backticks in a here-document")
    if "\\\n" in text:
        raise ambiguous(line, "has a here-document whose end is not certain")
    if not any(child.type == "heredoc_body" and child.child_count for child in heredoc.children):
        require_plain_text(text, line)
