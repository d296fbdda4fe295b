"""Reading a script: text → the commands, redirections and definitions in it, collected in a `Reader`.

The one idea: one pass over the nodes of the tree, each of which either adds to what is known or makes the
line ambiguous; scripts within scripts are read by the same reader, to a bounded depth.
"""

from __future__ import annotations

from guardrails.canonical.shell import Command
from guardrails.canonical.shell_programs import read_inner
from guardrails.canonical.shell_tree import (
    COMMANDS,
    REDIRECTS,
    Script,
    destinations,
    fed_script,
    redirects_of,
    require_certain_end,
    stray_words,
)
from guardrails.canonical.shell_variables import base_name, has_subscript, names_program, require_harmless
from guardrails.canonical.shell_words import Word, read_word, source_of
from guardrails.canonical.shell_wrappers import is_assignment
from guardrails.canonical.text import ambiguous
from guardrails.errors import Ambiguous

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tree_sitter import Node

MAX_DEPTH = 8
"""How deep scripts may nest in scripts, and commands in commands."""

_SUBSTITUTIONS = frozenset({"command_substitution", "process_substitution"})
_STREAMS = frozenset({"/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty"})
_RESERVED = frozenset(
    {
        "{", "}", "!", "if", "then", "elif", "else", "fi", "for", "while", "until", "do", "done", "case",
        "esac", "in", "function", "select", "[[", "]]",
    }
)  # fmt: skip


_EVALUATED = frozenset(
    {"test_command", "arithmetic_expansion", "compound_statement", "c_style_for_statement"}
)


