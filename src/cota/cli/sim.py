"""`cota sim`: a rack of simulated boards against a server."""

import asyncio
import contextlib
import json
import os
import signal
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cota.cli.lab import default_database
from cota.errors import CotaError

if TYPE_CHECKING:
    from cota.sim.identity import TokenSource
    from cota.sim.power import PowerCuts
    from cota.sim.rack import Rack

_PASSWORD_VARIABLE = "COTA_PASSWORD"  # noqa: S105  (the name of a variable)
_DEFAULT_PORTS = {"http": 80, "https": 443}


@click.command(
    epilog="""\b
Examples:
  cota sim --server http://127.0.0.1:8080 --username tenant@thingsboard.org --devices 3
  cota sim --server http://127.0.0.1:8080 --token TOKEN --board esp32-s3
  cota sim --server http://127.0.0.1:8080 --provision-key KEY --provision-secret SECRET --devices 20
"""
)
@click.option("--server", required=True, metavar="URL", help="The ThingsBoard server or lab, with http:// or https://.")
@click.option("--devices", type=click.IntRange(1), help="How many boards.  [default: 1, or one a --token]")
@click.option("--board", "profile_name", default="pico-w", show_default=True, metavar="PROFILE", help="Kind of board; `help` lists them.")
@click.option(
    "--dir", "folder", type=click.Path(file_okay=False, path_type=Path), help="Where boards live.  [default: in your data folder]"
)
@click.option(
    "--vm",
    "vm_choice",
    type=click.Choice(["auto", "micropython", "cpython", "circuitpython"]),
    default="auto",
    show_default=True,
    help="What runs them.",
)
@click.option("--poll", type=click.IntRange(1, 86400), help="Seconds between two looks at the server.  [default: the device's own]")
@click.option("--trial", type=click.IntRange(0, 86400), help="Seconds that a new release is on trial.  [default: the device's own]")
@click.option(
    "--git-host",
    "git_hosts",
    multiple=True,
    metavar="HOST[:PORT]",
    help="Git host the boards may use; repeatable.  [default: the server's]",
)
@click.option("--prefix", default="sim", show_default=True, help="Boards are named PREFIX-1, PREFIX-2, …")
@click.option("--token", "tokens", multiple=True, help="A device's access token; once for each board.")
@click.option("--provision-key", help="Key of the device profile's provisioning; boards make their own devices.")
@click.option("--provision-secret", help="Its secret.")
@click.option("--username", help="A tenant administrator; boards' devices are found or made.  The password: COTA_PASSWORD, or asked for.")
@click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="PEM file of the boards' authorities.  [default: this system's]",
)
@click.option("--usb", is_flag=True, help="A computer is attached by USB and has the drives.")
@click.option(
    "--power-cut",
    "rate",
    type=click.FloatRange(0, 600, min_open=True),
    metavar="RATE",
    help="Cut each board's power so often a minute, at random.",
)
@click.option("--seed", type=int, help="Repeat the power cuts of an earlier run.  [default: random, and printed]")
@click.option("--json", "as_json", is_flag=True, help="Print events as JSON, one a line.")
def command(  # click hands each option over by its name
    server: str,
    devices: int | None,
    profile_name: str,
    folder: Path | None,
    vm_choice: str,
    poll: int | None,
    trial: int | None,
    git_hosts: tuple[str, ...],
    prefix: str,
    tokens: tuple[str, ...],
    provision_key: str | None,
    provision_secret: str | None,
    username: str | None,
    ca: Path | None,
    usb: bool,
    rate: float | None,
    seed: int | None,
    as_json: bool,
) -> None:
    """Run simulated boards, each the real device code on its own drive, until Ctrl-C.

    A board that --dir already holds goes on where it was; a new one needs an identity: --token, --provision-key with --provision-secret, or
    --username.
    """
    from cota.sim import BoardOptions, PowerCuts, Rack, any_seed, device_tree, find_profile, find_vm
    from cota.sim.board import warn_if_not_real
    from cota.thingsboard.address import checked_url

    if profile_name == "help":
        _list_profiles()
        return
    if seed is not None and rate is None:
        raise click.UsageError("--seed goes with --power-cut.")
    cuts = None if rate is None else PowerCuts(rate, any_seed() if seed is None else seed)
    url = checked_url(server)
    port = url.port or _DEFAULT_PORTS[url.scheme]
    profile = find_profile(profile_name)
    vm = find_vm(vm_choice)
    warn_if_not_real(vm)
    names = [f"{prefix}-{number}" for number in range(1, (devices or len(tokens) or 1) + 1)]
    folder = (folder or default_database().parent / "sim").expanduser()
    say = _json_line if as_json else _console_line
    rack = Rack(folder, profile, vm=vm, options=BoardOptions(usb=usb, ca_bundle=ca or _system_bundle()), listener=say)
    common = {
        "THINGSBOARD_URL": f"{url.scheme}://{url.host}",
        "THINGSBOARD_PORT": str(port),
        "COTA_GIT_HOSTS": ",".join(git_hosts or (f"{url.host}:{port}",)),
        **({} if poll is None else {"COTA_POLL_SECONDS": str(poll)}),
        **({} if trial is None else {"COTA_TRIAL_SECONDS": str(trial)}),
    }
    address = f"{url.scheme}://{url.host}:{port}"
    with contextlib.ExitStack() as stack:
        source: TokenSource | None = None
        tree = device_tree()
        for name in names:
            token = ""
            if not _exists(folder / name, address, name):
                source = source or _identity(stack, server, names, tokens, provision_key, provision_secret, username)
                token = source(name)
            board = rack.add(name, {**common, "THINGSBOARD_DEVICE_TOKEN": token})
            board.prepare(tree)
            (board.folder / "server").write_text(address + "\n", encoding="utf-8")
    started: dict[str, Any] = {
        "event": "started",
        "boards": names,
        "profile": profile.name,
        "vm": vm.kind,
        "dir": str(folder),
        "server": address,
    }
    if cuts is not None:
        started["seed"] = cuts.seed
    if as_json:
        click.echo(json.dumps(started))
    else:
        click.echo(f"cota sim: {len(names)} {profile.name} on {vm.kind} for {address}, in {folder} (Ctrl-C switches them off)", err=True)
        if cuts is not None:
            click.echo(f"cota sim: {rate:g} power cuts a minute a board; --seed {cuts.seed} repeats them", err=True)
    asyncio.run(_run(rack, cuts))
    if as_json:
        for board in rack.boards.values():
            click.echo(json.dumps({"event": "stopped", "board": board.name, "runs": board.runs, "network": board.network()}))
    else:
        click.echo(f"cota sim: switched off. The boards are in {folder}; the same command goes on with them.", err=True)


