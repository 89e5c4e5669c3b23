"""Programs, servers and operators that behave in ways nobody planned: the board stays reachable and the next release still comes."""

from collections.abc import Callable

import pytest
from gateway import Fault, Gateway
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from world import World, digest

from cota.drive.tree import device_tree, drive_files
from cota.git.make import Moded
from cota.lab.server import Lab
from cota.thingsboard import Json

_MAIN = drive_files(device_tree())["main.py"]
_QUICK_LINE = b"import ota.attempts\nota.attempts.FIRST_WAIT = ota.attempts.MAX_WAIT = 1\n"
_QUICK = _QUICK_LINE + _MAIN
_WORK = b'    """What the board is for. It goes on while an update is downloaded."""'
_RESTART = b"                updater.restart()"
_OLD = {"old.py": b"1\n"}
_ONE, _TWO = {"app.py": b"x=1\n"}, {"app.py": b"x=2\n"}
_PAYLOAD = {"a.bin": bytes(range(256)) * 200, "b.bin": bytes(range(255)) * 200}
_NO_LINK = {"app.py": b"1\n", "link": Moded(0o120000, b"app.py")}
# Writes zeros to /logs/data.csv until the drive has no more than some clusters left.
_FILL = b"""import os


def fill():
    try:
        with open("/logs/data.csv", "ab") as log:
            while os.statvfs("/")[3] > LEFT:
                log.write(bytes(512))
                log.flush()
    except OSError:
        pass
"""


def changed(old: bytes, new: bytes, program: bytes = _QUICK) -> bytes:
    """The program with `new` in place of `old`, which it must hold."""
    assert old in program
    return program.replace(old, new)


def begin(world: World, files: dict[str, bytes]) -> Json:
    """Assign a release and switch the board on."""
    package = world.publish(files)
    world.assign(package)
    world.start()
    return package


# A release that is committed and cannot be applied.


def a_file_is_in_the_way(make_world: Callable[..., World], gateway: Gateway | None = None) -> World:
    """A world whose program puts a file into the folder `thing`, once, when a release is committed that has a file `thing`."""
    blocker = b"""                if updater.total == 14:
                    with open("/thing/new.log", "wb") as log:
                        log.write(b"x")
"""
    main = changed(_RESTART, blocker + _RESTART)
    options = {} if gateway is None else {"git": gateway.address}
    return make_world(extra={"main.py": main, "thing/a.txt": b"1\n"}, **options)


_BLOCKED = {"thing": b"now a file", "app.py": b"x=1\n"}  # 14 bytes


def undone(world: World, files: dict[str, bytes]) -> Json:
    """Assign a release that cannot be applied, and see it undone."""
    package = begin(world, files)
    world.wait_for("FAILED", package["version"])
    assert str(world.telemetry()["fw_error"]).startswith("undone apply ")
    return package


def retried(world: World) -> None:
    """Let the board try the release that it gave up again, and see it installed."""
    world.set_retry("r-1")
    world.wait_until(lambda: world.states()[-1:] == ["UPDATED"], "UPDATED after a retry")


def test_a_committed_release_that_cannot_be_applied_is_undone_and_the_next_one_comes(make_world: Callable[..., World]) -> None:
    world = a_file_is_in_the_way(make_world)
    undone(world, _BLOCKED)
    assert "thing/a.txt" in world.drive() and "app.py" not in world.drive()
    world.install(world.publish(_TWO))
    assert world.drive() == world.whole(_TWO)
    assert "thing" not in world.folders()


def test_a_committed_release_that_was_undone_comes_again_when_the_operator_says_so(make_world: Callable[..., World]) -> None:
    world = a_file_is_in_the_way(make_world)
    blocked = undone(world, _BLOCKED)
    world.stop()
    world.board.volume.write({"main.py": _QUICK})  # its program does it no more
    world.start()
    world.wait_polls(2)
    assert "app.py" not in world.drive()
    retried(world)
    assert world.telemetry()["current_fw_version"] == blocked["version"]
    assert world.drive() == world.whole(_BLOCKED) | {"main.py": world.drive()["main.py"]}


def logger(make_world: Callable[..., World], when: str, left: int) -> World:
    """A world whose program fills the drive, in a folder that is kept, at one moment of an update that is larger than 50 KB."""
    main = b"LEFT = %d\n" % left + _FILL + _QUICK
    main = changed(_RESTART, b"                if updater.total > 50000: fill()\n" + _RESTART, main) if when == "committed" else main
    main = changed(_WORK, b"    if updater.phase == 'verify' and updater.total > 50000: fill()", main) if when == "verify" else main
    return make_world(settings={"COTA_KEEP": "logs/"}, extra={"main.py": main, "logs/data.csv": b"", **_OLD})


