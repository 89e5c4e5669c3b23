"""`cota manifest`: of folders and of commits, and what a plain web server makes of them."""

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import quote, urljoin

import pytest
from operator_shell import Shell

from cota.git.make import Moded, commit_tree, create_repository
from cota.package.manifest import Manifest, read

FILES = {
    "main.py": b"import ota\n",
    "lib/sensor.py": b"x = 1\n",
    "assets/grüße & more.bin": bytes(range(256)),
    "settings.toml": b'A = "1"\n',
    ".cotaignore": b"notes/\n*.psd\n",
    "notes/plan.txt": b"secret plan\n",
    "art.psd": b"8BPS",
    "._main.py": b"apple",
}
LISTED = {"assets/grüße & more.bin", "lib/sensor.py", "main.py", "settings.toml"}


def put(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return put(tmp_path / "build", FILES)


def on_stdout(*arguments: str) -> bytes:
    """The bytes that a command of its own process puts on stdout."""
    program = "from cota.cli import main; main()"
    return subprocess.run([sys.executable, "-c", program, "manifest", *arguments, "--output", "-"], capture_output=True, check=True).stdout


def written(path: Path) -> Manifest:
    return read([path.read_bytes()])


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """A plain web server of the standard library, over the folder `site`."""
    (tmp_path / "site").mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "site")))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_folder_gets_its_manifest_beside_its_files(stranger: Shell, release: Path) -> None:
    done = stranger("manifest", str(release))
    assert (done.code, done.out) == (0, "")
    assert "4 files, 281 bytes" in done.err
    manifest = written(release / "cota.manifest")
    assert {file.path: (file.size, file.sha256) for file in manifest.files} == {
        name: (len(FILES[name]), hashlib.sha256(FILES[name]).hexdigest()) for name in LISTED
    }
    assert (manifest.title, manifest.version, manifest.commit) == (None, None, None)
    assert not list(release.glob("*.new"))


def test_the_same_files_give_the_same_bytes_however_and_how_often(stranger: Shell, release: Path, tmp_path: Path) -> None:
    stranger("manifest", str(release))
    first = (release / "cota.manifest").read_bytes()
    stranger("manifest", str(release))
    assert (release / "cota.manifest").read_bytes() == first
    other = put(tmp_path / "other", dict(reversed(FILES.items())))
    for path in other.rglob("*"):
        os.utime(path, (1, 1))
    assert on_stdout(str(other)) == first


def test_a_commit_gives_the_same_list_as_its_checkout_and_tells_the_commit(stranger: Shell, release: Path, tmp_path: Path) -> None:
    repo = create_repository(tmp_path / "app")
    sha = commit_tree(repo, {f"firmware/{name}": data for name, data in FILES.items()} | {"README.md": b"# Hi\n"})
    target = tmp_path / "site" / "v1"
    done = stranger("manifest", "main", "--repo", str(repo), "--folder", "firmware", "--export", str(target), "--json")
    assert done.code == 0
    assert json.loads(done.out) == {
        "written": True,
        "manifest": str(target / "cota.manifest"),
        "sha256": hashlib.sha256((target / "cota.manifest").read_bytes()).hexdigest(),
        "files": 4,
        "bytes": 281,
        "title": None,
        "version": None,
        "commit": sha,
        "findings": [
            {"level": "note", "code": "settings", "path": "settings.toml",
             "text": 'left out by boards, unless COTA_UPDATE_SETTINGS is "1" there'}
        ],
    }  # fmt: skip
    stranger("manifest", str(release))
    manifest = written(target / "cota.manifest")
    assert manifest.commit == sha
    assert manifest.files == written(release / "cota.manifest").files
    assert {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()} == {*LISTED, "cota.manifest"}


def test_what_is_exported_can_be_got_from_a_plain_web_server_and_checked(stranger: Shell, tmp_path: Path, served: str) -> None:
    repo = create_repository(tmp_path / "app")
    commit_tree(repo, FILES)
    assert stranger("manifest", "--repo", str(repo), "--export", str(tmp_path / "site" / "v1.0.0")).code == 0
    address = f"{served}/v1.0.0/cota.manifest"
    with urllib.request.urlopen(address, timeout=10) as answer:
        manifest = read(iter(partial(answer.read, 50), b""))
    assert {file.path for file in manifest.files} == LISTED
    for file in manifest.files:
        with urllib.request.urlopen(urljoin(address, quote(file.path)), timeout=10) as answer:
            data = answer.read()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (file.size, file.sha256)
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{served}/v1.0.0/notes/plan.txt", timeout=10)