def _exists(folder: Path, address: str, name: str) -> bool:
    record = folder / "server"
    if not record.exists():
        return False
    known = record.read_text(encoding="utf-8").strip()
    if known != address:
        raise CotaError(
            f"The board {name} in {folder} belongs to {known}, not to {address}.", "Use another --dir or --prefix, or remove that folder."
        )
    return True


def _identity(
    stack: contextlib.ExitStack,
    server: str,
    names: list[str],
    tokens: tuple[str, ...],
    key: str | None,
    secret: str | None,
    username: str | None,
) -> "TokenSource":
    from cota.sim import identity

    ways = [bool(tokens), key is not None or secret is not None, username is not None]
    if sum(ways) != 1:
        raise click.UsageError("New boards need one identity: --token, or --provision-key with --provision-secret, or --username.")
    if tokens:
        return identity.given(names, tokens)
    if username is None:
        if not key or not secret:
            raise click.UsageError("--provision-key and --provision-secret go together.")
        return identity.provisioned(server, key, secret)
    from cota.thingsboard.client import Client

    password = os.environ.get(_PASSWORD_VARIABLE) or click.prompt(f"Password of {username}", hide_input=True, err=True)
    return identity.administered(stack.enter_context(Client(server, username=username, password=password)))


def _system_bundle() -> Path | None:
    """This system's certificate authorities, as one file, if it keeps them so."""
    name = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
    return Path(name) if name and Path(name).is_file() else None


def _list_profiles() -> None:
    from cota.sim import PROFILES

    for profile in PROFILES.values():
        kib = f"{profile.drive_bytes // 1024} KiB drive, {profile.heap // 1024} KiB heap"
        click.echo(f"{profile.name:14} {profile.machine} ({kib}{'' if profile.msc else ', no USB drive'})")


def _console_line(name: str, line: str) -> None:
    click.echo(f"{name}  {line}", err=True)


def _json_line(name: str, line: str) -> None:
    click.echo(json.dumps({"event": "console", "board": name, "line": line}))


async def _run(rack: "Rack", cuts: "PowerCuts | None") -> None:
    stop = asyncio.Event()
    _on_signals(stop.set)
    await rack.run(stop, cuts)


def _on_signals(act: Callable[[], Any]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Windows has no signals in asyncio: Ctrl-C raises KeyboardInterrupt there, and the boards are stopped on its way out.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, act)