def test_a_release_that_a_full_drive_stopped_gives_way_to_a_smaller_one(make_world: Callable[..., World]) -> None:
    world = logger(make_world, "committed", 40)
    undone(world, _PAYLOAD)
    assert "old.py" in world.drive() and "b.bin" not in world.drive()
    world.install(world.publish(_TWO))
    assert "app.py" in world.drive()
    assert not {"a.bin", "b.bin", "old.py"} & set(world.drive())


def test_a_release_that_a_full_drive_stopped_is_installed_when_there_is_room_again(make_world: Callable[..., World]) -> None:
    world = logger(make_world, "committed", 0)
    package = undone(world, _PAYLOAD)
    world.stop()
    world.board.volume.write({"main.py": _QUICK})
    world.board.volume.remove("logs/data.csv")
    world.start()
    retried(world)
    assert world.telemetry()["current_fw_version"] == package["version"]
    assert {"a.bin", "b.bin"} <= set(world.drive())


def test_a_drive_that_the_program_fills_during_the_download_is_found_full_before_the_commit(make_world: Callable[..., World]) -> None:
    world = logger(make_world, "verify", 0)
    package = begin(world, _PAYLOAD)
    world.wait_for("FAILED", package["version"])
    assert str(world.telemetry()["fw_error"]).startswith("space ")
    assert "UPDATING" not in world.states()
    assert "old.py" in world.drive()
    assert "a.bin" not in world.drive()


# Servers.


@pytest.mark.parametrize("status", [302, 308])
def test_a_thingsboard_that_redirects_gets_every_question_and_every_report(
    make_world: Callable[..., World], lab: Lab, serve_git: Callable[[list[BaseRoute]], str], status: int
) -> None:
    asked: list[str] = []

    async def redirect(request: Request) -> Response:
        asked.append(request.method)
        return RedirectResponse(f"{lab.url}{request.url.path}" + (f"?{request.url.query}" if request.url.query else ""), status)

    front = serve_git([Route("/{path:path}", redirect, methods=["GET", "POST"])])
    world = make_world(cloud=front, extra=_OLD)
    world.deliver(_ONE)
    assert world.states()[-3:] == ["VERIFIED", "UPDATING", "UPDATED"]
    world.deliver(_TWO)
    assert world.drive() == world.whole(_TWO)
    assert set(asked) == {"GET", "POST"}


def test_a_program_that_sleeps_between_the_steps_is_updated_all_the_same(make_world: Callable[..., World]) -> None:
    # Of an answer that must come within a second, some thousand bytes are read at a step and a second lies between two steps.
    hurry = b"import ota.net\nota.net.GRACE_SECONDS = 1\nota.net.MIN_RATE = 1 << 20\n"
    main = hurry + changed(_WORK, b"    time.sleep(1)", _MAIN)
    world = make_world(extra={"main.py": main})
    files = {"app.bin": bytes(9000)}
    world.deliver(files)
    assert world.errors() == []
    assert world.drive()["app.bin"] == digest(files["app.bin"])


@pytest.mark.parametrize(
    ("part", "fault", "code"),
    [
        ("/git/trees/", Fault(status=403, headers={"x-ratelimit-remaining": "41"}), "git_denied"),
        ("/app.py", Fault(status=404), "git_answer"),
        ("/commits/", Fault(status=302, headers={"Location": "login.html"}), "http"),
    ],
    ids=["a-403-that-names-no-rate-limit", "a-404-for-a-file-of-the-listing", "a-captive-portal"],
)
def test_a_git_host_that_is_wrong_for_a_while_is_asked_again(
    make_world: Callable[..., World], gateway: Gateway, part: str, fault: Fault, code: str
) -> None:
    world = make_world(git=gateway.address, extra={"main.py": _QUICK, **_OLD})
    gateway.break_next(part, fault)
    package = begin(world, _ONE)
    world.wait_for("UPDATED", package["version"])
    assert [text.split(" ")[:2] for text in world.errors()] == [["later:", code]]
    assert "FAILED" not in world.states()
    assert "old.py" not in world.drive()


# What operators do.


