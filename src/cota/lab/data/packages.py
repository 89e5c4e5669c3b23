"""OTA packages: their infos, and their data in pieces."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

from cota.lab.clock import now_ms
from cota.lab.data import package_rules
from cota.lab.data.checksums import checksum as compute_checksum
from cota.lab.data.profiles import Profiles
from cota.lab.data.store import Row, Store
from cota.lab.errors import invalid, not_found
from cota.lab.ids import new_id, ref, ref_id
from cota.lab.rest.paging import PageLink, select_page

# A chunk request reads one or two pieces wherever it lies, and a download never holds more than one in memory.
PIECE_BYTES = 65536
_SORT = {
    "createdTime": "created",
    "fileName": "file_name",
    "dataSize": "data_size",
    **{name: name for name in ("type", "title", "version", "tag", "url", "checksum")},
}
# The kinds of package and how their use is called in ThingsBoard's messages.
KINDS = {"FIRMWARE": ("firmware_id", "firmware", "otaPackage"), "SOFTWARE": ("software_id", "software", "software")}


class Packages:
    """The tables of OTA packages."""

    def __init__(self, store: Store, profiles: Profiles, tenant_id: str) -> None:
        self._store, self._profiles, self._tenant_id = store, profiles, tenant_id

    def get(self, package_id: str) -> Row | None:
        """Return a package's row."""
        return self._store.one("SELECT * FROM package WHERE id = ?", package_id)

    def need(self, package_id: str) -> Row:
        """Return a package's row.

        Raises:
            ApiError: 404.
        """
        row = self.get(package_id)
        if row is None:
            raise not_found(f"Ota package with id [{package_id}] is not found")
        return row

    def save_info(self, given: dict[str, Any]) -> dict[str, Any]:
        """Create a package without data, or change the one thing of a package that may change.

        Raises:
            ApiError: A rule of ThingsBoard's is broken.
        """
        package_id, url = ref_id(given.get("id")), given.get("url")
        if given.get("usesUrl") and not (isinstance(url, str) and url.strip()):
            raise invalid("Ota package URL should be specified!")
        old = self.need(package_id) if package_id else None
        profile_id = self._checked_profile(given, ref_id(given.get("deviceProfileId")))
        additional = given.get("additionalInfo")
        stored = None if additional is None else json.dumps(additional)
        if old is not None:
            package_rules.check_unchanged(_fields(old), {**given, "profileId": profile_id})
            with self._store.unit():
                self._store.run("UPDATE package SET additional_info = ? WHERE id = ?", stored, old["id"])
            return self.show(self.need(old["id"]))
        if self._store.one("SELECT 1 FROM package WHERE title = ? AND version = ?", given["title"], given["version"]):
            raise invalid("OtaPackage with such title and version already exists!")
        names = ("type", "title", "version", "tag", "url", "fileName", "contentType", "checksumAlgorithm", "checksum", "dataSize")
        with self._store.unit():
            package_id = new_id()
            self._store.run(
                "INSERT INTO package (id, created, profile_id, type, title, version, tag, url, file_name, content_type, checksum_algorithm,"
                " checksum, data_size, additional_info, has_data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                *(package_id, now_ms(), profile_id, *(given.get(name) for name in names), stored, int(bool(url))),
            )
        # ThingsBoard does not compute hasData in the answer to a create.
        return {**self.show(self.need(package_id)), "hasData": False}

    def _checked_profile(self, given: dict[str, Any], profile_id: str | None) -> str | None:
        package_rules.check_fields(given)
        if profile_id is not None and self._profiles.get(profile_id) is None:
            raise invalid("OtaPackage is referencing to non-existent device profile!")
        package_rules.check_kind(given)
        return profile_id

    async def save_data(
        self, package_id: str, data: bytes, *, file_name: str | None, content_type: str | None, algorithm: str, checksum: str | None
    ) -> dict[str, Any]:
        """Give a package its data; the same data again is no error, so that an upload can be repeated after a lost answer.

        Raises:
            ApiError: A rule of ThingsBoard's is broken.
        """
        algorithm = algorithm.upper()
        package_rules.check_algorithm(algorithm)
        if not data:
            raise invalid("OtaPackage data should be specified!")
        # Murmur of 16 MiB takes seconds in Python: not on the event loop.
        actual = await asyncio.to_thread(compute_checksum, algorithm, data)
        old = self.need(package_id)
        given = {**_fields(old), "url": None, "fileName": file_name, "contentType": content_type, "checksumAlgorithm": algorithm}
        given |= {"checksum": checksum or actual, "dataSize": len(data)}
        package_rules.check_fields(given)
        if not file_name:
            raise invalid("OtaPackage file name should be specified!")
        if not content_type:
            raise invalid("OtaPackage content type should be specified!")
        if given["checksum"] != actual:
            raise invalid("Wrong otaPackage file!")
        package_rules.check_unchanged(_fields(old), given)
        if old["has_data"]:
            if b"".join(self.read(package_id, 0, len(data))) != data:
                raise invalid("Updating otaPackage data is prohibited!")
            return self.show(old)
        with self._store.unit():
            self._store.run(
                "UPDATE package SET file_name = ?, content_type = ?, checksum_algorithm = ?, checksum = ?, data_size = ?, has_data = 1"
                " WHERE id = ?",
                *(file_name, content_type, algorithm, actual, len(data), package_id),
            )
            pieces = ((package_id, i, data[i * PIECE_BYTES : (i + 1) * PIECE_BYTES]) for i in range(-(-len(data) // PIECE_BYTES)))
            self._store.run_many("INSERT INTO package_piece VALUES (?, ?, ?)", pieces)
        return self.show(self.need(package_id))

    def read(self, package_id: str, offset: int, length: int) -> Iterator[bytes]:
        """Yield the bytes of a part of the data, at most a piece at a time.

        Raises:
            ApiError: The package was deleted in between.
        """
        end = offset + length
        while offset < end:
            number, start = divmod(offset, PIECE_BYTES)
            row = self._store.one("SELECT bytes FROM package_piece WHERE package_id = ? AND number = ?", package_id, number)
            if row is None:
                raise not_found()
            part = row["bytes"][start : start + end - offset]
            yield part
            offset += len(part)

    def delete(self, package_id: str) -> None:
        """Remove a package that nobody uses.

        Raises:
            ApiError: A device or a profile is assigned to it.
        """
        column, _, word = KINDS[self.need(package_id)["type"]]
        for table, users in (("device", "devices"), ("profile", "device profile")):
            if self._store.one(f"SELECT 1 FROM {table} WHERE {column} = ?", package_id):  # noqa: S608  # names from this module
                raise invalid(f"The {word} referenced by the {users} cannot be deleted!")
        with self._store.unit():
            self._store.run("DELETE FROM package WHERE id = ?", package_id)

    def page(self, link: PageLink, profile_id: str | None = None, kind: str | None = None) -> dict[str, Any]:
        """Return a page of package infos: all, or those that a profile's devices can be assigned to."""
        wheres: dict[str, Any] = {} if kind is None else {"profile_id = ?": profile_id, "type = ?": kind, "has_data = ?": 1}
        return select_page(self._store, "SELECT * FROM package", wheres, link, columns=_SORT, search_column="title", show=self.show)

    def show(self, row: Row) -> dict[str, Any]:
        """Return ThingsBoard's OtaPackageInfo."""
        fields = _fields(row)
        profile_id = fields.pop("profileId")
        return {
            "id": ref("OTA_PACKAGE", row["id"]),
            "createdTime": row["created"],
            "tenantId": ref("TENANT", self._tenant_id),
            "deviceProfileId": ref("DEVICE_PROFILE", profile_id),
            **fields,
            "hasData": bool(row["has_data"]),
            "externalId": None,
            "name": row["title"],
            "additionalInfo": json.loads(row["additional_info"] or "null"),
        }


def _fields(row: Row) -> dict[str, Any]:
    return {
        "type": row["type"],
        "title": row["title"],
        "version": row["version"],
        "tag": row["tag"],
        "url": row["url"],
        "fileName": row["file_name"],
        "contentType": row["content_type"],
        "checksumAlgorithm": row["checksum_algorithm"],
        "checksum": row["checksum"],
        "dataSize": row["data_size"],
        "profileId": row["profile_id"],
    }
