"""What stops a command: one message for the user, and the exit code that goes with it."""

from __future__ import annotations

from . import exits


class Stop(Exception):
    """Ends the command with `code`; `text` is what standard error shows, without a line end."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def usage(message: str, advice: str = "") -> Stop:
    """The command line is wrong."""
    return Stop(exits.USAGE, _worded(message, advice))


def malformed(message: str) -> Stop:
    """An event is not one."""
    return Stop(exits.DATA, _worded(message, ""))


def unreadable(path: str, error: OSError) -> Stop:
    """A file cannot be used; one that is not there was mistyped, which is a mistake of the command line."""
    if isinstance(error, FileNotFoundError):
        return usage(f"there is no file `{path}`", nearby(path))
    return Stop(exits.IO, _worded(f"`{path}` cannot be used: {(error.strerror or str(error)).lower()}", ""))


def nearby(path: str) -> str:
    """`did you mean ...?` for the file beside `path` that is most like it."""
    import os

    from guardrails.diagnostics import nearest_word

    folder, name = os.path.split(path)
    try:
        names = os.listdir(folder or ".")
    except OSError:
        return ""
    found = nearest_word(name, names)
    return f"did you mean `{os.path.join(folder, found)}`?" if found else ""


def _worded(message: str, advice: str) -> str:
    return f"error: {message}" + (f"\n  = help: {advice}" if advice else "")
