"""What a drive must hold after an update, from the repository alone, and every way in which a drive can differ from it."""

import hashlib
from pathlib import Path

import pytest

from cota.demo.release import Release, differences, make_example, read_release, room_needed
from cota.errors import CotaError
from cota.git.make import Moded, commit_tree, create_branch, create_repository, create_tag
from cota.sim.volume import FRESH_FILES

BASE = {"main.py": b"loop\n", "boot.py": b"hook\n", "settings.toml": b"A = 1\n", "lib/ota/__init__.py": b"ota\n", "README.txt": b"hello\n"}
FILES = {"app/a.py": b"a = 1\n", "data/b.bin": bytes(range(256)), "empty.txt": b""}
RELEASE = Release("0" * 40, FILES)


def drive(files: dict[str, bytes]) -> dict[str, tuple[int, str]]:
    return {path: (len(data), hashlib.sha256(data).hexdigest()) for path, data in files.items()}


KEPT = {path: data for path, data in BASE.items() if path != "README.txt"}
RIGHT = {**KEPT, **FILES}


def test_a_drive_that_holds_the_release_and_what_is_kept_does_not_differ() -> None:
    assert differences(drive(RIGHT), RELEASE, BASE) == []


def test_a_missing_file_is_noticed() -> None:
    assert differences(drive({path: data for path, data in RIGHT.items() if path != "app/a.py"}), RELEASE, BASE) == ["app/a.py is missing"]


def test_a_missing_empty_file_is_noticed() -> None:
    assert differences(drive({path: data for path, data in RIGHT.items() if path != "empty.txt"}), RELEASE, BASE) == [
        "empty.txt is missing"
    ]


@pytest.mark.parametrize("content", [b"a = 2\n", b"", b"a = 1\n\n"])
def test_a_changed_file_is_noticed(content: bytes) -> None:
    wrong = differences(drive({**RIGHT, "app/a.py": content}), RELEASE, BASE)
    assert wrong == [f"app/a.py differs: {len(content)} bytes on the drive, 6 in the release"]


@pytest.mark.parametrize("path", ["README.txt", "app/old.py", "App/a.py", "code.py", "cota_sysx", "cota.usbx"])
def test_an_extra_file_is_noticed(path: str) -> None:
    assert differences(drive({**RIGHT, path: b"x"}), RELEASE, BASE) == [f"{path} should not be there"]


@pytest.mark.parametrize("path", sorted(KEPT))
def test_a_kept_file_that_is_gone_is_noticed(path: str) -> None:
    left = {name: data for name, data in RIGHT.items() if name != path}
    assert differences(drive(left), RELEASE, BASE) == [f"{path} is missing"]


def test_a_kept_file_that_has_changed_is_noticed() -> None:
    assert len(differences(drive({**RIGHT, "settings.toml": b"B = 1\n"}), RELEASE, BASE)) == 1


def test_a_kept_file_that_the_release_brings_must_be_the_releases() -> None:
    release = Release("0" * 40, {**FILES, "main.py": b"new\n", "lib/ota/__init__.py": b"newer\n"})
    assert len(differences(drive(RIGHT), release, BASE)) == 2
    assert differences(drive({**RIGHT, **release.files}), release, BASE) == []


def test_what_the_system_and_the_updater_keep_on_a_drive_is_no_difference() -> None:
    own = {**FRESH_FILES, "boot_out.txt": b"CircuitPython", "cota_sys/s/j": b"journal", "._a.py": b"mac", "lib/neopixel.mpy": b"M"}
    assert differences(drive({**RIGHT, **own}), RELEASE, BASE) == []


def test_several_differences_are_all_told_in_order() -> None:
    found = differences(drive({**KEPT, "app/a.py": b"z", "zz.py": b""}), RELEASE, BASE)
    assert [line.split()[0] for line in found] == ["app/a.py", "data/b.bin", "empty.txt", "zz.py"]


# Reading.


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return create_repository(tmp_path / "repository")


def test_a_release_is_read_by_branch_tag_and_commit(repository: Path) -> None:
    first = commit_tree(repository, {"a.py": b"1\n"})
    second = commit_tree(repository, {"a.py": b"2\n"})
    create_tag(repository, "v1", first, "the first")
    create_branch(repository, "topic/x", first)
    for ref, commit, content in (
        ("main", second, b"2\n"),
        ("v1", first, b"1\n"),
        ("topic/x", first, b"1\n"),
        (second[:12], second, b"2\n"),
    ):
        release = read_release(repository, ref)
        assert (release.commit, release.files) == (commit, {"a.py": content})


