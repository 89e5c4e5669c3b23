"""Putting the dashboard into ThingsBoard: once, again, and never over somebody's work."""

from dataclasses import dataclass
from typing import Literal

from cota.dashboard.build import build, digest_of, mark_of
from cota.drive.target import RefusedError
from cota.thingsboard import Client, id_of
from cota.thingsboard.session import Json, Session


@dataclass(frozen=True)
class Installed:
    """What was done, and where the dashboard is."""

    done: Literal["created", "updated", "unchanged"]
    id: str
    url: str


def install(client: Client, title: str, *, replace: bool = False) -> Installed:
    """Make the dashboard, or bring the one that was made before up to date.

    ThingsBoard's DashboardController: GET /api/tenant/dashboards, GET and POST /api/dashboard.

    Args:
        client: Signed in as a tenant administrator.
        title: The dashboard's title.
        replace: Also where somebody has changed it by hand since.

    Raises:
        RefusedError: A dashboard of this title is not ours, was changed by hand, or there are several.
        ThingsBoardError: The server refused or was not reached.
    """
    session: Session = client._session
    found = [one for one in session.pages("/api/tenant/dashboards", {"textSearch": title}) if one["title"] == title]
    wanted = build(title)
    if not found:
        return _told(client, "created", session.post(dict, "/api/dashboard", wanted))
    if len(found) > 1:
        raise RefusedError(
            f"{client.url} has {len(found)} dashboards named {title!r}.", "Delete those that you do not need, or give another --title."
        )
    path = f"/api/dashboard/{id_of(found[0])}"
    there = session.get(dict, path)
    _check(there, title, client.url, replace)
    if there["configuration"] == wanted["configuration"]:
        return _told(client, "unchanged", there)

    def change(dashboard: Json) -> None:
        _check(dashboard, title, client.url, replace)
        dashboard["configuration"] = wanted["configuration"]

    return _told(client, "updated", session.save(path, "/api/dashboard", change))


def _check(dashboard: Json, title: str, server: str, replace: bool) -> None:
    configuration = dashboard.get("configuration") or {}
    mark = mark_of(configuration)
    if mark is None:
        raise RefusedError(f"{server} has a dashboard named {title!r} that is not cOTA's.", "Give another --title, or rename that one.")
    if mark != digest_of(configuration) and not replace:
        raise RefusedError(
            f"The dashboard {title!r} was changed by hand since it was installed.",
            "--replace puts cOTA's in its place; another --title leaves it as it is.",
        )


def _told(client: Client, done: Literal["created", "updated", "unchanged"], dashboard: Json) -> Installed:
    return Installed(done, id_of(dashboard), f"{client.url}/dashboards/{id_of(dashboard)}")
