"""`cota status`: the fleet at a glance, and why a board failed."""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from cota.cli.common import connected, count, json_option, profile_option, say, server_option, tell_json
from cota.cli.text import one_line
from cota.errors import AnswerIsNoError

if TYPE_CHECKING:
    from cota.thingsboard import Client
    from cota.thingsboard.boards import Board

# Boards that are named one by one without being asked for.
_SHOWN = 20


@click.command(
    epilog="""\b
Examples:
  cota status
  cota status --profile greenhouse
  cota status --device bench-1 --device bench-2
  cota status --json | jq -r 'select(.state == "FAILED") | [.device, .error] | @tsv'
"""
)
@server_option
@profile_option
@click.option("--device", "devices", metavar="NAME", multiple=True, help="Only this device; repeatable.")
@click.option("--all", "every", is_flag=True, help=f"List each device, and not only the first {_SHOWN} that need a look.")
@json_option
def command(server: str | None, profile: str | None, devices: tuple[str, ...], every: bool, as_json: bool) -> None:
    """Show the fleet by release and state, and every board that failed with what to do about it.

    The states are ThingsBoard's: QUEUED and INITIATED are the server's, the rest are the board's. NONE means that no release is assigned.

    With --json each device is one line. Exit code 0, whatever the boards' states are; 1: a device or profile does not exist.
    """
    from cota.thingsboard.boards import Board

    if profile is not None and devices:
        raise click.UsageError("--profile and --device exclude each other.")
    with connected(server) as client:
        boards: list[Board] = find_boards(client, profile, devices)
    if as_json:
        for board in boards:
            tell_json(board_line(board))
    elif boards:
        _show(boards, every or bool(devices))
    elif not devices:
        none = "There is no device yet" if profile is None else f"No device has the profile {profile!r} yet"
        say(f"{none}; `cota sim` or `cota install` brings one.")
    check_gone(boards, devices)


def find_boards(client: "Client", profile: str | None, devices: tuple[str, ...]) -> "list[Board]":
    """Read the boards that are meant: five thousand of them are five requests.

    Raises:
        AnswerIsNoError: A device or the profile does not exist.
    """
    from cota.thingsboard import id_of
    from cota.thingsboard.boards import board_of, boards_query

    if profile is not None:
        client.profiles.need(profile)
    ids = [id_of(client.devices.need(name)) for name in devices] if devices else None
    return [board_of(member) for member in client.fleet.find(boards_query(None if profile is None else [profile], ids))]


def gone_of(boards: "list[Board]", devices: tuple[str, ...]) -> list[str]:
    """Give the devices that were named and are not among the boards."""
    return sorted(set(devices) - {board.name for board in boards})


def check_gone(boards: "list[Board]", devices: tuple[str, ...]) -> None:
    """Fail where a device that was named is not among the boards.

    Raises:
        AnswerIsNoError: There is one; it was there when it was looked up.
    """
    if gone := gone_of(boards, devices):
        raise AnswerIsNoError(f"Deleted meanwhile: {', '.join(gone)}.", "`cota devices` lists those that are there.")


def board_line(board: "Board") -> dict[str, Any]:
    """Give a board as --json shows it."""
    from dataclasses import asdict

    from cota.cli.table import iso
    from cota.explain import explain

    found = explain(board.error)
    return {
        "device": board.name,
        "id": board.id,
        "profile": board.profile,
        "state": board.state,
        "percent": board.percent,
        "assigned": asdict(board.assigned) if board.assigned else None,
        "running": asdict(board.running) if board.running else None,
        "error": board.error or None,
        "code": found.code if found else None,
        "advice": found.advice if found else None,
        "changed": iso(board.changed),
        "active": board.active,
        "last_seen": iso(board.last_seen),
    }


def _show(boards: "list[Board]", every: bool) -> None:
    from cota.cli.table import ago, print_table
    from cota.thingsboard.boards import tally

    rows = []
    for release, states in tally(boards):
        rows += [(str(release) if release else "(none)", state, number) for state, number in states.items()]
    print_table(("RELEASE", "STATE", "DEVICES"), rows, state=1)
    # First what needs a hand, then what is on its way; a board that is where it should be needs no line.
    order = {"FAILED": 0}
    listed = boards if every else [board for board in boards if board.error or board.state not in ("UPDATED", "NONE")]
    listed = sorted(listed, key=lambda board: (order.get(board.state, 1), not board.error, board.name.lower()))
    shown = listed if every else listed[:_SHOWN]
    if shown:
        now = time.time_ns() // 1_000_000
        click.echo()
        print_table(
            ("DEVICE", "STATE", "%", "ASSIGNED", "RUNNING", "LAST SEEN", "ERROR"),
            [(b.name, b.state, b.percent, b.assigned, b.running, ago(b.last_seen, now), b.error) for b in shown],
            state=1,
        )
    if len(shown) < len(listed):
        say(f"and {count(len(listed) - len(shown), 'more device')}; --all lists them.")
    explain_errors(board.error for board in shown)


def explain_errors(errors: Iterable[str]) -> None:
    """Say once for each error code of boards what to do about it."""
    from cota.explain import explain

    told = {found.code: found.advice for error in errors if (found := explain(error)) is not None}
    if told:
        click.echo()
    for code, advice in told.items():
        click.echo(f"{code}: {one_line(advice)}")
