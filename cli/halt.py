"""`guard halt`: stop everything, or one agent, principal, session or tool, for all who share the store."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click
from click.shell_completion import CompletionItem

from guardrails.language.literals import LiteralError, duration
from guardrails.listings import halt_as_json, moment
from guardrails.runtime.clock import SystemClock
from guardrails.runtime.switch import KINDS, checked_scope
from guardrails.stores.halts import Halt
from guardrails.strict_json import write_json

from . import exits
from .options import Decorator, format_option, store_option
from .problems import usage
from .stores import asked, opened, shared_store, shown
from .terminal import plain

SCOPES = ("all", *(f"{kind}:" for kind in KINDS))


def _completed(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(scope) for scope in SCOPES if scope.startswith(incomplete)]


scope_argument: Decorator = click.argument(
    "scope", default="all", metavar="[SCOPE]", shell_complete=_completed
)


@click.command("halt")
@scope_argument
@click.option("--by", "who", metavar="NAME", help="Who halts it; the user of this machine when left out.")
@click.option("--why", required=True, metavar="TEXT", help="Why; agents and people are told.")
@click.option(
    "--for", "lasting", metavar="DURATION", help="For how long, such as 30m or 2h; else until resumed."
)
@store_option
@format_option("text", "json")
def command(scope: str, who: str | None, why: str, lasting: str | None, store: str | None, form: str) -> int:
    """Stop agents at once.

    SCOPE is `all` (also when left out), `agent:ID`, `principal:ID`, `session:ID` or `tool:NAME`, where a `*` in
    NAME stands for any characters. Every process that shares the store denies all of it within 100 ms.

    \b
      guard halt --why "wrong prices since noon"
      guard halt "tool:payments.*" --why "the provider is down" --for 2h
    """
    now = SystemClock().now()
    until = None if lasting is None else now + _microseconds(lasting)
    halt = Halt(asked(lambda: checked_scope(scope)), who or _user(), _said(why), now, until)
    url = shared_store(store)
    state = opened(url)
    asked(lambda: state.halt(halt.scope, halt.who, halt.why, now=now, until=until))
    if form == "json":
        click.echo(write_json({"store": shown(url), "halt": halt_as_json(halt)}))
    else:
        click.echo(f"halted {halt_in_words(halt)} (in {shown(url)})")
    return exits.ALLOW


def _microseconds(text: str) -> int:
    try:
        found = duration(text)
    except (LiteralError, KeyError):
        found = 0
    if found <= 0:
        raise usage(f"`--for` takes a time such as `30m` or `2h`, not `{text}`")
    return found


def _said(why: str) -> str:
    if not why.strip():
        raise usage("`--why` needs a reason", "the agents and whoever looks later are told")
    return why


def _user() -> str:
    try:
        import pwd
    except ImportError:
        return os.environ.get("USERNAME") or _nobody()
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return _nobody()


def _nobody() -> str:
    raise usage("this user has no name", "say who halts it with `--by NAME`")


# --- halts in words and as data ----------------------------------------------------------------


def halts_in(url: str) -> tuple[Halt, ...]:
    """The halts in force in a store. Stops when it does not answer."""
    state = opened(url)
    return asked(lambda: state.store.halts(now=SystemClock().now()))


def halt_in_words(halt: Halt) -> str:
    until = "" if halt.until is None else f" until {moment(halt.until)}"
    return plain(f"`{halt.scope}` by {halt.who} since {moment(halt.since)}{until}: {halt.why}")


def scopes_of(halts: Sequence[Halt]) -> str:
    return ", ".join(f"`{plain(halt.scope)}`" for halt in halts)
