"""`cota install`: prepare a board's drive."""

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cota.errors import CotaError

if TYPE_CHECKING:
    from cota.drive.boot_out import BoardInfo
    from cota.drive.identity import Device
    from cota.drive.plan import Plan
    from cota.drive.server import Access
    from cota.drive.target import Target
    from cota.thingsboard import Client

_WEB_PASSWORD, _WIFI_PASSWORD, _DEVICE_TOKEN = "COTA_WEB_PASSWORD", "COTA_WIFI_PASSWORD", "COTA_DEVICE_TOKEN"
_PLACEHOLDER = "x" * 20  # as long as a token of ThingsBoard's, for a plan before there is one
_SPARE = 96 * 1024  # bytes that a small release takes besides: the updater's store, and the new files beside the old
_PRESS_USB = "Eject the drive, then unplug the board and plug it in again (or press reset once). From then on the drive is the updater's."
_PRESS_WEB = "Press the board's reset button once, or switch it off and on."


@click.command(
    epilog="""\b
Examples:
  cota install                                     the one board that is plugged in; asks for what it lacks
  cota install /media/me/CIRCUITPY --dry-run       say what would be done, and do nothing
  cota install --profile weather-board --device roof --url https://thingsboard.cloud
  cota install --token A1B2C3 --url http://192.168.1.20:8080 --set COTA_GIT_HOSTS=192.168.1.20:8080
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
@click.option("--url", help="ThingsBoard's address.  [default: COTA_URL]")
@click.option("--board-url", help="ThingsBoard's address as the board reaches it, if that is another.")
@click.option("--token", help="The device's access token (COTA_DEVICE_TOKEN), if the device is there already.")
@click.option("--device", metavar="NAME", help="The device's name in ThingsBoard.  [default: board and chip number]")
@click.option("--profile", metavar="NAME", help="The device's profile.  [default: ThingsBoard's default profile]")
@click.option("--create-profile", is_flag=True, help="Make the profile if there is none of its name.")
@click.option("--set", "extra", multiple=True, metavar="KEY=VALUE", help="Another key of settings.toml; repeatable.")
@click.option("--replace-boot", is_flag=True, help="Replace a boot.py of your own; a copy stays in lib/.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: board, device, files, notes.")
@click.pass_context
def command(context: click.Context, /, **given: Any) -> None:
    """Prepare a board: copy cOTA's files to its drive, fill in settings.toml, make its device in ThingsBoard.

    Your own files stay: your program, your other settings and their comments, your libraries. Everything that is written is read back and
    compared. If the cable comes out in the middle, run the same command again.

    To make the device, COTA_API_KEY, or COTA_USERNAME and COTA_PASSWORD, sign in to ThingsBoard. Without them give --token.

    Exit code 0: the drive is prepared. 1: this board or drive cannot be prepared as it is. 2: the command cannot run.
    """
    from cota.drive.target import RefusedError

    try:
        _Install(given).run()
    except RefusedError as error:
        click.echo(f"cota: {error}", err=True)
        context.exit(1)


class _Install:
    """One run of the command, with its options."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.given = given
        self.notes: list[str] = []
        self.stack = contextlib.ExitStack()
        self.client: Client | None = None
        if given["host"] and given["drive"]:
            raise click.UsageError("DRIVE and --host exclude each other.")
        if given["token"] and (given["device"] or given["profile"]):
            raise click.UsageError("--token means a device that is there already; --device and --profile name one to find or make.")
        if given["create_profile"] and not given["profile"]:
            raise click.UsageError("--create-profile goes with --profile.")
        self.extra = dict(_pair(text) for text in given["extra"])

    def run(self) -> None:
        from cota.drive.plan import Options, base_settings, make_plan
        from cota.drive.settings_file import read_settings
        from cota.drive.target import RefusedError
        from cota.drive.tree import device_tree, drive_files

        tree = drive_files(device_tree())
        with self.stack, self._target() as (target, board):
            self._say(f"Found {board.name}, CircuitPython {board.version}, at {target.name}.")
            if refusal := board.refusal():
                raise RefusedError(*refusal)
            self.notes += board.notes()
            target.check_writable()
            there = read_settings(base_settings(target, "")).values
            settings = self._wifi(there)
            access, name = self._identity(there, board)
            settings |= self._server(there, access, name) | self.extra
            options = Options(self.given["replace_boot"])
            plan = make_plan(target, tree, settings, options)
            self._check_room(target, plan)
            device: Device | None = None
            if access is not None and name and not self.given["dry_run"]:
                device = self._device(access, name)
                from cota.drive.answers import TOKEN

                plan = make_plan(target, tree, {**settings, TOKEN: device.token}, options)
            self.notes += plan.notes
            self._write(target, board, plan, device)

    @contextlib.contextmanager
    def _target(self) -> "Iterator[tuple[Target, BoardInfo]]":
        if self.given["host"]:
            from cota.drive.web import WebDrive

            password = os.environ.get(_WEB_PASSWORD)
            if password is None:
                password = _ask(f"Password of {self.given['host']} (CIRCUITPY_WEB_API_PASSWORD)", _WEB_PASSWORD, hide=True)
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

    def _wifi(self, there: Mapping[str, str]) -> dict[str, str]:
        from cota.drive.answers import PASSWORD, SSID, check_password, password_of, ssid_of

        ssid = self.given["ssid"]
        if not ssid and ssid_of(there):
            if problem := check_password(password_of(there)):
                self.notes.append(f"settings.toml: {problem}")
            return {}
        if not ssid:
            ssid = _ask("Wi-Fi network of the board", "--wifi or COTA_WIFI_SSID")
        password = os.environ.get(_WIFI_PASSWORD)
        if password is None:
            if ssid == ssid_of(there) and password_of(there):
                return {}
            password = _ask(f"Password of {ssid} (empty: an open network)", _WIFI_PASSWORD, hide=True, empty=True)
        if problem := check_password(password):
            raise CotaError(problem, f"Look at {_WIFI_PASSWORD}, or what you typed.")
        return {SSID: ssid, PASSWORD: password}

    def _identity(self, there: Mapping[str, str], board: "BoardInfo") -> "tuple[Access | None, str]":
        """Give the access to make the device with, and the device's name; None and "" where the board has, or is given, its token."""
        from cota.drive.answers import TOKEN, is_same_server, server_of
        from cota.drive.identity import check_profile
        from cota.drive.server import find_access

        given = self.given
        if given["token"] or os.environ.get(_DEVICE_TOKEN):
            return None, ""
        asked = given["board_url"] or given["url"]
        is_other = bool(asked) and not is_same_server(asked, _quietly(server_of, there))
        if there.get(TOKEN) and not is_other and not given["device"] and not given["profile"]:
            return None, ""
        access = find_access(given["url"])
        if access is None:
            if given["device"] or given["profile"]:
                raise CotaError(
                    "To find or make the device, the server's credentials are needed.",
                    "Set COTA_API_KEY, or COTA_USERNAME and COTA_PASSWORD; or give --token in place of --device and --profile.",
                )
            return None, ""
        name = given["device"] or board.device_name
        if not name:
            raise CotaError("This board tells no number of its chip, to name its device by.", "Name the device: --device NAME.")
        self.client = self.stack.enter_context(access.client())
        check_profile(self.client, given["profile"], given["create_profile"])
        return access, name

    def _server(self, there: Mapping[str, str], access: "Access | None", name: str) -> dict[str, str]:
        from cota.drive.answers import TOKEN, is_same_server, only_here, server_of, server_settings

        known = _quietly(server_of, there)
        asked = self.given["board_url"] or self.given["url"]
        token = self.given["token"] or os.environ.get(_DEVICE_TOKEN) or ("" if name else there.get(TOKEN, ""))
        if name:
            token = _PLACEHOLDER
            asked = asked or (access.url if access else None)
        elif not token or (asked and not is_same_server(asked, known) and token == there.get(TOKEN)):
            token = _ask("Access token of the device in ThingsBoard", "--token, or COTA_API_KEY to make the device", hide=True)
        asked = asked or known or os.environ.get("COTA_URL") or _ask("ThingsBoard's address", "--url or COTA_URL")
        if only_here(asked):
            self.notes.append(f"{asked} means the machine that asks: only a simulated board reaches it so. --board-url gives another one.")
        settings = {} if is_same_server(asked, known) else server_settings(asked, there)
        return {**settings, TOKEN: token}

    def _device(self, access: "Access", name: str) -> "Device":
        from cota.drive.identity import find_or_make

        assert self.client is not None  # noqa: S101  (made with the name)
        device = find_or_make(self.client, name, self.given["profile"], make_profile=self.given["create_profile"])
        self._say(f"{'Made' if device.created else 'Found'} the device {device.name} of the profile {device.profile} on {access.url}.")
        return device

    def _check_room(self, target: "Target", plan: "Plan") -> None:
        from cota.drive.room import room_needed
        from cota.drive.target import RefusedError

        free, cluster = target.space()
        folders = {path for path in ("lib", "lib/ota") if target.entries(path)}
        room = room_needed(plan.actions, cluster, folders)
        if room.peak > free:
            raise RefusedError(
                f"cOTA needs {room.peak:,} bytes on {target.name}, and {free:,} are free.",
                "Delete what you do not need: libraries that no program imports, .mpy files beside .py ones, examples.",
            )
        left = free - room.final
        if left < _SPARE:
            self.notes.append(
                f"{left:,} bytes will be left: an update needs room for the new files beside the old ones, and may be refused with `space`."
            )

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
        count = len(plan.changes)
        if dry:
            click.echo(f"{count} files would change on {target.name}; nothing was done.")
        elif not count:
            click.echo(f"{target.name} is prepared already; nothing was written.")
        else:
            click.echo(f"{target.name} is prepared: {count} files, {written:,} bytes, all read back and right.")
            click.echo(press, err=True)
            click.echo("Then `cota doctor` follows the board to its server, and `cota publish` gives it a release.", err=True)

    def _summary(
        self, target: "Target", board: "BoardInfo", plan: "Plan", device: "Device | None", written: int, press: str
    ) -> dict[str, Any]:
        return {
            "drive": target.name,
            "board": {"id": board.board_id, "name": board.name, "circuitpython": board.version},
            "device": None if device is None else {"name": device.name, "profile": device.profile, "created": device.created},
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


def _quietly(read: Any, values: Mapping[str, str]) -> str | None:
    """What a function reads from settings; None where they cannot be used and are replaced."""
    with contextlib.suppress(CotaError):
        found: str | None = read(values)
        return found
    return None


def _ask(what: str, otherwise: str, *, hide: bool = False, empty: bool = False) -> str:
    """Ask on a terminal.

    Raises:
        CotaError: There is no terminal to ask on.
    """
    if not sys.stdin.isatty():
        raise CotaError(f"Not known: {what}.", f"Give it with {otherwise}; there is no terminal to ask on.")
    default = "" if empty else None
    return str(click.prompt(what, hide_input=hide, err=True, default=default, show_default=False)).strip()
