"""After an update the drive holds exactly the release, and besides it only what an update leaves alone."""

import shutil
import subprocess
from collections.abc import Callable

import pytest
from world import World, digest

from cota.drive.tree import device_tree, drive_files
from cota.git.make import create_branch, create_tag

_TREE = drive_files(device_tree())
_VERSION = b"0.1.0"
_BINARY = bytes(range(256)) * 33


def updated(world: World, before: dict[str, bytes], after: dict[str, bytes]) -> None:
    """Install two releases, one after the other; the drive must hold exactly the second."""
    world.deliver(before)
    assert world.drive() == world.whole(before)
    world.deliver(after)
    assert world.drive() == world.whole(after)


# Files and folders.


def test_a_first_release_is_installed_whole(world: World) -> None:
    files = {"app/a.py": b"A = 1\n", "assets/b.bin": _BINARY, "README": b"hello\n"}
    world.deliver(files)
    assert world.drive() == world.whole(files)


def test_files_are_added_changed_and_deleted(world: World) -> None:
    updated(
        world, {"same.py": b"1\n", "changed.py": b"1\n", "gone.py": b"1\n"}, {"same.py": b"1\n", "changed.py": b"22\n", "new.py": b"1\n"}
    )


def test_a_file_grows_and_shrinks_across_clusters(world: World) -> None:
    for length in (10, 5000, 5001, 511, 512, 513, 0, 1, 40_000, 3):
        files = {"data.bin": bytes((length % 251,)) * length, "other.py": b"x = 1\n"}
        world.deliver(files)
        assert world.drive() == world.whole(files)


def test_files_of_the_user_that_no_release_knew_are_deleted(make_world: Callable[..., World]) -> None:
    world = make_world(extra={"notes.txt": b"mine\n", "data/1.csv": b"1\n"})
    world.deliver({"app.py": b"x = 1\n"})
    assert world.drive() == world.whole({"app.py": b"x = 1\n"})


def test_nested_folders_are_made_and_emptied_again(world: World) -> None:
    updated(world, {"a/b/c/d/e/f.py": b"1\n", "a/b/x.py": b"1\n"}, {"top.py": b"1\n"})
    assert not world.folders() & {"a", "a/b", "a/b/c"}
    world.deliver({"a/b/c/d/e/f.py": b"2\n"})
    assert "a/b/c/d/e" in world.folders()


def test_a_file_becomes_a_folder(world: World) -> None:
    updated(world, {"thing": b"a file\n", "x.py": b"1\n"}, {"thing/inner/a.py": b"1\n", "x.py": b"1\n"})


def test_a_folder_becomes_a_file(world: World) -> None:
    updated(world, {"thing/inner/a.py": b"1\n", "thing/b.py": b"2\n"}, {"thing": b"a file\n"})


def test_a_file_and_a_folder_change_places(world: World) -> None:
    updated(world, {"one": b"1\n", "two/x": b"2\n"}, {"one/x": b"2\n", "two": b"1\n"})


def test_a_file_whose_name_changes_only_by_case_has_the_new_name(world: World) -> None:
    updated(world, {"app/Sensor.py": b"same bytes\n", "Read.me": b"1\n"}, {"app/sensor.py": b"same bytes\n", "READ.ME": b"2\n"})


def test_a_folder_whose_name_changes_only_by_case_has_the_new_name(world: World) -> None:
    updated(world, {"App/Deep/a.py": b"1\n", "App/b.py": b"2\n"}, {"app/deep/a.py": b"1\n", "app/b.py": b"3\n"})


def test_a_folder_becomes_a_file_of_another_case(world: World) -> None:
    updated(world, {"Data/a.txt": b"1\n"}, {"data": b"1\n"})


def test_empty_files_are_installed_emptied_and_filled(world: World) -> None:
    updated(world, {"empty": b"", "full": b"1\n", "__init__.py": b""}, {"empty": b"1\n", "full": b"", "__init__.py": b""})


def test_binary_files_are_installed_byte_for_byte(world: World) -> None:
    updated(world, {"a.mpy": _BINARY, "b.bmp": b"\0" * 4096}, {"a.mpy": _BINARY[::-1], "b.bmp": b"\0" * 4095 + b"\n"})


