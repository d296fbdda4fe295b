"""Shell command lines (POSIX shell and bash): text → `Shell`, every command that would run, wherever it hides.

The one idea: a command line is understood only if every program in it is a literal word. Commands are
collected from pipes, lists, subshells, substitutions, here-documents and functions, and from the arguments
of programs that run other programs (`sudo`, `xargs`, `bash -c`, `find -exec`). Whatever is decided at run
time (a variable as a program, `eval` of one, a pipe into a shell, a changed PATH) is ambiguous.

A program that is itself an interpreter (`python -c`, `awk`, `git -c alias…`) can still do anything: which
programs may run at all is for the policy to say.
"""

from __future__ import annotations

from guardrails.canonical.text import MAX_LONG, ambiguous, require_bounded, require_visible
from guardrails.canonical.value import Canonical, remembered


class Command(Canonical):
    """One simple command; `text` is its words, separated by spaces and quoted where they need it."""

    __slots__ = ("args", "literal", "name", "program", "reads", "writes")
    program: str
    """The program as written, quotes resolved."""
    name: str
    """The last part of the program's path."""
    args: tuple[str, ...]
    """The arguments, quotes resolved; one that is computed stands as written."""
    literal: bool
    """Whether no argument is computed (variable, substitution, pattern)."""
    writes: tuple[str, ...]
    """Files that it writes by its own redirections, without the null device and standard streams."""
    reads: tuple[str, ...]
    """Files that it reads by its own redirections."""


class Shell(Canonical):
    """A command line; `text` is as given: two lines are the same only if they are written the same."""

    __slots__ = ("background", "commands", "has_substitution", "reads", "redirects")
    commands: tuple[Command, ...]
    redirects: frozenset[str]
    """Files written by any redirection, as written, without the null device and standard streams."""
    reads: frozenset[str]
    """Files read by any redirection, as written."""
    has_substitution: bool
    """Whether `$(…)`, backticks, `<(…)` or `>(…)` occur."""
    background: bool
    """Whether something keeps running: `&`, `coproc`, `nohup`, `setsid`."""

    @property
    def programs(self) -> frozenset[str]:
        """Names of all programs. One that is called by a path outside the system's own directories is
        listed twice, by name and by path, so that `./ls` is neither overlooked nor mistaken for `ls`."""
        names = {command.name for command in self.commands}
        return frozenset(names | {c.program for c in self.commands if not _is_standard(c.program, c.name)})


_STANDARD = (
    "/bin/",
    "/usr/bin/",
    "/usr/local/bin/",
    "/sbin/",
    "/usr/sbin/",
    "/usr/local/sbin/",
    "/opt/homebrew/bin/",
)


def _is_standard(program: str, name: str) -> bool:
    return program == name or any(program == directory + name for directory in _STANDARD)


@remembered
def parse_shell(text: str) -> Shell:
    """Read a command line or script. Raises `Ambiguous` when it is not certain which programs run."""
    require_bounded(text, MAX_LONG)
    require_visible(text, allowed="\n\t")
    from guardrails.canonical.shell_reader import Reader

    reader = Reader(text)
    reader.read_script(text)
    reader.require_no_redefinition()
    if not reader.commands and not text.strip():
        raise ambiguous(text, "holds no command")
    return Shell(
        text,
        commands=tuple(reader.commands),
        redirects=frozenset(reader.redirects),
        reads=frozenset(reader.reads),
        has_substitution=reader.has_substitution,
        background=reader.background,
    )
