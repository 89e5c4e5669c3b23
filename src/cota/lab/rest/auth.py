"""REST: logging in and out, the user, API keys."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cota.lab.auth import Principal
from cota.lab.core import Core
from cota.lab.data.store import Row
from cota.lab.errors import ApiError, invalid, not_found
from cota.lab.ids import check_uuid, ref_id
from cota.lab.rest.paging import page, page_link
from cota.lab.web import MAX_STRANGER_BYTES, Router, done, json_answer, read_body, read_object


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


class LoginApi(Router):
    """The two calls that need no login."""

    def __init__(self, core: Core) -> None:
        super().__init__(core, public=True)

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [self.route("POST", "/api/auth/login", self.login), self.route("POST", "/api/auth/token", self.refresh)]

    async def login(self, request: Request) -> Response:
        """Trade user name and password for a pair of tokens."""
        given = await read_object(request, MAX_STRANGER_BYTES)
        return json_answer(await self.core.auth.login(given.get("username"), given.get("password"), _address(request)))

    async def refresh(self, request: Request) -> Response:
        """Trade a refresh token for a new pair."""
        given = await read_object(request, MAX_STRANGER_BYTES)
        return json_answer(self.core.auth.refresh(given.get("refreshToken")))


class AccountApi(Router):
    """The administrator's own account and its API keys."""

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            self.route("GET", "/api/auth/user", self.user),
            self.route("POST", "/api/auth/logout", self.logout),
            self.route("POST", "/api/auth/changePassword", self.change_password),
            self.route("GET", "/api/user/{id}", self.user_by_id),
            self.route("GET", "/api/users", self.users),
            self.route("POST", "/api/apiKey", self.create_key),
            self.route("GET", "/api/apiKeys/{id}", self.list_keys),
            self.route("PUT", "/api/apiKey/{id}/enabled/{enabled}", self.enable_key),
            self.route("PUT", "/api/apiKey/{id}/description", self.describe_key),
            self.route("DELETE", "/api/apiKey/{id}", self.delete_key),
        ]

    def _account(self, request: Request) -> Row:
        principal: Principal = request.state.principal
        return principal.account

    async def user(self, request: Request) -> Response:
        """Answer who is asking."""
        return json_answer(self.core.accounts.user(self._account(request)))

    async def user_by_id(self, request: Request) -> Response:
        """Answer a user by id; there is one."""
        user_id = check_uuid(request.path_params["id"])
        account = self.core.accounts.by_id(user_id)
        if account is None:
            raise not_found(f"User with id [{user_id}] is not found")
        return json_answer(self.core.accounts.user(account))

    async def users(self, request: Request) -> Response:
        """Answer the page of all users: the administrator."""
        link = page_link(request.query_params)
        user = self.core.accounts.user(self._account(request))
        shown = [user] if link.number == 0 and link.search.lower() in user["email"] else []
        return json_answer(page(shown, len(shown), link))

    async def logout(self, request: Request) -> Response:
        """End the session; its tokens are void from now on."""
        if request.state.principal.session_id:
            self.core.accounts.end_session(request.state.principal.session_id)
        return done()

    async def change_password(self, request: Request) -> Response:
        """Set a new password, which voids every token from before."""
        given = await read_object(request)
        current, new = given.get("currentPassword"), given.get("newPassword")
        return json_answer(await self.core.auth.change_password(request.state.principal, current, new, _address(request)))

    async def create_key(self, request: Request) -> Response:
        """Make an API key and show its value this once."""
        given = await read_object(request)
        description, expires = given.get("description"), given.get("expirationTime") or 0
        if not isinstance(description, str) or not description.strip():
            raise invalid("API key description should be specified!")
        if len(description) > 255:
            raise invalid("Validation error: description length must be equal or less than 255")
        if not isinstance(expires, int) or not 0 <= expires < 2**63:
            raise invalid("API key expiration time should be a time in milliseconds!")
        account = self._account(request)
        if ref_id(given.get("userId")) not in {None, account["id"]}:
            raise ApiError(403, 20, "You don't have permission to perform this operation!")
        enabled = given.get("enabled") is not False
        return json_answer(self.core.accounts.create_api_key(account["id"], description, enabled, expires))

    async def list_keys(self, request: Request) -> Response:
        """Answer a page of API keys, without their values."""
        link, account_id = page_link(request.query_params), check_uuid(request.path_params["id"])
        return json_answer(self.core.accounts.api_keys(account_id, link))

    def _key(self, request: Request) -> str:
        key_id = check_uuid(request.path_params["id"])
        self.core.accounts.need_api_key(key_id)
        return key_id

    async def enable_key(self, request: Request) -> Response:
        """Switch an API key on or off."""
        key_id = self._key(request)
        self.core.accounts.change_api_key(key_id, enabled=request.path_params["enabled"].lower() == "true")
        return self._key_info(key_id)

    async def describe_key(self, request: Request) -> Response:
        """Describe an API key anew; the body is the text."""
        key_id = self._key(request)
        text = (await read_body(request, 4096)).decode("utf-8", "replace").strip().strip('"')
        self.core.accounts.change_api_key(key_id, description=text[:255])
        return self._key_info(key_id)

    def _key_info(self, key_id: str) -> Response:
        return json_answer(self.core.accounts.api_key_info(self.core.accounts.need_api_key(key_id)))

    async def delete_key(self, request: Request) -> Response:
        """Delete an API key."""
        self.core.accounts.delete_api_key(self._key(request))
        return done()
