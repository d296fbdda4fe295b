"""`guard tools import`: tool definitions in any of the known formats become a pinned tool file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping

import click

from guardrails.diagnostics import has_errors
from guardrails.language.schema import Tool, pin, read_tools
from guardrails.renderings import render_text

from . import exits
from .files import read_text, write_text
from .options import format_option
from .problems import Stop
from .terminal import is_colored


@click.group("tools")
def command() -> None:
    """Work with the files that describe an agent's tools."""


@command.command("import")
@click.argument("file", type=click.Path())
@click.option(
    "-o",
    "--output",
    type=click.Path(),
    metavar="OUT",
    help="The pinned file to write; standard output without it.",
)
@click.option(
    "--check",
    "pinned",
    type=click.Path(),
    metavar="PINNED",
    help="Compare with a pinned file, and write nothing.",
)
@format_option("text", "json")
def import_tools(file: str, output: str | None, pinned: str | None, form: str) -> int:
    """Pin tool definitions.

    FILE is an MCP server's answer to `tools/list`, or holds OpenAI's or Anthropic's tools. The pinned file has
    every definition with its digest. With --check the tools of FILE are compared with what was pinned before;
    a tool that is new, gone or changed makes the exit code 1.
    """
    if pinned is not None and output is not None:
        raise click.UsageError("--check compares and --output writes; give one of them")
    tools = _tools_of(file)
    if pinned is not None:
        return _compare(_tools_of(pinned), tools, form)
    text = pin(tools, "" if file == "-" else file)
    if output is None:
        click.echo(text, nl=False)
    else:
        write_text(output, text)
        click.echo(f"pinned {len(tools)} tool{'' if len(tools) == 1 else 's'} in {output}", err=True)
    return exits.ALLOW


def _tools_of(path: str) -> tuple[Tool, ...]:
    """The tools of a file. Stops when it is wrong."""
    text = read_text(path)
    tools, problems = read_tools(text, path)
    rendered = render_text(problems, {path: text}, color=is_colored(sys.stderr)).rstrip("\n")
    if has_errors(problems):
        raise Stop(exits.DATA, rendered)
    if rendered:
        click.echo(rendered, err=True)
    return tools


def _compare(before: Iterable[Tool], after: Iterable[Tool], form: str) -> int:
    changes = changes_between({tool.name: tool for tool in before}, {tool.name: tool for tool in after})
    if form == "json":
        click.echo(json.dumps(changes))
    else:
        lines = [
            f"{kind} {name}{_detail(parts)}"
            for kind, found in changes.items()
            for name, parts in found.items()
        ]
        click.echo("\n".join(lines) or "every tool is as it was pinned")
    return exits.FINDINGS if any(changes.values()) else exits.ALLOW


def changes_between(before: Mapping[str, Tool], after: Mapping[str, Tool]) -> dict[str, dict[str, list[str]]]:
    """What a change of tools means: the names that are new, gone and changed, these with the parts that are."""
    changed = [name for name in before if name in after and before[name].digest != after[name].digest]
    return {
        "new": {name: [] for name in sorted(after) if name not in before},
        "removed": {name: [] for name in sorted(before) if name not in after},
        "changed": {name: _changed_parts(before[name], after[name]) for name in sorted(changed)},
    }


def _changed_parts(before: Tool, after: Tool) -> list[str]:
    keys = sorted({*before.definition, *after.definition})
    return [key for key in keys if before.definition.get(key) != after.definition.get(key)]


def _detail(parts: list[str]) -> str:
    return f": {', '.join(parts)}" if parts else ""
