"""`cota retry`: let a board try again what it gave up."""

from typing import Any

import click

from cota.cli.common import connected, count, json_option, profile_option, say, server_option, tell_json


@click.command(
    epilog="""\b
Examples:
  cota retry bench-1 bench-2
  cota retry --failed
  cota retry --failed --profile greenhouse --json
"""
)
@click.argument("devices", nargs=-1, metavar="[DEVICE]...", help="Names of devices.")
@server_option
@click.option("--failed", is_flag=True, help="Every device whose state is FAILED.")
@profile_option
@json_option
@click.pass_context
def command(context: click.Context, devices: tuple[str, ...], server: str | None, failed: bool, profile: str | None, as_json: bool) -> None:
    """Let boards try the assigned release once more, although they gave it up.

    Sets the shared attribute cota_retry to a text that it never had; a board sees it at its next poll. Mend the cause first: `cota status`
    names it.

    Exit code 0: all were told, also when none has failed. 1: a device does not exist, or could not be told.
    """
    from cota.thingsboard.telemetry import new_retry_mark

    if bool(devices) == failed:
        raise click.UsageError("Name devices, or say --failed.")
    if profile is not None and not failed:
        raise click.UsageError("--profile goes with --failed.")
    mark = new_retry_mark()
    outcomes: list[dict[str, Any]] = []
    with connected(server) as client:
        for name, device_id in _chosen(client, devices, profile):
            outcomes.append({"device": name, "retry": mark, "problem": _tell(client, device_id, mark)})
    for outcome in outcomes:
        if as_json:
            tell_json(outcome)
        if outcome["problem"]:
            say(f"{outcome['device']}: not told, {outcome['problem']}")
    told = [outcome for outcome in outcomes if not outcome["problem"]]
    say(f"Told {count(len(told), 'device')}: what was given up is tried again at the next poll." if outcomes else "No device has failed.")
    context.exit(0 if len(told) == len(outcomes) else 1)


def _chosen(client: Any, devices: tuple[str, ...], profile: str | None) -> list[tuple[str, str]]:
    from cota.thingsboard import id_of
    from cota.thingsboard.boards import board_of, boards_query

    if devices:
        return [(str(device["name"]), id_of(device)) for device in map(client.devices.need, dict.fromkeys(devices))]
    if profile is not None:
        client.profiles.need(profile)
    query = boards_query(None if profile is None else [profile], state="FAILED")
    boards = [board_of(member) for member in client.fleet.find(query)]
    # A device keeps FAILED after its release was taken away; there is nothing that it could try.
    return [(board.name, board.id) for board in boards if board.state == "FAILED"]


def _tell(client: Any, device_id: str, mark: str) -> str | None:
    from cota.thingsboard import ThingsBoardError

    try:
        client.telemetry.tell_to_retry(device_id, mark)
    except ThingsBoardError as error:
        if error.status != 404:
            raise
        return "it was deleted meanwhile"
    return None
