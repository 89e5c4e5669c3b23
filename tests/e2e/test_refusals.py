"""What a board cannot install is refused with its own code, before a byte on the drive has changed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from world import World

from cota.git.make import Files, Moded
from cota.lab import githost
from cota.thingsboard import Json

_SYMLINK, _SUBMODULE = 0o120000, 0o160000
# On the drive beforehand; every good release would delete it, so a refusal that comes too late is seen.
_OLD = {"old.py": b"print('old')\n", "data/log.txt": b"1,2,3\n"}
_GOOD = {"app/new.py": b"A = 1\n"}
_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world(extra=_OLD)


def refuse(world: World, package: Json) -> str:
    """Assign a package that must be given up without a change of the drive; gives fw_error."""
    before = world.drive()
    world.assign(package)
    world.start()
    world.wait_for("FAILED", package["version"])
    assert world.drive() == before
    assert "UPDATING" not in world.states()
    return str(world.telemetry()["fw_error"])


def refuse_files(world: World, files: Files, folder: str = "") -> str:
    return refuse(world, world.publish({**_GOOD, **files}, folder))


# Entries that are no plain files.


def test_a_symbolic_link_is_refused(world: World) -> None:
    error = refuse_files(world, {"lib/link.py": Moded(_SYMLINK, b"../app/new.py")})
    assert error.startswith("symlink ")
    assert "lib/link.py" in error


def test_a_submodule_is_refused(world: World) -> None:
    error = refuse_files(world, {"vendor": Moded(_SUBMODULE, b"1" * 40)})
    assert error.startswith("submodule ")
    assert "vendor" in error


def test_an_lfs_pointer_is_refused(world: World) -> None:
    error = refuse_files(world, {"assets/big.bin": _POINTER})
    assert error.startswith("lfs ")
    assert "assets/big.bin" in error


def test_a_symbolic_link_outside_the_release_folder_does_not_matter(world: World) -> None:
    files = {"fw/app.py": b"x = 1\n", "docs/link": Moded(_SYMLINK, b"../fw")}
    world.deliver(files, folder="fw")
    assert "app.py" in world.drive()


def test_a_symbolic_link_that_cotaignore_names_does_not_matter(world: World) -> None:
    world.deliver({**_GOOD, "link": Moded(_SYMLINK, b"app"), ".cotaignore": b"link\n"})
    assert world.drive() == world.whole({**_GOOD, ".cotaignore": b"link\n"})


# Paths.


@pytest.mark.parametrize(
    "path",
    [
        "a:b.txt",
        "what?.py",
        "star*.py",
        'quote".py',
        "pipe|.py",
        "less<.py",
        "more>.py",
        "back\\slash.py",
        "dot./x.py",
        "ends with a dot.",
        "ends with a space ",
        "app/ starts with a space.py",
        "line\nfeed.py",
        "delete\x7f.py",
        "GONE_L~1.PY",
        "folder:/x.py",
    ],
)
def test_a_path_that_fat_cannot_hold_is_refused(world: World, path: str) -> None:
    assert refuse_files(world, {path: b"x\n"}).startswith("path_fat ")


def test_a_path_of_more_than_200_bytes_is_refused(world: World) -> None:
    path = "/".join(["n" * 50] * 4) + ".py"
    assert refuse_files(world, {path: b"x\n"}).startswith("path_long ")


def test_a_name_of_more_than_100_bytes_is_refused(world: World) -> None:
    assert refuse_files(world, {"é" * 51: b"x\n"}).startswith("path_long ")


def test_a_path_of_a_thousand_characters_is_refused(world: World) -> None:
    path = "/".join(["deep" * 20] * 12) + "/x.py"
    assert refuse_files(world, {path: b"x\n"}).startswith("path_long ")


def test_two_files_that_differ_only_by_case_are_refused(world: World) -> None:
    error = refuse_files(world, {"app/Sensor.py": b"1\n", "app/sensor.py": b"2\n"})
    assert error.startswith("path_case ")
    assert "app/Sensor.py" in error
    assert "app/sensor.py" in error


def test_two_folders_that_differ_only_by_case_are_refused(world: World) -> None:
    assert refuse_files(world, {"App/one.py": b"1\n", "app/two.py": b"2\n"}).startswith("path_case ")


def test_a_file_that_is_a_folder_in_another_case_is_refused(world: World) -> None:
    assert refuse_files(world, {"data/x.txt": b"1\n", "DATA": b"2\n"}).startswith("path_case ")


# The repository.


def test_a_listing_that_the_host_cut_short_is_refused(make_world: Callable[..., World], small_host: "SmallHost") -> None:
    world = make_world(extra=_OLD, git=small_host.address)
    small_host.show(f"acme/{world.name}", world.repository)
    files = {f"file_{number}.py": b"x\n" for number in range(10)}
    assert refuse_files(world, files).startswith("listing_truncated ")


def test_an_empty_repository_is_refused(world: World) -> None:
    assert refuse(world, world.package(world.url())).startswith("git_empty ")


def test_a_missing_folder_is_refused(world: World) -> None:
    error = refuse_files(world, {}, folder="firmware")
    assert error.startswith("git_folder ")
    assert "firmware" in error


def test_a_folder_that_is_a_file_is_refused(world: World) -> None:
    assert refuse_files(world, {}, folder="app/new.py").startswith("git_folder ")


def test_a_release_of_no_files_is_refused(world: World) -> None:
    assert refuse(world, world.publish({})).startswith("git_empty ")


def test_a_missing_repository_is_refused(world: World) -> None:
    assert refuse(world, world.package(f"http://{world.git}/acme/nothing-here")).startswith("git_repo ")


def test_an_unknown_branch_is_refused(world: World) -> None:
    world.commit(_GOOD)
    error = refuse(world, world.package(world.url("no-such-branch")))
    assert error.startswith("git_ref ")
    assert "no-such-branch" in error


def test_an_unknown_commit_is_refused(world: World) -> None:
    world.commit(_GOOD)
    assert refuse(world, world.package(world.url("0123456789" * 4))).startswith("git_ref ")


def test_a_repository_without_the_branch_main_is_refused(world: World) -> None:
    world.commit(_GOOD, branch="trunk")
    error = refuse(world, world.package(world.url()))
    assert error.startswith(("git_ref ", "git_empty "))


# The URL.


@pytest.mark.parametrize(
    "rest", ["", "/acme", "/acme/app/blob/main/x.py", "/acme/app/tree", "/acme/app/tree/main/../../x", "/acme/%zz/tree/main"]
)
def test_a_url_that_names_no_repository_is_refused(world: World, rest: str) -> None:
    assert refuse(world, world.package(f"http://{world.git}{rest}")).startswith("url ")


@pytest.mark.parametrize(
    "url", ["not a url", "ftp://github.com/acme/app", "github.com/acme/app", "git@github.com:acme/app.git", "http://:80/acme/app"]
)
def test_a_url_of_another_kind_is_refused(world: World, url: str) -> None:
    assert refuse(world, world.package(url)).startswith("url ")


def test_a_host_that_the_settings_do_not_name_is_refused(world: World) -> None:
    error = refuse(world, world.package("http://127.0.0.1:9/acme/app"))
    assert error.startswith("git_host ")
    assert "127.0.0.1" in error


@pytest.mark.parametrize(
    ("start", "code"),
    [
        ("http://ghp_topsecret@", "url_secret "),
        ("http://someone:ghp_topsecret@", "url_secret "),
        ("http://ghp_topsecret:@", "url_secret "),
        ("http://someone:top/topsecret@", "url "),
        ("ftp://ghp_topsecret@", "url "),
        ("ghp_topsecret@", "url "),
        ("http://ghp topsecret@", "url "),
    ],
)
def test_a_token_in_the_url_is_refused_and_told_nowhere(world: World, start: str, code: str) -> None:
    world.commit(_GOOD)
    error = refuse(world, world.package(f"{start}{world.git}/acme/{world.name}"))
    assert error.startswith(code)
    seen = repr([world.telemetry(), world.attributes(), world.said()])
    assert "topsecret" not in seen
    assert world.token not in seen


def test_a_package_of_bytes_without_a_url_is_refused(world: World) -> None:
    packages = world.client.packages
    package = packages.create(world.name, "binary", world.profile_id)
    packages.upload(package["id"]["id"], "firmware.bin", b"bytes")
    assert refuse(world, package).startswith("no_url ")


# What the release holds.


def test_a_boot_py_of_another_size_is_refused(world: World) -> None:
    error = refuse_files(world, {"boot.py": b'import storage\nstorage.remount("/")\n'})
    assert error.startswith("boot_hook ")


def test_a_boot_py_of_the_right_size_without_the_hook_is_refused(world: World) -> None:
    assert refuse_files(world, {"boot.py": b"#" * 512}).startswith("boot_hook ")


def test_a_boot_py_in_other_letters_is_refused_like_boot_py(world: World) -> None:
    error = refuse_files(world, {"Boot.py": b"#" * 512})
    assert error.startswith("boot_hook ")
    assert "Boot.py" in error


def test_a_cotaignore_that_is_too_long_is_refused(world: World) -> None:
    assert refuse_files(world, {".cotaignore": b"# nothing\n" * 410}).startswith("ignore ")


def test_a_cotaignore_that_is_not_utf_8_is_refused(world: World) -> None:
    assert refuse_files(world, {".cotaignore": b"caf\xe9.py\n"}).startswith("ignore ")


def test_a_release_larger_than_the_drive_is_refused(world: World) -> None:
    error = refuse_files(world, {f"assets/{number}.bin": bytes((number,)) * 100_000 for number in range(6)})
    assert error.startswith("space ")


def test_one_file_larger_than_the_drive_is_refused(world: World) -> None:
    assert refuse_files(world, {"huge.bin": bytes(600_000)}).startswith("space ")


def test_a_release_of_more_than_2000_files_is_refused(world: World) -> None:
    files = {f"pkg{number // 100}/m{number}.py": b"" for number in range(2001)}
    assert refuse_files(world, files).startswith("too_many ")


# What the drive keeps.


def test_a_folder_where_the_drive_keeps_a_file_is_refused(make_world: Callable[..., World]) -> None:
    world = make_world(extra={**_OLD, "calibration": b"kept\n"}, settings={"COTA_KEEP": "calibration"})
    error = refuse_files(world, {"calibration/x.txt": b"1\n"})
    assert error.startswith("path_kept ")
    assert "calibration" in error


def test_a_file_where_the_drive_keeps_a_folder_is_refused(make_world: Callable[..., World]) -> None:
    world = make_world(extra={**_OLD, "logs/today.txt": b"kept\n"}, settings={"COTA_KEEP": "logs/"})
    assert refuse_files(world, {"logs": b"1\n"}).startswith("path_kept ")


def test_a_file_where_the_drive_keeps_something_deeper_is_refused(make_world: Callable[..., World]) -> None:
    world = make_world(extra={**_OLD, "logs/deep/today.txt": b"kept\n"}, settings={"COTA_KEEP": "logs/deep/today.txt"})
    assert refuse_files(world, {"logs": b"1\n"}).startswith("path_kept ")


def test_a_file_in_the_place_of_lib_is_refused(world: World) -> None:
    assert refuse_files(world, {"lib": b"no folder\n"}).startswith("path_kept ")


# After a refusal.


def test_a_refused_release_leaves_a_board_that_installs_the_next_one(world: World) -> None:
    refuse_files(world, {"link": Moded(_SYMLINK, b"app")})
    world.deliver(_GOOD)
    assert world.drive() == world.whole(_GOOD)


class SmallHost:
    """A Git host whose listings end after a few entries."""

    def __init__(self, address: str, repositories: dict[str, Path]) -> None:
        self.address = address
        self._repositories = repositories

    def show(self, name: str, path: Path) -> None:
        self._repositories[name] = path


@pytest.fixture
def small_host(serve_git: Callable[..., str]) -> Iterator[SmallHost]:
    repositories: dict[str, Path] = {}
    yield SmallHost(serve_git(githost.routes(repositories, max_tree_entries=5)), repositories)
