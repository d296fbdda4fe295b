"""Programs that run other programs: a program and its arguments → the command line inside.

The one idea: where the inner command starts depends on which options take a value, so each wrapper states
its options, and an option that is not stated makes the line ambiguous rather than shifting the reading.
"""

from __future__ import annotations

from guardrails.canonical.shell_words import Word
from guardrails.canonical.text import ambiguous

_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


class Wrapper:
    """The options of a wrapper: letters without and with a value, long names likewise (`--name` alone or
    followed by its value; `--name=value` is always fine), and how many operands precede the command.
    `attached` letters take a value only in the same word."""

    __slots__ = (
        "assignments",
        "attached",
        "flags",
        "long_flags",
        "long_values",
        "operands",
        "script",
        "values",
    )

    def __init__(
        self, flags: str = "", values: str = "", *, long: str = "", long_values: str = "", operands: int = 0,
        assignments: bool = False, script: bool = False, attached: str = "",
    ) -> None:  # fmt: skip
        self.flags = flags
        self.values = values
        self.long_flags = frozenset(long.split())
        self.long_values = frozenset(long_values.split())
        self.operands = operands
        self.assignments = assignments
        self.attached = attached
        self.script = script
        """Whether the rest is joined into a script instead of run as it is."""


WRAPPERS = {
    "env": Wrapper("i0v", "uC", long="ignore-environment null debug", long_values="unset chdir", assignments=True),
    "sudo": Wrapper(
        "nEHSbkKPABsi", "ugpCrtTUDRh", long="non-interactive preserve-env set-home stdin background",
        long_values="user group prompt chdir host", assignments=True,
    ),
    "doas": Wrapper("nL", "uC"),
    "pkexec": Wrapper(long="disable-internal-agent keep-cwd", long_values="user"),
    "gosu": Wrapper(operands=1),
    "su-exec": Wrapper(operands=1),
    "nohup": Wrapper(),
    "time": Wrapper("p", assignments=True),
    "gtime": Wrapper("pvaq", "fo", long="portability verbose append quiet", long_values="format output"),
    "nice": Wrapper("0123456789", "n", long_values="adjustment"),
    "ionice": Wrapper("t", "cn", long="ignore", long_values="class classdata"),
    "chrt": Wrapper("abdfiorR", "TPD", operands=1),
    "taskset": Wrapper("ac", operands=1),
    "timeout": Wrapper("vfp", "sk", long="preserve-status foreground verbose", long_values="signal kill-after", operands=1),
    "gtimeout": Wrapper("vfp", "sk", long="preserve-status foreground verbose", long_values="signal kill-after", operands=1),
    "stdbuf": Wrapper("", "ioe", long_values="input output error"),
    "unbuffer": Wrapper("p"),
    "setsid": Wrapper("cfw", long="ctty fork wait"),
    "chroot": Wrapper(operands=1),
    "flock": Wrapper("sexnuoFv", "wE", long="shared exclusive nonblock no-fork", long_values="timeout wait", operands=1),
    "caffeinate": Wrapper("disum", "tw"),
    "catchsegv": Wrapper(),
    "tini": Wrapper("sgvw", "pe"),
    "dumb-init": Wrapper("cv", "r"),
    "command": Wrapper("p"),
    "builtin": Wrapper(),
    "exec": Wrapper("cl", "a"),
    "coproc": Wrapper(assignments=True),
    "busybox": Wrapper(),
    "toybox": Wrapper(),
    "noglob": Wrapper(),
    "nocorrect": Wrapper(),
    "xargs": Wrapper(
        "0rtpxo", "nPLIdasER", attached="ile",
        long="null no-run-if-empty verbose interactive exit open-tty",
        long_values="max-args max-procs max-lines delimiter arg-file max-chars process-slot-var",
    ),
    "watch": Wrapper("dtbegcxp", "nq", long="differences no-title beep errexit chgexit color precise exec",
                     long_values="interval equexit", script=True),
    "ssh": Wrapper("46AaCfGgKkMNnqsTtVvXxYy", "BbcDEeIiJLlmOopQRSWw", operands=1, script=True),
}  # fmt: skip

SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "rbash"})
ALONE_IS_FINE = frozenset(
    {"env", "time", "nice", "exec", "busybox", "toybox", "xargs", "ionice", "command", "flock"}
)
"""Wrappers that without a command run nothing that a policy would not see."""
KEEP_RUNNING = frozenset({"coproc", "nohup", "setsid"})


