"""The door of the REST API: who is asking, and may he.

A device token is not looked at here at all: it opens `/api/v1/{token}/...` and nothing else.
"""

import asyncio
import time
from typing import Any, NamedTuple

from starlette.datastructures import Headers

from cota.lab import tokens
from cota.lab.clock import now_ms
from cota.lab.data.accounts import Accounts
from cota.lab.data.store import Row
from cota.lab.errors import AUTHENTICATION, JWT_EXPIRED, TOO_MANY_REQUESTS, ApiError
from cota.lab.throttle import LoginThrottle


class Principal(NamedTuple):
    """Who is asking: the account, and the session where a login made one."""

    account: Row
    session_id: str | None


def refused(message: str = "Authentication failed", code: int = AUTHENTICATION) -> ApiError:
    """Return ThingsBoard's 401."""
    return ApiError(401, code, message)


class Auth:
    """Logins, and the check of every REST request."""

    def __init__(self, accounts: Accounts) -> None:
        self.accounts = accounts
        self._throttle = LoginThrottle()
        # One guess at a time: scrypt takes 16 MiB and a core, so a crowd of guessers must queue.
        self._hashing = asyncio.Lock()

    async def login(self, username: Any, password: Any, address: str) -> dict[str, str]:
        """Return a pair of tokens for the right password.

        Raises:
            ApiError: 401 for a wrong one, 429 after too many of them from one address.
        """
        account = await self._check(username, password, address)
        return self.accounts.issue(account)

    async def change_password(self, principal: Principal, current: Any, new: Any, address: str) -> dict[str, str]:
        """Set a new password and return tokens that it made.

        Raises:
            ApiError: The current one is wrong, or the new one is no text.
        """
        account = await self._check(principal.account["email"], current, address)
        if not isinstance(new, str) or not new:
            raise ApiError(400, 31, "New password should be specified!")
        async with self._hashing:
            hashed = await asyncio.to_thread(tokens.hash_password, new)
        self.accounts.set_password(account["id"], hashed)
        changed = self.accounts.by_id(account["id"])
        return self.accounts.issue(changed or account)

    async def _check(self, username: Any, password: Any, address: str) -> Row:
        if not isinstance(username, str) or not isinstance(password, str):
            raise refused("Authentication method not supported. Username and password are required.")
        account = self.accounts.by_email(username)
        async with self._hashing:
            if self._throttle.wait(address, time.monotonic()) > 0:
                raise ApiError(429, TOO_MANY_REQUESTS, "Too many failed logins from this address, try again in a minute")
            stored = self.accounts.decoy if account is None else account["password"]
            right = await asyncio.to_thread(tokens.password_matches, password, stored)
            if account is None or not right:
                self._throttle.failed(address, time.monotonic())
        if account is None or not right:
            raise refused("Invalid username or password")
        self._throttle.succeeded(address)
        return account

    def refresh(self, token: Any) -> dict[str, str]:
        """Return a new pair for a refresh token.

        Raises:
            ApiError: 401.
        """
        principal = self._session(token if isinstance(token, str) else "", "REFRESH_TOKEN")
        return self.accounts.issue(principal.account)

    def authenticate(self, headers: Headers) -> Principal:
        """Return who is asking.

        Raises:
            ApiError: 401: nobody we know.
        """
        value = headers.get("x-authorization") or headers.get("authorization") or ""
        kind, _, secret = value.partition(" ")
        if kind == "Bearer":
            return self._session(secret.strip(), "TENANT_ADMIN")
        if kind == "ApiKey":
            return self._api_key(secret.strip())
        raise refused()

    def _session(self, token: str, scope: str) -> Principal:
        try:
            claims = tokens.verify(token, self.accounts.jwt_key, time.time())
        except tokens.TokenExpiredError:
            raise refused("Token has expired", JWT_EXPIRED) from None
        except tokens.TokenError:
            raise refused() from None
        account = self.accounts.by_id(claims["userId"])
        if account is None or scope not in claims["scopes"] or claims["passwordNumber"] != account["password_number"]:
            raise refused()
        if self.accounts.session_ended(claims["sessionId"]):
            raise refused("Token has expired", JWT_EXPIRED)
        return Principal(account, claims["sessionId"])

    def _api_key(self, value: str) -> Principal:
        row = self.accounts.api_key_by_value(value)
        account = None if row is None else self.accounts.by_id(row["account_id"])
        if row is None or account is None:
            raise refused("Invalid username or password")
        if not row["enabled"]:
            raise refused("User account is not active")
        if 0 < row["expires"] < now_ms():
            raise refused("API key is expired")
        return Principal(account, None)
