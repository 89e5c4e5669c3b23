"""What `cota install` has to know: from its options, the environment, what `cota login` kept, the drive, or a person at the terminal."""

import contextlib
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from cota.errors import CotaError

if TYPE_CHECKING:
    from cota.drive.boot_out import BoardInfo
    from cota.drive.identity import Maker, Provisioned

_WIFI_PASSWORD, _DEVICE_TOKEN = "COTA_WIFI_PASSWORD", "COTA_DEVICE_TOKEN"
_KEY, _SECRET = "COTA_PROVISION_KEY", "COTA_PROVISION_SECRET"
_PLACEHOLDER = "x" * 20  # as long as a token of ThingsBoard's, for a plan before there is one


class Answers:
    """What is known about one board.

    Args:
        given: The command's options.
        there: What the drive's settings.toml says.
        board: The board of the drive.
        stack: Closes what is opened here.

    Attributes:
        notes: What the user should know besides.
    """

    def __init__(self, given: Mapping[str, Any], there: Mapping[str, str], board: "BoardInfo", stack: contextlib.ExitStack) -> None:
        from cota.drive.answers import server_of

        self.notes: list[str] = []
        self._given, self._there, self._board, self._stack = given, there, board, stack
        self._known = _quietly(server_of, there)  # the server that the drive names
        self._token: str = given["token"] or os.environ.get(_DEVICE_TOKEN, "")

    def wifi(self) -> dict[str, str]:
        """Give the keys of the network; none where the drive's stay.

        Raises:
            CotaError: They are not known, or make no sense.
        """
        from cota.drive.answers import PASSWORD, SSID, check_password, password_of, ssid_of

        ssid = self._given["ssid"]
        if not ssid and ssid_of(self._there):
            if problem := check_password(password_of(self._there)):
                self.notes.append(f"settings.toml: {problem}")
            return {}
        if not ssid:
            ssid = ask("Wi-Fi network of the board", "--wifi or COTA_WIFI_SSID")
        password = os.environ.get(_WIFI_PASSWORD)
        if password is None:
            if ssid == ssid_of(self._there) and password_of(self._there):
                return {}
            password = ask(f"Password of {ssid} (empty: an open network)", _WIFI_PASSWORD, hide=True, empty=True)
        if problem := check_password(password):
            raise CotaError(problem, f"Look at {_WIFI_PASSWORD}, or what you typed.")
        return {SSID: ssid, PASSWORD: password}

    def maker(self) -> "Maker | None":
        """Give what finds or makes the board's device; None where the board has, or is given, its token.

        Raises:
            CotaError: What was asked for needs a server, and none is known.
        """
        from cota.config import NobodyError, find_access, known_access
        from cota.drive.answers import TOKEN
        from cota.drive.identity import Administered, check_profile

        given = self._given
        if self._token:
            return None
        is_named = given["device"] or given["profile"]
        key = given["provision_key"] or ("" if given["profile"] else os.environ.get(_KEY, ""))
        if key:
            return self._provisioned(key)
        if self._there.get(TOKEN) and not self._goes_elsewhere() and not is_named:
            return None
        try:
            access = (find_access if is_named else known_access)(given["server"], url=given["url"])
        except NobodyError as error:
            hint = f"{error.hint} Or give --token, or --provision-key, in place of --profile."
            raise CotaError(f"To find or make the device, sign in to the server. {error.message}", hint) from None
        if access is None:
            return None
        name = self._name()
        client = self._stack.enter_context(access.client())
        check_profile(client, given["profile"], given["create_profile"])
        return Administered(client, name, given["profile"], given["create_profile"])

    def _provisioned(self, key: str) -> "Provisioned":
        from cota.drive.answers import TOKEN, is_same_server
        from cota.drive.identity import Provisioned
        from cota.thingsboard.address import checked_url

        url = self._given["url"] or self._named_server() or os.environ.get("COTA_URL") or self._known or _default_server()
        url = str(checked_url(url or ask("ThingsBoard's address", "--url or COTA_URL")))
        name = self._name()
        secret = self._given["provision_secret"] or os.environ.get(_SECRET, "")
        secret = secret or ask("Secret of that provisioning key", f"--provision-secret or {_SECRET}", hide=True)
        # The token on the drive is for the server that the drive names, and no other one is asked about it.
        own = is_same_server(self._given["board_url"] or url, self._known)
        return Provisioned(url, key, secret, name, self._there.get(TOKEN, "") if own else "")

    def _name(self) -> str:
        name: str = self._given["device"] or self._board.device_name
        if not name:
            raise CotaError("This board tells no number of its chip, to name its device by.", "Name the device: --device NAME.")
        return name

    def server(self, maker: "Maker | None") -> dict[str, str]:
        """Give the keys of the server and the device's token; where `maker` is yet to give it, one that is as long.

        Raises:
            CotaError: They are not known, or no board could use them.
        """
        from cota.drive.answers import TOKEN, check_token, is_same_server, only_here, server_settings

        asked = self._asked()
        if maker is not None:
            token, asked = _PLACEHOLDER, asked or maker.url
        else:
            token = self._token or ("" if self._goes_elsewhere() else self._there.get(TOKEN, ""))
            how = "--token, or `cota login` to make the device"
            token = token or ask("Access token of the device in ThingsBoard", how, hide=True)
            if problem := check_token(token):
                raise CotaError(problem, "Copy it anew from the device in ThingsBoard (Copy access token).")
        asked = asked or self._known or os.environ.get("COTA_URL") or _default_server() or ask("ThingsBoard's address", "--url or COTA_URL")
        if only_here(asked):
            self.notes.append(f"{asked} means the machine that asks: only a simulated board reaches it so. --board-url gives another one.")
        settings = {} if is_same_server(asked, self._known) else server_settings(asked, self._there)
        return {**settings, TOKEN: token}

    def _asked(self) -> str | None:
        """The server that the user named for the board."""
        url: str | None = self._given["board_url"] or self._given["url"] or self._named_server()
        return url

    def _named_server(self) -> str | None:
        from cota.config import Book

        name = self._given["server"]
        # COTA_SERVER says where an operator signs in, and moves no board.
        found = Book.read().find(name) if name and name != os.environ.get("COTA_SERVER") else None
        return found[1].url if found else None

    def _goes_elsewhere(self) -> bool:
        """Whether the board gets another server than the drive names, where the drive's token means nothing."""
        from cota.drive.answers import is_same_server

        asked = self._asked()
        return bool(asked) and not is_same_server(asked, self._known)


def ask(what: str, otherwise: str, *, hide: bool = False, empty: bool = False) -> str:
    """Ask on a terminal.

    Raises:
        CotaError: There is no terminal to ask on.
    """
    if not sys.stdin.isatty():
        raise CotaError(f"Not known: {what}.", f"Give it with {otherwise}; there is no terminal to ask on.")
    default = "" if empty else None
    return str(click.prompt(what, hide_input=hide, err=True, default=default, show_default=False)).strip()


def _default_server() -> str | None:
    from cota.config import Book

    found = Book.read().find(None)
    return found[1].url if found else None


def _quietly(read: Any, values: Mapping[str, str]) -> str | None:
    """What a function reads from settings; None where they cannot be used and are replaced."""
    with contextlib.suppress(CotaError):
        found: str | None = read(values)
        return found
    return None
