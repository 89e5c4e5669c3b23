"""The Git host as Gitea, GitLab and jsDelivr, through real sockets and a real repository; the vectors pin each answer whole."""

import base64
import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import githost_world as repository
import pytest
from githost_server import Answer, Host, blob_id, serving
from hypothesis import given, settings
from hypothesis import strategies as st

from cota.git.make import commit_tree, create_repository
from cota.lab.githost import RateLimit, jsdelivr

VECTORS = Path(__file__).parents[2] / "vectors/githosts"
CASES = [
    pytest.param(json.loads(line), id=f"{name}-{number}")
    for name in ("gitea", "gitlab", "jsdelivr")
    for number, line in enumerate((VECTORS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines())
]
GITEA = "/api/v1/repos/acme/app"
GITLAB = "/api/v4/projects/acme%2Fapp"
DATA = repository.content("data.bin")


@dataclass(frozen=True)
class World:
    host: Host
    path: Path
    first: str
    second: str


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("repositories")
    first, second = repository.make(folder / "app")
    empty = create_repository(folder / "empty")
    with serving({"acme/app": folder / "app", "acme/empty": empty}) as host:
        yield World(host, folder / "app", first, second)


@pytest.mark.parametrize("case", CASES)
def test_an_answer_is_exactly_as_its_vector_says(world: World, case: dict) -> None:
    answer = world.host.get(case["path"])
    assert answer.status == case["status"]
    assert json.loads(answer.body.decode().replace(world.host.url, "BASE")) == case["json"]
    assert {name: answer.headers.get(name, "").replace(world.host.url, "BASE") for name in case["headers"]} == case["headers"]


def raw_paths(world: World, name: str) -> dict[str, str]:
    path, one = quote(name), quote(name, safe="")
    return {
        "gitea": f"{GITEA}/raw/{path}?ref={world.second}",
        "gitlab": f"{GITLAB}/repository/files/{one}/raw?ref={world.second}",
        "gitlab-web": f"/acme/app/-/raw/{world.second}/{path}",
        "jsdelivr": f"/gh/acme/app@{world.second}/{path}",
    }


@pytest.mark.parametrize("name", sorted(repository.FILES))
def test_every_host_gives_the_same_bytes_of_a_file(world: World, name: str) -> None:
    for kind, path in raw_paths(world, name).items():
        answer = world.host.get(path)
        assert (answer.status, answer.body) == (200, repository.content(name)), kind
        assert answer.headers["content-length"] == str(len(answer.body)), kind
        assert "sandbox" in answer.headers["content-security-policy"], kind


def test_each_host_takes_the_refs_that_it_takes(world: World) -> None:
    gitea = {ref: world.host.get(f"{GITEA}/git/commits/{ref}").json.get("sha") for ref in ("feature%2Fnew", "v1.2.3", world.first)}
    assert set(gitea.values()) == {world.first}
    assert world.host.get(f"{GITEA}/git/commits/feature/new").status == 404
    assert world.host.get(f"{GITEA}/git/trees/{world.first}").json["sha"] == world.first
    assert world.host.get(f"{GITEA}/raw/code.py?ref=feature/new").body == b"print(1)\n"
    assert world.host.get(f"{GITEA}/raw/code.py").body == b"print(2)\n"
    gitlab = {ref: world.host.get(f"{GITLAB}/repository/commits/{ref}").json.get("id") for ref in ("feature%2Fnew", "v1.2.3", world.first)}
    assert set(gitlab.values()) == {world.first}
    assert world.host.get(f"{GITLAB}/repository/commits/feature/new").status == 404
    assert world.host.get(f"{GITLAB}/repository/files/code.py/raw").body == b"print(2)\n"
    number = world.host.get(GITLAB).json["id"]
    assert world.host.get(f"/api/v4/projects/{number}/repository/commits/main").json["id"] == world.second
    assert world.host.get("/acme/app/-/raw/feature/new/code.py").body == b"print(1)\n"


@pytest.mark.parametrize(
    ("version", "kind", "shown", "body", "fixed"),
    [
        ("@1.2.3", "version", "1.2.3", b"print(1)\n", True),
        ("@v1.2.3", "version", "1.2.3", b"print(1)\n", True),
        ("@nightly", "version", "nightly", b"print(1)\n", True),
        ("@1", "version", "1.10.0", b"print(1)\n", False),
        ("@1.2", "version", "1.2.3", b"print(1)\n", False),
        ("@latest", "version", "1.10.0", b"print(1)\n", False),
        ("", "version", "1.10.0", b"print(1)\n", False),
        ("@main", "branch", "main", b"print(2)\n", False),
    ],
)
def test_jsdelivr_says_which_version_a_file_is_of_and_whether_it_may_change(
    world: World, version: str, kind: str, shown: str, body: bytes, fixed: bool
) -> None:
    answer = world.host.get(f"/gh/acme/app{version}/code.py")
    assert (answer.status, answer.body) == (200, body)
    assert (answer.headers["x-jsd-version-type"], answer.headers["x-jsd-version"]) == (kind, shown)
    assert ("immutable" in answer.headers["cache-control"]) is fixed


@pytest.mark.parametrize("version", ["9.9.9", "2", "feature/new", "0" * 40, "81f688c", "v"])
def test_jsdelivr_does_not_find_what_it_cannot_name(world: World, version: str) -> None:
    assert world.host.get(f"/gh/acme/app@{version}/code.py").status == 404
    assert world.host.get(f"/v1/packages/gh/acme/app@{quote(version, safe='')}?structure=flat").status == 404


def test_jsdelivr_has_no_links_and_no_submodules_and_a_listing_can_be_checked(world: World) -> None:
    listed = world.host.get(f"/v1/packages/gh/acme/app@{world.second}?structure=flat")
    assert b'\n  "type": "gh",\n' in listed.body
    assert {one["name"]: (one["hash"], one["size"]) for one in listed.json["files"]} == {
        f"/{name}": (base64.b64encode(hashlib.sha256(repository.content(name)).digest()).decode(), len(repository.content(name)))
        for name in repository.FILES
    }
    for name in ("link", "sub", "lib", "none", ""):
        assert world.host.get(f"/gh/acme/app@main/{name}").status == 404, name


def test_jsdelivr_refuses_packages_and_files_past_its_limits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsdelivr, "MAX_FILE_BYTES", 255)
    assert world.host.get("/gh/acme/app@main/data.bin").status == 403
    assert world.host.get("/gh/acme/app@main/code.py").status == 200
    monkeypatch.setattr(jsdelivr, "MAX_PACKAGE_BYTES", 256)
    assert world.host.get("/gh/acme/app@main/code.py").status == 403
    listing = world.host.get("/v1/packages/gh/acme/app@main?structure=flat")
    assert (listing.status, listing.json["status"]) == (403, 403)


