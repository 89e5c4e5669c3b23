"""One SQLite connection for the whole lab: short units of work, one commit for all that wait.

Nothing is acknowledged before it is on the disk: every answer of the lab passes `Store.settled()` (see web.py). Requests that arrive
together share one commit, so a full sync costs a burst of boards no more than one board.
"""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cota.errors import CotaError
from cota.lab.data.schema import MIGRATIONS

Row = sqlite3.Row
# SQLite takes a bounded number of values in a statement; whoever names more keys gets all of them read and sorted out.
MAX_QUERY_KEYS = 500

# How long to wait for another process to let go of the file; a second lab never does, so it is short.
_LOCK_SECONDS = 1.0


class StorageError(Exception):
    """The database could not keep what was written (disk full, file gone)."""


class Store:
    """The lab's database.

    Args:
        path: The SQLite file, made with its folder where it does not exist; None keeps everything in memory.

    Raises:
        CotaError: The file cannot be opened, is no lab database, is newer than this program or is in use.
    """

    def __init__(self, path: Path | None) -> None:
        self._waiting: asyncio.Future[None] | None = None
        self._path = path
        try:
            self._connection = _open(path)
            try:
                self._migrate()
            except BaseException:
                self._connection.close()
                raise
        except (sqlite3.Error, OSError) as error:
            raise CotaError(f"cannot use the lab's database {path}: {error}", _hint(error)) from error

    def _migrate(self) -> None:
        (seen,) = self._connection.execute("PRAGMA user_version").fetchone()
        if seen > len(MIGRATIONS):
            raise CotaError(
                f"the lab's database {self._path} was written by a newer cota (format {seen}, this one knows {len(MIGRATIONS)})",
                "Upgrade cota, or choose another file with --db.",
            )
        for number in range(seen, len(MIGRATIONS)):
            self._connection.executescript(f"BEGIN IMMEDIATE; {MIGRATIONS[number]}; PRAGMA user_version = {number + 1}; COMMIT;")
        # Takes the file's lock now, so that a second lab on the same file fails at its start and not at its first write.
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute("INSERT INTO setting (name, value) VALUES ('opened', '') ON CONFLICT DO UPDATE SET value = ''")
        self._connection.execute("COMMIT")

    def one(self, sql: str, *values: Any) -> Row | None:
        """Return the first row of a query, or None."""
        row: Row | None = self._connection.execute(sql, values).fetchone()
        return row

    def all(self, sql: str, *values: Any) -> list[Row]:
        """Return all rows of a query."""
        return self._connection.execute(sql, values).fetchall()

    def run(self, sql: str, *values: Any) -> int:
        """Execute one statement inside a unit and return how many rows it touched."""
        return self._connection.execute(sql, values).rowcount

    def run_many(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Execute one statement for each row inside a unit."""
        self._connection.executemany(sql, rows)

    @contextlib.contextmanager
    def unit(self) -> Iterator[None]:
        """Make what is written inside all or nothing; it is on the disk after `settled()`."""
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute("SAVEPOINT unit")
        try:
            yield
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK TO unit")
                self._connection.execute("RELEASE unit")
            else:
                # On a full disk SQLite gives up the whole transaction, so what others wrote in it is lost as well: tell them.
                self._fail("the database is full or damaged")
            raise
        self._connection.execute("RELEASE unit")

    async def settled(self) -> None:
        """Wait until everything written so far is on the disk.

        Raises:
            StorageError: It is not, and was rolled back.
        """
        if not self._connection.in_transaction:
            return
        if self._waiting is None:
            loop = asyncio.get_running_loop()
            self._waiting = loop.create_future()
            loop.call_soon(self._commit)
        await asyncio.shield(self._waiting)

    def _commit(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            self._waiting = waiting
            self._fail(str(error))
        else:
            waiting.set_result(None)

    def _fail(self, reason: str) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.set_exception(StorageError(f"the lab's database cannot be written: {reason}"))
            waiting.exception()  # marks it as seen: every waiter may have been cancelled meanwhile

    def commit(self) -> None:
        """Put everything written so far on the disk now; for start and end, where no loop runs."""
        if self._connection.in_transaction:
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Commit and close."""
        try:
            self.commit()
        finally:
            self._connection.close()


def _open(path: Path | None) -> sqlite3.Connection:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # The file holds the signing key and the password's hash: readable by its owner only, from its first byte.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(
        ":memory:" if path is None else path, isolation_level=None, timeout=_LOCK_SECONDS, check_same_thread=False, cached_statements=256
    )
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def _hint(error: Exception) -> str:
    text = str(error)
    if "locked" in text:
        return "Another cota lab is using it: stop that one, or choose another file with --db."
    if "not a database" in text:
        return "It is some other file: choose another one with --db."
    return "Choose another file with --db, or use --memory."


def rows_of(rows: list[Row], keys: set[str]) -> list[Row]:
    """Return the rows with one of these keys."""
    return [row for row in rows if row["key"] in keys]