def test_a_repaired_branch_is_installed_by_cota_retry_at_its_new_commit(make_world: Callable[..., World]) -> None:
    world = make_world(extra=_OLD)
    world.commit({"app.py": b"1\n", "boot.py": b"x" * 512})  # refused after the listing, when its plan is sealed
    package = world.package(world.url("main"))
    world.assign(package)
    world.start()
    world.wait_for("FAILED", package["version"])
    repaired = world.commit(_TWO)
    world.set_retry("r-1")
    world.wait_until(lambda: world.telemetry().get("fw_state") == "UPDATED", "UPDATED")
    assert world.drive() == world.whole(_TWO)
    world.wait_until(lambda: world.attributes().get("cota_commit") == repaired, "the repaired commit")


def test_a_folder_in_cota_keep_needs_no_slash(make_world: Callable[..., World]) -> None:
    kept = {"logs/1.csv": b"mine\n", "logs/deep/2.csv": b"mine too\n", "data/cal.json": b"{}"}
    world = make_world(settings={"COTA_KEEP": "logs, data"}, extra={**kept, **_OLD})
    world.deliver(_ONE)
    assert world.drive() == world.whole({**_ONE, **kept})


def test_a_refused_release_that_is_assigned_again_is_reported_failed_again(make_world: Callable[..., World]) -> None:
    world = make_world()
    package = world.package(world.url(world.commit(_NO_LINK)))
    world.assign(package)
    world.start()
    world.wait_for("FAILED", package["version"])
    world.assign(None)
    world.wait_polls(2)
    world.assign(package)
    assert world.wait_for_error("refused ")
    world.wait_until(lambda: world.states()[-1:] == ["FAILED"], "FAILED again")
    world.stop()
    world.assign(None)
    world.assign(package)
    world.start()
    assert world.wait_for_error("refused ")
    world.wait_until(lambda: world.states()[-1:] == ["FAILED"], "FAILED after a restart")


def test_a_refusal_that_did_not_reach_thingsboard_is_told_after_the_next_start(make_world: Callable[..., World], gateway: Gateway) -> None:
    world = make_world(cloud=gateway.address)
    package = world.package(world.url(world.commit(_NO_LINK)))
    world.assign(package)
    gateway.break_next("/telemetry", Fault(after=0), times=999)
    world.start()
    world.wait_for_line("symbolic")
    world.stop()
    assert "FAILED" not in world.states()
    gateway.heal()
    world.start()
    world.wait_for("FAILED", package["version"])
    assert world.wait_for_error("refused ")


def test_a_program_that_puts_the_restart_off_changes_nothing_more_until_then(make_world: Callable[..., World]) -> None:
    later = b"                updating = False\n                print('put off', updater.step(), updater.is_new_firmware_available())"
    again = b"    if updater.phase == 'done':\n        print('still', updater.step(), updater.is_new_firmware_available(), updater.begin())"
    world = make_world(extra={"main.py": changed(_WORK, again, changed(_RESTART, later, _MAIN)), **_OLD})
    begin(world, _ONE)
    world.wait_for_line("put off done False")
    image = world.board.volume.path
    world.wait_for_line("still done False None", times=2)
    before = image.read_bytes()
    two = world.publish(_TWO)
    world.assign(two)
    world.wait_for_line("still done False None", times=8)
    assert image.read_bytes() == before
    assert "old.py" in world.drive()
    assert sum("put off" in line for line in world.lines) == 1
    world.restart()  # which is what the program put off
    world.wait_for_line("put off done False", times=2)  # the second release, by the same program
    world.restart()
    world.wait_for("UPDATED", two["version"])


# Files with a meaning of their own.


@pytest.mark.parametrize("path", ["ota.py", "ota/x.py"])
def test_a_file_that_would_hide_the_updater_is_refused(make_world: Callable[..., World], path: str) -> None:
    world = make_world(extra=_OLD)
    before = world.drive()
    package = begin(world, {path: b"print('mine')\n", **_ONE})
    world.wait_for("FAILED", package["version"])
    error = str(world.telemetry()["fw_error"])
    assert error.startswith("shadow ")
    assert path in error
    assert world.drive() == before


def test_the_file_that_gives_the_drive_to_usb_stays_through_an_update(make_world: Callable[..., World]) -> None:
    # Made by the old release's program, while the updater has the drive; from the next power-on on it is USB's.
    make = b"import os\nif 'old.py' in os.listdir('/'):\n    open('/cota.usb', 'w').close()\n"
    world = make_world(extra={"main.py": make + _MAIN, **_OLD})
    world.assign(world.publish(_ONE))
    world.start()
    world.wait_until(lambda: "old.py" not in world.drive() and "cota.usb" in world.drive(), "applied")
    world.wait_polls(2)
    assert world.telemetry()["fw_state"] == "UPDATING"  # the trial cannot end on a drive that the updater may not write
