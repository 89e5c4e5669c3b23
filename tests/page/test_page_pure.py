"""The page's pure parts: states, rows, errors in words, the wave, the form, sessions, and what changed since when."""

import asyncio
from typing import Any

import pytest

from cota.page import explain, fleet, forms, wave
from cota.page.fleet import Row
from cota.page.sessions import LONGEST_SECONDS, Operator, Sessions
from cota.page.states import group_of
from cota.page.watcher import Watcher
from cota.page.wave import Course
from cota.thingsboard.boards import PERCENT
from cota.thingsboard.errors import ThingsBoardError


def test_every_state_of_thingsboard_has_a_group() -> None:
    assert [group_of(state) for state in PERCENT] == [*["waiting"] * 2, *["updating"] * 4, "updated", "failed"]
    assert [group_of(word) for word in ("", "NONE", "IDLE", "updated")] == ["none"] * 4


def test_every_error_of_the_device_library_is_explained_with_what_to_do() -> None:
    assert len(explain.table()) > 40
    assert [code for code, words in explain.table().items() if not words["says"] or not words["todo"]] == []


def line(**telemetry: tuple[int, str]) -> dict[str, Any]:
    values = {key: {"ts": ts, "value": value} for key, (ts, value) in telemetry.items()}
    shared = {"fw_title": {"ts": 1, "value": "weather"}, "fw_version": {"ts": 1, "value": "v1"}}
    fields = {"name": {"ts": 1, "value": "kitchen"}, "type": {"ts": 1, "value": "greenhouse"}}
    return {"entityId": {"id": "d1"}, "latest": {"TIME_SERIES": values, "SHARED_ATTRIBUTE": shared, "ENTITY_FIELD": fields}}


def test_a_row_of_a_device_that_never_reported_is_whole() -> None:
    row = fleet.row_of(line())
    shown = {key: row[key] for key in ("id", "name", "profile", "group", "state", "error", "active", "seen", "toVersion")}
    expected = {
        "id": "d1",
        "name": "kitchen",
        "profile": "greenhouse",
        "group": "none",
        "state": "",
        "error": "",
        "active": False,
        "seen": 0,
    }
    assert shown == expected | {"toVersion": "v1"}


def test_a_row_has_the_error_with_its_code_and_whether_the_board_tries_again() -> None:
    said = {
        "fw_state": (60, "DOWNLOADING"),
        "fw_error": (70, "later: dns no such host, next try in 20 s"),
        "target_fw_title": (50, "weather"),
    }
    row = fleet.row_of(line(**said))
    assert (row["group"], row["code"], row["later"]) == ("updating", "dns", True)
    old = fleet.row_of(line(**said | {"target_fw_title": (80, "weather")}))
    assert (old["error"], old["code"], old["later"]) == ("", "", False), "what was said before the assignment is history"
    foreign = fleet.row_of(line(**said | {"fw_error": (70, "Checksum mismatch!")}))
    assert (foreign["error"], foreign["code"]) == ("Checksum mismatch!", "")


@pytest.mark.parametrize("text", ["", "abc", "-5", "1e9", "9" * 30, "1.5", "²"])
def test_a_time_that_is_none_counts_as_never(text: str) -> None:
    assert fleet.number(text) == 0


def test_a_wave_counts_each_device_once_at_each_moment() -> None:
    courses = [
        Course(
            1000, [(1000, "QUEUED"), (1100, "INITIATED"), (2000, "DOWNLOADING"), (2500, "VERIFIED"), (3000, "UPDATED"), (9000, "UPDATED")]
        ),
        Course(1000, [(2000, "DOWNLOADING"), (4000, "FAILED")]),
        Course(1500, []),
    ]
    found = wave.series(courses, 5000)
    assert found["times"] == [1000, 1500, 2000, 3000, 4000, 5000]
    assert found["counts"] == {
        "waiting": [2, 3, 1, 1, 1, 1],
        "updating": [0, 0, 2, 1, 0, 0],
        "updated": [0, 0, 0, 1, 1, 1],
        "failed": [0, 0, 0, 0, 1, 1],
    }
    assert (found["began"], found["ended"]) == (1000, None)


def test_a_wave_ends_with_its_last_device_whatever_restarts_later() -> None:
    found = wave.series([Course(1000, [(3000, "UPDATED"), (8000, "UPDATED")])], 99_000)
    assert (found["times"][-1], found["ended"]) == (3000, 3000)


