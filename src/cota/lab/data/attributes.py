"""Attributes of an entity in their three scopes."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from cota.lab.data.store import MAX_QUERY_KEYS, Row, Store, rows_of
from cota.lab.data.values import decode

CLIENT, SHARED, SERVER = "CLIENT_SCOPE", "SHARED_SCOPE", "SERVER_SCOPE"
SCOPES = (CLIENT, SHARED, SERVER)
_UPSERT = (
    "INSERT INTO attribute (entity_id, scope, key, ts, value) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET ts = excluded.ts, value = excluded.value"
)


class Attributes:
    """The table of attributes; `changed` is called with the id of whatever is written."""

    def __init__(self, store: Store, changed: Callable[[str], None] = lambda _: None) -> None:
        self._store, self._changed = store, changed

    def get(self, entity_id: str, scope: str, keys: Sequence[str] | None = None) -> list[Row]:
        """Return rows (key, ts, value) of a scope; of these keys only, where some are named."""
        if keys is None or len(keys) > MAX_QUERY_KEYS:
            rows = self._store.all("SELECT key, ts, value FROM attribute WHERE entity_id = ? AND scope = ?", entity_id, scope)
            return rows if keys is None else rows_of(rows, set(keys))
        marks = ",".join("?" * len(keys))
        sql = f"SELECT key, ts, value FROM attribute WHERE entity_id = ? AND scope = ? AND key IN ({marks})"  # noqa: S608  # only marks
        return self._store.all(sql, entity_id, scope, *keys)

    def values(self, entity_id: str, scope: str, keys: Sequence[str] | None = None) -> dict[str, Any]:
        """Return a scope as a device sees it: key to value."""
        return {row["key"]: decode(row["value"]) for row in self.get(entity_id, scope, keys)}

    def save(self, entity_id: str, scope: str, pairs: Iterable[tuple[str, str]], ts: int, *, only_changes: bool = False) -> None:
        """Write stored values.

        Args:
            entity_id: Whose.
            scope: One of SCOPES.
            pairs: Keys and stored values (see values.py).
            ts: Their time, milliseconds.
            only_changes: Leave the time of a value that stays what it is, as ThingsBoard's default rule chain does for device posts.
        """
        sql = f"{_UPSERT} WHERE value <> excluded.value" if only_changes else _UPSERT
        self._store.run_many(sql, [(entity_id, scope, key, ts, value) for key, value in pairs])
        self._changed(entity_id)

    def delete(self, entity_id: str, scope: str, keys: Iterable[str]) -> None:
        """Remove keys; those that are not there do no harm."""
        self._store.run_many("DELETE FROM attribute WHERE entity_id = ? AND scope = ? AND key = ?", [(entity_id, scope, k) for k in keys])
        self._changed(entity_id)
