"""The routes of the page's API: log in and out, look, and do what an operator confirmed."""

import re
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cota.page import explain, forms
from cota.page.backend import ChangedError, Target
from cota.page.hub import Hub
from cota.page.packages import InUseError, TakenError
from cota.page.sessions import Operator
from cota.page.web import MAX_FILE, PageError, cookie_name, operator_of, read_bytes, read_object, route, set_cookie
from cota.thingsboard.errors import ThingsBoardError
from cota.thingsboard.session import Json

# Devices in one POST; the page sends more in portions, and shows how far it is.
MOST_TARGETS = 100
_ID = re.compile(r"[0-9a-fA-F-]{36}")
_MOST_TEXT = 255
# Files that are sent at the same time; each is held in memory until the server has it.
_MOST_UPLOADS = 4
_LOOK_AGAIN = "Some fields need another look."


class Actions:
    """Routes over a hub.

    Args:
        hub: The page's parts.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._uploads = 0

    def routes(self) -> list[Route]:
        """Return the routes."""
        table = [
            ("GET", "/api/session", self.session),
            ("POST", "/api/login", self.log_in),
            ("POST", "/api/logout", self.log_out),
            ("GET", "/api/errors", self.errors),
            ("GET", "/api/device/{id}", self.device),
            ("GET", "/api/packages", self.packages),
            ("POST", "/api/packages", self.create_package),
            ("POST", "/api/packages/file", self.upload_package),
            ("POST", "/api/packages/{id}/delete", self.delete_package),
            ("GET", "/api/profile/{id}/reach", self.reach),
            ("GET", "/api/wave", self.wave),
            ("POST", "/api/assign", self.assign),
            ("POST", "/api/assign-profile", self.assign_profile),
            ("POST", "/api/retry", self.retry),
        ]
        return [route(method, path, self._hub, handler) for method, path, handler in table]

    def _operator(self, request: Request) -> Operator:
        return operator_of(request, self._hub)

    async def session(self, request: Request) -> Response:
        """Answer who is logged in, and the token for POSTs; a new browser gets its cookie here."""
        try:
            operator: Operator | None = self._operator(request)
        except PageError:
            operator = None
        return self._session_answer(request, operator)

    def _session_answer(self, request: Request, operator: Operator | None) -> Response:
        sessions, door = self._hub.sessions, self._hub.door
        held = request.cookies.get(cookie_name(request), "")
        cookie = operator.cookie if operator else held or sessions.new_cookie()
        body = {
            "user": operator.name if operator else None,
            "ended": None if operator else sessions.why_ended(held),
            "server": door.server,
            "door": door.kind,
            "csrf": sessions.csrf(cookie),
            "most": MOST_TARGETS,
            "largest": MAX_FILE,
        }
        response = JSONResponse(body)
        if cookie != held:
            set_cookie(request, response, cookie)
        return response

    async def log_in(self, request: Request) -> Response:
        """Let somebody in; his cookie is new, so that nobody can have planted it."""
        given = await read_object(request)
        address = request.client.host if request.client else ""
        return self._session_answer(request, await self._hub.log_in(given, address))

    async def log_out(self, request: Request) -> Response:
        """End the session, here and at the server, in every tab."""
        operator = self._operator(request)
        response, cookie, why = JSONResponse({}), self._hub.sessions.new_cookie(), "You logged out."
        self._hub.sessions.end(operator, why)
        # Other tabs ask with this cookie from now on, and shall hear why as well.
        self._hub.sessions.tell(cookie, why)
        set_cookie(request, response, cookie)
        return response

    async def errors(self, request: Request) -> Response:
        """Answer the table of errors."""
        self._operator(request)
        return JSONResponse(explain.table())

    async def device(self, request: Request) -> Response:
        """Answer all about a device."""
        operator = self._operator(request)
        return JSONResponse(await self._hub.ask(operator, operator.backend.device, _id(request.path_params["id"])))

    async def packages(self, request: Request) -> Response:
        """Answer packages and profiles."""
        operator = self._operator(request)
        return JSONResponse(await self._hub.ask(operator, operator.backend.packages.all))

    async def create_package(self, request: Request) -> Response:
        """Make a URL package; what is wrong with it is told by field."""
        operator, given = self._operator(request), await read_object(request)
        if wrong := forms.check_package(given):
            raise PageError(422, _LOOK_AGAIN, fields=wrong)
        return JSONResponse(await self._make(operator, operator.backend.packages.create, given))

    async def upload_package(self, request: Request) -> Response:
        """Make a package of a file: the fields are in the address, the body is the file."""
        operator, given = self._operator(request), dict(request.query_params)
        if self._uploads >= _MOST_UPLOADS:
            raise PageError(503, "Others are sending files just now. Try again in a minute.")
        self._uploads += 1
        try:
            data = await read_bytes(request, MAX_FILE)
            if data is None:
                raise PageError(413, _LOOK_AGAIN, fields={"file": f"This file is too large: at most {MAX_FILE // 1_000_000} MB."})
            name = given.get("file", "")
            if wrong := forms.check_file(given, name, data):
                raise PageError(422, _LOOK_AGAIN, fields=wrong)
            return JSONResponse(await self._make(operator, operator.backend.packages.upload, given, name, data))
        finally:
            self._uploads -= 1

    async def _make(self, operator: Operator, work: Callable[..., Json], *values: Any) -> Json:
        try:
            return await self._hub.ask(operator, work, *values)
        except TakenError as error:
            raise PageError(409, _LOOK_AGAIN, fields={"version": str(error)}) from None
        except ThingsBoardError as error:
            if error.status != 413:
                raise
            raise PageError(413, _LOOK_AGAIN, fields={"file": f"The server takes no file of this size. {error.hint}"}) from None

    async def delete_package(self, request: Request) -> Response:
        """Delete a package that nobody has."""
        operator = self._operator(request)
        try:
            await self._hub.ask(operator, operator.backend.packages.delete, _id(request.path_params["id"]))
        except InUseError as error:
            raise PageError(409, str(error), hint="Assign another one there first, or none.") from None
        return JSONResponse({})

    async def reach(self, request: Request) -> Response:
        """Answer how many devices an assignment to a profile reaches."""
        operator = self._operator(request)
        return JSONResponse({"devices": await self._hub.ask(operator, operator.backend.reached, _id(request.path_params["id"]))})

    async def wave(self, request: Request) -> Response:
        """Answer the course of a wave."""
        operator, params = self._operator(request), request.query_params
        title, version = params.get("title", "")[:_MOST_TEXT], params.get("version", "")[:_MOST_TEXT]
        return JSONResponse(await self._hub.wave(operator, title, version))

    async def assign(self, request: Request) -> Response:
        """Assign a package to devices, or take theirs away."""
        operator, given = self._operator(request), await read_object(request)
        targets = [Target(_id(one.get("id")), _whole(one.get("assigned"))) for one in _objects(given, "devices")]
        answer = await self._hub.ask(operator, operator.backend.assign_devices, targets, _id_or_none(given.get("package")))
        self._hub.watcher(operator).look_soon()
        return JSONResponse(answer)

    async def assign_profile(self, request: Request) -> Response:
        """Assign a package to a profile, or take its away."""
        operator, given = self._operator(request), await read_object(request)
        profile, package, seen = _id(given.get("profile")), _id_or_none(given.get("package")), _id_or_none(given.get("seen"))
        try:
            await self._hub.ask(operator, operator.backend.assign_profile, profile, package, seen)
        except ChangedError:
            raise PageError(409, "Somebody else gave this profile another package meanwhile. Look again.") from None
        self._hub.watcher(operator).look_soon()
        return JSONResponse({})

    async def retry(self, request: Request) -> Response:
        """Ask devices to try again."""
        operator, given = self._operator(request), await read_object(request)
        ids = [_id(one.get("id")) for one in _objects(given, "devices")]
        answer = await self._hub.ask(operator, operator.backend.retry, ids)
        self._hub.watcher(operator).look_soon()
        return JSONResponse(answer)


def _id(value: Any) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise PageError(400, "That is no id.")
    return value


def _id_or_none(value: Any) -> str | None:
    return None if value is None else _id(value)


def _whole(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value < 2**63:
        raise PageError(400, "That is no time.")
    return value


def _objects(given: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = given.get(name)
    if not isinstance(found, list) or not 0 < len(found) <= MOST_TARGETS or not all(isinstance(one, dict) for one in found):
        raise PageError(400, f"Name 1 to {MOST_TARGETS} devices.")
    return found
