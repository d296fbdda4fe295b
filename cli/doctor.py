"""`guard doctor`: proves that the agents of this machine are blocked, and says where they are not."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from guardrails.errors import EvaluationError
from guardrails.integrations.doctoring import Finding, as_json, examined
from guardrails.integrations.hosts import HOSTS, host_named

from . import exits
from .options import format_option
from .problems import usage

MARKS = {"ok": "ok     ", "note": "note   ", "warning": "warning", "problem": "PROBLEM"}


@click.command("doctor")
@click.argument("hosts", nargs=-1, type=click.Choice(list(HOSTS)), metavar="[HOST]...")
@click.option(
    "--agent",
    "agents",
    multiple=True,
    metavar="MODULE:NAME",
    help="Tell which tools of an agent in Python are checked.",
)
@click.option(
    "--mcp",
    "files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="Tell which MCP servers of a client's configuration go through `guard mcp`.",
)
@format_option("text", "json")
def command(hosts: tuple[str, ...], agents: tuple[str, ...], files: tuple[str, ...], form: str) -> int:
    """Prove that coding agents are blocked on this machine.

    For every host that guard is installed in, for this project or for the user, the hook's own command is run with a
    recorded call that no policy allows. It also finds hooks that fail open, run twice, are not trusted or turned
    off, old versions, and tools and MCP servers that no hook sees.

    With --agent, the tools of an agent of a framework (LangGraph, OpenAI Agents, Pydantic AI, ...) are listed instead,
    as the object NAME of a module that is imported from here: those that guard's adapter checks, and those that
    nothing checks. With --mcp, the servers of an MCP client's configuration.

    Exits with 1 when there is a problem, or when no host is set up.
    """
    findings = [each for name in agents for each in _of_agent(name)]
    findings += [each for path in files for each in _of_configuration(path)]
    if hosts or not (agents or files):
        findings += examined(os.getcwd(), list(hosts) or list(HOSTS))
        findings += _absent(hosts, findings)
    if form == "json":
        click.echo(as_json(findings))
    else:
        _write(findings)
    is_sound = findings and not any(finding.level == "problem" for finding in findings)
    return exits.ALLOW if is_sound else exits.FINDINGS


def _absent(hosts: tuple[str, ...], findings: list[Finding]) -> list[Finding]:
    """Hosts that were asked about by name, and in which there is nothing: nothing is blocked there."""
    seen = {finding.host for finding in findings}
    return [
        Finding(
            host, "problem", "guard is not set up in it", f"`guard install {host} POLICY --write` does that"
        )
        for host in dict.fromkeys(hosts)
        if host not in seen
    ]


def _write(findings: list[Finding]) -> None:
    for host in dict.fromkeys(finding.host for finding in findings):
        click.echo(host_named(host).TITLE if host in HOSTS else host)
        for finding in findings:
            if finding.host == host:
                click.echo(f"  {MARKS[finding.level]}  {finding.text}")
                if finding.help:
                    click.echo(f"           help: {finding.help}")
    if not findings:
        click.echo("no coding agent is set up here; `guard install HOST POLICY --write` does that")


# --- agents in Python --------------------------------------------------------------------------


def _of_agent(name: str) -> list[Finding]:
    from guardrails.integrations.coverage import covered

    agent = _imported(name)
    try:
        tools = covered(agent)
    except EvaluationError as error:
        return [Finding(name, "problem", str(error), "wrap its tools with `session.tool`")]
    except ImportError as error:
        return [Finding(name, "problem", str(error))]
    if not tools:
        return [Finding(name, "note", "it has no tools")]
    return [
        Finding(name, "ok", f"`{each.tool}` is checked")
        if each.is_covered
        else Finding(name, "problem", f"`{each.tool}` is not checked: {each.why}")
        for each in tools
    ]


def _of_configuration(path: str) -> list[Finding]:
    from guardrails.gateway.coverage import covered
    from guardrails.integrations.installing import InstallError

    try:
        servers = list(covered(path))
    except (InstallError, OSError, ValueError) as error:
        return [Finding(path, "problem", str(error))]
    if not servers:
        return [Finding(path, "note", "it names no MCP server")]
    return [_of_server(path, each) for each in servers]


def _of_server(path: str, server: Any) -> Finding:
    if not server.through:
        help = "put `guard mcp POLICY --name NAME --` before its command, or name it in `--config`"
        return Finding(
            path, "problem", f"`{server.name}` goes around the gateway: nothing checks it here", help
        )
    if server.trouble:
        return Finding(path, "problem", f"`{server.name}` is a gateway that does not start: {server.trouble}")
    behind, policies = ", ".join(f"`{each}`" for each in server.behind), ", ".join(server.policies)
    return Finding(path, "ok", f"`{server.name}` is a gateway before {behind}, under {policies}")


def _imported(name: str) -> Any:
    """The object that `module:name` means. Stops with a usage error."""
    from importlib import import_module

    module, colon, path = name.partition(":")
    if not (module and colon and path):
        raise usage(f"`--agent` is MODULE:NAME, such as `app:agent`, not `{name}`")
    sys.path.insert(0, os.getcwd())
    try:
        found: Any = import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except KeyboardInterrupt:
        raise
    except (ImportError, AttributeError) as error:
        raise usage(f"`{name}` cannot be imported: {error}", _module_of(module, path)) from None
    except BaseException as error:  # it is somebody else's module, and may do anything, also `sys.exit`
        raise usage(f"`{name}` cannot be imported: {type(error).__name__}: {error}") from None
    finally:
        sys.path.remove(os.getcwd())
    return found


def _module_of(module: str, path: str) -> str:
    """What to write for a file that was named in place of its module."""
    if not module.endswith(".py"):
        return ""
    return f"did you mean `{module.removesuffix('.py').strip('./').replace('/', '.')}:{path}`?"
