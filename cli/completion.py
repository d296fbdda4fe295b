"""`guard completion`: what a shell needs to complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script that makes a shell complete guard's commands and options.

    \b
      bash:  guard completion bash > ~/.local/share/bash-completion/completions/guard
      zsh:   guard completion zsh > "${fpath[1]}/_guard"
      fish:  guard completion fish > ~/.config/fish/completions/guard.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None, "click knows all of SHELLS"
    completion = kind(ctx.find_root().command, {}, "guard", "_GUARD_COMPLETE")
    click.echo(completion.source_template % completion.source_vars())
