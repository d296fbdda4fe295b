"""`guard mcp`: the policy between an MCP client and MCP servers.

Standard output belongs to the protocol, so everything for people goes to standard error.
"""

from __future__ import annotations

import os
import sys
from itertools import pairwise
from shlex import join
from typing import TYPE_CHECKING, Any

import click

from guardrails.errors import GuardError, PolicyError, Unavailable

from . import exits
from .certificates import NAMES, tls_options, tls_settings
from .check_options import Request, parameter
from .options import door_options
from .policies import Policy
from .problems import Stop, usage
from .stores import check_prices, named_store, opened, own_store

if TYPE_CHECKING:
    from guardrails.gateway.hub import Plan
    from guardrails.gateway.links import Place
    from guardrails.guard import Guard
    from guardrails.runtime.program import Program
    from guardrails.state import State


SECONDS = 1.0
"""How often the files of the policy are looked at."""


class Serving(click.Command):
    """What stands after `--` is the server's own command line."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        _check_dashes(args)
        if "--" in args:
            at = args.index("--")
            ctx.meta["server"] = tuple(args[at + 1 :])
            args = args[:at]
        return super().parse_args(ctx, args)


def _check_dashes(args: list[str]) -> None:
    """Stop for a server's command line without the `--` before it: its options would be taken for ours."""
    if "--" in args or any(each.partition("=")[0] in ("--config", "-h", "--help") for each in args):
        return
    for at, (before, word) in enumerate(pairwise(args), 1):
        if before.endswith(".guard") and not word.endswith(".guard") and not word.startswith("-"):
            whole = join(["guard", "mcp", *args[:at], "--", *args[at:]])
            raise usage(
                f"`{word}` is no policy", f"if it is the server's command, put `--` before it: `{whole}`"
            )


@click.command("mcp", cls=Serving)
@click.argument("paths", nargs=-1, metavar="POLICY... [-- COMMAND ARGS...]", type=click.Path())
@click.option("--config", metavar="FILE", help="Servers, as MCP clients write them: `mcpServers` by name.")
@click.option(
    "--name", default="server", show_default=True, metavar="NAME", help="What COMMAND is called in policies."
)
@click.option(
    "--as",
    "pattern",
    metavar="PATTERN",
    help="What tools are called in policies; mcp.{server}.{tool} when left out.",
)
@click.option("--listen", metavar="ADDRESS", help="HOST:PORT for clients over HTTP, instead of this one.")
@click.option(
    "--keys", metavar="FILE", help="With --listen: who may call, as `guard key` writes it; else GUARD_KEYS."
)
@click.option(
    "--allow-host", "hosts", multiple=True, metavar="HOST", help="With --listen: a name it is reached by."
)
@click.option(
    "--allow-origin", "origins", multiple=True, metavar="ORIGIN", help="With --listen: pages that may call."
)
@tls_options
@click.option("--principal", metavar="JSON", help="Whom the agent works for.")
@click.option("--agent", metavar="JSON", help="The agent.")
@click.option("--session", metavar="ID", help="The policy's session; a new one when left out.")
@click.option(
    "--present",
    multiple=True,
    metavar="GROUP",
    help="A group of reviewers that the person at the client belongs to; may be repeated.",
)
@click.option("--accept-changes", is_flag=True, help="Pin tools as they are now, whatever they were.")
@click.option(
    "--timeout",
    type=click.FloatRange(0, 86_400, min_open=True),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a server may take to answer.",
)
@click.option("--no-watch", is_flag=True, help="Keep the policy as it is, also when its files change.")
@door_options
@click.pass_context
def serving(ctx: click.Context, /, paths: tuple[str, ...], **options: Any) -> int:
    """Stand between an MCP client and MCP servers, and hold every call and result to a policy.

    \b
      guard mcp team.guard --name git -- uvx mcp-server-git --repository .
      guard mcp team.guard --config servers.json --present owner
      guard mcp team.guard --config servers.json --listen 127.0.0.1:8811
      guard mcp team.guard --config servers.json --listen 0.0.0.0:8811 --keys keys.json \\
        --tls-cert cert.pem --tls-key key.pem
      guard mcp pins list

    A client starts this command where it would have started the server. Tools are `mcp.NAME.TOOL` in the policy, and
    closed unless it allows them. What a tool was when it was first seen is pinned: `guard mcp pins` shows and accepts
    changes.
    """
    if not paths and os.environ.get("GUARD_POLICY"):
        paths = (os.environ["GUARD_POLICY"],)
    if not paths:
        raise usage("a policy file is needed", "such as `guard mcp policy.guard -- uvx mcp-server-git`")
    _check_listening(options)
    try:
        options["dashed"] = "server" in ctx.meta
        return _served(_plan(options, ctx.meta.get("server", ())), paths, options)
    except PolicyError as error:
        raise Stop(exits.POLICY, str(error)) from error
    except GuardError as error:
        raise Stop(exits.IO, f"error: {error}") from error


