"""Shell variables that change what runs: a name and a value → nothing, a refusal, or a command to read.

The one idea: assigning PATH changes the meaning of every word after it, so it is refused; assigning PAGER
names a program, which is listed like any other.
"""

from __future__ import annotations

from guardrails.canonical.text import ambiguous

_LOOKUP = frozenset(
    {
        "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS",
        "PATH", "IFS", "ENV", "BASH_ENV", "SHELLOPTS", "BASHOPTS", "PROMPT_COMMAND", "PS0", "PS1", "PS2", "PS4",
        "CDPATH", "FPATH", "ZDOTDIR", "GLOBIGNORE", "HOME", "SHELL", "LESSOPEN", "LESSCLOSE", "GCONV_PATH",
        "PYTHONPATH", "PYTHONSTARTUP", "PYTHONHOME", "PERL5LIB", "PERL5OPT", "PERLLIB", "PERL5DB", "RUBYLIB",
        "RUBYOPT", "NODE_OPTIONS", "NODE_PATH", "CLASSPATH", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "MAKEFLAGS",
        "GIT_EXEC_PATH", "GIT_CONFIG", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_COUNT",
        "GIT_CONFIG_PARAMETERS", "GIT_TEMPLATE_DIR", "GIT_DIR", "RUSTC_WRAPPER", "BASH_XTRACEFD", "HISTFILE",
    }
)  # fmt: skip
"""Variables that decide which program, library or start-up file a name leads to."""

_LOOKUP_PREFIXES = ("LD_", "DYLD_", "BASH_FUNC_", "GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_")

_PROGRAMS = frozenset(
    {
        "PAGER", "GIT_PAGER", "MANPAGER", "SYSTEMD_PAGER", "EDITOR", "VISUAL", "GIT_EDITOR",
        "GIT_SEQUENCE_EDITOR", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_EXTERNAL_DIFF", "GIT_PROXY_COMMAND",
        "GIT_ASKPASS", "SSH_ASKPASS", "SUDO_ASKPASS", "SUDO_EDITOR", "BROWSER", "RSYNC_RSH", "CVS_RSH",
    }
)  # fmt: skip
"""Variables whose value is a command that some program will run."""


def base_name(target: str) -> str:
    """The variable that `NAME=value`, `NAME+=value` or `NAME[0]` sets."""
    for end in ("=", "[", "+"):
        target = target.partition(end)[0]
    return target


def changes_lookup(name: str) -> bool:
    return name in _LOOKUP or name.startswith(_LOOKUP_PREFIXES)


def names_program(name: str) -> bool:
    return name in _PROGRAMS


def require_harmless(name: str, line: str) -> None:
    """Refuse setting a variable that changes what later words mean."""
    if changes_lookup(name):
        raise ambiguous(line, f"sets `{name[:40]}`, which changes what programs run")


def has_subscript(text: str) -> bool:
    """Whether quoted text holds `[$(…)]`, which the shell runs when it evaluates the name as a variable."""
    return "'" in text and "[" in text and ("$(" in text or "`" in text)
