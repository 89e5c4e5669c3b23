"""REST: device profiles."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cota.lab.data.attributes import SCOPES
from cota.lab.data.store import Row
from cota.lab.ids import check_uuid, ref_id
from cota.lab.ota import Assignment
from cota.lab.rest.paging import page_link
from cota.lab.web import Router, done, json_answer, read_object


class ProfilesApi(Router):
    """The routes of ThingsBoard's DeviceProfileController."""

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            self.route("GET", "/api/deviceProfileInfos", self.infos),
            self.route("GET", "/api/deviceProfiles", self.profiles),
            self.route("GET", "/api/deviceProfileInfo/default", self.default_info),
            self.route("GET", "/api/deviceProfileInfo/{id}", self.info),
            self.route("GET", "/api/deviceProfile/names", self.names),
            self.route("GET", "/api/deviceProfile/devices/keys/timeseries", self.timeseries_keys),
            self.route("GET", "/api/deviceProfile/devices/keys/attributes", self.attribute_keys),
            self.route("POST", "/api/deviceProfile", self.save),
            self.route("POST", "/api/deviceProfile/{id}/default", self.set_default),
            self.route("GET", "/api/deviceProfile/{id}", self.get),
            self.route("DELETE", "/api/deviceProfile/{id}", self.delete),
        ]

    def _row(self, request: Request) -> Row:
        return self.core.profiles.need(check_uuid(request.path_params["id"]))

    async def get(self, request: Request) -> Response:
        """Answer a profile."""
        return json_answer(self.core.profiles.show(self._row(request)))

    async def info(self, request: Request) -> Response:
        """Answer the short form of a profile."""
        return json_answer(self.core.profiles.info(self._row(request)))

    async def default_info(self, request: Request) -> Response:
        """Answer the short form of the default profile."""
        return json_answer(self.core.profiles.info(self.core.profiles.default()))

    async def infos(self, request: Request) -> Response:
        """Answer a page of short forms."""
        return json_answer(self.core.profiles.page(page_link(request.query_params), infos=True))

    async def profiles(self, request: Request) -> Response:
        """Answer a page of whole profiles."""
        return json_answer(self.core.profiles.page(page_link(request.query_params), infos=False))

    async def names(self, request: Request) -> Response:
        """Answer all profiles as id and name."""
        rows = self.core.store.all("SELECT id, name FROM profile ORDER BY name")
        return json_answer([{"id": {"entityType": "DEVICE_PROFILE", "id": row["id"]}, "name": row["name"]} for row in rows])

    async def timeseries_keys(self, request: Request) -> Response:
        """Answer the telemetry keys that devices of a profile, or of all, have sent."""
        sql = (
            "SELECT DISTINCT l.key FROM device d JOIN latest l ON l.entity_id = d.id"
            " WHERE d.profile_id = coalesce(?, d.profile_id) ORDER BY 1"
        )
        return json_answer([row["key"] for row in self.core.store.all(sql, self._profile_of_keys(request))])

    async def attribute_keys(self, request: Request) -> Response:
        """Answer the attribute keys of devices of a profile, or of all, in any scope."""
        sql = (
            "SELECT DISTINCT a.key FROM device d JOIN attribute a ON a.entity_id = d.id AND a.scope IN (?, ?, ?)"
            " WHERE d.profile_id = coalesce(?, d.profile_id) ORDER BY 1"
        )
        return json_answer([row["key"] for row in self.core.store.all(sql, *SCOPES, self._profile_of_keys(request))])

    def _profile_of_keys(self, request: Request) -> str | None:
        text = request.query_params.get("deviceProfileId")
        return str(self.core.profiles.need(check_uuid(text))["id"]) if text else None

    async def save(self, request: Request) -> Response:
        """Create or replace a profile; a new package goes to all its devices without their own."""
        given, profiles = await read_object(request), self.core.profiles
        old_id = ref_id(given.get("id"))
        old = profiles.need(old_id) if old_id else None
        before = Assignment(old["firmware_id"], old["software_id"]) if old else Assignment(None, None)
        with self.core.store.unit():
            profile_id = profiles.save(given)
            self.core.ota.check_assignable(profiles.need(profile_id), profile_id)
            self.core.ota.profile_saved(profile_id, before)
        return json_answer(profiles.show(profiles.need(profile_id)))

    async def set_default(self, request: Request) -> Response:
        """Make a profile the default one."""
        profile_id = self._row(request)["id"]
        self.core.profiles.set_default(profile_id)
        return json_answer(self.core.profiles.show(self.core.profiles.need(profile_id)))

    async def delete(self, request: Request) -> Response:
        """Delete a profile without devices, and its packages."""
        self.core.profiles.delete(self._row(request)["id"])
        return done()
