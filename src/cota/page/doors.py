"""How an operator gets in: with a user name and password of the server, or with the key that a terminal showed."""

import hmac
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from cota.errors import CotaError
from cota.page.backend import Backend
from cota.thingsboard.errors import ThingsBoardError
from cota.thingsboard.session import Session

_TIMEOUT_SECONDS = 30.0
_MAX_FIELD = 1024  # characters of a user name or a password


class RefusedError(CotaError):
    """The operator does not get in."""


class Door(Protocol):
    """What the page asks for at the log-in, and who opens.

    Attributes:
        kind: "password" or "key", for the form.
        server: The server's address, for people.
    """

    kind: str
    server: str

    def enter(self, given: Mapping[str, Any], address: str) -> Backend:
        """Return the operator's way to the server. Blocks.

        Args:
            given: The form's fields.
            address: Where he comes from.

        Raises:
            RefusedError: Not with these.
            ThingsBoardError: The server is not reached, or refuses for another reason.
        """
        ...


# Makes a connection to the server: user name, password, the operator's address.
Connect = Callable[[str, str, str], Session]


class PasswordDoor:
    """Lets in whoever the server lets in as tenant administrator.

    Args:
        server: The server's address.
        connect: Makes the connection; None asks the server at its address.
    """

    kind = "password"

    def __init__(self, server: str, connect: Connect | None = None) -> None:
        self.server = server
        self._connect = connect or self._over_network

    def _over_network(self, username: str, password: str, _address: str) -> Session:
        return Session(self.server, username=username, password=password, api_key=None, timeout=_TIMEOUT_SECONDS)

    def enter(self, given: Mapping[str, Any], address: str) -> Backend:
        """See Door."""
        username, password = _text(given, "username").strip(), _text(given, "password")
        if not username or not password:
            raise RefusedError("Give a user name and a password.")
        backend = Backend(self._connect(username, password, address))
        try:
            user = backend.user()
            if user.get("authority") != "TENANT_ADMIN":
                raise RefusedError("This account may not manage devices.", "Log in as a tenant administrator.")
        except ThingsBoardError as error:
            backend.close()
            if error.status == 401:
                raise RefusedError("The server does not accept this user name and password.") from error
            raise
        except BaseException:
            backend.close()
            raise
        return backend


class KeyDoor:
    """Lets in whoever has the key that the terminal shows, as the operator whose command this is.

    Args:
        session: His connection; it stays open when he logs out of the page, and whoever made it closes it.
    """

    kind = "key"

    def __init__(self, session: Session) -> None:
        self.server = session.url
        self.key = secrets.token_urlsafe(24)
        self._session = session

    def enter(self, given: Mapping[str, Any], address: str) -> Backend:
        """See Door."""
        if not hmac.compare_digest(_text(given, "key").strip().encode(), self.key.encode()):
            raise RefusedError("That is not the key.", "Open the address that the terminal shows, or copy the key from there.")
        return _Lent(self._session)


class _Lent(Backend):
    def close(self) -> None:
        pass

    def log_out(self) -> None:
        pass


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    return value if isinstance(value, str) and len(value) <= _MAX_FIELD else ""
