"""The commands of `guard` but the fast path of `check`: a click group that imports a command when it runs.

click's own mistakes (an unknown option, a missing argument) come out in the words and with the exit code of
all the others.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

import click

from guardrails.diagnostics import did_you_mean

from . import exits
from .groups import Lazy
from .problems import Stop, usage

COMMANDS = {
    "init": ("init", "Write a starter policy."),
    "lint": ("lint", "Find mistakes in policies."),
    "fmt": ("fmt", "Format policies."),
    "check": ("check_help", "Decide an event, or a stream of them."),
    "test": ("test", "Run the tests of policies."),
    "eval": ("eval", "Judge labelled examples, and notice a drop."),
    "replay": ("replay", "Decide recorded events, and review a change by them."),
    "explain": ("explain", "Explain a rule or a decision."),
    "scan": ("scan", "Show what the detectors see in a text."),
    "redact": ("redact", "Write a text without personal data and secrets."),
    "limits": ("limits", "Show how full limits and budgets are."),
    "serve": ("serve", "Serve decisions over HTTP."),
    "key": ("key", "Make a key for `guard serve`."),
    "halt": ("halt", "Stop agents, sessions or tools at once."),
    "resume": ("resume", "Let what was halted go on."),
    "halts": ("halts", "List what is halted, by whom and why."),
    "audit": ("audit", "Read, check and care for an audit log."),
    "approvals": ("approvals", "Show what waits for people, and answer it."),
    "hook": ("hook_help", "Answer a coding agent that is about to do something."),
    "mcp": ("mcp", "Stand between an MCP client and MCP servers."),
    "install": ("install", "Put guard's hooks into a coding agent's configuration."),
    "doctor": ("doctor", "Prove that coding agents are blocked on this machine."),
    "tools": ("tools", "Work with tool files."),
    "compile": ("compile", "Compile a policy ahead."),
    "completion": ("completion", "Print a completion script for a shell."),
    "version": ("version", "Show the version."),
}
"""Command -> the module here that holds it, as `command`, and what the list of commands says of it."""

NO_COMMAND: tuple[type[click.UsageError], ...] = tuple(
    [kind] if (kind := getattr(click.exceptions, "NoArgsIsHelpError", None)) else ()
)
"""A group without a command, which shows its help; before click 8.2 it did so by itself."""

EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {code:>3}  {text}" for code, text in exits.MEANINGS.items())


class Commands(Lazy):
    """The program's own commands."""

    table = COMMANDS


def _versions(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - as click calls it
    if wanted and not ctx.resilient_parsing:
        from .version import line

        click.echo(line())
        ctx.exit()


@click.group(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_versions, help="Show the version."
)
def guard() -> None:
    """Hold AI agents to hard limits: write a policy, lint it, decide with it."""


def run(words: Sequence[str]) -> int:
    """Run a command; gives the exit code."""
    if not words and "_GUARD_COMPLETE" not in os.environ:
        click.echo(guard.get_help(click.Context(guard, info_name="guard")), err=True)
        return exits.USAGE
    try:
        result = guard.main(list(words), prog_name="guard", standalone_mode=False)
    except NO_COMMAND as error:
        raise Stop(exits.USAGE, error.format_message()) from error
    except click.UsageError as error:
        raise _in_our_words(error, words) from error
    except click.Abort:
        return exits.INTERRUPTED
    except click.FileError as error:
        raise Stop(exits.IO, f"error: `{error.ui_filename}` cannot be used: {error.message}") from error
    return result if isinstance(result, int) else exits.ALLOW


def _in_our_words(error: click.UsageError, words: Sequence[str]) -> Stop:
    command = error.ctx.command_path if error.ctx else _path_of(words)
    advice = f"`{command} --help` shows how it is used"
    if isinstance(error, click.NoSuchOption):
        known = (
            [name for parameter in error.ctx.command.params for name in parameter.opts] if error.ctx else []
        )
        near = did_you_mean(error.option_name, known)
        return usage(f"`{command}` has no option `{error.option_name}`", near or advice)
    message = re.sub(r"'([^']*)'", r"`\1`", error.format_message()).rstrip(".")
    message = _named(_on_one_line(message), error)
    return usage(f"`{command}`: {message[:1].lower()}{message[1:]}", advice)


def _path_of(words: Sequence[str]) -> str:
    """The command that words are for, where click does not tell it: `guard approvals list`."""
    command: click.Command | None = guard
    path = "guard"
    for word in words:
        if not isinstance(command, click.Group):
            break
        command = command.get_command(click.Context(command), word)
        if command is None:
            break
        path += f" {word}"
    return path


def _on_one_line(message: str) -> str:
    """click lists what can be chosen below each other."""
    said, listed, choices = message.partition(". Choose from:")
    names = ", ".join("`{}`".format(each.rstrip(",")) for each in choices.split())
    return f"{said}, one of {names}" if listed else message


def _named(message: str, error: click.UsageError) -> str:
    """A choice by its name, and not once more by all that can be chosen."""
    name = getattr(getattr(error, "param", None), "name", None)
    return re.sub(r"`\{[^`]*\}`", lambda _: f"`{name.upper()}`", message) if name else message
