"""One signed-in connection to a ThingsBoard server: requests out, JSON or a clear error back."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import httpx2

from cota.errors import CotaError
from cota.thingsboard.address import checked_url, is_loopback
from cota.thingsboard.errors import ThingsBoardError, fields_of, not_reached, refused

# Objects are kept as the server gave them, so that fields of a newer server survive reading, changing and saving.
Json = dict[str, Any]
Params = Mapping[str, str | int | bool]
_T = TypeVar("_T")

# ThingsBoard's errorCode for an access token that has run out (ThingsboardErrorCode.JWT_TOKEN_EXPIRED), and for a lost race of two saves.
_TOKEN_EXPIRED = 11
_VERSION_CONFLICT = 35
# Shorter than any server's own limit (uvicorn's is 5 s), so that a request never meets a connection that is just being closed.
_KEEPALIVE_SECONDS = 2.0
_PAGE_SIZE = 100
# Pages of one listing; a million entries is more than any fleet here.
_MAX_PAGES = 10_000
# Times that a save is tried anew when somebody else saved in between.
_SAVES = 3
# A server that answers at once still takes its time to hash and store an upload.
_UPLOAD_SECONDS = 120.0


def id_of(thing: Json) -> str:
    """Give the id of an entity as the server gave it."""
    return str(thing["id"]["id"])


class Session:
    """Signs in at the first request and again when that runs out.

    Args:
        url: Address of the server, with scheme; a path before /api is kept.
        username: Who signs in with `password`.
        password: Their password.
        api_key: An API key (ThingsBoard 4.3 and later) in place of both.
        timeout: Seconds to wait for a connection, for each piece sent and for each piece received.
        refresh_token: What an earlier sign-in left, in place of a password.
        on_refresh: Called with each new refresh token, so that it can be kept.

    Raises:
        CotaError: The address or the credentials are not usable.
    """

    def __init__(
        self,
        url: str,
        *,
        username: str | None,
        password: str | None,
        api_key: str | None,
        timeout: float,
        refresh_token: str | None = None,
        on_refresh: Callable[[str], None] | None = None,
    ) -> None:
        parsed = checked_url(url)
        if not api_key and not refresh_token and (not username or not password):
            raise CotaError("Neither an API key nor a user name with a password was given.", "Give one of them.")
        self.url = str(parsed)
        self.username = None if api_key else username
        self._password = password
        self._api_key = api_key
        self._token: str | None = None
        self._refresh_token = refresh_token
        self._on_refresh = on_refresh
        self._timeout = timeout
        self._http = httpx2.Client(
            timeout=timeout,
            limits=httpx2.Limits(max_connections=4, max_keepalive_connections=4, keepalive_expiry=_KEEPALIVE_SECONDS),
            # No proxy of the environment stands between this machine and itself.
            trust_env=not is_loopback(parsed.host),
        )

    def __repr__(self) -> str:
        return f"Session({self.url!r}, username={self.username!r})"

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, kind: type[_T], path: str, params: Params | None = None) -> _T:
        """GET and give the JSON, of the type that it must have; tried once more where the connection was dropped."""
        return self._checked(kind, path, self._ask("GET", path, params, again=True))

    def post(self, kind: type[_T], path: str, body: object, *, again: bool = False) -> _T:
        """POST JSON and give the JSON of the answer.

        Args:
            kind: Type that the answer must have.
            path: Path from /api.
            body: What to send.
            again: The call changes nothing or the same when repeated, so it may be tried once more where the connection was dropped.
        """
        return self._checked(kind, path, self._ask("POST", path, None, again=again, json=body))

    def put(self, path: str, body: object) -> None:
        """POST JSON that may be sent twice, and leave the answer alone."""
        self._ask("POST", path, None, again=True, json=body)

    def delete(self, path: str, params: Params | None = None) -> None:
        """DELETE."""
        self._ask("DELETE", path, params, again=False)

    def upload(self, path: str, name: str, data: bytes, params: Params) -> Json:
        """POST a file as multipart/form-data; repeated where the connection was dropped, which the server takes for the same file."""
        files = {"file": (name, data, "application/octet-stream")}
        answer = self._ask("POST", path, params, again=True, files=files, timeout=max(self._timeout, _UPLOAD_SECONDS))
        return self._checked(dict, path, answer)

    def pages(self, path: str, params: Params | None = None, *, size: int = _PAGE_SIZE) -> Iterator[Json]:
        """Give every element of a paged listing, in the order of creation unless `params` say another; `size` of them a request."""
        shared = {"sortProperty": "createdTime", "sortOrder": "ASC", **(params or {}), "pageSize": size}
        for page in range(_MAX_PAGES):
            lines, more = self.page(path, self.get(dict, path, {**shared, "page": page}))
            yield from lines
            if not more:
                return

    def page(self, path: str, answer: Json) -> tuple[list[Json], bool]:
        """Give the elements of one page and whether another follows."""
        return self._checked(list, path, answer.get("data")), bool(answer.get("hasNext"))

    def save(self, read_path: str, save_path: str, change: Callable[[Json], None]) -> Json:
        """Read an object, change it and save it whole; anew where somebody else saved it in between.

        Args:
            read_path: Where the object is read.
            save_path: Where it is saved.
            change: Changes the object it is given; everything it leaves alone is saved as it was read.
        """
        for attempt in range(_SAVES):
            thing = self.get(dict, read_path)
            change(thing)
            try:
                saved = self.post(dict, save_path, thing)
            except ThingsBoardError as error:
                if error.error_code != _VERSION_CONFLICT or attempt == _SAVES - 1:
                    raise
            else:
                return saved
        raise AssertionError("the last attempt returns or raises")

    def _ask(self, method: str, path: str, params: Params | None, *, again: bool, **kind: Any) -> Any:
        response = self._send(method, path, params, again=again, headers=self._headers(), **kind)
        if response.status_code == 401 and self._api_key is None:
            self._renew(fields_of(response)[1] == _TOKEN_EXPIRED)
            response = self._send(method, path, params, again=again, headers=self._headers(), **kind)
        return self._result(method, path, response)

    def _headers(self) -> dict[str, str]:
        if self._api_key is not None:
            return {"X-Authorization": f"ApiKey {self._api_key}"}
        if self._token is None:
            self.login()
        return {"X-Authorization": f"Bearer {self._token}"}

    def login(self) -> None:
        """Sign in with user name and password, or with what an earlier sign-in left; nothing to do with an API key.

        Raises:
            ThingsBoardError: They are wrong, the account needs a second factor, or the server is not reached.
        """
        if self._api_key is not None:
            return
        if self._password:
            self._take_tokens("/api/auth/login", {"username": self.username, "password": self._password})
            return
        try:
            self._take_tokens("/api/auth/token", {"refreshToken": self._refresh_token})
        except ThingsBoardError as error:
            if error.status != 401:
                raise
            raise ThingsBoardError(
                f"The sign-in at {self.url} has run out: {error.server_message or 'it is not taken any more'}.",
                "`cota login` signs in again; an API key lasts as long as you say when you make it.",
                status=401,
                error_code=error.error_code,
            ) from error

    @property
    def refresh_token(self) -> str | None:
        """What a later session can sign in with instead of the password; None before the first sign-in and with an API key."""
        return self._refresh_token

    @property
    def token(self) -> str | None:
        """The access token of a sign-in, which is made now where there is none; None with an API key."""
        if self._api_key is None and self._token is None:
            self.login()
        return self._token

    def _renew(self, expired: bool) -> None:
        if expired and self._refresh_token is not None and self._password:
            with contextlib.suppress(ThingsBoardError):
                self._take_tokens("/api/auth/token", {"refreshToken": self._refresh_token})
                return
        self.login()

    def _take_tokens(self, path: str, body: Json) -> None:
        self._token = None
        response = self._send("POST", path, None, again=True, headers={}, json=body)
        answer = self._checked(dict, path, self._result("POST", path, response))
        self._checked(str, path, answer.get("token"))
        if answer.get("scope") == "PRE_VERIFICATION_TOKEN":
            raise ThingsBoardError(f"The account {self.username} at {self.url} asks for a second factor.", "Use an API key instead.")
        self._token, self._refresh_token = answer["token"], answer.get("refreshToken")
        if self._on_refresh is not None and self._refresh_token:
            self._on_refresh(self._refresh_token)

    def _send(self, method: str, path: str, params: Params | None, *, again: bool, headers: dict[str, str], **kind: Any) -> httpx2.Response:
        try:
            return self._http.request(method, self.url + path, params=params, headers=headers, **kind)
        except (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError) as error:
            if not again:
                raise self._not_reached(method, path, error) from error
        except httpx2.HTTPError as error:
            raise self._not_reached(method, path, error) from error
        try:
            return self._http.request(method, self.url + path, params=params, headers=headers, **kind)
        except httpx2.HTTPError as error:
            raise self._not_reached(method, path, error) from error

    def _not_reached(self, method: str, path: str, error: httpx2.HTTPError) -> ThingsBoardError:
        return not_reached(self.url, f"{method} {path}", error, self._timeout, self._without_secrets(str(error)))

    def _result(self, method: str, path: str, response: httpx2.Response) -> Any:
        if response.is_redirect:
            target = self._without_secrets(response.headers.get("location", ""))
            raise ThingsBoardError(
                f"{self.url} sends {method} {path} on to {target}.",
                "Give that address instead; often it is https for http.",
                status=response.status_code,
            )
        if not response.is_success:
            message, code = fields_of(response)
            raise refused(self.url, f"{method} {path}", response.status_code, self._without_secrets(message), code)
        if not response.content:
            return None
        try:
            return response.json()
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise self._not_thingsboard(path) from error

    def _checked(self, kind: type[_T], path: str, answer: Any) -> _T:
        if not isinstance(answer, kind):
            raise self._not_thingsboard(path)
        return answer

    def _not_thingsboard(self, path: str) -> ThingsBoardError:
        return ThingsBoardError(
            f"{self.url} answers, but not as ThingsBoard does ({path}).",
            "Check that the address is the server's own, without /login behind it.",
        )

    def _without_secrets(self, text: str) -> str:
        for secret in (self._password, self._api_key, self._token, self._refresh_token):
            if secret:
                text = text.replace(secret, "***")
        return text
