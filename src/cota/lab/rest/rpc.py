"""REST: remote procedure calls to a device, the old paths and the new."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cota.lab.device.hub import OverfullError
from cota.lab.errors import GENERAL, ApiError, EmptyError, invalid
from cota.lab.ids import check_uuid
from cota.lab.web import MAX_RPC_BYTES, Router, done, hold, json_answer, read_json

# Path -> (status when the device did not answer, status when it never fetched the call): the two controllers differ.
_FLAVOURS = {"/api/rpc": (504, 504), "/api/plugins/rpc": (408, 409)}
_MAX_TIMEOUT_MS = 24 * 3600 * 1000


class RpcApi(Router):
    """The routes of ThingsBoard's RpcV1Controller and RpcV2Controller that a lab needs; nothing is kept for later."""

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            self.route("POST", f"{base}/{way}/{{id}}", self.oneway if way == "oneway" else self.twoway)
            for base in _FLAVOURS
            for way in ("oneway", "twoway")
        ]

    async def oneway(self, request: Request) -> Response:
        """Call a device and wait until it has fetched the call."""
        return await self._call(request, oneway=True)

    async def twoway(self, request: Request) -> Response:
        """Call a device and wait for its reply."""
        return await self._call(request, oneway=False)

    async def _call(self, request: Request, *, oneway: bool) -> Response:
        device_id, given = check_uuid(request.path_params["id"]), await read_json(request, MAX_RPC_BYTES)
        self.core.devices.need(device_id)
        if not isinstance(given, dict) or not isinstance(given.get("method"), str):
            raise invalid("Invalid RPC request: method is missing")
        timing, wanted = self.core.timing, given.get("timeout")
        if wanted is not None and (not isinstance(wanted, int) or not 0 <= wanted <= _MAX_TIMEOUT_MS):
            raise invalid("Invalid RPC request: timeout should be a number of milliseconds")
        seconds = max(timing.rpc_min_timeout, timing.rpc_default_timeout if wanted is None else wanted / 1000)
        params = given.get("params", {})
        try:
            call = self.core.hub.send_rpc(device_id, given["method"], params, oneway=oneway, timeout=seconds)
        except OverfullError:
            raise ApiError(429, GENERAL, "The device has too many unanswered calls") from None
        try:
            reply = await hold(self.core, request, call.answer, seconds)
        except TimeoutError:
            no_reply, not_fetched = _FLAVOURS[request.url.path.rsplit("/", 2)[0]]
            raise EmptyError(no_reply if call.sent else not_fetched) from None
        finally:
            self.core.hub.forget_rpc(device_id, call)
        return done() if oneway else json_answer(reply)
