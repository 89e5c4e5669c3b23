"""Making a package, so that doing it again does nothing."""

from cota.errors import AnswerIsNoError
from cota.publish.release import Release
from cota.thingsboard import Client, Json, ThingsBoardError, id_of


def make_package(client: Client, release: Release, profile: Json) -> tuple[Json, bool]:
    """Make the package of a release; gives it, and whether it was made now.

    Args:
        client: The server.
        release: The release.
        profile: The device profile that it serves.

    Raises:
        AnswerIsNoError: Title and version are taken by something else.
    """
    found = client.packages.find(release.title, release.version)
    if found is None:
        try:
            description = f"Commit {release.commit}" + (f", folder {release.folder}" if release.folder else "")
            made = client.packages.create_url(release.title, release.version, release.url, id_of(profile), description=description)
        except ThingsBoardError as error:
            # Another operator may have made it between the look and the call.
            found = client.packages.find(release.title, release.version) if error.status == 400 else None
            if found is None:
                raise
        else:
            return made, True
    _compare(client, found, release, profile)
    return found, False


def _compare(client: Client, found: Json, release: Release, profile: Json) -> None:
    """Refuse a package that has the release's name and is another one.

    Raises:
        AnswerIsNoError: It is.
    """
    name = f"{release.title} {release.version}"
    if found.get("type") != "FIRMWARE" or found.get("url") != release.url:
        what = found.get("url") or "an uploaded file"
        raise AnswerIsNoError(
            f"{client.url} has a package {name} already, and it is another release: {what}\nThis one is: {release.url}",
            "A package cannot be changed, and boards take one with the same name for the same release: publish it with another --version.",
        )
    serves = (found.get("deviceProfileId") or {}).get("id")
    if serves != id_of(profile):
        other = client.profiles.get(serves)["name"] if serves else "none"
        raise AnswerIsNoError(
            f"{client.url} has a package {name} already, for the device profile {other!r} and not {profile['name']!r}.",
            "A package serves one profile: publish it for the other one with another --title.",
        )