@pytest.mark.parametrize(
    ("header", "status", "body"),
    [
        ("bytes=10-19", 206, DATA[10:20]),
        ("bytes=250-", 206, DATA[250:]),
        ("bytes=250-999", 206, DATA[250:]),
        ("bytes=256-", 416, None),
        ("bytes=-5", 416, None),
        ("bytes=9-3", 400, None),
        ("bytes=0-1,4-5", 400, None),
        ("bytes=" + "9" * 30 + "-", 416, None),
        ("lines=1-2", 200, DATA),
    ],
)
def test_gitea_gives_a_range_that_names_its_start(world: World, header: str, status: int, body: bytes | None) -> None:
    answer = world.host.get(raw_paths(world, "data.bin")["gitea"], Range=header)
    assert answer.status == status
    if body is not None:
        assert answer.body == body
    if status == 206:
        start = int(header.removeprefix("bytes=").partition("-")[0])
        assert answer.headers["content-range"] == f"bytes {start}-{start + len(answer.body) - 1}/256"
    assert "accept-ranges" not in answer.headers


def test_gitea_gives_the_whole_of_an_empty_file_whatever_range_is_asked_for(world: World) -> None:
    answer = world.host.get(raw_paths(world, "empty")["gitea"], Range="bytes=0-")
    assert (answer.status, answer.body) == (200, b"")


