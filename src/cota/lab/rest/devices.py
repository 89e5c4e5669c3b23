"""REST: devices and their credentials."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cota.lab.data.packages import KINDS
from cota.lab.data.store import Row
from cota.lab.errors import invalid, not_found
from cota.lab.ids import check_uuid, ref_id
from cota.lab.ota import Assignment
from cota.lab.rest.paging import page, page_link, required
from cota.lab.web import Router, done, json_answer, read_object

_NOBODY = Assignment(None, None)
_CONFLICT_POLICIES = ("FAIL", "UNIQUIFY")


class DevicesApi(Router):
    """The routes of ThingsBoard's DeviceController that an operator of a fleet uses."""

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            self.route("GET", "/api/tenant/deviceInfos", self.infos),
            self.route("GET", "/api/tenant/devices", self.devices),
            self.route("GET", "/api/tenant/device", self.by_name),
            self.route("GET", "/api/customer/{customer}/deviceInfos", self.of_customer),
            self.route("GET", "/api/customer/{customer}/devices", self.of_customer),
            self.route("GET", "/api/devices", self.by_ids),
            self.route("GET", "/api/devices/count/{kind}/{profile}", self.count),
            self.route("POST", "/api/device", self.save),
            self.route("POST", "/api/device-with-credentials", self.save_with_credentials),
            self.route("POST", "/api/device/credentials", self.save_credentials),
            self.route("GET", "/api/device/types", self.types),
            self.route("GET", "/api/device/info/{id}", self.info),
            self.route("GET", "/api/device/{id}", self.get),
            self.route("GET", "/api/device/{id}/credentials", self.credentials),
            self.route("DELETE", "/api/device/{id}", self.delete),
        ]

    def _row(self, request: Request) -> Row:
        return self.core.devices.need(check_uuid(request.path_params["id"]))

    async def get(self, request: Request) -> Response:
        """Answer a device."""
        return json_answer(self.core.devices.show(self._row(request)))

    async def info(self, request: Request) -> Response:
        """Answer a device with its profile's name and whether it is active."""
        return json_answer(self.core.devices.info(self._row(request)))

    async def by_name(self, request: Request) -> Response:
        """Answer the device of exactly this name."""
        row = self.core.devices.by_name(required(request.query_params, "deviceName"))
        if row is None:
            raise not_found()
        return json_answer(self.core.devices.show(row))

    async def by_ids(self, request: Request) -> Response:
        """Answer the devices of a comma-separated list of ids."""
        ids = [check_uuid(text) for text in required(request.query_params, "deviceIds").split(",")]
        return json_answer(self.core.devices.many(ids))

    async def types(self, request: Request) -> Response:
        """Answer the profiles that devices have, by name."""
        tenant = {"entityType": "TENANT", "id": self.core.accounts.tenant_id}
        names = self.core.store.all("SELECT DISTINCT p.name FROM device d JOIN profile p ON p.id = d.profile_id ORDER BY p.name")
        return json_answer([{"tenantId": tenant, "entityType": "DEVICE", "type": row["name"]} for row in names])

    async def infos(self, request: Request) -> Response:
        """Answer a page of DeviceInfos."""
        return self._page(request, infos=True)

    async def devices(self, request: Request) -> Response:
        """Answer a page of devices."""
        return self._page(request, infos=False)

    def _page(self, request: Request, *, infos: bool) -> Response:
        params = request.query_params
        profile_id, active = params.get("deviceProfileId"), params.get("active")
        conditions = {"p.name": params.get("type") or None, "d.profile_id": check_uuid(profile_id) if profile_id else None}
        state = None if not active else active.lower() == "true"
        return json_answer(self.core.devices.page(page_link(params), conditions, state, infos=infos))

    async def of_customer(self, request: Request) -> Response:
        """Answer the devices of a customer: the lab has no customers, so none."""
        check_uuid(request.path_params["customer"])
        return json_answer(page([], 0, page_link(request.query_params)))

    async def count(self, request: Request) -> Response:
        """Answer how many devices a profile's assignment would reach: those without a package of their own."""
        kind, profile_id = request.path_params["kind"], check_uuid(request.path_params["profile"])
        if kind not in KINDS:
            raise invalid(f"No enum constant org.thingsboard.server.common.data.ota.OtaPackageType.{kind}")
        sql = f"SELECT count(*) AS n FROM device WHERE profile_id = ? AND {KINDS[kind][0]} IS NULL"  # noqa: S608  # a name of ours
        row = self.core.store.one(sql, profile_id)
        return json_answer(row["n"] if row else 0)

    async def save(self, request: Request) -> Response:
        """Create or replace a device."""
        given = await read_object(request)
        token = request.query_params.get("accessToken") or None
        return json_answer(self._save(request, given, {"credentialsType": "ACCESS_TOKEN", "credentialsId": token}))

    async def save_with_credentials(self, request: Request) -> Response:
        """Create or replace a device together with its credentials."""
        both = await read_object(request)
        given, credentials = both.get("device"), both.get("credentials")
        if not isinstance(given, dict) or not isinstance(credentials, dict):
            raise invalid("Validation error: device must not be null, credentials must not be null")
        return json_answer(self._save(request, given, credentials, also_update=True))

    def _save(self, request: Request, given: dict[str, Any], credentials: dict[str, Any], *, also_update: bool = False) -> dict[str, Any]:
        devices, old_id, params = self.core.devices, ref_id(given.get("id")), request.query_params
        policy = params.get("nameConflictPolicy") or "FAIL"
        if policy not in _CONFLICT_POLICIES:
            raise invalid(f"No enum constant org.thingsboard.server.common.data.NameConflictPolicy.{policy}")
        before = _NOBODY if old_id is None else self.core.ota.wanted(devices.need(old_id))
        with self.core.store.unit():
            separator, strategy = params.get("uniquifySeparator") or "_", params.get("uniquifyStrategy") or "RANDOM"
            device_id = devices.save(given, policy, separator, strategy)
            row = devices.need(device_id)
            self.core.ota.check_assignable(row, row["profile_id"])
            if old_id is None:
                kind = credentials.get("credentialsType") or "ACCESS_TOKEN"
                self.core.credentials.create(device_id, kind, credentials.get("credentialsId"), credentials.get("credentialsValue"))
                self.core.activity.created(device_id)
            elif also_update:
                self.core.credentials.update({**credentials, "deviceId": device_id, "id": None})
            self.core.ota.device_saved(device_id, before)
        if old_id is not None and also_update:
            self.core.hub.close_device(device_id, "Device credentials were updated!")
        return devices.show(devices.need(device_id))

    async def credentials(self, request: Request) -> Response:
        """Answer a device's credentials."""
        return json_answer(self.core.credentials.show(self.core.credentials.of(self._row(request)["id"])))

    async def save_credentials(self, request: Request) -> Response:
        """Replace a device's credentials; its open polls end."""
        row = self.core.credentials.update(await read_object(request))
        self.core.hub.close_device(row["device_id"], "Device credentials were updated!")
        return json_answer(self.core.credentials.show(row))

    async def delete(self, request: Request) -> Response:
        """Delete a device; its open polls end."""
        device_id = self._row(request)["id"]
        self.core.devices.delete(device_id)
        self.core.activity.forget(device_id)
        self.core.exchange.forget(device_id)
        self.core.hub.close_device(device_id, "Device was deleted!")
        return done()