def test_names_with_spaces_and_other_alphabets_are_installed(world: World) -> None:
    names = [
        "with space.txt",
        "née à Évry/être.py",
        "温度/测.txt",
        "emoji 😀.txt",
        "percent%20.txt",
        "plus+and&.txt",
        "a#b.txt",
        "semi;colon=1.txt",
    ]
    files = {name: name.encode() for name in names}
    updated(world, files, {name: b"changed " + name.encode() for name in names[1:]})


def test_names_at_the_length_limits_are_installed(world: World) -> None:
    files = {"n" * 97 + ".py": b"1\n", "/".join(["d" * 48] * 4) + "x.py"[:3]: b"2\n"}
    assert {len(name) for name in files} == {100, 198}
    world.deliver(files)
    assert world.drive() == world.whole(files)


def test_a_release_of_many_folders_and_files_is_installed(world: World) -> None:
    files = {f"pkg{number % 12}/sub{number % 5}/m{number}.py": b"# %d\n" % number for number in range(180)}
    world.deliver(files)
    assert world.drive() == world.whole(files)


def test_a_release_that_leaves_no_room_for_a_backup_is_refused(world: World) -> None:
    world.deliver({"big.bin": b"1" * 140_000})
    before = world.drive()
    package = world.publish({"big.bin": b"2" * 140_000})
    world.assign(package)
    world.wait_for("FAILED", str(package["version"]))
    assert str(world.telemetry()["fw_error"]).startswith("space ")
    assert world.drive() == before


def test_a_release_that_fits_only_without_a_backup_is_installed_where_that_is_allowed(make_world: Callable[..., World]) -> None:
    world = make_world(settings={"COTA_BACKUP": "optional"})
    for number in range(4):
        files = {f"big-{number}.bin": bytes((number,)) * 140_000}
        world.deliver(files)
        assert world.drive() == world.whole(files)


def test_cotaignore_names_paths_folders_and_endings(world: World) -> None:
    files = {".cotaignore": b"docs/\n*.md\nsecret.txt\n# a comment\n\n", "app.py": b"1\n", "doc.py": b"1\n", "my/secret.txt": b"1\n"}
    ignored = {"docs/a.txt": b"1\n", "README.md": b"1\n", "deep/er.md": b"1\n", "secret.txt": b"1\n"}
    world.deliver({**files, **ignored})
    assert world.drive() == world.whole(files)


def test_a_cotaignore_with_windows_line_ends_means_the_same(world: World) -> None:
    files = {".cotaignore": b"# left out\r\n*.md\r\ndocs/\r\n", "app.py": b"1\n"}
    world.deliver({**files, "a.md": b"1\n", "docs/x.py": b"1\n"})
    assert world.drive() == world.whole(files)


def test_a_cotaignore_of_the_greatest_length_fits_into_a_boards_heap(world: World) -> None:
    ignore = b"#\n/\n//\n\n \n" * 400 + b"*.md\n/docs/\n"
    files = {".cotaignore": ignore[-4096:], **{f"m{number}.py": b"" for number in range(60)}}
    world.deliver({**files, "a.md": b"1\n", "docs/x.py": b"1\n"})
    assert world.drive() == world.whole(files)


def test_what_cotaignore_names_anew_goes_from_the_drive(world: World) -> None:
    world.deliver({"app.py": b"1\n", "notes.md": b"1\n"})
    files = {"app.py": b"1\n", ".cotaignore": b"*.md\n"}
    world.deliver({**files, "notes.md": b"1\n"})
    assert world.drive() == world.whole(files)


# Programs.


def test_code_py_of_a_release_runs_in_place_of_main_py_and_goes_again(world: World) -> None:
    code = b"print('code.py speaks')\n" + _TREE["main.py"]
    world.deliver({"code.py": code})
    world.wait_for_line("code.py speaks")
    world.deliver({"app.py": b"1\n"})
    assert world.drive() == world.whole({"app.py": b"1\n"})
    assert [line for line in world.lines if line.endswith(" output:")][-1] == "main.py output:"


