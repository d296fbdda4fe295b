"""`guard compile`: put the program of a policy into the cache, so that the first check is a fast one."""

from __future__ import annotations

import json
from time import perf_counter

import click

from guardrails.cache import CacheError, save_program

from . import exits
from .options import chosen, format_option, param_option
from .policies import load_or_stop
from .problems import Stop, usage


@click.command("compile")
@click.argument("paths", nargs=-1, metavar="POLICY...", type=click.Path())
@param_option
@format_option("text", "json")
def command(paths: tuple[str, ...], params: tuple[str, ...], form: str) -> int:
    """Load and compile a policy and keep the program in the cache.

    `guard check` with the same files and parameters, in the same folder, starts from it as long as no file
    changes. GUARD_CACHE names the cache's folder, or is `off`.
    """
    if not paths:
        raise usage("a policy file is needed", "such as `guard compile policy.guard`")
    settings = chosen(params)
    started = perf_counter()
    loaded = load_or_stop(paths, settings, {})
    assert loaded.program is not None, "it stops otherwise"
    try:
        where = save_program(paths, settings, loaded.program, loaded.sources.texts)
    except CacheError as error:
        raise Stop(exits.IO, f"error: {error}") from error
    seconds = perf_counter() - started
    report: dict[str, object] = {
        "program": where,
        "policy": loaded.program.digest,
        "units": len(loaded.program.units),
    }
    click.echo(json.dumps(report) if form == "json" else _sentence(report, seconds))
    return exits.ALLOW


def _sentence(report: dict[str, object], seconds: float) -> str:
    if report["program"] is None:
        return f"the policy loads ({report['policy']}); nothing is kept, because the cache is off"
    return (
        f"compiled {report['units']} units in {seconds:.2f} s: {report['program']}\npolicy {report['policy']}"
    )
