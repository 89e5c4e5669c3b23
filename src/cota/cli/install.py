"""`cota install`: prepare a board's drive."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cota.cli.common import count, server_option

if TYPE_CHECKING:
    from cota.drive.boot_out import BoardInfo
    from cota.drive.identity import Device
    from cota.drive.plan import Plan
    from cota.drive.target import Target

_WEB_PASSWORD = "COTA_WEB_PASSWORD"  # noqa: S105  (the name of a variable)
_PRESS_USB = "Eject the drive, then unplug the board and plug it in again (or press reset once). From then on the drive is the updater's."
_PRESS_WEB = "Press the board's reset button once, or switch it off and on."


@click.command(
    epilog="""\b
Examples:
  cota install                                     the one board that is plugged in; asks for what it lacks
  cota install /media/me/CIRCUITPY --dry-run       say what would be done, and do nothing
  cota install --profile weather-board --device roof   makes or finds its device, as `cota login` signed in
  cota install --token A1B2C3 --url http://192.168.1.20:8080 --set COTA_GIT_HOSTS=192.168.1.20:8080
  cota install --provision-key KEY --url https://thingsboard.cloud   the board makes its device; nobody signs in
  cota install --host cpy-a1b2c3.local             over the network, for a board without a USB drive
"""
)
@click.argument("drive", required=False, type=click.Path(path_type=Path, readable=False))
@click.option("--host", help="Write over the board's web workflow; its password: COTA_WEB_PASSWORD, or asked for.")
@click.option(
    "--wifi",
    "ssid",
    envvar="COTA_WIFI_SSID",
    metavar="NAME",
    help="The board's Wi-Fi network (COTA_WIFI_SSID); password: COTA_WIFI_PASSWORD.",
)
@server_option
@click.option("--url", help="ThingsBoard's address.  [default: COTA_URL, or where `cota login` signed in]")
@click.option("--board-url", help="ThingsBoard's address as the board reaches it, if that is another.")
@click.option("--token", help="The device's access token (COTA_DEVICE_TOKEN), if the device is there already.")
@click.option("--device", metavar="NAME", help="The device's name in ThingsBoard.  [default: board and chip number]")
@click.option("--profile", metavar="NAME", help="The device's profile.  [default: ThingsBoard's default profile]")
@click.option("--provision-key", metavar="KEY", help="The profile's provisioning key: the board's device is made without a sign-in.")
@click.option("--provision-secret", metavar="SECRET", help="Its secret; better in COTA_PROVISION_SECRET, or asked for.")
@click.option("--create-profile", is_flag=True, help="Make the profile if there is none of its name.")
@click.option("--set", "extra", multiple=True, metavar="KEY=VALUE", help="Another key of settings.toml; repeatable.")
@click.option("--replace-boot", is_flag=True, help="Replace a boot.py of your own; a copy stays in lib/.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: board, device, files, notes.")
def command(**given: Any) -> None:
    """Prepare a board: copy cOTA's files to its drive, fill in settings.toml, make its device in ThingsBoard.

    Your own files stay: your program, your other settings and their comments, your libraries. Everything that is written is read back and
    compared. If the cable comes out in the middle, run the same command again.

    The device is found or made as `cota login` signed in (COTA_API_KEY, or COTA_USERNAME and COTA_PASSWORD, win over it); or made by the
    board's profile, with --provision-key; or it is there already, with --token.

    Exit code 0: the drive is prepared. 1: this board or drive cannot be prepared as it is. 2: the command cannot run.
    """
    _Install(given).run()


class _Install:
    """One run of the command, with its options."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.given = given
        self.notes: list[str] = []
        if given["host"] and given["drive"]:
            raise click.UsageError("DRIVE and --host exclude each other.")
        if given["token"] and (given["device"] or given["profile"] or given["provision_key"]):
            raise click.UsageError(
                "--token means a device that is there already; --device, --profile and --provision-key find or make one."
            )
        if given["provision_key"] and given["profile"]:
            raise click.UsageError("--provision-key belongs to one profile, so it excludes --profile.")
        if given["provision_secret"] and not given["provision_key"] and not os.environ.get("COTA_PROVISION_KEY"):
            raise click.UsageError("--provision-secret goes with --provision-key.")
        if given["create_profile"] and not given["profile"]:
            raise click.UsageError("--create-profile goes with --profile.")
        self.extra = dict(_pair(text) for text in given["extra"])

    def run(self) -> None:
        from cota.cli.install_answers import Answers
        from cota.drive.answers import TOKEN
        from cota.drive.plan import Options, base_settings, make_plan
        from cota.drive.room import check_room
        from cota.drive.settings_file import SETTINGS, read_settings, unknown_keys
        from cota.drive.target import RefusedError
        from cota.drive.tree import device_tree, drive_files

        tree = drive_files(device_tree())
        with contextlib.ExitStack() as stack, self._target() as (target, board):
            self._say(f"Found {board.name}, CircuitPython {board.version}, at {target.name}.")
            if refusal := board.refusal():
                raise RefusedError(*refusal)
            self.notes += board.notes()
            target.check_writable()
            answers = Answers(self.given, read_settings(base_settings(target, "")).values, board, stack)
            settings = answers.wifi()
            maker = answers.maker()
            settings |= answers.server(maker) | self.extra
            self.notes += unknown_keys(self.extra, tree[SETTINGS].decode())
            options = Options(self.given["replace_boot"])
            plan = make_plan(target, tree, settings, options)
            self.notes += answers.notes + check_room(target, plan)
            device: Device | None = None
            if maker is not None and not self.given["dry_run"]:
                device = maker.make(target)
                self._say(device.said)
                plan = make_plan(target, tree, {**settings, TOKEN: device.token}, options)
            self.notes += plan.notes
            self._write(target, board, plan, device)

    @contextlib.contextmanager
    def _target(self) -> "Iterator[tuple[Target, BoardInfo]]":
        if self.given["host"]:
            from cota.cli.install_answers import ask
            from cota.drive.web import WebDrive

            password = os.environ.get(_WEB_PASSWORD)
            if password is None:
                password = ask(f"Password of {self.given['host']} (CIRCUITPY_WEB_API_PASSWORD)", _WEB_PASSWORD, hide=True)
            with WebDrive(self.given["host"], password) as web:
                yield web, web.board()
            return
        from cota.drive.find import choose_drive
        from cota.drive.folder import MountedDrive

        found = choose_drive(self.given["drive"])
        mounted = MountedDrive(found.path)
        try:
            yield mounted, found.board
        finally:
            mounted.close()

    def _write(self, target: "Target", board: "BoardInfo", plan: "Plan", device: "Device | None") -> None:
        from cota.drive.write import carry_out

        dry = self.given["dry_run"]
        written = 0
        if dry:
            for action in plan.changes:
                self._say(
                    f"  would {action.kind} {action.path} ({len(action.data):,} bytes): {action.why}"
                    if action.data
                    else f"  would {action.kind} {action.path}: {action.why}"
                )
        else:
            written = carry_out(target, plan, lambda action: self._say(f"  {_PAST[action.kind]} {action.path}"))
        for note in self.notes:
            self._say(f"Note: {note}")
        press = "" if dry or not plan.changes else _PRESS_USB if target.is_usb else _PRESS_WEB
        if self.given["as_json"]:
            click.echo(json.dumps(self._summary(target, board, plan, device, written, press)))
            return
        files = count(len(plan.changes), "file")
        if dry:
            click.echo(f"{files} would change on {target.name}; nothing was done.")
        elif not plan.changes:
            click.echo(f"{target.name} is prepared already; nothing was written.")
        else:
            click.echo(f"{target.name} is prepared: {files}, {written:,} bytes, all read back and right.")
            click.echo(press, err=True)
            click.echo("Then `cota doctor` follows the board to its server, and `cota publish` gives it a release.", err=True)

    def _summary(
        self, target: "Target", board: "BoardInfo", plan: "Plan", device: "Device | None", written: int, press: str
    ) -> dict[str, Any]:
        return {
            "drive": target.name,
            "board": {"id": board.board_id, "name": board.name, "circuitpython": board.version},
            "device": None if device is None else {"name": device.name, "profile": device.profile or None, "created": device.created},
            "files": [{"path": a.path, "action": a.kind, "bytes": len(a.data), "why": a.why} for a in plan.actions],
            "written": written,
            "dry_run": self.given["dry_run"],
            "notes": self.notes,
            "next": press,
        }

    def _say(self, text: str) -> None:
        if not self.given["as_json"]:
            click.echo(text, err=True)


_PAST = {"write": "wrote", "remove": "removed"}


def _pair(text: str) -> tuple[str, str]:
    key, mark, value = text.partition("=")
    if not mark or not key.replace("_", "a").isalnum() or not key.isascii():
        raise click.UsageError(f"--set takes KEY=VALUE, such as COTA_POLL_SECONDS=30; {key!r} came.")
    return key, value