def test_a_release_replaces_main_py(world: World) -> None:
    files = {"main.py": b"print('second main')\n" + _TREE["main.py"]}
    world.deliver(files)
    assert "second main" in world.said()
    assert world.drive() == world.whole(files)
    world.deliver({"app.py": b"1\n"})
    assert world.drive() == {**world.whole({"app.py": b"1\n"}), "main.py": digest(files["main.py"])}


def test_a_release_replaces_boot_py(world: World) -> None:
    other, third = (_TREE["boot.py"].rstrip(b"#\n").ljust(512, mark) for mark in (b"#", b"\n"))
    assert len({_TREE["boot.py"], other, third}) == 3
    world.deliver({"boot.py": other})
    assert world.drive() == world.whole({"boot.py": other})
    world.deliver({"app.py": b"1\n", "boot.py": third})
    assert world.drive() == world.whole({"app.py": b"1\n", "boot.py": third})


def test_a_release_replaces_the_updater_itself(world: World) -> None:
    """All of lib/ota changes, the recovery and the drive's owner included; the new updater then installs the next release."""
    library = {path: data + b"\n# changed\n" for path, data in _TREE.items() if path.startswith("lib/ota/")}
    library["lib/ota/__init__.py"] = library["lib/ota/__init__.py"].replace(_VERSION, b"9.9.9")
    world.deliver(library)
    assert world.drive() == world.whole(library)
    assert world.attributes()["cota_version"] == "9.9.9"
    back = {path: data for path, data in _TREE.items() if path.startswith("lib/ota/")}
    world.deliver({**back, "app.py": b"1\n"})
    assert world.drive() == world.whole({**back, "app.py": b"1\n"})
    assert world.attributes()["cota_version"] == _VERSION.decode()


def test_a_library_beside_ours_is_added_and_stays(world: World) -> None:
    world.deliver({"lib/adafruit_x.py": b"1\n", "lib/pkg/a.py": b"1\n"})
    world.deliver({"lib/pkg/a.py": b"2\n"})
    assert world.drive() == world.whole({"lib/adafruit_x.py": b"1\n", "lib/pkg/a.py": b"2\n"})


# What stays.


def test_settings_toml_of_a_release_is_left_out(world: World) -> None:
    before = world.board.read("settings.toml")
    world.deliver({"settings.toml": b'THINGSBOARD_URL = "http://elsewhere"\n', "app.py": b"1\n"})
    assert world.board.read("settings.toml") == before
    assert world.drive() == world.whole({"app.py": b"1\n"})


def test_settings_toml_of_a_release_is_applied_where_the_board_asks_for_it(make_world: Callable[..., World]) -> None:
    world = make_world(settings={"COTA_UPDATE_SETTINGS": "1"})
    changed = world.board.read("settings.toml") + b'COTA_KEEP = "mine.txt"\n'
    world.deliver({"settings.toml": changed})
    assert world.board.read("settings.toml") == changed
    assert world.drive() == world.whole({"settings.toml": changed})


def test_what_cota_keep_names_stays(make_world: Callable[..., World]) -> None:
    mine = {"calibration.json": b"{}\n", "logs/a/1.txt": b"1\n", "logs/2.txt": b"2\n", "data/keep.csv": b"3\n"}
    world = make_world(
        extra={**mine, "data/gone.csv": b"4\n", "old.py": b"5\n"}, settings={"COTA_KEEP": "calibration.json, /logs/ ,./data/keep.csv"}
    )
    updated_files = {"app.py": b"1\n"}
    world.deliver(updated_files)
    assert world.drive() == {**world.whole(updated_files), **{path: digest(data) for path, data in mine.items()}}


def test_a_release_replaces_a_file_that_cota_keep_names(make_world: Callable[..., World]) -> None:
    world = make_world(extra={"calibration.json": b"{}\n"}, settings={"COTA_KEEP": "calibration.json"})
    updated(world, {"calibration.json": b"[1]\n"}, {"calibration.json": b"[2, 3]\n"})
    world.deliver({"app.py": b"1\n"})
    assert world.drive() == world.whole({"app.py": b"1\n", "calibration.json": b"[2, 3]\n"})