def test_gitlab_gives_the_whole_file_for_a_range(world: World) -> None:
    for kind in ("gitlab", "gitlab-web"):
        answer = world.host.get(raw_paths(world, "data.bin")[kind], Range="bytes=10-19")
        assert (answer.status, answer.body) == (200, DATA), kind
        assert "content-range" not in answer.headers


def test_jsdelivr_gives_ranges_and_compares_no_weak_etag_for_one(world: World) -> None:
    path = raw_paths(world, "data.bin")["jsdelivr"]
    part = world.host.get(path, Range="bytes=-6")
    assert (part.status, part.body, part.headers["content-range"]) == (206, DATA[-6:], "bytes 250-255/256")
    assert part.headers["accept-ranges"] == "bytes"
    assert part.headers["etag"].startswith('W/"')
    assert world.host.get(path, Range="bytes=0-5", If_Range=part.headers["etag"]).status == 200
    assert world.host.get(path, If_None_Match=part.headers["etag"]).status == 304


def test_what_a_client_holds_already_is_304(world: World) -> None:
    for path in (raw_paths(world, "code.py")["gitea"], raw_paths(world, "code.py")["gitlab-web"], f"{GITLAB}/repository/tree"):
        etag = world.host.get(path).headers["etag"]
        again = world.host.get(path, If_None_Match=etag)
        assert (again.status, again.body) == (304, b""), path


def test_gitlab_tells_size_and_both_hashes_of_a_file_by_head(world: World) -> None:
    for tail in ("", "/raw"):
        answer = world.host.get(f"{GITLAB}/repository/files/data.bin{tail}?ref=main", "HEAD")
        assert (answer.status, answer.body) == (200, b"")
        assert answer.headers["x-gitlab-size"] == "256"
        assert answer.headers["x-gitlab-blob-id"] == blob_id(DATA)
        assert answer.headers["x-gitlab-content-sha256"] == hashlib.sha256(DATA).hexdigest()
    odd = world.host.get(f"{GITLAB}/repository/files/{quote('grüße/ä b%20.txt', safe='')}/raw?ref=main", "HEAD")
    assert odd.headers["x-gitlab-file-path"].encode("latin-1").decode() == "grüße/ä b%20.txt"
    assert world.host.get(f"{GITLAB}/repository/files/code.py").json == {"error": "ref is missing"}
    assert world.host.get(f"{GITLAB}/repository/blobs/{blob_id(DATA)}/raw").body == DATA
    blob = world.host.get(f"{GITLAB}/repository/blobs/{blob_id(DATA)}").json
    assert (base64.b64decode(blob["content"]), blob["size"], blob["sha"]) == (DATA, 256, blob_id(DATA))


def following(world: World, answer: Answer) -> str | None:
    found = re.search(r'<([^>]*)>; rel="next"', answer.headers.get("link", ""))
    return found[1].removeprefix(world.host.url) if found else None


@pytest.mark.parametrize(("per_page", "pages"), [(1, 13), (4, 4), (5, 3), (100, 1)])
def test_a_keyset_of_gitlab_leads_through_everything_and_past_a_last_full_page(world: World, per_page: int, pages: int) -> None:
    path: str | None = f"{GITLAB}/repository/tree?recursive=true&pagination=keyset&per_page={per_page}"
    found: list[dict] = []
    asked = 0
    while path:
        answer = world.host.get(path)
        found += answer.json
        asked += 1
        assert "x-next-page" not in answer.headers
        path = following(world, answer)
    assert asked == pages
    check_listing(found)


