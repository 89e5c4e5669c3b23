"""`cota demo` as a newcomer runs it: a process of its own, on the example and on repositories that it has never seen."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cota.drive.tree import device_tree
from cota.git.make import Files, Moded, commit_tree, create_branch, create_repository, create_tag

MAIN = "from cota.cli import main; main()"
# As on a machine without the wheel of the VM.
NO_VM = "import sys; sys.modules['micropython_unix'] = None; " + MAIN
SUMMARY_KEYS = ["event", "devices", "updated", "failed", "from", "to", "requests", "bytes_down", "cuts"]
SERVICES = {"thingsboard", "git-api", "git-raw", "git-web"}
EVENTS = {"lab", "boards", "assigned", "state", "note", "drive", "summary"}

Event = dict[str, Any]


@dataclass
class Demo:
    """A demo that has ended."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[Event]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def summary(self) -> Event:
        return self.events[-1]

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event["event"] == kind]


def demo(*options: object, program: str = MAIN, temporary: Path | None = None) -> Demo:
    command = [sys.executable, "-c", program, "demo", *map(str, options)]
    environment = {**os.environ, "COLUMNS": "200"} | ({"TMPDIR": str(temporary)} if temporary else {})
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert "Traceback" not in done.stderr, done.stderr
    return Demo(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return create_repository(tmp_path / "weather station.git")


def two(repository: Path, before: Files, after: Files) -> tuple[object, ...]:
    """Commit two releases; gives the options that name them."""
    return ("--repo", repository, "--from", commit_tree(repository, before), "--to", commit_tree(repository, after))


def refused(done: Demo, *texts: str) -> None:
    """The command could not run, and said why in one message."""
    assert done.code == 2
    assert done.out == ""
    for text in texts:
        assert text in done.err


# On the example.


def test_without_options_two_boards_end_on_the_second_release(tmp_path: Path) -> None:
    done = demo(temporary=tmp_path)
    assert done.code == 0, done.err
    line, *rest = done.out.splitlines()
    assert rest == []
    assert line.startswith("2 of 2 boards went from ")
    assert "proven byte for byte" in line
    assert done.err.count("holds exactly the release.") == 2
    assert "First install: " in done.err
    assert "Update: " in done.err
    assert "100 %  UPDATED" in done.err
    assert list(tmp_path.iterdir()) == []  # nothing is left behind


def test_json_is_one_object_a_line_and_the_summary_is_the_last() -> None:
    done = demo("--json")
    assert done.code == 0, done.err
    assert done.err == ""
    assert all(isinstance(event, dict) and event["event"] in EVENTS for event in done.events)
    assert len(done.of("summary")) == 1
    summary = done.summary
    assert list(summary) == SUMMARY_KEYS
    assert (summary["event"], summary["devices"], summary["updated"], summary["failed"]) == ("summary", 2, 2, 0)
    assert len(summary["from"]) == len(summary["to"]) == 40
    assert summary["from"] != summary["to"]
    assert set(summary["requests"]) == SERVICES
    assert summary["requests"]["git-api"] == 4  # the commit and the listing, a board each
    assert summary["requests"]["git-web"] == 0
    assert summary["bytes_down"] > 0


def test_each_board_goes_forward_through_the_states_of_thingsboards_dashboard() -> None:
    done = demo("--json", "--devices", "1")
    states = [event["state"] for event in done.of("state")]
    percents = [event["percent"] for event in done.of("state")]
    assert states.count("UPDATED") == 2
    second = states.index("UPDATED") + 1
    for wave in (percents[:second], percents[second:]):
        assert wave == sorted(wave)
        assert wave[-1] == 100
    assert not any(event["error"] for event in done.of("state"))


def test_five_boards_update_together() -> None:
    done = demo("--json", "--devices", "5")
    assert done.code == 0, done.err
    assert (done.summary["devices"], done.summary["updated"]) == (5, 5)
    assert sorted(event["device"] for event in done.of("drive") if event["equal"]) == [f"board-{n}" for n in range(1, 6)]
    assert done.summary["requests"]["git-api"] == 10


def test_boards_whose_power_fails_again_and_again_end_whole_on_the_release() -> None:
    done = demo("--json", "--power-cut", "30", "--seed", "11")
    assert done.code == 0, done.err
    assert "--seed 11" in done.of("note")[0]["text"]
    assert done.summary["updated"] == 2
    assert 1 <= done.summary["cuts"] <= 10
    assert all(event["equal"] for event in done.of("drive"))


def test_the_line_at_the_end_counts_the_power_cuts() -> None:
    done = demo("--devices", "1", "--power-cut", "600", "--seed", "1")
    assert done.code == 0, done.err
    assert "Their power was cut 5 times." in done.out


def test_a_seed_without_power_cuts_is_refused() -> None:
    refused(demo("--seed", "1"), "--seed goes with --power-cut")


def test_kept_drives_are_real_fat_volumes_that_hold_the_release(tmp_path: Path) -> None:
    keep = tmp_path / "new" / "kept"
    done = demo("--keep", keep)
    assert done.code == 0, done.err
    assert str(keep) in done.err
    for board in ("board-1", "board-2"):
        folder = keep / "boards" / board
        assert "greenhouse watch 2" in (folder / "console.log").read_text()
        if not (folder / "drive.img").exists():
            pytest.skip("without the MicroPython VM a drive is a folder")
        if shutil.which("mdir"):
            listed = subprocess.run(
                ["mdir", "-b", "-/", "-i", folder / "drive.img", "::"], capture_output=True, text=True, check=True
            ).stdout
            names = listed.splitlines()
            assert "::/assets/bell.bmp" in names
            assert "::/app/mean.py" not in names
        if shutil.which("fsck.fat"):
            checked = subprocess.run(["fsck.fat", "-n", folder / "drive.img"], capture_output=True, text=True, check=False)
            assert checked.returncode == 0, checked.stdout


def test_without_the_vm_the_boards_run_on_cpython_and_that_is_said_loudly() -> None:
    done = demo("--json", "--devices", "1", program=NO_VM)
    assert done.code == 0, done.err
    assert done.err.startswith("cota: NO MICROPYTHON VM: the boards run on CPython.")
    assert "pip install 'circuitpython-cota[sim]'" in done.err
    assert done.of("boards")[0]["vm"] == "cpython"
    assert done.summary["updated"] == 1


# On other repositories.


def test_a_folder_of_a_repository_of_200_files(repository: Path) -> None:
    def tree(generation: int) -> dict[str, bytes]:
        files = {f"firmware/package{n // 25}/module{n}.py": b"VALUE = %d\n" % (n + generation * (n % 3 == 0)) * 9 for n in range(200)}
        return {**files, "README.md": b"not for boards\n", "firmware/.cotaignore": b"*.md\n", "firmware/NOTES.md": b"nor this\n"}

    create_tag(repository, "v1.0", commit_tree(repository, tree(0)), "one")
    create_branch(repository, "release/next", commit_tree(repository, tree(1)))
    done = demo("--repo", repository, "--from", "v1.0", "--to", "release/next", "--folder", "firmware", "--json")
    assert done.code == 0, done.err
    assert done.summary["updated"] == 2
    assert done.summary["requests"]["git-api"] == 4
    assert done.summary["requests"]["git-raw"] == 2 * 67  # every third file has changed
    assert done.of("boards")[0]["board"] == "pico-w"


def test_a_repository_with_a_working_copy_and_without_a_program(tmp_path: Path) -> None:
    repository = create_repository(tmp_path / "checkout", bare=False)
    done = demo("--json", "--devices", "1", *two(repository, {"data/a.txt": b"1\n"}, {"data/b.txt": b"2\n"}))
    assert done.code == 0, done.err
    assert done.of("note") == []
    assert done.of("assigned")[0]["title"] == "checkout"


@pytest.mark.parametrize("name", ["main.py", "code.py"])
def test_a_program_without_an_update_loop_has_the_demos_run_in_its_place(repository: Path, tmp_path: Path, name: str) -> None:
    text = b"total = 0\nprint('my own program')\n"
    options = two(repository, {name: text, "a.py": b"1\n"}, {name: text, "a.py": b"2\n"})
    done = demo("--json", "--devices", "1", "--keep", tmp_path / "kept", *options)
    assert done.code == 0, done.err
    assert "no update loop" in done.of("note")[0]["text"]
    assert "my own program" not in (tmp_path / "kept/boards/board-1/console.log").read_text()


def test_a_release_that_brings_boot_py_and_the_library_itself(repository: Path) -> None:
    own = {path: (device_tree() / path).read_bytes() for path in ("boot.py", "main.py", "lib/ota/errors.py")}
    done = demo("--json", "--devices", "1", *two(repository, {"a.py": b"1\n"}, {**own, "a.py": b"2\n"}))
    assert done.code == 0, done.err
    assert done.summary["updated"] == 1


def test_the_same_commit_twice_is_an_update_without_work(repository: Path) -> None:
    commit = commit_tree(repository, {"a.py": b"1\n"})
    done = demo("--json", "--devices", "1", "--repo", repository, "--from", commit, "--to", commit)
    assert done.code == 0, done.err
    assert done.summary["requests"]["git-raw"] == 0


def test_the_smallest_board_that_fits_is_chosen_and_another_may_be_asked_for(repository: Path) -> None:
    options = two(repository, {"a.py": b"1\n"}, {"a.py": b"2\n", "big.bin": bytes(range(256)) * 1200})
    done = demo("--json", "--devices", "1", *options)
    assert done.code == 0, done.err
    assert done.of("boards")[0]["board"] == "esp32-s2"
    asked = demo("--json", "--devices", "1", "--board", "esp32-c6", *options)
    assert asked.code == 0, asked.err
    assert asked.of("boards")[0]["board"] == "esp32-c6"


# What cannot be updated: exit code 1, and the reason.


def test_a_release_too_big_for_every_board_is_told_with_the_sizes(repository: Path) -> None:
    options = two(repository, {"a.py": b"1\n"}, {"huge.bin": bytes(5_000_000)})
    done = demo(*options)
    assert done.code == 1
    assert done.out == ""
    assert "does not fit on a board" in done.err
    for board in ("pico-w", "esp32-s3", "esp32-c6"):
        assert f"  {board}: " in done.err
    assert "bytes needed, 520,192 on the drive" in done.err
    only = demo("--json", "--board", "pico-w", *options)
    assert only.code == 1
    assert "pico-w: " in only.events[-1]["text"]
    assert "esp32" not in only.events[-1]["text"]


def test_a_boot_py_without_the_hook_is_refused_by_the_boards_and_told(repository: Path) -> None:
    done = demo(*two(repository, {"a.py": b"1\n"}, {"a.py": b"2\n", "boot.py": b'import storage\nstorage.remount("/")\n'}))
    assert done.code == 1
    assert done.out.startswith("0 of 2 boards went from ")
    assert done.out.rstrip().endswith("2 did not.")
    for board in ("board-1", "board-2"):
        assert f"{board}: boot_hook " in done.err
    assert "holds exactly" not in done.err


def test_a_symbolic_link_is_refused_by_the_boards_and_told(repository: Path) -> None:
    done = demo("--json", "--devices", "1", *two(repository, {"a.py": b"1\n"}, {"a.py": b"2\n", "link": Moded(0o120000, b"a.py")}))
    assert done.code == 1
    assert "board-1: symlink " in done.err
    assert "link" in done.err
    assert (done.summary["updated"], done.summary["failed"]) == (0, 1)
    assert done.of("state")[-1]["state"] == "FAILED"


def test_a_first_release_that_boards_refuse_ends_the_demo(repository: Path) -> None:
    done = demo("--json", *two(repository, {"a.py": b"1\n", "A.py": b"2\n"}, {"a.py": b"2\n"}))
    assert done.code == 1
    assert "board-1: path_case " in done.err
    assert [event["wave"] for event in done.of("assigned")] == ["install"]
    assert list(done.summary) == SUMMARY_KEYS
    assert (done.summary["updated"], done.summary["failed"]) == (0, 2)


# What the command cannot run: exit code 2, and one message.


def test_what_is_no_repository_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    refused(demo("--repo", tmp_path / "plain", "--from", "a", "--to", "b"), "is not a Git repository")
    refused(demo("--repo", tmp_path / "gone", "--from", "a", "--to", "b"), "does not exist")


def test_an_unknown_ref_and_folder_are_refused(repository: Path) -> None:
    commit = commit_tree(repository, {"a.py": b"1\n"})
    refused(demo("--repo", repository, "--from", "v9", "--to", "main"), "no branch, tag or commit 'v9'")
    refused(demo("--repo", repository, "--from", commit, "--to", "v9"), "no branch, tag or commit 'v9'")
    refused(demo("--repo", repository, "--from", commit, "--to", commit, "--folder", "fw"), "has no folder 'fw'", "--folder")


@pytest.mark.parametrize("given", [("--repo",), ("--from",), ("--to",), ("--repo", "--from"), ("--from", "--to"), ("--repo", "--to")])
def test_repo_from_and_to_go_together(repository: Path, given: tuple[str, ...]) -> None:
    values = {"--repo": str(repository), "--from": "main", "--to": "main"}
    refused(demo(*(part for option in given for part in (option, values[option]))), "--repo, --from and --to go together")


def test_a_folder_to_keep_must_be_empty_and_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    refused(demo("--keep", tmp_path), "is not empty", "new folder")
    refused(demo("--keep", tmp_path / "file"), "is a file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("count", ["0", "-1", "201", "many"])
def test_the_number_of_boards_has_limits(count: str) -> None:
    refused(demo("--devices", count), "--devices")


def test_an_unknown_kind_of_board_is_refused_with_those_that_there_are() -> None:
    refused(demo("--board", "pico-9"), "pico-9", "pico-2-w")
