"""Raw files and folder pages of the Git host, through real sockets."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from githost_server import Host, blob_id, serving
from hypothesis import given, settings
from hypothesis import strategies as st

from cota.git.make import Moded, commit_tree, create_branch, create_repository
from cota.lab.githost.files import wanted_range

DATA = bytes(range(256)) * 8
SCRIPT = "<script>alert(1)</script>"


@dataclass(frozen=True)
class World:
    host: Host
    sha: str


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("repositories")
    (folder / "secret.txt").write_text("outside")
    path = create_repository(folder / "app")
    files = {
        "data.bin": DATA,
        "text.txt": "grüße\n".encode(),
        "empty": b"",
        "deep/er/file.py": b"pass\n",
        "tür/weg 100%25?#.txt": b"odd",
        "new\nline": b"nl",
        f"{SCRIPT[:7]}x>": b"html",
        "link": Moded(0o120000, b"../../secret.txt"),
        "sub": Moded(0o160000, b"2" * 40),
        "page.html": SCRIPT.encode(),
    }
    sha = commit_tree(path, files)
    create_branch(path, "release/2", sha)
    empty = create_repository(folder / "empty")
    with serving({"acme/app": path, "acme/empty": empty}) as host:
        yield World(host, sha)


@pytest.mark.parametrize("ref", ["main", "release/2", "release%2F2", "refs/heads/release/2", "HEAD"])
def test_a_file_comes_by_any_ref(world: World, ref: str) -> None:
    answer = world.host.get(f"/raw/acme/app/{ref}/deep/er/file.py")
    assert (answer.status, answer.body) == (200, b"pass\n")


def test_a_file_comes_with_length_type_etag_and_no_right_to_run(world: World) -> None:
    answer = world.host.get(f"/raw/acme/app/{world.sha}/data.bin")
    assert (answer.status, answer.body) == (200, DATA)
    assert answer.headers["content-length"] == str(len(DATA))
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["accept-ranges"] == "bytes"
    assert "date" in answer.headers
    again = world.host.get(f"/raw/acme/app/{world.sha[:8]}/data.bin", If_None_Match=answer.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    text = world.host.get("/raw/acme/app/main/page.html")
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    assert "sandbox" in text.headers["content-security-policy"]
    assert text.headers["x-content-type-options"] == "nosniff"
    assert world.host.get("/raw/acme/app/main/empty").headers["content-length"] == "0"


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-199", 100, 200),
        ("bytes=2000-", 2000, 2048),
        ("bytes=-48", 2000, 2048),
        ("bytes=2000-9999", 2000, 2048),
    ],
)
def test_a_range_gives_exactly_its_bytes(world: World, header: str, start: int, end: int) -> None:
    answer = world.host.get("/raw/acme/app/main/data.bin", Range=header)
    assert (answer.status, answer.body) == (206, DATA[start:end])
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/2048"
    assert answer.headers["content-length"] == str(end - start)


def test_a_range_outside_is_416_and_an_unknown_one_is_ignored(world: World) -> None:
    outside = world.host.get("/raw/acme/app/main/data.bin", Range="bytes=2048-")
    assert (outside.status, outside.headers["content-range"]) == (416, "bytes */2048")
    assert world.host.get("/raw/acme/app/main/data.bin", Range="bytes=-0").status == 416
    assert world.host.get("/raw/acme/app/main/empty", Range="bytes=0-").status == 416
    for header in ("bytes=5-4", "bytes=0-1,4-5", "lines=1-2", "bytes=-", "bytes=a-b"):
        assert world.host.get("/raw/acme/app/main/data.bin", Range=header).status == 200, header


def test_a_range_of_another_version_gives_the_whole_file(world: World) -> None:
    etag = world.host.get("/raw/acme/app/main/data.bin").headers["etag"]
    assert world.host.get("/raw/acme/app/main/data.bin", Range="bytes=0-9", If_Range=etag).status == 206
    assert world.host.get("/raw/acme/app/main/data.bin", Range="bytes=0-9", If_Range='"old"').status == 200


@given(size=st.integers(0, 1000), first=st.none() | st.integers(0, 1200), last=st.none() | st.integers(0, 1200))
def test_a_range_never_leaves_the_file(size: int, first: int | None, last: int | None) -> None:
    header = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    try:
        found = wanted_range(header, size)
    except ValueError:
        assert (first is not None and first >= size) or (first is None and (last == 0 or size == 0))
        return
    if found is None:
        assert (first is None and last is None) or (first is not None and last is not None and last < first)
        return
    start, end = found
    assert 0 <= start < end <= size
    if first is None:
        assert last is not None
        assert (start, end) == (max(0, size - last), size)
    else:
        assert (start, end) == (first, size if last is None else min(last + 1, size))


@pytest.mark.parametrize(
    "path",
    [
        "/raw/acme/app/main/../secret.txt",
        "/raw/acme/app/main/../../secret.txt",
        "/raw/acme/app/main/%2e%2e/%2e%2e/secret.txt",
        "/raw/acme/app/main/..%2f..%2fsecret.txt",
        "/raw/acme/app/main/deep/../text.txt",
        "/raw/acme/app/main//text.txt",
        "/raw/acme/app/main/./text.txt",
        "/raw/acme/app/main/deep/",
        "/raw/acme/app/main/text.txt/",
        "/raw/acme/app/main/%252e%252e/text.txt",
        "/raw/acme/app/main/..%5c..%5csecret.txt",
        "/raw/acme/app/../../config/text.txt",
        "/raw/acme/app/..%2f..%2fconfig",
        "/raw/acme/app/refs/heads/../../config",
        "/raw/acme/../secret.txt",
        "/raw/../../etc/passwd",
        "/raw/acme/app/main/%00",
        "/raw/acme/app/%00/text.txt",
        "/raw/acme/app/main/%ff",
        "/raw/acme/app/main",
        "/raw/acme/app/",
        "/raw/acme/app",
        "/raw",
        "/raw/acme/app/main/deep",
        "/raw/acme/app/main/sub",
        "/raw/acme/app/none/text.txt",
        "/raw/acme/none/main/text.txt",
        "/raw/acme/empty/main/text.txt",
        "/acme/app/tree/main/../../x",
        "/acme/app/tree/",
        "/acme/app/tree/main/text.txt",
        "/acme/app/other",
        "/api/v3/repos/acme/app/contents/%2e%2e/secret.txt",
        "/api/v3/repos/acme/app/contents/../secret.txt",
        "/api/v3/repos/acme/app/git/refs/../../config",
        "/api/v3/repos/acme/app/git/refs/%2e%2e/%2e%2e/config",
    ],
)
def test_what_is_no_file_of_the_commit_is_404(world: World, path: str) -> None:
    answer = world.host.get(path)
    assert answer.status == 404
    assert b"outside" not in answer.body


def test_odd_names_are_found_percent_encoded(world: World) -> None:
    assert world.host.get(f"/raw/acme/app/main/{quote('tür/weg 100%25?#.txt')}").body == b"odd"
    assert world.host.get("/raw/acme/app/main/new%0Aline").body == b"nl"
    assert world.host.get("/raw/acme/app/main/link").body == b"../../secret.txt"
    listed = world.host.api("/repos/acme/app/git/trees/main?recursive=1").json["tree"]
    assert "tür/weg 100%25?#.txt" in [line["path"] for line in listed]
    assert world.host.api(f"/repos/acme/app/contents/{quote('tür/weg 100%25?#.txt')}").json["size"] == 3


def test_the_page_lists_a_folder_and_escapes_its_names(world: World) -> None:
    for path in ("/acme/app", "/acme/app/", "/acme/app/tree/main", "/acme/app/tree/release/2"):
        page = world.host.get(path)
        assert page.status == 200
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert b"&lt;script" in page.body
        assert b"<script" not in page.body
        assert world.sha.encode() in page.body
    folder = world.host.get("/acme/app/tree/release/2/deep/er")
    assert b'href="/raw/acme/app/release/2/deep/er/file.py"' in folder.body
    assert b'href="/acme/app/tree/release/2/deep"' in folder.body
    assert b"no commit yet" in world.host.get("/acme/empty").body


def test_the_address_of_a_file_leads_to_its_bytes(world: World) -> None:
    moved = world.host.get("/acme/app/raw/main/t%C3%BCr/weg%20100%2525%3F%23.txt")
    assert (moved.status, moved.headers["location"]) == (302, "/raw/acme/app/main/t%C3%BCr/weg%20100%2525%3F%23.txt")
    assert world.host.get(moved.headers["location"]).body == b"odd"
    assert world.host.get("/acme/app/blob/main/empty").status == 302


def test_other_addresses_are_left_to_the_application(world: World) -> None:
    answer = world.host.get("/acme/unknown")
    assert (answer.status, answer.body) == (404, b"Not Found")
    assert world.host.get("/api/v1/token/attributes").body == b"Not Found"


def test_a_file_at_a_whole_commit_id_stays_the_same_when_asked_again(world: World) -> None:
    path = f"/raw/acme/app/{world.sha}/data.bin"
    first = world.host.get(path)
    again = world.host.get(path)
    assert (again.body, again.headers["etag"]) == (DATA, first.headers["etag"])
    assert world.host.get(path, Range="bytes=10-19").body == DATA[10:20]
    assert world.host.get(path, If_None_Match=first.headers["etag"]).status == 304


def test_no_branch_can_pass_itself_off_as_a_commit(tmp_path: Path) -> None:
    path = create_repository(tmp_path / "app")
    first = commit_tree(path, {"a": b"first"})
    second = commit_tree(path, {"a": b"second"})
    create_branch(path, first, second)
    create_branch(path, f"{second}/a", first)
    with serving({"a/app": path}) as host:
        assert host.get(f"/raw/a/app/{first}/a").body == b"first"
        assert host.get(f"/raw/a/app/{second}/a").body == b"second"
        assert host.api(f"/repos/a/app/commits/{first}", Accept="application/vnd.github.sha").body.decode() == first
        assert host.api(f"/repos/a/app/git/trees/{first}").json["tree"][0]["size"] == 5


def test_the_page_of_a_detached_head_links_to_what_it_shows(tmp_path: Path) -> None:
    path = create_repository(tmp_path / "app")
    first = commit_tree(path, {"old": b"1"})
    commit_tree(path, {"new": b"2"})
    (path / "HEAD").write_text(first + "\n")
    with serving({"a/app": path}) as host:
        assert host.api("/repos/a/app").json["default_branch"] == "main"
        assert b'href="/raw/a/app/HEAD/old"' in host.get("/a/app").body
        assert host.get("/raw/a/app/HEAD/old").body == b"1"
        assert host.get("/raw/a/app/main/new").body == b"2"


@pytest.mark.parametrize("pack", [False, True])
def test_a_repository_made_by_git_itself_is_served(tmp_path: Path, pack: bool) -> None:
    work = tmp_path / "work"
    run = ["git", "-c", "user.name=n", "-c", "user.email=e@x", "-C", str(work)]
    subprocess.run(["git", "init", "-q", "-b", "trunk", str(work)], check=True)
    for number in range(3):
        (work / "a.txt").write_text("line\n" * 200 + str(number))
        subprocess.run([*run, "add", "."], check=True)
        subprocess.run([*run, "commit", "-q", "-m", f"c{number}"], check=True)
    if pack:
        subprocess.run([*run, "gc", "-q"], check=True)
    with serving({"a/made": work}) as host:
        assert host.api("/repos/a/made").json["default_branch"] == "trunk"
        assert host.get("/raw/a/made/trunk~1/a.txt").body == b"line\n" * 200 + b"1"
        assert host.get("/raw/a/made/trunk/a.txt").body == b"line\n" * 200 + b"2"


SEGMENT = st.binary(min_size=1, max_size=12).filter(lambda raw: not set(raw) & {0, 47} and raw.lower() not in (b".", b"..", b".git"))
FILES = st.dictionaries(st.lists(SEGMENT, min_size=1, max_size=3).map(tuple), st.binary(max_size=300), min_size=1, max_size=6).filter(
    lambda files: not any(one != two and two[: len(one)] == one for one in files for two in files)
)


@pytest.fixture(scope="module")
def growing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Host, dict[str, Path], Path]]:
    repositories: dict[str, Path] = {}
    with serving(repositories) as host:
        yield host, repositories, tmp_path_factory.mktemp("growing")


@settings(max_examples=60, deadline=None)
@given(files=FILES)
def test_whatever_is_committed_comes_back_the_same(
    growing: tuple[Host, dict[str, Path], Path], files: dict[tuple[bytes, ...], bytes]
) -> None:
    host, repositories, folder = growing
    name = f"p/r{len(repositories)}"
    repositories[name] = create_repository(folder / name)
    contents = {b"/".join(parts): data for parts, data in files.items()}
    commit_tree(repositories[name], {path.decode("utf-8", "surrogateescape"): data for path, data in contents.items()})
    listed = host.api(f"/repos/{name}/git/trees/main?recursive=1").json["tree"]
    lines = sorted((line["path"], line["size"], line["sha"]) for line in listed if line["type"] == "blob")
    assert lines == sorted((path.decode("utf-8", "replace"), len(data), blob_id(data)) for path, data in contents.items())
    for path, data in contents.items():
        assert host.get(f"/raw/{name}/main/{quote(path)}").body == data
