"""`gate completion SHELL`: print the script that teaches a shell to complete `gate`."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "fish": FishComplete, "zsh": ZshComplete}


@click.command(name="completion")
@click.argument("shell", type=click.Choice(list(SHELLS)))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash:  eval "$(gate completion bash)"                              in ~/.bashrc
    zsh:   eval "$(gate completion zsh)"                               in ~/.zshrc
    fish:  gate completion fish > ~/.config/fish/completions/gate.fish
    """
    click.echo(SHELLS[shell](ctx.find_root().command, {}, "gate", "_GATE_COMPLETE").source(), nl=False)
