"""What a program runs in turn: its name and arguments → more commands for the reader.

The one idea: a program that takes a command or script is read through to it, or, where the command comes
from elsewhere (a pipe, a file, another machine's shell), the line is ambiguous.
"""

from __future__ import annotations

from guardrails.canonical.shell_variables import base_name, require_harmless
from guardrails.canonical.shell_words import Word
from guardrails.canonical.shell_wrappers import (
    ALONE_IS_FINE,
    KEEP_RUNNING,
    SHELLS,
    WRAPPERS,
    exec_clauses,
    inner_words,
    is_assignment,
    replaced_text,
    shell_script,
    with_placeholder,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from guardrails.canonical.shell_reader import Reader

_ASSIGNERS = frozenset(
    {
        "export", "declare", "typeset", "local", "readonly", "unset", "read", "printf", "getopts", "mapfile",
        "readarray", "let",
    }
)  # fmt: skip
_DECLARERS = frozenset({"declare", "typeset", "local"})
_INFORMING = {
    "command": frozenset({"-v", "-V", "-pv", "-pV"}),
    "sudo": frozenset({"-l", "-v", "-V", "-k", "-K", "--list", "--validate", "--version"}),
    "ssh": frozenset({"-V", "-Q"}),
    "env": frozenset({"--version", "--help"}),
    "xargs": frozenset({"--version", "--help"}),
    "busybox": frozenset({"--list", "--help"}),
}
"""First arguments with which a wrapper runs nothing."""


def read_inner(reader: Reader, name: str, args: list[Word], stdin: Word | None) -> None:
    """Hand to `reader` what the program `name` runs."""
    reader.background = reader.background or name in KEEP_RUNNING
    if name in _ASSIGNERS:
        _read_assigner(reader, name, args)
    if name in SHELLS:
        _read_shell(reader, args, stdin)
    elif name in WRAPPERS:
        _read_wrapper(reader, name, args)
    elif name in _PARTICULAR:
        _PARTICULAR[name](reader, name, args)


def _read_assigner(reader: Reader, name: str, args: list[Word]) -> None:
    if name != "printf" or any(word.text[:2] == "-v" for word in args):
        _read_test(reader, name, args)
    for word in args:
        if name in _DECLARERS and word.text[:1] == "-" and "n" in word.text:
            raise reader.refuse("makes a variable stand for another")
        if is_assignment(word.text):
            variable, _, value = word.text.partition("=")
            reader.assign(base_name(variable), Word(value, literal=word.literal))
        elif word.literal or name in ("printf", "let"):
            require_harmless(base_name(word.text), reader.line)
        else:
            raise reader.refuse("computes which variable it sets")


def _read_shell(reader: Reader, args: list[Word], stdin: Word | None) -> None:
    if stdin is not None and all(word.literal and word.text in ("-s", "-", "-e", "-x") for word in args):
        reader.read_inline(stdin)
        return
    script = shell_script(args, reader.line)
    if script is not None:
        reader.read_inline(script)


def _read_wrapper(reader: Reader, name: str, args: list[Word]) -> None:
    if args and args[0].text in _INFORMING.get(name, ()):
        return
    if name == "ssh":
        _require_plain_ssh(reader, args)
    wrapper = WRAPPERS[name]
    assignments, words = inner_words(wrapper, args, reader.line)
    for assignment in assignments:
        variable, _, value = assignment.text.partition("=")
        reader.assign(base_name(variable), Word(value))
    if name == "xargs" and (placeholder := replaced_text(args)):
        words = with_placeholder(words, placeholder)
    if not words:
        _require_fine_alone(reader, name)
    elif wrapper.script:
        _read_joined(reader, words[1:] if words[0].text == "--" else words)
    elif name == "flock" and words[0].text in ("-c", "--command") and len(words) == 2:
        reader.read_inline(words[1])
    else:
        reader.run(words)


def _require_fine_alone(reader: Reader, name: str) -> None:
    """A wrapper without a command; behind `xargs` its command comes from the input."""
    behind_xargs = any(command.name == "xargs" for command in reader.commands[:-1])
    if name not in ALONE_IS_FINE or behind_xargs:
        raise _from_elsewhere(reader, name)


def _from_elsewhere(reader: Reader, name: str) -> Exception:
    return reader.refuse(f"runs `{name[:40]}` with a command that comes from elsewhere")


def _read_joined(reader: Reader, words: list[Word]) -> None:
    reader.read_inline(Word(" ".join(w.text for w in words), literal=all(w.literal for w in words)))


def _require_plain_ssh(reader: Reader, args: list[Word]) -> None:
    for option in args:
        lowered = option.text.lower()
        if "command" in lowered and ("proxy" in lowered or "local" in lowered or "known" in lowered):
            raise reader.refuse("has an ssh option that runs a command")


def _read_eval(reader: Reader, name: str, args: list[Word]) -> None:
    _read_joined(reader, [word for word in args if word.text != "--"])


def _read_find(reader: Reader, name: str, args: list[Word]) -> None:
    if any(not word.literal and word.text[:1] in ("$", "`") for word in args):
        raise reader.refuse("gives `find` arguments that are computed")
    for clause in exec_clauses(args, reader.line):
        if not clause:
            raise reader.refuse("has an `-exec` without a command")
        reader.run(clause)
    for place, option in enumerate(args[:-1]):
        if option.text in ("-fprint", "-fprint0", "-fls", "-fprintf"):
            reader.redirects.add(args[place + 1].text)


_LOGIN = frozenset({"-", "-l", "--login"})


def _read_su(reader: Reader, name: str, args: list[Word]) -> None:
    """`su user -c script`."""
    options = [i for i, word in enumerate(args) if word.text[:1] == "-" and word.text not in _LOGIN]
    if len(options) != 1 or args[options[0]].text not in ("-c", "--command") or options[0] + 1 >= len(args):
        raise _from_elsewhere(reader, name)
    reader.read_inline(args[options[0] + 1])


def _read_trap(reader: Reader, name: str, args: list[Word]) -> None:
    words = [word for word in args if word.text not in ("--", "-p", "-l")]
    if len(words) > 1 and words[0].text not in ("-", ""):
        reader.read_inline(words[0])


def _read_alias(reader: Reader, name: str, args: list[Word]) -> None:
    for word in args:
        if not word.literal:
            raise reader.refuse("defines an alias that is computed")
        target, equals, value = word.text.partition("=")
        if equals:
            reader.defined.add(target)
            reader.read_script(value)


def _refuse_options(reader: Reader, name: str, args: list[Word]) -> None:
    """`hash -p`, `enable -f` and `mapfile -C` give a name or callback another meaning."""
    letters = _ALTERING[name]
    if any(not word.literal or (word.text[:1] == "-" and letters & set(word.text)) for word in args):
        raise reader.refuse(f"uses `{name}` with options that can change what runs")


_ALTERING = {"hash": {"p"}, "enable": {"f", "n", "d"}, "mapfile": {"C"}, "readarray": {"C"}}


def _read_test(reader: Reader, name: str, args: list[Word]) -> None:
    """`test -v 'a[$(x)]'` runs x."""
    if any(word.literal and "[" in word.text and ("$(" in word.text or "`" in word.text) for word in args):
        raise reader.refuse("evaluates a subscript that runs a command")


def _refuse(reader: Reader, name: str, args: list[Word]) -> None:
    raise reader.refuse(f"runs `{name[:40]}`, whose own command is not read")


_UNREAD = frozenset(
    {
        "parallel", "fc", "at", "batch", "unshare", "nsenter", "systemd-run", "script", "strace", "ltrace",
        "torsocks", "proxychains", "proxychains4", "firejail", "bwrap", "valgrind", "numactl", "cgexec", "runcon",
        "setpriv", "capsh", "fakeroot", "eatmydata", "faketime", "dbus-run-session", "xvfb-run", "rlwrap",
        "start-stop-daemon", "daemonize", "screen", "tmux", "expect", "socat", "fish", "csh", "tcsh", "entr",
    }
)  # fmt: skip
"""Programs that run others in ways that are not read here."""

_PARTICULAR: dict[str, Callable[[Reader, str, list[Word]], None]] = {
    "eval": _read_eval, "find": _read_find, "gfind": _read_find, "su": _read_su, "runuser": _read_su,
    "trap": _read_trap, "alias": _read_alias, "hash": _refuse_options, "enable": _refuse_options,
    "mapfile": _refuse_options, "readarray": _refuse_options, "test": _read_test,
    **dict.fromkeys(_UNREAD, _refuse),
}  # fmt: skip