class Reader:
    """Collects what a command line runs; `line` is the whole line, for messages."""

    def __init__(self, line: str) -> None:
        self.line = line
        self.commands: list[Command] = []
        self.redirects: set[str] = set()
        self.reads: set[str] = set()
        self.defined: set[str] = set()
        self.has_substitution = False
        self.background = False
        self._depth = 0

    def refuse(self, why: str) -> Ambiguous:
        return ambiguous(self.line, why)

    def require_no_redefinition(self) -> None:
        """A function or alias must not stand for a program of the same name."""
        taken = self.defined & {command.name for command in self.commands}
        if taken:
            raise self.refuse(f"redefines `{min(taken)[:40]}` and calls it")

    def read_script(self, script: str) -> None:
        """Collect the commands of a script."""
        self._deeper()
        if "\r" in script or "\0" in script:
            raise self.refuse("contains a control character")
        parsed = Script(script, self.line)
        for node in parsed.nodes:
            self._read_node(node, parsed)
        self._depth -= 1

    def read_inline(self, script: Word) -> None:
        """Collect the commands of a script that is an argument."""
        if not script.literal:
            raise self.refuse("runs a script that is computed")
        self.read_script(script.text)

    def run(
        self, words: list[Word], redirects: tuple[list[str], list[str]] = ([], []), stdin: Word | None = None
    ) -> None:
        """List the command `words` and whatever it runs in turn."""
        self._deeper()
        program, args = words[0], words[1:]
        name = program.text.rstrip("/").rpartition("/")[2]
        if not program.literal or not name or program.text in _RESERVED or program.text[0] == "-":
            raise self.refuse("runs a program whose name is not a literal word")
        self.commands.append(_command(name, words, redirects))
        read_inner(self, name, args, stdin)
        self._depth -= 1

    def assign(self, name: str, value: Word) -> None:
        """Judge the setting of a variable."""
        require_harmless(name, self.line)
        if names_program(name) and value.text:
            self.read_inline(value)

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self.refuse(f"nests commands deeper than {MAX_DEPTH} levels")

    # --- nodes ------------------------------------------------------------------------------------

    def _read_node(self, node: Node, script: Script) -> None:
        kind = node.type
        if kind in COMMANDS:
            self._read_command(node, script)
        elif kind == "variable_assignment":
            self._read_assignment(node, script)
        elif kind in REDIRECTS:
            self._read_redirect(node, script)
        elif kind == "function_definition":
            self.defined.add(next(source_of(child) for child in node.children if child.type == "word"))
        elif kind in _SUBSTITUTIONS:
            self._read_substitution(node)
        elif kind in _EVALUATED:
            self._require_no_subscript(node)
        elif kind == "expansion":
            self._read_expansion(node)
        elif kind == "for_statement":
            require_harmless(source_of(node.children[1]), self.line)
        elif kind == "&" and not script.parent_kind(node).endswith("expression"):
            self.background = True

    def _read_assignment(self, node: Node, script: Script) -> None:
        name = base_name(source_of(node.children[0]))
        if not is_assignment(f"{name}="):
            raise self.refuse("assigns to something that is not a variable")
        if not _is_separator_of_read(node, script):
            self.assign(name, _assigned(node))

    def _read_substitution(self, node: Node) -> None:
        self.has_substitution = True
        if node.children[0].type == "`" and b"\\" in (node.text or b""):
            raise self.refuse("has escapes inside backticks")

    def _read_expansion(self, node: Node) -> None:
        """`${X:=v}` assigns, and `${X@P}` runs what it finds in a prompt."""
        operators = {child.type for child in node.children if not child.is_named}
        if any("@" in operator for operator in operators):
            raise self.refuse("expands a variable as a prompt or command")
        if operators & {":=", "="}:
            for child in node.children:
                if child.type == "variable_name":
                    require_harmless(source_of(child), self.line)

    def _require_no_subscript(self, node: Node) -> None:
        grouped = node.type == "compound_statement" and node.children[0].type == "{"
        if not grouped and has_subscript(source_of(node)):
            raise self.refuse("evaluates a subscript that runs a command")

    def _read_command(self, node: Node, script: Script) -> None:
        redirects = redirects_of(node, script)
        script.attached.update(redirect.id for redirect in redirects)
        words = [word for child in node.children for word in _words(child, node)]
        words += [read_word(stray) for redirect in redirects for stray in stray_words(redirect)]
        files = [self._files(redirect) for redirect in redirects]
        if words:
            written = [path for writes, _ in files for path in writes]
            read = [path for _, reads in files for path in reads]
            self.run(words, (written, read), fed_script(redirects))

    # --- redirections -----------------------------------------------------------------------------

    def _read_redirect(self, node: Node, script: Script) -> None:
        writes, reads = self._files(node)
        self.redirects.update(writes)
        self.reads.update(reads)
        if node.type == "heredoc_redirect":
            require_certain_end(node, self.line)
        if stray_words(node) and node.id not in script.attached:
            raise self.refuse("has words after a redirection that belong to no command")

    def _files(self, redirect: Node) -> tuple[list[str], list[str]]:
        """The files that a redirection writes and reads."""
        found = destinations(redirect)
        if redirect.type != "file_redirect" or not found or found[0].type == "process_substitution":
            return [], []
        operator = next(child.type for child in redirect.children if not child.is_named)
        word = read_word(found[0])
        if not word.literal:
            raise self.refuse("redirects to a file whose name is computed")
        if word.text in _STREAMS or (operator.endswith("&") and word.text.rstrip("-").isdigit()):
            return [], []
        return ([], [word.text]) if operator in ("<", "<&") else ([word.text], [])


def _is_separator_of_read(node: Node, script: Script) -> bool:
    """`IFS= read line` splits one line, and nothing after it."""
    command = script.parent(node)
    if source_of(node.children[0]) != "IFS" or command is None:
        return False
    return any(child.type == "command_name" and source_of(child) == "read" for child in command.children)


def _assigned(node: Node) -> Word:
    return read_word(node.children[-1]) if len(node.children) > 2 else Word("")


def _words(child: Node, command: Node) -> list[Word]:
    """The words that one child gives to its command."""
    if child.type in REDIRECTS or (child.type == "variable_assignment" and command.type == "command"):
        return []
    if child.type == "variable_assignment":
        value = _assigned(child)
        return [Word(f"{source_of(child.children[0])}={value.text}", literal=value.literal)]
    return [read_word(child.children[0] if child.type == "command_name" else child)]


def _command(name: str, words: list[Word], redirects: tuple[list[str], list[str]]) -> Command:
    import shlex

    text = " ".join(shlex.quote(word.text) if word.literal else word.text for word in words)
    return Command(
        text, program=words[0].text, name=name, args=tuple(word.text for word in words[1:]),
        literal=all(word.literal for word in words), writes=tuple(redirects[0]), reads=tuple(redirects[1]),
    )  # fmt: skip