@pytest.mark.parametrize("folder", ["fw", "fw/", "/fw/"])
def test_a_folder_is_read_as_the_drives_root(repository: Path, folder: str) -> None:
    commit_tree(repository, {"fw/a.py": b"1\n", "fw/lib/b.py": b"2\n", "fwx/c.py": b"3\n", "d.py": b"4\n"})
    assert read_release(repository, "main", folder).files == {"a.py": b"1\n", "lib/b.py": b"2\n"}


def test_what_stays_off_a_board_is_no_part_of_a_release(repository: Path) -> None:
    ignore = b"# docs\n*.md\ndocs/\n"
    files = {"a.py": b"1\n", "README.md": b"x", "docs/x.txt": b"x", "settings.toml": b"x", "boot_out.txt": b"x", "sub/._a": b"x"}
    commit_tree(repository, {**files, ".cotaignore": ignore})
    assert read_release(repository, "main").files == {"a.py": b"1\n", ".cotaignore": ignore}


def test_a_link_and_a_submodule_are_left_to_the_board_to_refuse(repository: Path) -> None:
    commit_tree(repository, {"a.py": b"1\n", "link": Moded(0o120000, b"a.py"), "vendor": Moded(0o160000, b"1" * 40)})
    assert list(read_release(repository, "main").files) == ["a.py"]


def test_an_unknown_ref_folder_and_an_empty_release_are_errors(repository: Path) -> None:
    with pytest.raises(CotaError, match="has no"):
        read_release(repository, "main")
    commit_tree(repository, {"a.md": b"1\n", ".cotaignore": b"*.md\n.cotaignore\n"})
    with pytest.raises(CotaError, match="holds no file for a board"):
        read_release(repository, "main")
    with pytest.raises(CotaError, match="no folder 'nope'"):
        read_release(repository, "main", "nope")
    with pytest.raises(CotaError, match="'gone'"):
        read_release(repository, "gone")


def test_the_example_has_two_releases_that_add_change_and_delete(tmp_path: Path) -> None:
    before, after = (read_release(tmp_path / "x", ref).files for ref in make_example(tmp_path / "x"))
    assert set(after) - set(before)
    assert set(before) - set(after)
    assert any(before[path] != after[path] for path in set(before) & set(after))
    assert any(b"\0" in data for data in after.values())


# The program.


@pytest.mark.parametrize(
    "text",
    [
        b"import ota\n",
        b"import os\nimport ota  # updates\n",
        b"import os, ota\n",
        b"from ota import OverTheAirUpdate\n",
        b"try:\n    import ota\nexcept ImportError:\n    ota = None\n",
        b"import ota as updates\r\n",
    ],
)
def test_a_program_that_imports_the_library_updates_itself(text: bytes) -> None:
    assert Release("0" * 40, {"main.py": text}).updates_itself


@pytest.mark.parametrize(
    "text", [b"total = 0\n", b"import rotary\n", b"# import ota\n", b"import iota\n", b"from quota import x\n", b"import os  # ota\n", b""]
)
def test_a_program_that_only_mentions_such_a_word_does_not(text: bytes) -> None:
    assert not Release("0" * 40, {"main.py": text}).updates_itself


def test_a_release_without_a_program_leaves_the_boards_own() -> None:
    assert Release("0" * 40, {"lib/x.py": b"total = 1\n"}).updates_itself


def test_the_program_is_the_one_that_circuitpython_would_run() -> None:
    release = Release("0" * 40, {"main.py": b"import ota\n", "code.py": b"total = 0\n"})
    assert release.program == "code.py"
    assert not release.updates_itself


# Room.


def test_more_room_is_needed_for_more_and_larger_files() -> None:
    small = room_needed(RELEASE, BASE, 512)
    more = room_needed(Release("0" * 40, {**FILES, "new.py": b"x"}), BASE, 512)
    larger = room_needed(Release("0" * 40, {**FILES, "empty.txt": bytes(100_000)}), BASE, 512)
    assert small < more < larger
    assert larger - small >= 2 * 100_000  # live and staged
    assert room_needed(RELEASE, BASE, 4096) > small
