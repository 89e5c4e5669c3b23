"""What publishing refuses is what a board refuses: the device's own check, on the same listing, says the same."""

import json
import re
from typing import Any

import pytest
from board_rules import device, refusal
from hypothesis import given
from hypothesis import strategies as st

from cota.drive.tree import device_tree
from cota.explain import error_codes
from cota.git.types import MODE_FILE, MODE_SUBMODULE, MODE_SYMLINK
from cota.package import paths
from cota.publish import check as rules
from cota.publish import local, release
from cota.publish.address import Address
from cota.publish.check import check
from cota.publish.source import File
from cota.publish.version import check_name

# Refusals of a listing; what else is refused shows in a file's bytes, on the drive, or at the server.
OF_LISTINGS = ("path_fat", "path_long", "path_case", "symlink", "submodule", "shadow", "boot_hook", "too_many")
HIDING = ["ota.py", "ota.mpy", "OTA.py", "ota/x.txt", "Ota/a/b", "json.py", "json.mpy", "json/__init__.py", "binascii.py", "lib/json.py",
          "lib/json/x", "LIB/Binascii.mpy", "lib/binascii/a.py", "ota", "lib/lib/json.py", "lib/otajson.py"]  # fmt: skip
INNOCENT = ["lib/ota/json.py", "lib/ota/client.py", "lib/ota.mpy", "lib/ota.py", "app/json.py", "jsonx.py", "my_ota.py", "otax/a.py",
            "lib/adafruit_json.py", "data/ota/x", "json.txt", "lib/ota/ota.py"]  # fmt: skip


def findings(files: list[tuple[str, int, int]], ignore: bytes = b"") -> list[Any]:
    listed = [File(path, path, mode, "", size) for path, mode, size in files]
    hook = (device_tree() / "boot.py").read_bytes()
    contents = {file.path: hook if file.size == len(hook) else b"#" * file.size for file in listed} | (
        {".cotaignore": ignore} if ignore else {}
    )
    return check(listed, lambda wanted: {file.path: contents[file.path] for file in wanted})


def refused(files: list[tuple[str, int, int]], ignore: bytes = b"") -> set[str]:
    return {one.code for one in findings(files, ignore) if one.level == "refused"}


@pytest.mark.parametrize("path", HIDING)
def test_a_module_that_would_hide_one_of_the_updaters_is_refused_by_both(path: str) -> None:
    assert refusal([(path, MODE_FILE, 10)]) == "shadow"
    assert refused([("main.py", MODE_FILE, 10), (path, MODE_FILE, 10)]) == {"shadow"}


@pytest.mark.parametrize("path", INNOCENT)
def test_a_module_that_hides_nothing_is_taken_by_both(path: str) -> None:
    assert refusal([(path, MODE_FILE, 10)]) is None
    assert "shadow" not in refused([(path, MODE_FILE, 10)])


def test_the_reason_names_all_that_must_not_be_hidden() -> None:
    (found,) = [one for one in findings([("lib/json.py", MODE_FILE, 10)]) if one.level == "refused"]
    assert str(found) == f"refused: lib/json.py: {error_codes()['shadow'][1]} [shadow]"
    assert "json" in found.text and "binascii" in found.text


_PARTS = ["ota", "json", "binascii", "lib", "Lib", "main.py", "boot.py", "BOOT.py", "sd", "cota.usb", "cota_sys", "settings.toml", "._a",
          "a.py", "A.py", "b", "json.py", "ota.mpy", "N~1.PY", "what?", "end.", " x", "x" * 101, "boot_out.txt", ".cotaignore"]  # fmt: skip
_FILE = st.tuples(
    st.lists(st.one_of(st.sampled_from(_PARTS), st.text("abABéÉ.~1/", min_size=1, max_size=6)), min_size=1, max_size=4).map("/".join),
    st.sampled_from([MODE_FILE, MODE_FILE, MODE_FILE, MODE_SYMLINK, MODE_SUBMODULE]),
    st.sampled_from([0, 10, 512]),
)


@given(st.lists(_FILE, min_size=1, max_size=6, unique_by=lambda one: one[0]), st.sampled_from([b"", b"b/\n*.py\n", b"a.py\n"]))
def test_of_any_listing_publishing_refuses_what_a_board_refuses_and_nothing_else(files: list[tuple[str, int, int]], ignore: bytes) -> None:
    if ignore:
        files = [*(one for one in files if not (one[0] + "/").startswith(".cotaignore/")), (".cotaignore", MODE_FILE, len(ignore))]
    files = [one for one in files if not any(other[0].startswith(one[0] + "/") for other in files)]  # no Git tree has both
    said, told = refusal(files, ignore), refused(files, ignore)
    assert (said is not None) == bool(told & set(OF_LISTINGS)), (said, told)  # of two faults in one path they may name another


def test_both_sides_name_the_same_files_that_stay_and_that_belong_to_no_release() -> None:
    there = device("paths")
    assert set(there._SYSTEM) == set(paths.SYSTEM)
    assert set(there._KEPT) == set(paths.KEPT)
    assert (there.MAX_PATH, there.MAX_PART, there.MAX_IGNORE) == (paths.MAX_PATH, paths.MAX_PART, paths.MAX_IGNORE)