def test_the_systems_own_files_stay_and_are_not_brought(make_world: Callable[..., World]) -> None:
    system = {
        "System Volume Information/IndexerVolumeGuid": b"{1}",
        "._main.py": b"apple",
        ".Spotlight-V100/x": b"1",
        "sd/placeholder.txt": b"1",
    }
    world = make_world(extra=system)
    brought = {"boot_out.txt": b"no\n", "sd/a.txt": b"no\n", "app/._a.py": b"no\n", ".fseventsd/x": b"no\n", "cota_sys/s/j": b"no\n"}
    world.deliver({"app/a.py": b"1\n", **brought})
    assert world.drive() == {**world.whole({"app/a.py": b"1\n"}), **{path: digest(data) for path, data in system.items()}}
    assert world.board.read("boot_out.txt").startswith(b"Adafruit CircuitPython")


# What is asked of the Git host.


def test_only_changed_files_are_fetched(world: World) -> None:
    files = {f"pkg/m{number}.py": b"# %d\n" % number for number in range(40)}
    world.deliver(files)
    before = world.requests()
    changed = {**files, "pkg/m7.py": b"# changed\n"}
    world.deliver(changed)
    after = world.requests()
    assert (after["git-raw"] - before["git-raw"], after["git-api"] - before["git-api"]) == (1, 2)
    assert world.drive() == world.whole(changed)


def test_a_release_that_is_on_the_drive_already_is_confirmed_without_a_file_request(world: World) -> None:
    files = {"app.py": b"1\n", "empty": b""}
    world.deliver(files)
    commit = world.commit(files)
    before = world.requests()
    world.install(world.package(world.url(commit)))
    after = world.requests()
    assert after["git-raw"] == before["git-raw"]
    assert world.drive() == world.whole(files)


def test_empty_files_cost_no_request(world: World) -> None:
    before = world.requests()["git-raw"]
    world.deliver({f"empty{number}": b"" for number in range(9)})
    assert world.requests()["git-raw"] == before


# What fw_url may name.


def test_a_url_without_a_ref_is_the_branch_main(world: World) -> None:
    commit = world.commit({"app.py": b"1\n"})
    world.install(world.package(world.url()))
    assert world.drive() == world.whole({"app.py": b"1\n"})
    assert world.attributes()["cota_commit"] == commit


def test_a_branch_is_read_at_the_commit_that_it_had(world: World) -> None:
    commit = world.commit({"app.py": b"1\n"}, branch="stable")
    world.commit({"app.py": b"of main\n"})
    world.install(world.package(world.url("stable")))
    assert world.drive() == world.whole({"app.py": b"1\n"})
    assert world.attributes()["cota_commit"] == commit


@pytest.mark.parametrize("message", [None, "release 1.0"])
def test_a_tag_is_read_at_its_commit(world: World, message: str | None) -> None:
    commit = world.commit({"app.py": b"1\n"})
    create_tag(world.repository, "v1.0", commit, message)
    world.commit({"app.py": b"2\n"})
    world.install(world.package(world.url("v1.0")))
    assert world.drive() == world.whole({"app.py": b"1\n"})
    assert world.attributes()["cota_commit"] == commit


def test_a_branch_whose_name_has_slashes_is_found(world: World) -> None:
    commit = world.commit({"fw/app.py": b"1\n", "other.py": b"no\n"})
    create_branch(world.repository, "release/2026/autumn", commit)
    world.install(world.package(world.url("release/2026/autumn", "fw")))
    assert world.drive() == world.whole({"app.py": b"1\n"})


def test_a_branch_name_with_characters_that_urls_encode_is_found(world: World) -> None:
    world.commit({"app.py": b"1\n"}, branch="fix/#12-é+&")
    world.install(world.package(world.url("fix/%2312-%C3%A9+&")))
    assert world.drive() == world.whole({"app.py": b"1\n"})


def test_only_the_folder_that_the_url_names_is_installed(world: World) -> None:
    files = {"boards/pico w/app.py": b"1\n", "boards/pico w/deep/x.py": b"2\n", "boards/pico wide/no.py": b"3\n", "no.py": b"4\n"}
    commit = world.commit(files)
    world.install(world.package(world.url(commit, "boards/pico%20w")))
    assert world.drive() == world.whole({"app.py": b"1\n", "deep/x.py": b"2\n"})


