"""What the commands that talk to a server share: their options, the way to the server, and data on stdout."""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from cota.publish.check import Finding
    from cota.thingsboard import Client

# Findings that a person is shown, the worst; a folder that is no release has one for each of its files.
_SHOWN = 20

_Function = TypeVar("_Function", bound=Callable[..., Any])


def server_option(function: _Function) -> _Function:
    """Add `--server NAME`."""
    option = click.option(
        "--server",
        metavar="NAME",
        envvar="COTA_SERVER",
        shell_complete=_server_names,
        help="The server, by the name that `cota login` gave it.",
    )
    return option(function)


def _server_names(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    from cota.config import Book
    from cota.errors import CotaError

    try:
        return [name for name in sorted(Book.read().servers) if name.startswith(begun)]
    except CotaError:
        return []  # whoever presses Tab reads no error


def json_option(function: _Function) -> _Function:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout, and nothing else.")(function)


def profile_option(function: _Function) -> _Function:
    """Add `--profile P`, which narrows down."""
    return click.option("--profile", metavar="NAME", help="Only devices of this device profile.")(function)


def release_options(function: _Function) -> _Function:
    """Add the argument REF and `--repo`, `--folder`, `--title`, `--version`, which say what is released."""
    for add in (
        click.option("--version", help="The release's version.  [default: the commit's tag, else pyproject.toml's, else its day and id]"),
        click.option("--title", help="The release's title.  [default: the repository's name]"),
        click.option("--folder", default="", help="The release's folder in the repository.  [default: all of it]"),
        click.option("--repo", default=".", metavar="PATH_OR_URL", help="A Git repository on this machine, or its URL.  [default: here]"),
        click.argument("ref", required=False, help="Branch, tag or commit.  [default: HEAD]"),
    ):
        function = add(function)
    return function


def target_options(function: _Function) -> _Function:
    """Add `--profile P` and `--device D`, which say whom a release is for."""
    function = click.option("--device", "devices", metavar="NAME", multiple=True, help="One device; repeatable.")(function)
    return click.option("--profile", metavar="NAME", help="All devices of this device profile that have no package of their own.")(function)


@contextlib.contextmanager
def connected(server: str | None) -> "Iterator[Client]":
    """Open a client of the server that is meant; nothing is sent before its first call.

    Raises:
        CotaError: It is not known which, or how to sign in there.
    """
    from cota.config import find_access

    with find_access(server).client() as client:
        yield client


def tell_json(thing: Any) -> None:
    """Print one line of JSON on stdout."""
    click.echo(json.dumps(thing))


def say(text: str) -> None:
    """Tell a person something on stderr."""
    from cota.cli.text import printable

    click.echo(printable(text), err=True)


def count(number: int, noun: str) -> str:
    """Give a number with its noun: 1 device, 2 devices."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def tell_findings(findings: "Sequence[Finding]") -> None:
    """Say what a check found, the worst first."""
    for finding in findings[:_SHOWN]:
        say(str(finding))
    if len(findings) > _SHOWN:
        say(f"and {count(len(findings) - _SHOWN, 'more finding')}; --json lists them all. Is this the folder that boards get (--folder)?")
