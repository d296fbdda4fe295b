"""The command line.

`guard check` stands in the path of every call of some agents, so it goes its own way from here, without
click and all that comes with it; everything else is an ordinary click command. Whatever happens, `main`
ends with one of the codes of `exits`, and with a traceback only for who asked for one.
"""

from __future__ import annotations

import sys

from . import exits
from .problems import Stop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command with the arguments after the program's name; gives the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    _write_anything()
    try:
        code = _run(words)
        sys.stdout.flush()
    except Stop as stop:
        _say(stop.text)
        return stop.code
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        return _without_reader()
    except OSError as error:
        _say(f"error: {(error.strerror or str(error)).lower()}")
        return exits.IO
    except Exception as error:
        return _internal(error)
    return code


def _run(words: list[str]) -> int:
    if words[:1] == ["check"] and not {"-h", "--help"} & set(words):
        from .check import check

        return check(words[1:])
    if words[:1] == ["hook"] and not {"-h", "--help"} & set(words):
        from .hook import hook

        return hook(words[1:])
    from .commands import run

    return run(words)


def _write_anything() -> None:
    """A message with a letter that the terminal does not know is shown with its code, not as a failure."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="backslashreplace")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _without_reader() -> int:
    """Whoever read our output is gone; keep the interpreter from complaining about it at its end."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return exits.IO


def _internal(error: Exception) -> int:
    import os

    if os.environ.get("GUARD_DEBUG") == "1":
        import traceback

        traceback.print_exception(error)
    _say(f"error: guard itself failed: {type(error).__name__}: {error}")
    _say("  = help: please report it; with GUARD_DEBUG=1 it says where")
    return exits.INTERNAL
