"""The client: one signed-in session, and the calls by what they are about."""

from collections.abc import Callable
from types import TracebackType
from typing import Self

from cota.thingsboard.devices import Devices, Profiles
from cota.thingsboard.fleet import Fleet
from cota.thingsboard.packages import Packages
from cota.thingsboard.session import Json, Session
from cota.thingsboard.telemetry import Telemetry

_TIMEOUT_SECONDS = 30.0


class Client:
    """ThingsBoard's REST API, as far as updates need it. Close it, or use it in a `with`.

    Nothing is sent before the first call. Every call raises `ThingsBoardError` where the server refuses or is not reached.

    Args:
        url: Address of the server, with scheme.
        username: Who signs in with `password`; a tenant administrator.
        password: Their password.
        api_key: An API key (ThingsBoard 4.3 and later) in place of both.
        timeout: Seconds to wait for a connection, for each piece sent and for each piece received.
        refresh_token: What an earlier sign-in left (`refresh_token` of that client), in place of a password.
        on_refresh: Called with each new refresh token, so that it can be kept.

    Raises:
        CotaError: The address or the credentials are not usable.

    Attributes:
        devices: Calls on devices.
        profiles: Calls on device profiles.
        packages: Calls on OTA packages.
        telemetry: Calls on attributes and telemetry.
        fleet: Calls on many devices at once.
    """

    def __init__(
        self,
        url: str,
        *,
        username: str | None = None,
        password: str | None = None,
        api_key: str | None = None,
        timeout: float = _TIMEOUT_SECONDS,
        refresh_token: str | None = None,
        on_refresh: Callable[[str], None] | None = None,
    ) -> None:
        self._session = Session(
            url,
            username=username,
            password=password,
            api_key=api_key,
            timeout=timeout,
            refresh_token=refresh_token,
            on_refresh=on_refresh,
        )
        self.devices = Devices(self._session)
        self.profiles = Profiles(self._session)
        self.packages = Packages(self._session)
        self.telemetry = Telemetry(self._session)
        self.fleet = Fleet(self._session)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self._session.url!r}, username={self._session.username!r})"

    @property
    def url(self) -> str:
        """The server's address, without a slash at the end."""
        return self._session.url

    @property
    def session(self) -> Session:
        """The connection, for what builds calls of its own on it; it ends with this client."""
        return self._session

    @property
    def refresh_token(self) -> str | None:
        """What a later client can sign in with instead of the password; None before the first sign-in and with an API key."""
        return self._session.refresh_token

    @property
    def token(self) -> str | None:
        """The access token, for what is not REST (the WebSocket); None with an API key."""
        return self._session.token

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def login(self) -> None:
        """Sign in now and not with the first call."""
        self._session.login()

    def user(self) -> Json:
        """Give who is signed in."""
        return self._session.get(dict, "/api/auth/user")