def test_title_and_version_are_told_and_a_version_like_a_number_is_refused(stranger: Shell, release: Path) -> None:
    stranger("manifest", str(release), "--title", "Greenhouse", "--version", "v1.4.0")
    manifest = written(release / "cota.manifest")
    assert (manifest.title, manifest.version) == ("Greenhouse", "v1.4.0")
    done = stranger("manifest", str(release), "--version", "1.10")
    assert done.code == 2
    assert "looks like a number" in done.err


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("boot.py", b"import storage\n", "boot_hook"),
        ("ota.py", b"x = 1\n", "shadow"),
        ("what?.txt", b"", "path_fat"),
        ("bad\udcff.txt", b"", "path_fat"),
        ("MAIN.py", b"import ota\n", "path_case"),
        ("broken.py", b"def\n", "syntax"),
        ("big.bin", b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 12345\n", "lfs"),
        (".cotaignore", b"\xff", "ignore"),
        (".cotaignore", b"#" * 4097, "ignore"),
    ],
)
def test_what_a_board_would_refuse_is_refused_and_nothing_is_written(
    stranger: Shell, release: Path, name: str, data: bytes, code: str
) -> None:
    put(release, {name: data})
    done = stranger("manifest", str(release), "--json")
    assert done.code == 1
    told = json.loads(done.out)
    assert told["written"] is False
    assert code in {finding["code"] for finding in told["findings"] if finding["level"] == "refused"}
    assert not (release / "cota.manifest").exists()


def test_links_are_refused_wherever_they_lead(stranger: Shell, release: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (release / "loop").symlink_to(release)
    (release / "out").symlink_to(tmp_path / "elsewhere")
    done = stranger("manifest", str(release), "--json")
    assert done.code == 1
    assert {finding["path"] for finding in json.loads(done.out)["findings"] if finding["code"] == "symlink"} == {"loop", "out"}


def test_links_of_a_commit_are_refused_too(stranger: Shell, tmp_path: Path) -> None:
    repo = create_repository(tmp_path / "app")
    commit_tree(repo, {"main.py": b"import ota\n", "link": Moded(0o120000, b"main.py")})
    done = stranger("manifest", "--repo", str(repo), "--output", "-")
    assert (done.code, done.out) == (1, "")
    assert "[symlink]" in done.err


def test_a_working_copys_own_repository_is_no_part_of_the_release(stranger: Shell, release: Path) -> None:
    put(release, {".git/HEAD": b"ref: refs/heads/main\n", "sub/.git": b"gitdir: ../.git/modules/sub\n", "cota.manifest": b"an old one\n"})
    assert stranger("manifest", str(release)).code == 0
    assert {file.path for file in written(release / "cota.manifest").files} == LISTED


def test_another_name_is_left_out_of_its_own_list(stranger: Shell, release: Path) -> None:
    for _ in range(2):
        assert stranger("manifest", str(release), "--output", str(release / "release.manifest")).code == 0
    assert {file.path for file in written(release / "release.manifest").files} == LISTED


def test_a_pipe_is_no_file_for_a_board(stranger: Shell, release: Path) -> None:
    os.mkfifo(release / "pipe")
    done = stranger("manifest", str(release))
    assert done.code == 2
    assert "neither a file nor a folder" in done.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("build", "--folder", "x"), "for a REF"),
        (("build", "--export", "new"), "for a REF"),
        (("build", "--output", "list.txt"), "must end with .manifest"),
        (("build", "--output", "-", "--json"), "cannot both go to stdout"),
        (("HEAD", "--repo", "app", "--json"), "cannot both go to stdout"),
        (("HEAD", "--repo", "app", "--export", "new", "--output", "-"), "exclude each other"),
        (("HEAD", "--repo", "app", "--export", "build"), "is not empty"),
        (("HEAD", "--repo", "app", "--folder", "none", "--output", "-"), "no folder 'none'"),
        (("none", "--repo", "app", "--output", "-"), "none"),
        (("HEAD", "--repo", "nowhere", "--output", "-"), "does not exist"),
        (("build", "--output", "no/such/folder/a.manifest"), "No such file or directory"),
    ],
)
def test_wrong_use_says_what_is_wrong_and_ends_with_2(
    stranger: Shell, release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    repo = create_repository(tmp_path / "app")
    commit_tree(repo, {"main.py": b"import ota\n"})
    monkeypatch.chdir(release.parent)
    done = stranger("manifest", *arguments)
    assert (done.code, done.out) == (2, "")
    assert words in done.err


def test_a_folder_and_a_ref_of_one_name_are_told_apart_by_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = create_repository(tmp_path / "app", "build")
    sha = commit_tree(repo, {"main.py": b"import ota\n"})
    put(tmp_path / "build", {"main.py": b"import ota\n", "more.py": b""})
    monkeypatch.chdir(tmp_path)
    of_folder = read([on_stdout("build")])
    assert (len(of_folder.files), of_folder.commit) == (2, None)
    of_ref = read([on_stdout("build", "--repo", "app")])
    assert (len(of_ref.files), of_ref.commit) == (1, sha)