def test_a_long_wave_keeps_its_first_and_its_last_moment_and_few_between() -> None:
    courses = [Course(1000 + number, [(50_000 + number, "UPDATED")]) for number in range(3000)]
    found = wave.series(courses, 60_000)
    assert len(found["times"]) == 400
    assert (found["times"][0], found["times"][-1], found["counts"]["updated"][-1]) == (1000, 52_999, 3000)


def test_no_wave_draws_nothing() -> None:
    assert wave.series([], 5)["times"] == []


GOOD = {"title": "weather", "version": "v1.2.0", "url": "https://github.com/acme/weather/tree/v1.2.0", "profile": "p"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("version", version) for version in ("1", "1.10", "-3", " 2.0 ", ".5", "007", "", "  ", "v\n1", "<b>", "{{x}}")],
        *[("url", url) for url in ("github.com/x", "ftp://x/y", "https://", "https://me:secret@x/y", "https://x/y/raw/main")],
        *[("url", url) for url in ("https://x/a b", "https://[x", "javascript:x", "https://github.com/acme", "https://x/\ud800/y", None)],
        *[("url", "https://x/" + "a" * 250), ("title", "x" * 256), ("title", None), ("title", 5), ("profile", ""), ("profile", None)],
    ],
)  # fmt: skip
def test_a_field_that_would_fail_later_is_refused_now_and_it_alone(field: str, value: object) -> None:
    assert list(forms.check_package(GOOD | {field: value})) == [field]


@pytest.mark.parametrize("more", [{}, {"version": "1.2.0"}, {"version": "2026-11-25"}, {"url": "http://git.test:3000/acme/weather"}])
def test_a_good_package_passes(more: dict[str, str]) -> None:
    assert forms.check_package(GOOD | more) == {}


def test_a_secret_in_a_url_is_not_repeated() -> None:
    assert "secret" not in str(forms.check_package(GOOD | {"url": "https://me:secret@x/y"}))


def sessions(ended: list[Operator]) -> Sessions:
    return Sessions(100.0, ended.append)


def test_a_session_ends_when_it_was_quiet_for_long_and_at_the_latest_after_the_longest_time() -> None:
    ended: list[Operator] = []
    one = sessions(ended)
    quiet = one.begin(None, "a", "t", 0.0)  # type: ignore[arg-type]  # no server is asked here
    assert one.find(quiet.cookie, 99.0) is quiet
    assert one.find(quiet.cookie, 198.0) is quiet
    assert one.find(quiet.cookie, 299.0) is None
    assert ended == [quiet]
    assert quiet.ended is not None
    busy = one.begin(None, "a", "t", 1000.0)  # type: ignore[arg-type]
    now = 1000.0
    while one.find(busy.cookie, now) is busy:
        now += 90.0
    assert LONGEST_SECONDS < now - 1000.0 < LONGEST_SECONDS + 100.0


def test_sessions_are_bounded_and_the_quietest_goes_first() -> None:
    ended: list[Operator] = []
    one = sessions(ended)
    made = [one.begin(None, str(number), "t", number / 100) for number in range(100)]  # type: ignore[arg-type]
    one.find(made[0].cookie, 2.0)
    one.begin(None, "one more", "t", 3.0)  # type: ignore[arg-type]
    assert ended == [made[1]]


def test_a_token_belongs_to_its_cookie_and_to_this_run_of_the_page() -> None:
    one, other = sessions([]), sessions([])
    assert one.csrf("a") == one.csrf("a")
    assert len({one.csrf("a"), one.csrf("b"), other.csrf("a")}) == 3


def device(number: int, **more: object) -> Row:
    return {"id": str(number), "name": f"board-{number}", "group": "updated", **more}


def watcher() -> Watcher:
    return Watcher(lambda _ids: asyncio.sleep(0, []), lambda _error: False)


def test_a_reader_gets_only_what_changed_since_it_last_looked() -> None:
    one = watcher()
    one.take([device(1), device(2), device(3)])
    whole = one.since(None)
    assert (whole.whole, len(whole.rows)) == (True, 3)
    one.take([device(1), device(2, group="failed"), device(4)])
    news = one.since(whole.number)
    assert (news.whole, [row["id"] for row in news.rows], news.removed) == (False, ["2", "4"], ["3"])
    assert one.since(news.number).rows == []


