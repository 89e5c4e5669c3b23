"""Who may operate the lab: the administrator, sessions and API keys, as stored."""

import secrets
import time
from typing import Any

from cota.lab import tokens
from cota.lab.clock import now_ms
from cota.lab.data.store import Row, Store
from cota.lab.errors import not_found
from cota.lab.ids import NULL_UUID, new_id, ref
from cota.lab.rest.paging import PageLink, select_page

# The name of ThingsBoard's own demo administrator, so that its users find the door where they expect it.
DEFAULT_USERNAME = "tenant@thingsboard.org"
_KEY_SORT = {"createdTime": "created", "description": "description", "enabled": "enabled", "expirationTime": "expires"}
_KEY_BYTES = 64  # HS512 wants as many bits as it gives


class Accounts:
    """The administrator and everything that opens the REST API in his name."""

    def __init__(self, store: Store) -> None:
        self._store = store
        with store.unit():
            self.tenant_id = self._setting("tenant_id", new_id)
            self.jwt_key = bytes.fromhex(self._setting("jwt_key", lambda: secrets.token_bytes(_KEY_BYTES).hex()))
        # Checked against when the user name is wrong, so that a wrong name takes as long as a wrong password.
        self.decoy = tokens.hash_password(tokens.new_password())

    def _setting(self, name: str, make: Any) -> str:
        row = self._store.one("SELECT value FROM setting WHERE name = ?", name)
        if row is None:
            self._store.run("INSERT INTO setting (name, value) VALUES (?, ?)", name, make())
            return self._setting(name, make)
        return str(row["value"])

    def ensure_administrator(self, password: str | None) -> str | None:
        """Make the administrator on first run, or give him the password that was asked for.

        Returns:
            The password if it was made here and must be shown, else None.
        """
        row = self._store.one("SELECT * FROM account WHERE email = ?", DEFAULT_USERNAME)
        made = None
        with self._store.unit():
            if row is None:
                made = None if password else tokens.new_password()
                self._store.run(
                    "INSERT INTO account (id, created, email, password, password_number) VALUES (?, ?, ?, ?, 1)",
                    *(new_id(), now_ms(), DEFAULT_USERNAME, tokens.hash_password(password or made or "")),
                )
            elif password and not tokens.password_matches(password, row["password"]):
                self.set_password(row["id"], tokens.hash_password(password))
        return made

    def set_password(self, account_id: str, hashed: str) -> None:
        """Store a new password; every token from before is void."""
        with self._store.unit():
            self._store.run("UPDATE account SET password = ?, password_number = password_number + 1 WHERE id = ?", hashed, account_id)

    def by_email(self, email: str) -> Row | None:
        """Return the account of this user name."""
        return self._store.one("SELECT * FROM account WHERE email = ?", email)

    def by_id(self, account_id: str) -> Row | None:
        """Return the account with this id."""
        return self._store.one("SELECT * FROM account WHERE id = ?", account_id)

    def session_ended(self, session_id: str) -> bool:
        """Tell whether its user logged this session out."""
        return self._store.one("SELECT 1 FROM ended_session WHERE id = ?", session_id) is not None

    def end_session(self, session_id: str) -> None:
        """Log a session out; it is remembered as long as its refresh token could live."""
        now = int(time.time())
        with self._store.unit():
            self._store.run("DELETE FROM ended_session WHERE until < ?", now)
            self._store.run("INSERT OR IGNORE INTO ended_session VALUES (?, ?)", session_id, now + tokens.REFRESH_SECONDS)

    def issue(self, account: Row) -> dict[str, str]:
        """Return a fresh pair of tokens with ThingsBoard's claims."""
        now = int(time.time())
        session = new_id()
        # The number of the password is ours: with a new password every older token is void.
        number = {"passwordNumber": account["password_number"]}
        common = {**number, "sub": account["email"], "userId": account["id"], "sessionId": session, "iss": "thingsboard.io", "iat": now}
        owner = {"enabled": True, "isPublic": False, "tenantId": self.tenant_id, "customerId": NULL_UUID}
        access = {**common, **owner, "scopes": ["TENANT_ADMIN"], "exp": now + tokens.ACCESS_SECONDS}
        refresh = {**common, "scopes": ["REFRESH_TOKEN"], "isPublic": False, "jti": new_id(), "exp": now + tokens.REFRESH_SECONDS}
        return {"token": tokens.sign(access, self.jwt_key), "refreshToken": tokens.sign(refresh, self.jwt_key)}

    def user(self, account: Row) -> dict[str, Any]:
        """Return an account as ThingsBoard's User."""
        return {
            "id": ref("USER", account["id"]),
            "createdTime": account["created"],
            "tenantId": ref("TENANT", self.tenant_id),
            "customerId": ref("CUSTOMER", NULL_UUID),
            "ownerId": ref("TENANT", self.tenant_id),
            "email": account["email"],
            "name": account["email"],
            "authority": "TENANT_ADMIN",
            "firstName": None,
            "lastName": None,
            "phone": None,
            "additionalInfo": {},
            "version": account["version"],
        }

    def create_api_key(self, account_id: str, description: str, enabled: bool, expires: int) -> dict[str, Any]:
        """Make an API key; its value is in this answer and never again."""
        value, key_id = tokens.new_api_key(), new_id()
        with self._store.unit():
            self._store.run(
                "INSERT INTO api_key VALUES (?, ?, ?, ?, ?, ?, ?)",
                *(key_id, now_ms(), account_id, tokens.digest(value), description, int(enabled), expires),
            )
        return {**self.api_key_info(self.need_api_key(key_id)), "value": value}

    def api_key(self, key_id: str) -> Row | None:
        """Return an API key's row by its id."""
        return self._store.one("SELECT * FROM api_key WHERE id = ?", key_id)

    def need_api_key(self, key_id: str) -> Row:
        """Return an API key's row by its id.

        Raises:
            ApiError: 404.
        """
        row = self.api_key(key_id)
        if row is None:
            raise not_found(f"API key with id [{key_id}] is not found")
        return row

    def api_keys(self, account_id: str, link: PageLink) -> dict[str, Any]:
        """Return a page of an account's API keys, without their values."""
        conditions = {"account_id = ?": account_id}
        return select_page(
            self._store, "SELECT * FROM api_key", conditions, link, columns=_KEY_SORT, search_column="description", show=self.api_key_info
        )

    def api_key_by_value(self, value: str) -> Row | None:
        """Return an API key's row by its secret, which is looked up by its digest only."""
        return self._store.one("SELECT * FROM api_key WHERE digest = ?", tokens.digest(value))

    def change_api_key(self, key_id: str, *, enabled: bool | None = None, description: str | None = None) -> None:
        """Switch an API key on or off, or describe it anew."""
        with self._store.unit():
            if enabled is not None:
                self._store.run("UPDATE api_key SET enabled = ? WHERE id = ?", int(enabled), key_id)
            if description is not None:
                self._store.run("UPDATE api_key SET description = ? WHERE id = ?", description, key_id)

    def delete_api_key(self, key_id: str) -> None:
        """Forget an API key."""
        with self._store.unit():
            self._store.run("DELETE FROM api_key WHERE id = ?", key_id)

    def api_key_info(self, row: Row) -> dict[str, Any]:
        """Return an API key as ThingsBoard shows it: without its value."""
        return {
            "id": ref("API_KEY", row["id"]),
            "createdTime": row["created"],
            "tenantId": ref("TENANT", self.tenant_id),
            "userId": ref("USER", row["account_id"]),
            "description": row["description"],
            "enabled": bool(row["enabled"]),
            "expirationTime": row["expires"],
            "expired": 0 < row["expires"] < now_ms(),
        }
