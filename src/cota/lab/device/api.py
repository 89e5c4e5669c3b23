"""ThingsBoard's device HTTP API, `/api/v1/...`: the access token in the path is the whole login.

Statuses, bodies and oddities are those of ThingsBoard 4.3's DeviceApiController, on purpose: what works here works there.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cota.lab.core import Core
from cota.lab.data import values
from cota.lab.device import downloads, provisioning
from cota.lab.device.exchange import keys_of
from cota.lab.device.hub import ClosedError
from cota.lab.errors import BAD_REQUEST, ApiError, EmptyError, TextError
from cota.lab.web import MAX_BODY_BYTES, MAX_RPC_BYTES, MAX_STRANGER_BYTES, Router, closed_answer, done, hold, json_answer, read_body

_MAX_LONG_POLL_MS = 2**53  # any more is no number of milliseconds


class DeviceApi(Router):
    """The routes that boards use; the busiest come first."""

    def __init__(self, core: Core) -> None:
        super().__init__(core, public=True)

    def routes(self) -> list[Route]:
        """Return the routes."""
        base = "/api/v1/{token}"
        return [
            self.route("GET", f"{base}/attributes", self.get_attributes),
            self.route("POST", f"{base}/telemetry", self.post_telemetry),
            self.route("POST", f"{base}/attributes", self.post_attributes),
            self.route("GET", f"{base}/attributes/updates", self.poll_attributes),
            self.route("GET", f"{base}/rpc", self.poll_rpc),
            self.route("GET", f"{base}/firmware", self.firmware),
            self.route("GET", f"{base}/software", self.software),
            self.route("POST", f"{base}/rpc/{{number}}", self.answer_rpc),
            self.route("POST", f"{base}/rpc", self.ask_rpc),
            self.route("POST", f"{base}/claim", self.claim),
            self.route("POST", "/api/v1/provision", self.provision),
        ]

    def _device(self, request: Request) -> str:
        device_id = self.core.credentials.device_by_token(request.path_params["token"])
        if device_id is None:
            raise EmptyError(401)
        return device_id

    async def get_attributes(self, request: Request) -> Response:
        """Answer the values that exist; a scope without any is absent, and nothing at all is {}."""
        asked = [keys_of(request.query_params.getlist(name)) for name in ("clientKeys", "sharedKeys")]
        return json_answer(self.core.exchange.read(self._device(request), *asked))

    async def post_attributes(self, request: Request) -> Response:
        """Store client attributes; a value that stays the same keeps its time."""
        device_id = self._device(request)
        parsed = await _payload(request)
        _checked(lambda body: self.core.exchange.save_attributes(device_id, body), parsed)
        return done()

    async def post_telemetry(self, request: Request) -> Response:
        """Store telemetry of any of the three shapes."""
        device_id = self._device(request)
        parsed = await _payload(request)
        _checked(lambda body: self.core.exchange.save_telemetry(device_id, body), parsed)
        return done()

    async def poll_attributes(self, request: Request) -> Response:
        """Wait for one push of shared attributes: 408 without a body when the time is up."""
        device_id = self._device(request)
        seconds = self._seconds(request)
        self.core.activity.heard(device_id)
        return await self._poll(request, device_id, self.core.hub.wait_for_attributes(device_id), seconds)

    async def poll_rpc(self, request: Request) -> Response:
        """Wait for one RPC request from the server."""
        device_id = self._device(request)
        seconds = self._seconds(request)
        self.core.activity.heard(device_id)
        return await self._poll(request, device_id, self.core.hub.wait_for_rpc(device_id), seconds)

    def _seconds(self, request: Request) -> float:
        milliseconds = _integer(request, "timeout", _MAX_LONG_POLL_MS)
        return milliseconds / 1000 if milliseconds > 0 else self.core.timing.poll_timeout

    async def _poll(self, request: Request, device_id: str, future: "asyncio.Future[Any]", seconds: float) -> Response:
        await self.core.store.settled()  # no write of this request waits for the poll's end
        try:
            answer = await hold(self.core, request, future, seconds)
        except TimeoutError:
            raise EmptyError(408) from None
        except ClosedError as error:
            return closed_answer(self.core, error)
        finally:
            self.core.hub.leave(device_id, future)
        return json_answer(answer if isinstance(answer, dict) else answer.message())

    async def answer_rpc(self, request: Request) -> Response:
        """Take a device's reply to an RPC."""
        device_id = self._device(request)
        parsed = await _payload(request, MAX_RPC_BYTES)
        self.core.activity.heard(device_id)
        number = request.path_params["number"]
        if not number.isdecimal() or len(number) > len("2147483647"):
            raise ApiError(400, BAD_REQUEST, f'Failed to convert value of type "String" to required type "Integer": {number[:32]}')
        self.core.hub.answer_rpc(device_id, int(number), values.plain(parsed))
        return done()

    async def ask_rpc(self, request: Request) -> Response:
        """Take an RPC from a device. No rule chain answers here, so it ends as one does that none answers."""
        device_id = self._device(request)
        parsed = await _payload(request, MAX_RPC_BYTES)
        if not isinstance(parsed, dict) or not isinstance(parsed.get("method"), str):
            raise TextError(500, "Can't parse RPC request: method is missing")
        self.core.activity.heard(device_id)
        await self.core.store.settled()
        nobody: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with contextlib.suppress(TimeoutError):
            await hold(self.core, request, nobody, self.core.timing.client_rpc_timeout)
        return json_answer({"error": "timeout"})

    async def claim(self, request: Request) -> Response:
        """Take a claiming request. The lab has one tenant and no customers, so there is nobody who could claim."""
        device_id = self._device(request)
        body = await read_body(request)
        if body and not isinstance(_checked(values.parse, body), dict):
            raise TextError(500, "Can't parse value: " + body.decode("utf-8", "replace")[:256])
        self.core.activity.heard(device_id)
        return done()

    async def firmware(self, request: Request) -> Response:
        """Serve the firmware that this device shall run."""
        return self._download(request, "FIRMWARE")

    async def software(self, request: Request) -> Response:
        """Serve the software that this device shall run."""
        return self._download(request, "SOFTWARE")

    def _download(self, request: Request, kind: str) -> Response:
        for name in ("title", "version"):
            if name not in request.query_params:
                message = f"Required request parameter '{name}' for method parameter type String is not present"
                raise ApiError(400, BAD_REQUEST, message)
        size, number = _integer(request, "size"), _integer(request, "chunk")
        package = self.core.ota.package_of(self._device(request), kind)
        if package is None or package["url"] or not package["has_data"]:
            raise EmptyError(404)
        if (request.query_params["title"], request.query_params["version"]) != (package["title"], package["version"]):
            raise EmptyError(400)
        if size < 1:
            return downloads.whole(self.core.packages, package, request.headers.get("range"))
        return downloads.chunk(self.core.packages, package, size, number)

    async def provision(self, request: Request) -> Response:
        """Let a device make itself known with its profile's key and secret: always 200, the answer says how it went."""
        body = await read_body(request, MAX_STRANGER_BYTES)
        try:
            given = values.plain(values.parse(body))
        except values.PayloadError as error:
            raise ApiError(500, 2, str(error)) from None
        return json_answer(provisioning.provision(self.core, given))


def _integer(request: Request, name: str, largest: int = 2**31 - 1) -> int:
    text = request.query_params.get(name) or "0"
    try:
        number = int(text) if len(text) < 24 else largest + 1
    except ValueError:
        number = largest + 1
    if not -largest - 1 <= number <= largest:
        raise ApiError(400, BAD_REQUEST, f'Failed to convert value of type "String" to a number: {name}={text[:32]}')
    return number


async def _payload(request: Request, limit: int = MAX_BODY_BYTES) -> Any:
    body = await read_body(request, limit)
    if not body:
        raise ApiError(400, BAD_REQUEST, "Required request body is missing")
    return _checked(values.parse, body)


def _checked(convert: Callable[[Any], Any], given: Any) -> Any:
    """Convert or keep a payload; a refusal is 500 with the parser's message as plain text, as ThingsBoard's callback answers."""
    try:
        return convert(given)
    except values.PayloadError as error:
        raise TextError(500, str(error)) from None