@pytest.mark.parametrize("per_page", [1, 4, 5, 100])
def test_numbered_pages_of_gitlab_lead_through_everything(world: World, per_page: int) -> None:
    found: list[dict] = []
    page = "1"
    while page:
        answer = world.host.get(f"{GITLAB}/repository/tree?recursive=true&per_page={per_page}&page={page}")
        found += answer.json
        assert bool(following(world, answer)) is bool(answer.headers["x-next-page"])
        page = answer.headers["x-next-page"]
    check_listing(found)
    assert world.host.get(f"{GITLAB}/repository/tree?recursive=true&page=99").json == []


def check_listing(found: list[dict]) -> None:
    kinds = [one["type"] for one in found]
    assert kinds == sorted(kinds, key=["tree", "blob", "commit"].index)
    plain = {one["path"]: one["id"] for one in found if one["type"] == "blob" and one["mode"] != "120000"}
    assert plain == {name: blob_id(repository.content(name)) for name in repository.FILES}
    assert len(found) == 12


def test_gitlab_lists_a_folder_and_everything_at_once(world: World) -> None:
    inner = world.host.get(f"{GITLAB}/repository/tree?path=lib&recursive=true").json
    assert [one["path"] for one in inner] == ["lib/deep", "lib/a.py", "lib/deep/b.py"]
    whole = world.host.get(f"{GITLAB}/repository/tree?recursive=true&pagination=none")
    assert len(whole.json) == 12
    assert "link" not in whole.headers
    assert world.host.get(f"{GITLAB}/repository/tree?pagination=none").status == 400


@pytest.mark.parametrize(
    ("query", "status"),
    [("per_page=x", 400), ("page=0", 400), ("recursive=perhaps", 400), ("pagination=some", 400), ("per_page=101", 200),
     ("pagination=keyset&page_token=none", 422), ("pagination=keyset&page_token=%F0", 422), ("path=code.py", 404)],
)  # fmt: skip
def test_gitlab_says_what_is_wrong_with_a_query(world: World, query: str, status: int) -> None:
    assert world.host.get(f"{GITLAB}/repository/tree?{query}").status == status


def test_gitlab_leaves_totals_out_of_a_long_listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cota.lab.githost.gitlab_tree.MAX_COUNTED", 2)
    path = create_repository(tmp_path / "app")
    commit_tree(path, {"a": b"1", "b": b"2", "c": b"3"})
    with serving({"a/app": path}) as host:
        answer = host.get("/api/v4/projects/a%2Fapp/repository/tree?per_page=2")
    assert answer.headers["x-next-page"] == "2"
    assert not {"x-total", "x-total-pages"} & set(answer.headers)
    assert 'rel="last"' not in answer.headers["link"]


def test_pages_of_gitea_lead_through_everything(world: World) -> None:
    found, page, more = [], 1, True
    while more:
        listing = world.host.get(f"{GITEA}/git/trees/main?recursive=1&per_page=5&page={page}").json
        found += listing["tree"]
        page, more = page + 1, listing["truncated"]
        assert listing["total_count"] == 12
    sizes = {one["path"]: (one["sha"], one["size"]) for one in found if one["type"] == "blob" and one["mode"] != "120000"}
    assert sizes == {name: (blob_id(repository.content(name)), len(repository.content(name))) for name in repository.FILES}
    most = world.host.get(f"{GITEA}/git/trees/main?recursive=1&per_page=5000").json
    assert (len(most["tree"]), most["truncated"]) == (12, False)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{GITEA}/raw/lib", 404),
        (f"{GITEA}/raw/code.py?ref=none", 404),
        (f"{GITEA}/git/blobs/{'0' * 40}", 404),
        (f"{GITEA}/git/tags/v1.2.3", 404),
        (f"{GITLAB}/repository/blobs/{'0' * 40}", 404),
        (f"{GITLAB}/repository/files/lib/raw", 404),
        (f"{GITLAB}/repository/files/code.py/raw?ref=none", 404),
        ("/acme/app/-/raw/main/lib", 404),
        ("/acme/app/-/raw/none/code.py", 404),
        ("/acme/app/-/blob/main/code.py", 404),
        ("/v1/packages/gh/acme/app@main?structure=deep", 400),
        ("/v1/packages/gh/acme/app/entrypoints", 404),
        ("/v1/packages/gh/acme", 404),
        ("/gh/acme", 404),
    ],
)
def test_what_is_not_there_or_no_file_is_refused(world: World, path: str, status: int) -> None:
    assert world.host.get(path).status == status


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/repos/acme/empty/git/commits/main", 404),
        ("/api/v1/repos/acme/empty/git/trees/main", 400),
        ("/api/v1/repos/acme/empty/raw/code.py", 404),
        ("/api/v4/projects/acme%2Fempty/repository/tree", 404),
        ("/api/v4/projects/acme%2Fempty/repository/commits/main", 404),
        ("/api/v4/projects/acme%2Fempty/repository/files/a/raw", 404),
        ("/v1/packages/gh/acme/empty@main", 404),
        ("/v1/packages/gh/acme/empty", 200),
        ("/gh/acme/empty/code.py", 404),
    ],
)
def test_an_empty_repository_has_nothing_to_give(world: World, path: str, status: int) -> None:
    assert world.host.get(path).status == status