def test_the_limits_are_the_boards() -> None:
    assert device("plan").MAX_FILES == rules._MAX_FILES
    assert device("compare")._FOLDERS == rules._MAX_FOLDERS
    assert device("fetch").BOOT_HOOK == rules._HOOK
    assert (device("fetch")._LFS, device("fetch")._MAX_LFS) == (rules._LFS, rules._MAX_LFS)
    assert device("plan").SECTOR == rules._BOOT_BYTES
    recovery = (device_tree() / "lib/ota/redo.py").read_text()
    (guards,) = re.findall(r'path in \(([^)]*)\) or \(path\[:9\] == "/lib/ota/" and path\[-3:\] == "\.py"\)', recovery)
    assert guards == ", ".join(f'"/{name}"' for name in rules._GUARDS)
    assert 'compile(arena.read(length) or "?"' in recovery, "an empty one is refused too"
    (store,) = re.findall(r"(?m)^RECORD_BYTES = (\d+)", (device_tree() / "lib/ota/store.py").read_text())
    assert int(store) == release.RECORD_BYTES


@pytest.mark.parametrize("path", ["boot.py", "safemode.py", "lib/ota/guard.py"])
def test_an_empty_file_that_guards_the_board_is_refused(path: str) -> None:
    assert refused([("main.py", MODE_FILE, 10), (path, MODE_FILE, 0)]) in ({"syntax"}, {"syntax", "boot_hook"})
    assert refused([("main.py", MODE_FILE, 10), ("lib/other/__init__.py", MODE_FILE, 0)]) == set()


@pytest.mark.parametrize("path", ["boot.py", "safemode.py", "lib/ota/guard.py"])
def test_a_file_that_guards_the_board_and_does_not_compile_is_refused(path: str) -> None:
    broken = b"# cOTA hook 2" + b"\n(" * 200 + rules._JOURNAL
    broken += b" " * (512 - len(broken))
    file = File(path, path, MODE_FILE, "", len(broken))
    found = {one.code for one in check([file], lambda wanted: {one.path: broken for one in wanted}) if one.level == "refused"}
    assert found == {"syntax"}


def folders(count: int, start: str = "") -> list[tuple[str, int, int]]:
    return [(f"{start}d{number}/x", MODE_FILE, 1) for number in range(count)]


def test_folders_that_no_board_could_look_through_again_are_refused() -> None:
    assert "too_many" not in refused(folders(400))
    assert "too_many" in refused(folders(401))
    assert "too_many" in refused([*folders(300), *folders(102, "d7/")]), "299 wait beside, and 102 inside"
    assert "too_many" not in refused([*folders(300), *folders(101, "d7/")])
    assert "too_many" not in refused(folders(900, "lib/")), "a board does not look into lib/"


def test_a_folder_of_very_many_files_is_warned_of() -> None:
    found = findings([(f"data/{number}.bin", MODE_FILE, 1) for number in range(251)])
    assert ("warning", "memory", "data") in [(one.level, one.code, one.path) for one in found]
    found = findings([(f"data/{number}.bin", MODE_FILE, 1) for number in range(250)])
    assert "memory" not in [one.code for one in found]


@given(st.text(st.characters(codec="ascii", exclude_characters="\x7f", min_codepoint=32), min_size=1), st.integers(0, 1700))
def test_what_no_board_could_record_is_refused_as_the_board_would(title: str, more: int) -> None:
    url = "https://github.com/acme/app/tree/" + "0" * more
    sealed = device("journal").sealed(
        {"commit": "0" * 40, "title": title, "version": "v1", "url": url, "key": "0" * 40}, release.RECORD_BYTES
    )
    assert [one.code for one in release._check_record(title, "v1", url)] == ([] if sealed else ["attributes"])


def test_names_that_are_short_in_characters_and_long_in_bytes_are_refused() -> None:
    name = check_name("title", "\U0001f331" * 255)
    assert [one.code for one in release._check_record(name, name, "https://github.com/acme/app")] == ["attributes"]
    assert len(json.dumps(name)) > release.RECORD_BYTES, "MicroPython writes it as UTF-8; with escapes it is longer still"


_NAME = st.text(
    st.characters(codec="utf-8", exclude_characters="/%?#@\\", min_codepoint=33, exclude_categories=("Cc", "Cs", "Z")), min_size=1
)


@given(_NAME, _NAME.filter(lambda text: not text.endswith(".git")), st.sampled_from(["", "boards", "a b/c"]))
def test_a_board_reads_every_address_that_publishing_writes(owner: str, name: str, folder: str) -> None:
    if "." in (owner, name) or ".." in (owner, name):
        return
    address = Address("https", "git.example.com:8443", owner, name)
    url = f"{address.url}/tree/{'0' * 40}" + (f"/{folder.replace(' ', '%20')}" if folder else "")
    if len(url) > 255:
        return
    read = device("url").Repository(url, ("git.example.com:8443",))
    assert (read.owner, read.name, read.rest) == (owner, name, ["0" * 40, *folder.split("/")] if folder else ["0" * 40])


def test_a_repository_that_its_host_would_not_list_whole_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    from cota.errors import AnswerIsNoError
    from cota.git.make import commit_tree, create_repository
    from cota.publish.local import LocalSource

    repository = create_repository(tmp_path / "repository")
    commit_tree(repository, {f"f{number}": b"" for number in range(4)})
    config = repository / ("config" if (repository / "config").exists() else ".git/config")
    config.write_text(config.read_text() + '[remote "origin"]\n\turl = https://github.com/acme/app\n')
    monkeypatch.setattr(local, "_MAX_LISTED", 3)
    with LocalSource(repository) as source, pytest.raises(AnswerIsNoError, match="has 4 files and folders; a Git host lists 3"):
        source.snapshot(None, "")
