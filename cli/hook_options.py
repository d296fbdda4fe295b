"""The options of `guard hook`: one table for the parser on the cold path, and for the help of click."""

from __future__ import annotations

from .check_options import OPTIONS as CHECKED
from .check_options import Request, parameter
from .problems import usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

OPTIONS = {
    "root": ("DIR", "The project's folder; else what the host says, else the current folder."),
    "present": ("GROUP", "A group of reviewers that the person at the host belongs to; may be repeated."),
    "principal": CHECKED["principal"],
    "agent": ("JSON", 'The agent; {"id": HOST} when left out.'),
    "store": ("URL", "Where limits, sessions and halts are kept; this user's own SQLite file when left out."),
    "audit": ("URL", "The log that the decision is written to before the host is told."),
    "prices": CHECKED["prices"],
    "timeout": ("SECONDS", "How long deciding may take before the call is blocked; 8 when left out."),
    "param": CHECKED["param"],
    "functions": CHECKED["functions"],
}
"""Option -> what it takes, and what it is for."""

REPEATED = ("param", "functions", "present")


class HookRequest(Request):
    """A command line that was understood; `present` are the groups of the person at the host."""

    __slots__ = ("host", "present")

    def __init__(self, host: str) -> None:
        super().__init__()
        self.host = host
        self.present: list[str] = []


def parse(words: list[str]) -> HookRequest:
    """The request of the words after `guard hook`. Stops with a usage error."""
    request = HookRequest(words[0] if words else "")
    for name, text in _pairs(words[1:]):
        if name == "":
            request.paths.append(text)
        elif name == "param":
            request.params.update([parameter(text)])
        elif name == "functions":
            request.modules.append(text)
        elif name == "present":
            request.present.append(text)
        elif name in request.values:
            raise usage(f"`--{name}` is given twice")
        else:
            request.values[name] = text
    return request


def _pairs(words: list[str]) -> Iterator[tuple[str, str]]:
    left = iter(words)
    for word in left:
        if not word.startswith("-"):
            yield "", word
            continue
        name, equals, text = word.removeprefix("--").partition("=")
        if name not in OPTIONS or not word.startswith("--"):
            raise usage(f"`guard hook` has no option `{word.partition('=')[0]}`")
        value = text if equals else next(left, None)
        if value is None:
            raise usage(f"`--{name}` needs a value: {OPTIONS[name][0]}")
        yield name, value
