"""`cota completion`: let the shell complete commands and options."""

import os
from pathlib import Path

import click

from cota.errors import CotaError

_SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_COTA_COMPLETE"  # what click derives from the command's name


@click.command(
    epilog="""\b
Examples:
  eval "$(cota completion bash)"                    for this shell; in ~/.bashrc for all
  eval "$(cota completion zsh)"                     in ~/.zshrc, after compinit
  cota completion fish > ~/.config/fish/completions/cota.fish
"""
)
@click.argument("shell", type=click.Choice(_SHELLS), required=False)
def command(shell: str | None) -> None:
    """Print what lets a shell complete commands, options and the names of servers; without a name for the shell that is in use (SHELL)."""
    from click.shell_completion import get_completion_class

    from cota.cli import cli

    name = shell or Path(os.environ.get("SHELL", "")).name
    kind = get_completion_class(name) if name in _SHELLS else None
    if kind is None:
        raise CotaError(f"{name or 'An unknown shell'} cannot be completed for.", f"Name one: {', '.join(_SHELLS)}.")
    click.echo(kind(cli, {}, "cota", _VARIABLE).source())
