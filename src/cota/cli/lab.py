"""`cota lab`: a ThingsBoard-compatible and GitHub-compatible server on this machine."""

import json
import os
from pathlib import Path

import click

from cota.errors import CotaError

_PASSWORD_VARIABLE = "COTA_LAB_PASSWORD"  # noqa: S105  # the name of a variable
_BARE_OWNER = "local"


def default_database() -> Path:
    """Return where the lab keeps its data unless told otherwise: the user's data folder of this system."""
    if os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif os.uname().sysname == "Darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "cota" / "lab.db"


def read_repositories(given: tuple[str, ...]) -> dict[str, Path]:
    """Return "owner/name" -> path for OWNER/NAME=PATH or a bare PATH.

    Raises:
        CotaError: One name stands for two repositories.
    """
    repositories: dict[str, Path] = {}
    for text in given:
        name, mark, path = text.partition("=")
        # A bare path may hold an equals sign itself; a name has exactly one slash and never begins with one.
        if not mark or name.count("/") != 1 or name.startswith(("/", ".")) or Path(text).exists():
            path, folder = text, Path(text).resolve().name
            name = f"{_BARE_OWNER}/{folder.removesuffix('.git') or folder}"
        if name in repositories:
            raise CotaError(f"two repositories are named {name}", "Name them apart: --repo OWNER/NAME=PATH.")
        repositories[name] = Path(path).expanduser()
    return repositories


@click.command(
    epilog="""\b
Examples:
  cota lab                                         data in your data folder, port 8080
  cota lab --memory --port 0 --repo ~/weather      a lab for a try, with one repository
  cota lab --repo acme/weather=/srv/git/weather.git --host 0.0.0.0 --mqtt-port 1883
"""
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 lets the network in.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="TCP port; 0 takes a free one.")
@click.option("--mqtt-port", type=click.IntRange(0, 65535), help="Serve the MQTT device API too, on this TCP port; 0 takes a free one.")
@click.option("--db", type=click.Path(dir_okay=False, path_type=Path), help="SQLite file.  [default: in your data folder]")
@click.option("--memory", is_flag=True, help="Keep everything in memory; it is gone when the lab stops.")
@click.option("--repo", "repos", multiple=True, metavar="[OWNER/NAME=]PATH", help="Git repository to serve; repeatable.")
@click.option("--ota-pace", default=None, type=click.FloatRange(0, 3600), help="Seconds between two devices of a rollout.  [default: 0.6]")
@click.option("--rate-limit", type=click.IntRange(1), help="Calls an hour that the Git host allows an address.  [default: no limit]")
@click.option("--certfile", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="TLS certificate chain (PEM).")
@click.option("--keyfile", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Key of the certificate (PEM).")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON: url, username, password if it was made now, mqtt_port.")
def command(  # click hands each option over by its name
    host: str,
    port: int,
    mqtt_port: int | None,
    db: Path | None,
    memory: bool,
    repos: tuple[str, ...],
    ota_pace: float | None,
    rate_limit: int | None,
    certfile: Path | None,
    keyfile: Path | None,
    as_json: bool,
) -> None:
    """Serve a ThingsBoard-compatible and GitHub-compatible server until Ctrl-C.

    The administrator's password is made on the first run and shown once. COTA_LAB_PASSWORD sets it, also anew.
    """
    from cota.lab.ota import DEFAULT_PACE_SECONDS
    from cota.lab.server import Lab, LabConfig

    if memory and db is not None:
        raise click.UsageError("--memory and --db exclude each other.")
    if (certfile is None) != (keyfile is None):
        raise click.UsageError("--certfile and --keyfile go together.")
    config = LabConfig(
        db=None if memory else db or default_database(),
        host=host,
        port=port,
        mqtt_port=mqtt_port,
        repositories=read_repositories(repos),
        password=os.environ.get(_PASSWORD_VARIABLE) or None,
        ota_pace=DEFAULT_PACE_SECONDS if ota_pace is None else ota_pace,
        rate_limit=rate_limit,
        certfile=certfile,
        keyfile=keyfile,
    )
    lab = Lab(config)

    def tell() -> None:
        if as_json:
            facts = {"url": lab.url, "username": lab.username} | ({"password": lab.password} if lab.password_is_new else {})
            click.echo(json.dumps(facts | ({} if lab.mqtt_port is None else {"mqtt_port": lab.mqtt_port})))
            return
        click.echo(f"cota lab on {lab.url} (Ctrl-C stops it), data in {config.db or 'memory'}", err=True)
        click.echo(f"  page      {lab.url}/page/", err=True)
        if lab.mqtt_port is not None:
            click.echo(f"  mqtt      port {lab.mqtt_port}{', TLS' if certfile else ''}", err=True)
        click.echo(f"  user      {lab.username}", err=True)
        if lab.password_is_new:
            click.echo(f"  password  {lab.password}   (shown this once; {_PASSWORD_VARIABLE} sets another)", err=True)
        for name in config.repositories:
            click.echo(f"  git       {lab.url}/{name}", err=True)

    try:
        lab.serve(tell)
    except KeyboardInterrupt:
        if not as_json:
            click.echo("stopped", err=True)