def test_a_look_at_a_few_leaves_the_others_and_misses_the_deleted() -> None:
    one = watcher()
    one.take([device(number) for number in range(5)])
    before = one.number
    one.take([device(1, group="failed")], ["1", "2"])
    news = one.since(before)
    assert ([row["id"] for row in news.rows], news.removed) == (["1"], ["2"])
    assert sorted(one.rows) == ["0", "1", "3", "4"]


def test_a_reader_from_another_time_gets_the_whole_fleet() -> None:
    one = watcher()
    one.take([device(1)])
    assert one.since(one.number + 5).whole
    one.take([device(number) for number in range(10_500)])
    old = one.number
    one.take([])
    assert one.since(old).whole, "more were deleted than are remembered"


def test_a_device_that_was_deleted_and_made_again_is_there() -> None:
    one = watcher()
    one.take([device(1)])
    start = one.number
    one.take([])
    one.take([device(1)])
    news = one.since(start)
    assert ([row["id"] for row in news.rows], news.removed) == (["1"], [])


def test_a_server_that_does_not_answer_is_told_and_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cota.page.watcher._LOOK_SECONDS", 0.01)
    looks: list[object] = []

    async def look(ids: list[str] | None) -> list[Row]:
        looks.append(ids)
        if len(looks) < 3:
            raise ThingsBoardError("It is away.", "Wait.")
        return [device(1)]

    async def course() -> None:
        one = Watcher(look, lambda _error: False)
        one.enter()
        while one.status()["well"]:
            await one.news(5)
        assert one.status() == {"well": False, "message": "It is away.", "hint": "Wait."}
        while not one.status()["well"]:
            await one.news(5)
        assert list(one.rows) == ["1"]
        one.leave()

    asyncio.run(asyncio.wait_for(course(), 20))
    assert looks[:3] == [None, None, None]


def test_in_a_fleet_that_takes_long_to_look_at_the_moving_devices_are_seen_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cota.page.watcher._LOOK_SECONDS", 0.01)
    looks: list[list[str] | None] = []

    async def look(ids: list[str] | None) -> list[Row]:
        looks.append(ids)
        await asyncio.sleep(0.2 if ids is None else 0.001)
        return [device(1), device(2, group="updating" if len(looks) < 3 else "updated")] if ids is None or ids == ["2"] else []

    async def course() -> None:
        one = Watcher(look, lambda _error: False)
        one.enter()
        while len(looks) < 3 or looks.count(None) < 2:
            await asyncio.sleep(0.01)
        one.leave()

    asyncio.run(asyncio.wait_for(course(), 20))
    assert looks[0] is None
    assert looks[1] == ["2"]


def test_a_fleet_that_nobody_looked_at_for_long_is_not_shown_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cota.page.watcher._KEEP_SECONDS", 60.0)
    away, looks = asyncio.Event(), [[device(1)], [device(2)]]

    async def look(_ids: list[str] | None) -> list[Row]:
        if len(looks) == 1:
            await away.wait()
        return looks.pop(0)

    async def course() -> None:
        one = Watcher(look, lambda _error: False)
        one.enter()
        while not one.known:
            await one.news(5)
        number = one.number
        one.leave()
        one.enter()
        assert (one.known, list(one.rows)) == (True, ["1"]), "a short absence loses nothing"
        one.leave()
        monkeypatch.setattr("cota.page.watcher._KEEP_SECONDS", -1.0)
        one.enter()
        assert (one.known, one.rows) == (False, {})
        away.set()
        while not one.known:
            await one.news(5)
        change = one.since(number)
        assert (change.whole, [row["id"] for row in change.rows]) == (True, ["2"])
        one.leave()

    asyncio.run(asyncio.wait_for(course(), 20))


def test_nobody_looks_where_nobody_reads() -> None:
    looks: list[object] = []

    async def look(ids: list[str] | None) -> list[Row]:
        looks.append(ids)
        return []

    async def course() -> None:
        one = Watcher(look, lambda _error: False)
        one.enter()
        while not looks:
            await asyncio.sleep(0.01)
        one.leave()
        seen = len(looks)
        await asyncio.sleep(1.2)
        assert len(looks) == seen

    asyncio.run(asyncio.wait_for(course(), 20))