def test_other_methods_change_nothing(world: World) -> None:
    for path in (GITEA, GITLAB, "/v1/packages/gh/acme/app", "/gh/acme/app@main/code.py"):
        assert world.host.get(path, "DELETE").status == 405


@settings(max_examples=150, deadline=None)
@given(
    start=st.sampled_from([GITEA, GITLAB, "/v1/packages/gh/acme", "/gh/acme", "/gh/acme/app@main", "/acme/app/-/raw", "/api/v1/repos",
                           "/api/v4/projects"]),
    rest=st.lists(st.one_of(st.sampled_from(["repository", "git", "trees", "files", "raw", "main", "tree", "commits", "..", ""]),
                            st.binary(max_size=6).map(quote)), max_size=5),
    query=st.sampled_from(["", "?ref=main", "?ref=%FF", "?page=2&per_page=1", "?recursive=1&pagination=keyset"]),
)  # fmt: skip
def test_no_path_is_an_error_of_the_host(world: World, start: str, rest: list[str], query: str) -> None:
    assert world.host.get("/".join([start, *rest]) + query).status < 500


def test_no_answer_tells_where_the_repositories_lie(tmp_path: Path) -> None:
    repository.make(tmp_path / "app")
    with serving({"acme/app": tmp_path / "app"}) as host:
        shutil.rmtree(tmp_path / "app")
        for path in (f"{GITEA}/git/commits/main", f"{GITLAB}/repository/tree", "/v1/packages/gh/acme/app", "/gh/acme/app@main/code.py"):
            answer = host.get(path)
            assert answer.status in (500, 502), path
            assert str(tmp_path).encode() not in answer.body
        assert host.get("/acme/app/-/raw/main/code.py").status == 500


def test_gitlab_refuses_with_plain_text_and_tells_when_to_come_back(world: World) -> None:
    with serving({"acme/app": world.path}, RateLimit(calls=2, window_seconds=120)) as host:
        first, second, refused = (host.get(GITLAB) for _ in range(3))
        assert [one.headers["ratelimit-remaining"] for one in (first, second, refused)] == ["1", "0", "0"]
        assert [one.headers["ratelimit-observed"] for one in (first, second, refused)] == ["1", "2", "3"]
        assert (refused.status, refused.body) == (429, b"Retry later\n")
        assert refused.headers["ratelimit-limit"] == "1"  # per minute
        assert refused.headers["ratelimit-name"] == "throttle_unauthenticated_api"
        assert 100 < int(refused.headers["retry-after"]) <= 121  # whole seconds, rounded up
        assert refused.headers["ratelimit-resettime"].endswith(" GMT")
        # Each host counts for itself, and two of them do not count at all.
        assert host.api("/repos/acme/app").headers["x-ratelimit-used"] == "1"
        assert host.get(GITEA).status == 200
        assert host.get("/v1/packages/gh/acme/app").status == 200
    assert not any(name.startswith("ratelimit") for name in world.host.get(GITLAB).headers)
