"""The command `cota`: one module a command, imported only when it is called.

Exit codes: 0 done, 1 it ran and the answer is no, 2 usage or environment, 130 stopped by Ctrl-C. Data goes to stdout, talk to stderr.
"""

import importlib

import click

from cota import __version__
from cota.cli.text import printable
from cota.errors import CotaError

# Command -> its one-line help. The module cota.cli.<command> defines `command`; naming the help here keeps `cota --help`
# from importing every command's libraries.
COMMANDS = {
    "assign": "Give a release to devices.",
    "completion": "Let the shell complete commands and options.",
    "dashboard": "Put a dashboard of the fleet into ThingsBoard.",
    "delete": "Delete a package that nobody uses.",
    "demo": "Run a whole update on this machine: lab, simulated boards, a real Git repository.",
    "devices": "List the devices, and what is assigned to them.",
    "doctor": "Find out why a board does not update: from its drive to its last report.",
    "history": "Show what happened to a device.",
    "install": "Prepare a board: copy cOTA to its drive, fill in its settings, make its device.",
    "lab": "Serve a ThingsBoard-compatible and GitHub-compatible server on this machine.",
    "login": "Sign in to a ThingsBoard server, or to a lab.",
    "logout": "Forget how to sign in to a server.",
    "manifest": "Write the list of a release's files, for a plain web server.",
    "packages": "List what was published.",
    "publish": "Make a release of a commit, and give it to devices.",
    "retry": "Let boards try again what they gave up.",
    "rollout": "Give a release to a canary, and to the fleet when it works there.",
    "sim": "Run a rack of simulated boards against a server.",
    "status": "Show the fleet by release and state, and why a board failed.",
    "unassign": "Take a release away from devices.",
    "watch": "Show the fleet as it changes, or wait until an update is done.",
    "web": "Serve the page of the fleet for a server somewhere else.",
    "whoami": "Say which server is used, and as whom.",
}

_INTERRUPTED = 130  # as a shell tells of a program that SIGINT ended: 128 and the signal's number


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"cota.cli.{cmd_name}").command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            guess = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(error.message + guess, ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="cota")
def cli() -> None:
    """Over-the-air updates for CircuitPython boards, managed in ThingsBoard, from a Git repository."""


def main() -> None:
    """Run the command line and exit; whatever ends a command ends as one message and an exit code, without a traceback."""
    try:
        result = cli.main(prog_name="cota", standalone_mode=False)
    except CotaError as error:
        click.echo(f"cota: {printable(str(error))}", err=True)
        raise SystemExit(error.exit_code) from None
    except click.ClickException as error:
        error.show()
        raise SystemExit(error.exit_code) from None
    except click.Abort:
        click.echo("cota: stopped.", err=True)
        raise SystemExit(_INTERRUPTED) from None
    raise SystemExit(result if isinstance(result, int) else 0)