def test_git_at_the_end_of_the_repository_does_not_matter(world: World) -> None:
    commit = world.commit({"app.py": b"1\n"})
    world.install(world.package(f"http://{world.git}/acme/{world.name}.git/tree/{commit}/"))
    assert world.drive() == world.whole({"app.py": b"1\n"})


# Assignments.


def test_the_same_release_assigned_again_is_updated_at_once_and_fetches_nothing(world: World) -> None:
    package = world.publish({"app.py": b"1\n"})
    world.install(package)
    world.assign(None)
    world.wait_until(lambda: "fw_title" not in world.client.telemetry.attributes(world.device_id), "unassigned")
    world.wait_polls(2)
    before = world.requests()
    world.install(package)
    after = world.requests()
    assert (after["git-api"], after["git-raw"]) == (before["git-api"], before["git-raw"])


def test_unassigning_leaves_the_release_and_the_board_goes_on(world: World) -> None:
    files = {"app.py": b"1\n"}
    world.deliver(files)
    world.assign(None)
    world.wait_polls(3)
    assert world.drive() == world.whole(files)
    world.deliver({"app.py": b"2\n"})
    assert world.drive() == world.whole({"app.py": b"2\n"})


def test_a_package_of_the_profile_reaches_the_board(world: World) -> None:
    package = world.publish({"app.py": b"1\n"})
    world.assign(package, to="profile")
    world.start()
    world.wait_for("UPDATED", package["version"])
    assert world.drive() == world.whole({"app.py": b"1\n"})


def test_a_package_on_the_device_wins_over_its_profiles(world: World) -> None:
    own, profiles = world.publish({"app.py": b"own\n"}), world.publish({"app.py": b"profile\n"})
    world.install(own)
    world.assign(profiles, to="profile")
    world.wait_polls(3)
    assert world.drive() == world.whole({"app.py": b"own\n"})
    world.assign(None)
    world.wait_for("UPDATED", profiles["version"])
    assert world.drive() == world.whole({"app.py": b"profile\n"})


def test_going_back_to_an_older_release_is_an_update_too(world: World) -> None:
    old = world.publish({"app.py": b"1\n", "old.py": b"1\n"})
    world.install(old)
    world.deliver({"app.py": b"2\n"})
    world.install(old)
    assert world.drive() == world.whole({"app.py": b"1\n", "old.py": b"1\n"})


def test_titles_and_versions_of_any_characters_and_the_greatest_length_are_told_as_they_are(world: World) -> None:
    for title, version in (('Wetter "Süd" \\ 😀 {}', "v 1/2 'ü' %20"), (f"{world.name} " + "é" * 240, "v" * 255)):
        url = world.url(world.commit({"app.py": version.encode()}))
        package = world.client.packages.create_url(title, version, url, world.profile_id, tag="long")
        world.install(package)
        world.restart()
        world.wait_polls(4)
        seen = world.telemetry()
        assert (seen["current_fw_title"], seen["current_fw_version"]) == (title, version)


def test_a_board_of_another_size_is_updated_too(make_world: Callable[..., World]) -> None:
    world = make_world(profile="esp32-s3")
    updated(world, {"a.bin": _BINARY * 20, "b.py": b"1\n"}, {"a.bin": _BINARY * 21})


def test_a_board_with_sha_1_alone_is_updated_too(make_world: Callable[..., World]) -> None:
    from cota.sim.board import BoardOptions

    world = make_world(options=BoardOptions(sha256=False))
    updated(world, {"a.bin": _BINARY}, {"a.bin": _BINARY * 2})


@pytest.mark.skipif(not shutil.which("mdir"), reason="mtools reads the FAT image as a second judge: install it (Debian: mtools); CI has it")
def test_the_drive_of_an_updated_board_can_be_read_with_mtools(world: World) -> None:
    updated(world, {"app/a.py": b"1\n", "gone/x.py": b"1\n"}, {"app/a.py": b"2\n", "Long Name of a File.txt": b"3\n"})
    world.stop()
    image = str(world.board.volume.path)
    listed = subprocess.run(["mdir", "-i", image, "-b", "-/", "::"], capture_output=True, text=True, check=True).stdout.splitlines()
    assert {"::/app/a.py", "::/Long Name of a File.txt", "::/lib/ota/redo.py"} <= set(listed)
    assert not any("gone" in name for name in listed)
