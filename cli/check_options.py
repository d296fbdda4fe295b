"""The options of `guard check`: one table for the parser here and for the help and completion of click.

The parser is written by hand, because the ones there are cost more to import than a decision costs.
"""

from __future__ import annotations

from os import fsencode

from .problems import usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

OPTIONS = {
    "call": ("TOOL", "The tool that is about to run, or with --result did run."),
    "args": ("JSON", "The arguments of the call."),
    "result": ("JSON", "What the tool gave back."),
    "input": ("TEXT", "A text that goes into the model."),
    "output": ("TEXT", "A text that leaves for a person."),
    "events": ("FILE", "Decide the events of a JSONL file (`-`: standard input), one decision a line."),
    "principal": ("JSON", "Whom the agent works for."),
    "agent": ("JSON", "The agent."),
    "session": ("ID", "The session; without one, what is counted by session cannot be."),
    "store": ("URL", "Where limits, sessions and halts are kept: memory:, sqlite:///path or redis://host."),
    "audit": (
        "URL",
        "The log that the decision is written to before it is told, such as file:///var/log/guard.",
    ),
    "prices": ("FILE", "The price table for budgets of cost."),
    "time": ("TIME", "When it happens, such as 2026-01-31T12:00:00Z; now when left out."),
    "param": ("NAME=VALUE", "Set a parameter of the policy; may be repeated."),
    "functions": ("MODULE", "Import a Python module that registers functions of the host; may be repeated."),
    "format": ("text|json", "For people, or as JSON."),
    "fail-on": ("deny|ask", "With --events: exit with the strictest outcome's code, from this one up."),
}
"""Option -> what it takes, and what it is for."""

CHOICES = {"format": ("text", "json"), "fail-on": ("deny", "ask")}
REPEATED = ("param", "functions")

HELP = "`guard check --help` lists the options"


class Request:
    """A command line that was understood: policy files, the texts of the options, parameters of the policy,
    and the modules with functions of the host."""

    __slots__ = ("modules", "params", "paths", "values")

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.values: dict[str, str] = {}
        self.params: dict[str, str] = {}
        self.modules: list[str] = []

    def get(self, name: str) -> str | None:
        return self.values.get(name)


def parse(words: list[str]) -> Request:
    """The request of a command line. Stops with a usage error."""
    request = Request()
    for name, text in _pairs(words):
        _check_text(name, text)
        if name == "":
            request.paths.append(text)
        elif name == "param":
            request.params.update([parameter(text)])
        elif name == "functions":
            request.modules.append(text)
        elif name in request.values:
            raise usage(f"`--{name}` is given twice")
        else:
            request.values[name] = _chosen(name, text)
    return request


def _check_text(name: str, text: str) -> None:
    """Bytes that are not UTF-8 come from the shell as surrogates; only the name of a file may hold them."""
    if "\x00" in text:
        raise usage("a null character stands on the command line")
    try:
        text.encode() if name else fsencode(text)
    except UnicodeEncodeError as error:
        raise usage(f"`--{name}` is not UTF-8 text" if name else "a file's name is not text") from error


def _pairs(words: list[str]) -> Iterator[tuple[str, str]]:
    """`(option, value)`, with an empty option for what is not one."""
    left = iter(words)
    for word in left:
        if word == "--":
            yield from (("", rest) for rest in left)
        elif not word.startswith("-") or word == "-":
            yield "", word
        else:
            name, equals, text = word.removeprefix("--").partition("=")
            _known(name, word)
            value = text if equals else next(left, None)
            if value is None:
                raise usage(f"`--{name}` needs a value: {OPTIONS[name][0]}", HELP)
            yield name, value


def _known(name: str, word: str) -> None:
    if name in OPTIONS and word.startswith("--"):
        return
    from guardrails.diagnostics import did_you_mean

    shown = word.partition("=")[0]
    near = did_you_mean(shown, [f"--{option}" for option in OPTIONS])
    raise usage(f"`guard check` has no option `{shown}`", near or HELP)


def _chosen(name: str, text: str) -> str:
    choices = CHOICES.get(name)
    if choices and text not in choices:
        raise usage(f"`--{name}` is one of {', '.join(f'`{each}`' for each in choices)}, not `{text}`")
    return text


def parameter(text: str) -> tuple[str, str]:
    """`name=value` as the two. Stops with a usage error."""
    name, equals, value = text.partition("=")
    if not (name.isidentifier() and equals):
        raise usage(f"`--param` takes NAME=VALUE, such as `max_refund=250`, not `{text}`")
    return name, value
