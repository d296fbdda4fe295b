"""`guard serve`: the policy as a server, for agents in other processes and other languages."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from guardrails.errors import GuardError, PolicyError, Unavailable

from . import exits
from .certificates import tls_options, tls_settings
from .check_options import Request, parameter
from .options import door_options
from .policies import Policy
from .problems import Stop, usage
from .stores import check_prices, state_of

if TYPE_CHECKING:
    from guardrails.guard import Guard
    from guardrails.state import State

HERE = "127.0.0.1:8181"


@click.command("serve")
@click.argument("paths", nargs=-1, metavar="POLICY...", type=click.Path())
@click.option(
    "--bind",
    "binds",
    multiple=True,
    metavar="ADDRESS",
    help=f"HOST:PORT or unix:PATH; else {HERE}. May be repeated.",
)
@click.option(
    "--frames", multiple=True, metavar="ADDRESS", help="unix:PATH for events as frames; may be repeated."
)
@click.option(
    "--keys", metavar="FILE", help="Who may call, as `guard key` writes it; else GUARD_KEYS names the file."
)
@tls_options
@click.option(
    "--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes that answer."
)
@click.option(
    "--threads", type=click.IntRange(1, 512), default=16, show_default=True, help="Threads of each of them."
)
@click.option(
    "--max-body",
    type=click.IntRange(1_000, 1_000_000_000),
    default=4_000_000,
    show_default=True,
    help="Bytes of a body.",
)
@click.option(
    "--url", default="", metavar="URL", help="How clients reach it, for documents that name addresses."
)
@click.option("--no-watch", is_flag=True, help="Reload on SIGHUP only, not when a file changes.")
@click.option("--metrics", is_flag=True, help="Count, and show the numbers at /metrics.")
@door_options
def command(paths: tuple[str, ...], binds: tuple[str, ...], frames: tuple[str, ...], **options: Any) -> int:
    """Serve decisions over HTTP: the native API, and the dialects of AuthZEN, OPA, Claude Code, LiteLLM, agentgateway
    and Envoy.

    \b
      guard serve support.guard
      guard serve support.guard --bind 0.0.0.0:8181 --keys keys.json --store redis://redis
      guard serve support.guard --bind unix:/run/guard.sock --frames unix:/run/guard-frames.sock

    Without --keys only this machine can reach it, and nobody can answer requests, halt or reload over it. SIGHUP loads
    policy and keys anew; SIGTERM finishes what is under way.
    """
    if not paths:
        raise usage("a policy file is needed", "such as `guard serve policy.guard`")
    request = Request()
    request.paths[:] = paths
    request.params.update(map(parameter, options["params"]))
    request.modules[:] = options["modules"]
    try:
        return _served(_Opening(request, options), binds or (HERE,), frames, options)
    except PolicyError as error:
        raise Stop(exits.POLICY, str(error)) from error
    except GuardError as error:
        raise Stop(exits.IO, f"error: {error}") from error


def _served(
    opening: _Opening, binds: tuple[str, ...], frames: tuple[str, ...], options: dict[str, Any]
) -> int:
    from guardrails.server.binding import AddressError, address_of
    from guardrails.server.service import Settings
    from guardrails.server.serving import Plan, serve

    try:
        addresses = tuple(map(address_of, binds))
        framed = tuple(map(address_of, frames))
    except AddressError as error:
        raise usage(str(error)) from error
    if any(not each.path for each in framed):
        raise usage("frames are for Unix sockets", "write `--frames unix:/run/guard-frames.sock`")
    workers = options["workers"]
    opening.check(workers)
    plan = Plan(
        opening.guard,
        addresses,
        framed,
        options["keys"] or os.environ.get("GUARD_KEYS") or None,
        Settings(most_body=options["max_body"], threads=options["threads"], address=options["url"]),
        workers,
        watch=None if options["no_watch"] else 1.0,
        tls=tls_settings(options),
    )
    return serve(plan)


def _note_silence(state: State | None) -> None:
    """Tell of a store that does not answer. The server starts all the same, and refuses what needs it until it does."""
    if state is None:
        return
    try:
        state.store.halts(now=0)
    except Unavailable as error:
        sys.stderr.write(f"guard serve: the store does not answer, and what needs it is refused: {error}\n")


class _Opening:
    """Opens the guard, once in every process that answers."""

    def __init__(self, request: Request, options: dict[str, Any]) -> None:
        self._request = request
        self._options = options
        self._policy = Policy(request)
        self._policy.keep()

    def check(self, workers: int) -> None:
        """Stop, before anything is served, for what could not be: in all workers it would be the same."""
        state = self._state()
        check_prices(state)
        needed = self._policy.program.head["stateful"]
        if (
            workers > 1
            and (needed or state is not None)
            and (state is None or state.url.startswith("memory:"))
        ):
            raise usage(
                "several workers need a store that they share",
                "name one with `--store`, or serve with one worker",
            )
        _note_silence(state)
        if workers > 1 and self._options["metrics"]:
            raise usage(
                "`--metrics` is for one worker: each would count for itself",
                "set GUARD_TELEMETRY=otlp, so that each of them exports its numbers",
            )

    def _state(self) -> Any:
        options = self._options
        needed = self._policy.program.head["stateful"] or options["workers"] > 1
        return state_of(options["store"], options["prices"], needed=needed)

    def guard(self) -> Guard:
        from guardrails.guard import Guard, Source

        options = self._options
        policy = self._policy
        source = Source(policy.paths, policy.params, policy.functions)
        guard = Guard(policy.program, source=source, state=self._state(), reviewers=options["reviewers"])
        guard.write_to(options["audit"])
        telemetry = "metrics" if options["metrics"] else os.environ.get("GUARD_TELEMETRY")
        if telemetry:
            from guardrails.telemetry import instrument

            instrument(guard, telemetry)
        return guard