class Mcp(click.Command):
    """`guard mcp pins ...`, or `guard mcp POLICY ...`."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if args[:1] == ["pins"]:
            from .mcp_pins import command as pins

            return pins.make_context(f"{info_name} pins", args[1:], parent, **extra)
        return serving.make_context(info_name, args, parent, **extra)


command = Mcp("mcp", help=serving.help, params=serving.params)


OF_LISTENING = ("keys", "hosts", "origins", *NAMES)


def _check_listening(options: dict[str, Any]) -> None:
    """What protects an address protects nothing where none is listened on; that must not go unnoticed."""
    idle = [each for each in OF_LISTENING if options[each]] if options["listen"] is None else []
    if idle:
        words = {"hosts": "--allow-host", "origins": "--allow-origin"}
        named = words.get(idle[0], f"--{idle[0].replace('_', '-')}")
        raise usage(f"`{named}` is for clients over HTTP, so it goes with `--listen ADDRESS`")


def _served(plan: Plan, paths: tuple[str, ...], options: dict[str, Any]) -> int:
    from guardrails.gateway.hub import Hub
    from guardrails.gateway.reloading import SaidWatch

    guard = _guard(paths, options)
    watching = None if options["no_watch"] else SaidWatch(guard, SECONDS)
    try:
        if options["listen"] is not None:
            return _listened(guard, plan, options)
        from guardrails.gateway.pumping import run

        run(Hub(guard, plan))
        return exits.ALLOW
    finally:
        if watching is not None:
            watching.stop()
        if guard.audit is not None:
            guard.audit.close()


def _listened(guard: Guard, plan: Plan, options: dict[str, Any]) -> int:
    from guardrails.gateway.http.server import Serving as HttpServing
    from guardrails.gateway.http.serving import HttpPlan, serve_http
    from guardrails.gateway.hub import Hub
    from guardrails.server.binding import AddressError, address_of

    try:
        address = address_of(options["listen"])
    except AddressError as error:
        raise usage(str(error)) from error
    hub = Hub(guard, plan)
    http = HttpPlan(
        lambda: hub,
        address,
        options["keys"] or os.environ.get("GUARD_KEYS") or None,
        options["hosts"],
        options["origins"],
        HttpServing(base=hub.who(), limits=plan.limits),
        tls=tls_settings(options),
        reload=lambda: _reload(guard),
    )
    return serve_http(http)


def _reload(guard: Guard) -> None:
    guard.reload()


# --- what is asked for -------------------------------------------------------------------------


def _plan(options: dict[str, Any], server: tuple[str, ...]) -> Plan:
    from guardrails.gateway.hub import Plan
    from guardrails.gateway.links import Limits
    from guardrails.gateway.naming import PATTERN, Naming, NamingError

    places = _places(options, server)
    pattern = options["pattern"] or PATTERN
    try:
        Naming([place.name for place in places], pattern)
    except NamingError as error:
        raise usage(str(error)) from error
    return Plan(
        places,
        pattern,
        options["present"],
        # A client over HTTP may be a program of anybody's, which would fill the form by itself.
        anybody=options["listen"] is None or bool(options["present"]),
        principal=_record(options, "principal"),
        agent=_record(options, "agent"),
        session=options["session"] or "",
        accepts_changes=options["accept_changes"],
        limits=Limits(answering=options["timeout"]),
    )


def _places(options: dict[str, Any], server: tuple[str, ...]) -> tuple[Place, ...]:
    from guardrails.gateway.configuration import ConfigurationError, read_places
    from guardrails.gateway.links import Local

    if server == () and options["dashed"] and options["config"] is None:
        raise usage("no command stands after `--`", "such as `guard mcp policy.guard -- uvx mcp-server-git`")
    if (options["config"] is not None) == bool(server):
        raise usage(
            "the servers are named once: after `--`, or in a file",
            "`guard mcp POLICY -- COMMAND ARGS...`, or `guard mcp POLICY --config servers.json`",
        )
    if server:
        return (Local(options["name"], server[0], server[1:]),)
    try:
        return read_places(options["config"])
    except ConfigurationError as error:
        raise Stop(exits.DATA, f"error: {error}") from error


def _record(options: dict[str, Any], name: str) -> dict[str, Any]:
    if options[name] is None:
        return {}
    from .json_values import option_value

    value = option_value(options[name], name)
    if value.__class__ is not dict:
        raise usage(f"`--{name}` is a JSON object")
    return dict(value)


def _note_silence(state: State) -> None:
    """Tell of a store that does not answer. The gateway starts all the same, and refuses everything until it does."""
    try:
        state.store.halts(now=0)
    except Unavailable as error:
        sys.stderr.write(
            f"guard mcp: the store does not answer, and calls are refused until it does: {error}\n"
        )


def _note_deaf(program: Program, options: dict[str, Any]) -> None:
    """Tell where the policy asks for people whom nobody has named: every such call would wait for ever."""
    if options["present"] or options["reviewers"] or os.environ.get("GUARD_REVIEWERS"):
        return
    asked = sorted({name for _, _, names in program.head["asked"] for name in names})
    if asked:
        named = ", ".join(f"`{name}`" for name in asked)
        sys.stderr.write(
            f"guard mcp: the policy asks {named}, and nobody could answer: name people with `--reviewers FILE`, or with "
            "`--present GROUP` what the person at the client belongs to\n"
        )


def _guard(paths: tuple[str, ...], options: dict[str, Any]) -> Guard:
    """The guard. It always has a store: pins and requests are there, and so is what other processes halt."""
    from guardrails.guard import Guard, Source

    request = Request()
    request.paths[:] = paths
    request.params.update(map(parameter, options["params"]))
    request.modules[:] = options["modules"]
    policy = Policy(request)
    policy.keep()
    state = opened(named_store(options["store"]) or own_store(), options["prices"])
    check_prices(state)
    _note_silence(state)
    _note_deaf(policy.program, options)
    source = Source(policy.paths, policy.params, policy.functions)
    guard = Guard(policy.program, source=source, state=state, reviewers=options["reviewers"])
    guard.write_to(options["audit"])
    if os.environ.get("GUARD_TELEMETRY"):
        from guardrails.telemetry import instrument

        instrument(guard, os.environ["GUARD_TELEMETRY"])
    return guard