def inner_words(wrapper: Wrapper, args: list[Word], line: str) -> tuple[list[Word], list[Word]]:
    """The assignments before the inner command, and its words."""
    assignments: list[Word] = []
    place = 0
    while place < len(args):
        word = args[place]
        if not word.literal:
            raise ambiguous(line, "computes where a wrapped command starts")
        if word.text == "--":
            place += 1
            break
        if wrapper.assignments and is_assignment(word.text):
            assignments.append(word)
            place += 1
        elif len(word.text) > 1 and word.text[0] == "-":
            place += _option_length(wrapper, word.text, line)
        else:
            break
    rest = _without_operands(wrapper, args[place:], line)
    while wrapper.assignments and rest and rest[0].literal and is_assignment(rest[0].text):
        assignments.append(rest.pop(0))
    return assignments, rest


def _without_operands(wrapper: Wrapper, rest: list[Word], line: str) -> list[Word]:
    if len(rest) < wrapper.operands or not all(word.literal for word in rest[: wrapper.operands]):
        raise ambiguous(line, "computes where a wrapped command starts")
    return rest[wrapper.operands :]


def _option_length(wrapper: Wrapper, option: str, line: str) -> int:
    """How many words an option takes with its value."""
    if option.startswith("--"):
        name, equals, _ = option[2:].partition("=")
        if name in wrapper.long_flags or (equals and name in wrapper.long_values):
            return 1
        if name in wrapper.long_values:
            return 2
        raise ambiguous(line, "has an option before a wrapped command that is not understood")
    for place, letter in enumerate(option[1:], 2):
        if letter in wrapper.values:
            return 2 if place == len(option) else 1
        if letter in wrapper.attached:
            return 1
        if letter not in wrapper.flags:
            raise ambiguous(line, "has an option before a wrapped command that is not understood")
    return 1


def is_assignment(text: str) -> bool:
    name, equals, _ = text.partition("=")
    name = name.removesuffix("+")
    return bool(equals and name) and not name[0].isdigit() and _NAME.issuperset(name)


def shell_script(args: list[Word], line: str) -> Word | None:
    """The script of `sh -c script`; None for `sh file`. Raises `Ambiguous` when it comes from elsewhere."""
    inline, place = False, 0
    while place < len(args) and args[place].literal and args[place].text[:1] in ("-", "+"):
        option = args[place].text
        place += 1
        if option in ("-", "--"):
            break
        if option in ("--version", "--help"):
            return None
        if option.startswith("--") and option not in ("--login", "--norc", "--noprofile", "--posix"):
            raise ambiguous(line, "has a shell option that is not understood")
        if not option.startswith("--"):
            if "o" in option[1:-1].lower():
                raise ambiguous(line, "has a shell option that is not understood")
            inline = inline or "c" in option
            place += 1 if option[-1] in "oO" else 0
            if "s" in option:
                raise ambiguous(line, "runs a shell whose commands come from elsewhere")
    if place >= len(args):
        raise ambiguous(line, "runs a shell whose commands come from elsewhere")
    return args[place] if inline else None


def exec_clauses(args: list[Word], line: str) -> list[list[Word]]:
    """The commands that `find` runs: what stands between `-exec` and `;` or `+`."""
    found: list[list[Word]] = []
    place = 0
    while place < len(args):
        if args[place].text in ("-exec", "-execdir", "-ok", "-okdir"):
            end = next((i for i in range(place + 1, len(args)) if args[i].text in (";", "+")), None)
            if end is None:
                raise ambiguous(line, "has an `-exec` without an end")
            found.append(with_placeholder(args[place + 1 : end], "{}"))
            place = end
        place += 1
    return found


def with_placeholder(words: list[Word], placeholder: str) -> list[Word]:
    """`words` where each that contains `placeholder` counts as computed."""
    return [Word(w.text, literal=w.literal and placeholder not in w.text) for w in words]


def replaced_text(args: list[Word]) -> str:
    """What `xargs` replaces in the words of its command; empty when it only appends."""
    for place, word in enumerate(args):
        if word.text.startswith("-I"):
            following = args[place + 1].text if place + 1 < len(args) else ""
            return word.text[2:] or following
        if word.text.startswith(("-i", "--replace")):
            return (
                word.text.partition("=")[2] or word.text.removeprefix("-i").removeprefix("--replace") or "{}"
            )
    return ""
