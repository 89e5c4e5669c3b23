"""Telemetry of an entity: the latest value of each key, and the history behind it."""

from collections.abc import Callable, Iterable, Sequence

from cota.lab.data.store import MAX_QUERY_KEYS, Row, Store, rows_of
from cota.lab.data.values import Sample

_HISTORY = (
    "INSERT INTO history (entity_id, key, ts, value) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (entity_id, key, ts) DO UPDATE SET value = excluded.value"
)
# A sample from the past goes into the history only: ThingsBoard's SQL_TS_UPDATE_BY_LATEST_TIMESTAMP.
_LATEST = (
    "INSERT INTO latest (entity_id, key, ts, value) VALUES (?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET ts = excluded.ts, value = excluded.value WHERE excluded.ts >= latest.ts"
)


class Timeseries:
    """The tables of telemetry; `changed` is called with the id of whatever is written."""

    def __init__(self, store: Store, changed: Callable[[str], None] = lambda _: None) -> None:
        self._store, self._changed = store, changed

    def save(self, entity_id: str, samples: Iterable[Sample]) -> None:
        """Write samples; two of one key at one millisecond leave the later one."""
        rows = [(entity_id, sample.key, sample.ts, sample.value) for sample in samples]
        self._store.run_many(_HISTORY, rows)
        self._store.run_many(_LATEST, rows)
        self._changed(entity_id)

    def latest(self, entity_id: str, keys: Sequence[str] | None = None) -> list[Row]:
        """Return rows (key, ts, value) of the latest values."""
        if keys is None or len(keys) > MAX_QUERY_KEYS:
            rows = self._store.all("SELECT key, ts, value FROM latest WHERE entity_id = ? ORDER BY key", entity_id)
            return rows if keys is None else rows_of(rows, set(keys))
        marks = ",".join("?" * len(keys))
        return self._store.all(f"SELECT key, ts, value FROM latest WHERE entity_id = ? AND key IN ({marks})", entity_id, *keys)  # noqa: S608

    def history(self, entity_id: str, key: str, start: int, end: int, limit: int, *, ascending: bool = False) -> list[Row]:
        """Return rows (ts, value) from `start` up to but without `end`, as ThingsBoard cuts them."""
        order = "ASC" if ascending else "DESC"
        sql = f"SELECT ts, value FROM history WHERE entity_id = ? AND key = ? AND ts >= ? AND ts < ? ORDER BY ts {order} LIMIT ?"  # noqa: S608
        return self._store.all(sql, entity_id, key, start, end, limit)

    def delete(self, entity_id: str, key: str, span: tuple[int, int] | None, *, latest: bool = True, rewrite: bool = False) -> None:
        """Remove a key's history, all of it or a span of time.

        Args:
            entity_id: Whose.
            key: Which.
            span: From, up to but without; None for everything.
            latest: Remove the latest value as well if it lies in the span.
            rewrite: Put the newest sample that remains in its place.
        """
        start, end = span or (-(2**63), 2**63 - 1)
        self._store.run("DELETE FROM history WHERE entity_id = ? AND key = ? AND ts >= ? AND ts < ?", entity_id, key, start, end)
        if not latest:
            return
        gone = self._store.run("DELETE FROM latest WHERE entity_id = ? AND key = ? AND ts >= ? AND ts < ?", entity_id, key, start, end)
        if gone and rewrite:
            newest = "SELECT entity_id, key, ts, value FROM history WHERE entity_id = ? AND key = ? ORDER BY ts DESC LIMIT 1"
            self._store.run(f"INSERT INTO latest (entity_id, key, ts, value) {newest}", entity_id, key)
