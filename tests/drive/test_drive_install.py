"""What an installation does to a drive, and that a cable pulled out at any moment is mended by doing it again."""

import pytest
from drive_memory import (
    BOOT_OUT,
    GREETING,
    NEW,
    OLDER,
    ORIGINAL,
    OWN_PROGRAM,
    OWN_SETTINGS,
    TREE,
    CableError,
    MemoryDrive,
)

from cota.drive.plan import COPY, MARKER, WAITING, Options, make_plan
from cota.drive.room import room_needed
from cota.drive.settings_file import read_settings
from cota.drive.target import DriveError, RefusedError
from cota.drive.write import carry_out

SETTINGS = {"CIRCUITPY_WIFI_SSID": "home", "THINGSBOARD_DEVICE_TOKEN": "t-1", "THINGSBOARD_URL": "http://10.0.0.2"}
BARE = {"boot_out.txt": BOOT_OUT}
LIBRARY = {path: data for path, data in TREE.items() if path.startswith("lib/")}


def install(drive: MemoryDrive, **options: bool) -> list[str]:
    plan = make_plan(drive, TREE, SETTINGS, Options(**options))
    carry_out(drive, plan)
    return plan.notes


def test_a_new_drive_gets_the_whole_device_tree_and_loses_the_greeting() -> None:
    drive = MemoryDrive(NEW)
    install(drive)
    for path in ("boot.py", "main.py", "safemode.py", *LIBRARY):
        assert drive.files[path] == TREE[path]
    assert "code.py" not in drive.files
    assert {"boot_out.txt", ".Trashes"} < drive.files.keys()
    told = read_settings(drive.files["settings.toml"].decode())
    assert told.problems == []
    assert SETTINGS.items() <= told.values.items()
    assert b"# COTA_POLL_SECONDS" in drive.files["settings.toml"], "the defaults are shown"


def test_the_library_comes_first_and_the_boot_file_last() -> None:
    drive = MemoryDrive(NEW)
    install(drive)
    order = [what for what in drive.order if not what.endswith(".new")]
    assert order[-1] == "move boot.py"
    assert order.index("move settings.toml") > max(index for index, what in enumerate(order) if "lib/ota/" in what)


def test_doing_it_again_writes_nothing() -> None:
    drive = MemoryDrive(NEW)
    install(drive)
    again = MemoryDrive(drive.files)
    install(again)
    assert again.order == []


def test_the_originals_files_are_replaced_and_the_users_stay() -> None:
    drive = MemoryDrive(ORIGINAL)
    notes = install(drive)
    assert drive.files["boot.py"] == TREE["boot.py"]
    assert "lib/ota.py" not in drive.files
    assert drive.files["main.py"] == OWN_PROGRAM
    assert drive.files["lib/adafruit_requests.mpy"] == b"\0\1"
    text = drive.files["settings.toml"].decode()
    assert [line for line in OWN_SETTINGS.decode().splitlines() if line not in text.splitlines()] == []
    assert notes == []


def test_an_upgrade_changes_only_what_differs_and_leaves_strays_and_data_alone() -> None:
    drive = MemoryDrive(OLDER)
    notes = install(drive)
    changed = {what.split()[1] for what in drive.order if what.startswith(("write lib", "move"))} - set(WAITING.values())
    assert changed == {"lib/ota/trial.py", "lib/ota/client.py", "lib/ota/drive.py", "settings.toml", "boot.py", MARKER}
    assert {path: drive.files[path] for path in LIBRARY} == LIBRARY
    assert drive.files["data/log.csv"] == b"1,2\n"
    assert "lib/ota/gone.py" in drive.files
    assert any("lib/ota/gone.py" in note for note in notes)


def test_a_boot_file_of_the_users_own_is_refused_with_the_way_out() -> None:
    own = b"import usb_hid\nusb_hid.disable()\n"
    drive = MemoryDrive({**NEW, "boot.py": own})
    with pytest.raises(RefusedError, match=r"(?s)boot\.py of its own.*--replace-boot"):
        install(drive)
    assert drive.order == []
    install(drive, replace_boot=True)
    assert drive.files["boot.py"] == TREE["boot.py"]
    assert drive.files[COPY] == own


def test_a_second_copy_does_not_take_the_place_of_the_first() -> None:
    drive = MemoryDrive({**NEW, "boot.py": b"x = 1\n", COPY: b"x = 0\n"})
    install(drive, replace_boot=True)
    assert drive.files[COPY] == b"x = 0\n"
    assert drive.files[COPY.replace(".py", "_2.py")] == b"x = 1\n"


@pytest.mark.parametrize("name", ["code.py", "main.py", "code.txt", "main.txt"])
def test_a_program_of_the_users_own_stays_and_one_that_never_updates_is_told(name: str) -> None:
    files = {path: data for path, data in NEW.items() if path != "code.py"}
    drive = MemoryDrive({**files, name: b"print(1)\n"})
    notes = install(drive)
    assert drive.files[name] == b"print(1)\n"
    assert name == "main.py" or "main.py" not in drive.files
    assert any(name in note and "import ota" in note for note in notes)


