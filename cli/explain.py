"""`guard explain`: the page of a rule, or why a decision came out as it did."""

from __future__ import annotations

import click

from guardrails.diagnostics import did_you_mean

from . import exits
from .problems import usage


@click.command(
    "explain",
    context_settings={"ignore_unknown_options": True},
)
@click.option(
    "--decision", is_flag=True, help="Explain the decision of `guard check` with the arguments that follow."
)
@click.argument(
    "words", nargs=-1, type=click.UNPROCESSED, metavar="RULE | --decision POLICY... [EVENT OPTIONS]"
)
def command(words: tuple[str, ...], *, decision: bool) -> int:
    """Explain RULE: what it finds, why that matters, and what to write instead. Without one, list all rules.

    With --decision, explain why an event is decided as it is: every statement that speaks of the tool,
    whether it applied, and the values that it read. The arguments are those of `guard check`:

    \b
      guard explain --decision policy.guard --call issue_refund --args '{"amount": 400}'
    """
    if decision:
        from .explain_decision import explain_decision

        return explain_decision(list(words))
    if len(words) > 1:
        raise usage("one rule is explained at a time")
    return _page(words[0]) if words else _list()


def _page(name: str) -> int:
    from guardrails.lint import page, page_names

    if name not in page_names():
        near = did_you_mean(name, page_names())
        raise usage(f"there is no rule `{name}`", near or "`guard explain` lists the rules")
    click.echo(page(name).rstrip("\n"))
    return exits.ALLOW


def _list() -> int:
    from guardrails.lint import page_names

    click.echo("\n".join(sorted(page_names())))
    return exits.ALLOW
