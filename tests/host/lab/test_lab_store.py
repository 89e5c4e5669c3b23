"""The database itself: migrations, shared commits, and a disk that is full."""

import asyncio
import sqlite3
from pathlib import Path

import httpx2
import pytest
from lab_operator import PASSWORD, Operator

from cota.errors import CotaError
from cota.lab.data.attributes import Attributes
from cota.lab.data.schema import MIGRATIONS
from cota.lab.data.store import StorageError, Store
from cota.lab.server import LabConfig, running_lab


def test_a_new_file_gets_every_migration_and_an_old_one_only_what_it_lacks(tmp_path: Path) -> None:
    Store(tmp_path / "lab.db").close()
    Store(tmp_path / "lab.db").close()
    connection = sqlite3.connect(tmp_path / "lab.db")
    assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    Store(tmp_path / "lab.db").close()
    connection = sqlite3.connect(tmp_path / "lab.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(CotaError, match="newer cota"):
        Store(tmp_path / "lab.db")


def test_a_unit_is_all_or_nothing_and_leaves_its_neighbours_alone() -> None:
    store = Store(None)
    attributes = Attributes(store)
    with store.unit():
        attributes.save("e", "S", [("before", "1")], 1)
    with pytest.raises(ZeroDivisionError), store.unit():
        attributes.save("e", "S", [("inside", "1")], 1)
        with store.unit():
            attributes.save("e", "S", [("deeper", "1")], 1)
        raise ZeroDivisionError
    with store.unit():
        attributes.save("e", "S", [("after", "1")], 1)
    assert set(attributes.values("e", "S")) == {"before", "after"}
    store.close()


def test_waiters_of_one_moment_share_a_commit(tmp_path: Path) -> None:
    store = Store(tmp_path / "lab.db")
    commits: list[str] = []
    store._connection.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)

    async def write(number: int) -> None:
        with store.unit():
            store.run("INSERT INTO setting VALUES (?, '')", f"k{number}")
        await store.settled()

    async def crowd() -> None:
        await asyncio.gather(*(write(number) for number in range(50)))
        await store.settled()

    asyncio.run(crowd())
    assert len(commits) == 1
    store.close()


def test_a_waiter_that_was_cancelled_does_not_take_the_others_with_it() -> None:
    store = Store(None)

    async def crowd() -> None:
        with store.unit():
            store.run("INSERT INTO setting VALUES ('k', '')")
        first, second = asyncio.create_task(store.settled()), asyncio.create_task(store.settled())
        await asyncio.sleep(0)
        first.cancel()
        await second

    asyncio.run(crowd())
    store.close()


def test_a_full_disk_is_told_to_everyone_whose_write_it_cost(tmp_path: Path) -> None:
    store = Store(tmp_path / "lab.db")
    (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages + 20}")
    results: list[str] = []

    async def write(number: int) -> None:
        try:
            with store.unit():
                store.run("INSERT INTO setting VALUES (?, ?)", f"k{number}", "x" * 20_000)
            await store.settled()
        except (StorageError, sqlite3.Error) as error:
            results.append(type(error).__name__)
        else:
            results.append(f"k{number}")

    async def crowd() -> None:
        await asyncio.gather(*(write(number) for number in range(8)))

    asyncio.run(crowd())
    kept = {row["name"] for row in store.all("SELECT name FROM setting") if row["name"].startswith("k")}
    assert {result for result in results if result.startswith("k")} == kept
    assert len(results) == 8
    assert any(not result.startswith("k") for result in results)
    store.close()


def test_a_lab_whose_disk_is_full_refuses_lives_and_recovers(tmp_path: Path) -> None:
    with running_lab(LabConfig(db=tmp_path / "lab.db", password=PASSWORD)) as lab:
        operator = Operator(lab.url, lab.username, PASSWORD)
        device, token = operator.device()

        def limit(pages: int) -> None:
            lab.core.store._connection.execute(f"PRAGMA max_page_count = {pages}")

        limit(1)
        big = {"big": "x" * 200_000}
        with httpx2.Client(base_url=lab.url) as board:
            full = board.post(f"/api/v1/{token}/telemetry", json=big)
            assert (full.status_code, full.json()["errorCode"]) == (500, 2)
            assert board.get(f"/api/v1/{token}/attributes").status_code in {200, 500}
            limit(1_000_000)
            assert board.post(f"/api/v1/{token}/telemetry", json=big).status_code == 200
        assert operator.latest(device) == big
        operator.http.close()
