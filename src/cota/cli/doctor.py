"""`cota doctor`: find out why a board does not update."""

import json
import os
from dataclasses import asdict
from pathlib import Path

import click

from cota.cli.common import server_option

_MARKS = {"ok": "ok ", "wrong": "NO ", "not checked": " ? "}
_INDENT = " " * 16


@click.command(
    epilog="""\b
Examples:
  cota doctor                                      the board that is plugged in
  cota doctor /media/me/CIRCUITPY --device roof    its drive, and its device in ThingsBoard
  cota doctor roof                                 a device, wherever its board is
  cota doctor roof --json | jq .first
"""
)
@click.argument("what", metavar="[DRIVE|DEVICE]", required=False)
@click.option("--device", metavar="NAME", help="The device's name in ThingsBoard.  [default: found by the board's chip number or token]")
@server_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: ok, the first step that is wrong, and all steps.")
@click.pass_context
def command(context: click.Context, what: str | None, device: str | None, server: str | None, as_json: bool) -> None:
    """Walk the whole chain from a board's drive to its last report, and say the first thing that is wrong and how to mend it.

    The chain: the board, cOTA's files on its drive, settings.toml, Wi-Fi, the server's address, the server and its certificate, the
    device, its token, the package, the repository and its ref, the calls that the Git host still allows, and what the board said last.
    Nothing is changed anywhere, and no secret is shown.

    What `cota login` kept lets it look into ThingsBoard; without that some steps are not checked. Of several servers it is the one that the
    board's settings.toml names, else the one that every command uses.

    Exit code 0: nothing is wrong. 1: something is. 2: the command cannot run.
    """
    from cota.config import find_access, known_access
    from cota.doctor.examine import examine
    from cota.doctor.facts import Facts
    from cota.drive.answers import server_on
    from cota.drive.find import choose_drive
    from cota.drive.folder import MountedDrive
    from cota.drive.tree import device_tree, drive_files

    tree = drive_files(device_tree())
    is_drive = what is None or os.sep in what or Path(what).exists()
    if is_drive:
        found = choose_drive(None if what is None else Path(what))
        name = device or found.board.device_name
        drive = MountedDrive(found.path)
        access = known_access(server, near=server_on(drive))
        facts = Facts(drive, access, name, named=device is not None)
        steps = examine(facts, found.board, tree)
    else:
        if device is not None:
            raise click.UsageError("--device goes with a drive.")
        access = find_access(server)
        facts = Facts(None, access, what or "", named=True, server=access.url)
        steps = examine(facts, None, tree)
    first = next((step for step in steps if step.state == "wrong"), None)
    if as_json:
        told = [asdict(step) for step in steps]
        click.echo(json.dumps({"ok": first is None, "first": None if first is None else asdict(first), "steps": told}))
    else:
        told_hints: set[str] = set()  # one does for all steps that want the same
        for step in steps:
            click.echo(f"{_MARKS[step.state]} {step.name:<10}  {step.text}" + (" (not checked)" if step.state == "not checked" else ""))
            if step.state == "not checked" and step.hint and step.hint not in told_hints:
                told_hints.add(step.hint)
                click.echo(f"{_INDENT}{step.hint}")
            for note in step.notes:
                click.echo(f"{_INDENT}note: {note}")
        unchecked = sum(step.state == "not checked" for step in steps)
        if first is None:
            click.echo(f"Nothing is wrong{f'; {unchecked} steps were not checked' if unchecked else ''}.")
        else:
            click.echo(f"\nFirst: {first.name}. {first.text}\n{first.hint}")
    context.exit(0 if first is None else 1)
