"""OTA packages: what ThingsBoard tells boards to run."""

import hashlib
from collections.abc import Iterator

from cota.thingsboard.devices import Kind
from cota.thingsboard.session import Json, Session


class Packages:
    """Calls on OTA packages."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def create_url(
        self,
        title: str,
        version: str,
        url: str,
        profile_id: str,
        *,
        kind: Kind = "FIRMWARE",
        tag: str | None = None,
        checksum: str | None = None,
        size: int | None = None,
        description: str = "",
    ) -> Json:
        """Make a package whose bytes the board fetches from a URL itself.

        Args:
            title: With `version` one of its kind in the tenant.
            version: Such as "v1.2.3"; one that is a plain number, such as "1.10", reaches dashboards as a number.
            url: At most 255 characters; the server does not look at it.
            profile_id: The one profile whose devices may have it.
            kind: "FIRMWARE" or "SOFTWARE".
            tag: Text for people; None is title and version.
            checksum: SHA-256 in hex of what the URL gives; passed on to boards, not checked by the server.
            size: Its bytes; passed on likewise.
            description: Text for people.
        """
        package = _info(title, version, profile_id, kind=kind, tag=tag, description=description) | {"usesUrl": True, "url": url}
        if checksum is not None:
            package |= {"checksum": checksum, "checksumAlgorithm": "SHA256"}
        if size is not None:
            package["dataSize"] = size
        return self._session.post(dict, "/api/otaPackage", package)

    def create(
        self, title: str, version: str, profile_id: str, *, kind: Kind = "FIRMWARE", tag: str | None = None, description: str = ""
    ) -> Json:
        """Make a package without bytes yet; `upload` gives it some. See `create_url` for the arguments."""
        package = _info(title, version, profile_id, kind=kind, tag=tag, description=description) | {"usesUrl": False}
        return self._session.post(dict, "/api/otaPackage", package)

    def upload(self, package_id: str, name: str, data: bytes) -> Json:
        """Give a package its bytes, checked by SHA-256 on the server. The same bytes under the same name may be sent again.

        Raises:
            ThingsBoardError: The package has other bytes already, or the server takes no file this big (413).
        """
        params = {"checksumAlgorithm": "SHA256", "checksum": hashlib.sha256(data).hexdigest()}
        return self._session.upload(f"/api/otaPackage/{package_id}", name, data, params)

    def get(self, package_id: str) -> Json:
        """Give what is known of a package, without its bytes."""
        return self._session.get(dict, f"/api/otaPackage/info/{package_id}")

    def list(self, text: str | None = None) -> Iterator[Json]:
        """Give every package; with a text those whose title holds it, upper and lower case alike."""
        return self._session.pages("/api/otaPackages", {} if text is None else {"textSearch": text})

    def find(self, title: str, version: str) -> Json | None:
        """Give the package of exactly this title and version, or None; the server has no such call, so its list is read."""
        return next((package for package in self.list(title) if (package["title"], package["version"]) == (title, version)), None)

    def delete(self, package_id: str) -> None:
        """Delete a package.

        Raises:
            ThingsBoardError: A device or profile still has it (400).
        """
        self._session.delete(f"/api/otaPackage/{package_id}")


def _info(title: str, version: str, profile_id: str, *, kind: Kind, tag: str | None, description: str) -> Json:
    return {
        "title": title,
        "version": version,
        "type": kind,
        "deviceProfileId": {"entityType": "DEVICE_PROFILE", "id": profile_id},
        "tag": f"{title} {version}" if tag is None else tag,
        "additionalInfo": {"description": description},
    }