def test_a_safemode_file_of_the_users_own_stays() -> None:
    drive = MemoryDrive({**NEW, "safemode.py": b"print('mine')\n"})
    notes = install(drive)
    assert drive.files["safemode.py"] == b"print('mine')\n"
    assert any("safemode.py" in note for note in notes)


def test_a_library_file_that_is_not_the_originals_stays() -> None:
    drive = MemoryDrive({**NEW, "lib/ota.py": b"mine = 1\n"})
    notes = install(drive)
    assert drive.files["lib/ota.py"] == b"mine = 1\n"
    assert any("lib/ota.py" in note for note in notes)


def test_the_greeting_goes_only_where_nobody_has_changed_it() -> None:
    drive = MemoryDrive({**NEW, "code.py": GREETING + b"import ota\n"})
    install(drive)
    assert drive.files["code.py"] == GREETING + b"import ota\n"


def test_a_board_in_the_midst_of_an_update_is_left_alone() -> None:
    from binascii import crc32

    record = b'{"q": 3, "p": "C"}'.ljust(504)
    journal = bytes(7680) + b"%08x" % crc32(record) + record + bytes(3584)
    drive = MemoryDrive({**OLDER, "cota_sys/s/j": journal})
    with pytest.raises(RefusedError, match=r"(?s)midst of an update.*cota_sys"):
        install(drive)
    drive.files["cota_sys/s/j"] = journal.replace(b'"C"', b'"D"')
    install(drive)  # a record whose checksum is wrong counts for nothing


def test_settings_that_are_not_text_are_refused() -> None:
    with pytest.raises(RefusedError, match="not UTF-8"):
        install(MemoryDrive({**NEW, "settings.toml": b"\xff\xfeA"}))


def test_a_marker_of_the_users_stays_and_is_told() -> None:
    drive = MemoryDrive({**OLDER, MARKER: b""})
    assert any(MARKER in note for note in install(drive))
    assert drive.files[MARKER] == b""


@pytest.mark.parametrize("torn", [0, 0.5, 1])
@pytest.mark.parametrize("before", [NEW, BARE, ORIGINAL, OLDER], ids=["new", "bare", "original", "older"])
def test_a_cable_pulled_out_at_any_operation_is_mended_by_running_it_again(before: dict[str, bytes], torn: float) -> None:
    whole = MemoryDrive(before)
    install(whole)
    assert whole.operations > 5
    for cut in range(whole.operations):
        drive = MemoryDrive(before, cut=cut, torn=torn)
        with pytest.raises(CableError):
            install(drive)
        if drive.belongs_to_updater:
            library = {path: data for path, data in drive.files.items() if path.startswith("lib/ota/") and not path.endswith(".new")}
            old = {path: data for path, data in before.items() if path.startswith("lib/ota/")}
            assert library in (old, {**old, **LIBRARY}), "a half installation leaves the drive to the computer"
        again = MemoryDrive(drive.files)
        install(again)
        assert again.files == whole.files, f"operation {cut}: {drive.order[-1]}"


def test_two_cables_pulled_out_one_after_the_other_are_mended_too() -> None:
    whole = MemoryDrive(OLDER)
    install(whole)
    for first in range(whole.operations):
        drive = MemoryDrive(OLDER, cut=first)
        with pytest.raises(CableError):
            install(drive)
        for second in range(0, whole.operations, 3):
            twice = MemoryDrive(drive.files, cut=second)
            try:
                install(twice)
            except CableError:
                twice = MemoryDrive(twice.files)
                install(twice)
            assert twice.files == whole.files


def test_a_drive_that_gives_back_other_bytes_is_noticed() -> None:
    class Forgetful(MemoryDrive):
        def read(self, path: str) -> bytes | None:
            data = super().read(path)
            return data[:-1] + b"?" if path == "lib/ota/http.py" and data else data

    with pytest.raises(DriveError, match=r"lib/ota/http\.py.*reads back other"):
        install(Forgetful(NEW))


def test_room_is_counted_in_clusters_and_with_what_waits_beside_the_old() -> None:
    drive = MemoryDrive(NEW)
    plan = make_plan(drive, TREE, SETTINGS, Options())
    small, big = (room_needed(plan.actions, cluster, set()) for cluster in (512, 4096))
    data = sum(len(action.data) for action in plan.changes)
    assert data < small.final < data + 512 * (len(plan.changes) + 10)
    assert big.final > small.final
    assert small.peak >= small.final
    waiting = room_needed([action for action in plan.actions if action.path == "settings.toml"], 512, {"lib"})
    assert waiting.peak == waiting.final
    again = make_plan(MemoryDrive({**drive.files, "settings.toml": bytes(5000).replace(b"\0", b"#")}), TREE, SETTINGS, Options())
    changed = [action for action in again.actions if action.path == "settings.toml"]
    assert room_needed(changed, 512, {"lib"}).peak > room_needed(changed, 512, {"lib"}).final + 5000
