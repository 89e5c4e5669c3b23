"""The Git host's API, through real sockets and real repositories."""

import base64
import io
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from githost_server import Host, blob_id, serving

from cota.errors import CotaError
from cota.git.make import Moded, commit_tree, create_branch, create_repository, create_tag
from cota.lab.githost import RateLimit, routes

FIRST = {"code.py": b"print(1)\n", "lib/a.py": b"a = 1\n", "lib/deep/b.bin": bytes(range(256)), "README.md": b"# Hi\n"}
SECOND = {
    "code.py": b"print(2)\nprint(3)\n",
    "lib/a.py": b"a = 1\n",
    "run.sh": Moded(0o100755, b"#!/bin/sh\n"),
    "link": Moded(0o120000, b"lib/a.py"),
    "dead": Moded(0o120000, b"../../../etc/passwd"),
    "sub": Moded(0o160000, b"1" * 40),
    "grüße/ä b%20.txt": b"umlaut",
}


@dataclass(frozen=True)
class World:
    host: Host
    path: Path
    first: str
    second: str
    tag_object: str


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("repositories")
    path = create_repository(folder / "app")
    first = commit_tree(path, FIRST, "First")
    create_branch(path, "feature/new/thing", first)
    tag_object = create_tag(path, "v1.0", first, "The first")
    create_tag(path, "plain", first)
    second = commit_tree(path, SECOND, "Second\n\nwith a body", "Zoë <z@example.org>", 1_700_000_100)
    empty = create_repository(folder / "empty")
    with serving({"acme/app": path, "acme/empty": empty}) as host:
        yield World(host, path, first, second, tag_object)


@pytest.mark.parametrize(
    "ref", ["feature/new/thing", "feature%2Fnew%2Fthing", "v1.0", "plain", "heads/feature/new/thing", "tags/v1.0", "HEAD~1"]
)
def test_each_kind_of_ref_resolves_to_its_commit(world: World, ref: str) -> None:
    answer = world.host.api(f"/repos/acme/app/commits/{ref}", Accept="application/vnd.github.sha")
    assert (answer.status, answer.body) == (200, world.first.encode())
    assert answer.headers["content-type"].startswith("application/vnd.github.sha")
    assert answer.headers["etag"] == f'"{world.first}"'


def test_whole_and_short_ids_resolve_too(world: World) -> None:
    for ref in (world.second, world.second[:7], "HEAD", "main"):
        assert world.host.api(f"/repos/acme/app/commits/{ref}", Accept="application/vnd.github.v3.sha").body == world.second.encode()


def test_a_commit_has_the_shape_of_github(world: World) -> None:
    commit = world.host.api("/repos/acme/app/commits/main").json
    assert commit["sha"] == world.second
    assert commit["commit"]["author"] == {"name": "Zoë", "email": "z@example.org", "date": "2023-11-14T22:15:00Z"}
    assert commit["commit"]["message"] == "Second\n\nwith a body"
    assert [parent["sha"] for parent in commit["parents"]] == [world.first]
    changed = {file["filename"]: (file["status"], file["additions"], file["deletions"]) for file in commit["files"]}
    assert changed["code.py"] == ("modified", 2, 1)
    assert changed["README.md"] == ("removed", 0, 1)
    assert changed["run.sh"] == ("added", 1, 0)
    assert "lib/a.py" not in changed
    assert commit["stats"]["total"] == commit["stats"]["additions"] + commit["stats"]["deletions"]
    tree = world.host.api(f"/repos/acme/app/git/trees/{commit['commit']['tree']['sha']}").json
    assert tree["sha"] == commit["commit"]["tree"]["sha"]


def test_an_unknown_ref_is_422_as_on_github(world: World) -> None:
    for accept in ("application/json", "application/vnd.github.sha"):
        answer = world.host.api("/repos/acme/app/commits/no-such", Accept=accept)
        assert answer.status == 422
        assert answer.json["message"] == "No commit found for SHA: no-such"
        assert answer.json["status"] == "422"
        assert answer.json["documentation_url"].startswith("https://docs.github.com/rest")


@pytest.mark.parametrize(
    "path",
    [
        "/repos/acme/none",
        "/repos/acme/none/commits/main",
        "/repos/acme",
        "/repos/acme/app/nothing",
        "/repos/acme/app/git/trees/no-such?recursive=1",
        "/repos/acme/app/git/blobs/" + "0" * 40,
        "/repos/acme/app/git/blobs/short",
        "/repos/acme/app/git/commits/" + "0" * 40,
        "/repos/acme/app/git/refs/heads/none",
        "/repos/acme/app/git/refs/heads/feature",
        "/repos/acme/app/tarball/no-such",
        "/repos/acme/app/contents/none",
        "/user",
        "/",
    ],
)
def test_what_is_not_there_is_404_in_githubs_shape(world: World, path: str) -> None:
    answer = world.host.api(path)
    assert answer.status == 404
    assert answer.json["message"] == "Not Found"
    assert set(answer.json) == {"message", "documentation_url", "status"}


def test_an_empty_repository_is_409_for_commits_and_trees(world: World) -> None:
    for path in ("/commits", "/commits/main", "/git/trees/main?recursive=1", "/git/refs/heads/main"):
        answer = world.host.api(f"/repos/acme/empty{path}")
        assert (answer.status, answer.json["message"]) == (409, "Git Repository is empty."), path
    assert world.host.api("/repos/acme/empty/contents/").json["message"] == "This repository is empty."
    assert world.host.api("/repos/acme/empty/branches").json == []
    assert world.host.api("/repos/acme/empty").json["default_branch"] == "main"


def test_a_recursive_tree_lists_everything_with_modes_types_and_sizes(world: World) -> None:
    answer = world.host.api("/repos/acme/app/git/trees/main?recursive=1")
    tree = answer.json
    assert tree["truncated"] is False
    assert tree["sha"] == world.second
    lines = {line["path"]: line for line in tree["tree"]}
    assert lines["run.sh"]["mode"] == "100755"
    assert (lines["link"]["mode"], lines["link"]["type"], lines["link"]["size"]) == ("120000", "blob", 8)
    assert lines["sub"] == {"path": "sub", "mode": "160000", "type": "commit", "sha": "1" * 40}
    assert lines["lib"]["mode"] == "040000"
    assert "size" not in lines["lib"]
    assert lines["grüße/ä b%20.txt"]["size"] == 6
    assert lines["code.py"]["sha"] == blob_id(b"print(2)\nprint(3)\n")
    assert lines["code.py"]["url"] == f"{world.host.url}/api/v3/repos/acme/app/git/blobs/{lines['code.py']['sha']}"
    paths = [line["path"] for line in tree["tree"]]
    assert paths.index("lib") < paths.index("lib/a.py")


def test_any_value_of_recursive_counts_and_none_gives_one_level(world: World) -> None:
    flat = world.host.api("/repos/acme/app/git/trees/v1.0").json["tree"]
    assert [line["path"] for line in flat] == ["README.md", "code.py", "lib"]
    deep = world.host.api("/repos/acme/app/git/trees/v1.0?recursive=0").json["tree"]
    assert "lib/deep/b.bin" in [line["path"] for line in deep]


def test_a_listing_behind_the_limit_is_cut_and_says_so(world: World) -> None:
    with serving({"acme/app": world.path}, max_tree_entries=3) as host:
        cut = host.api("/repos/acme/app/git/trees/v1.0?recursive=1").json
        assert cut["truncated"] is True
        assert [line["path"] for line in cut["tree"]] == ["README.md", "code.py", "lib"]
        assert host.api("/repos/acme/app/git/trees/v1.0").json["truncated"] is False


def test_a_listing_past_seven_megabytes_is_cut(tmp_path: Path) -> None:
    names = {f"{number:05}-{'x' * 200}": b"" for number in range(20_000)}
    path = create_repository(tmp_path / "wide")
    commit_tree(path, names)
    with serving({"a/wide": path}) as host:
        answer = host.api("/repos/a/wide/git/trees/main?recursive=1")
    assert answer.json["truncated"] is True
    assert len(answer.body) < 7.1 * 1024 * 1024


def test_the_same_listing_twice_is_304(world: World) -> None:
    path = "/repos/acme/app/git/trees/main?recursive=1"
    first = world.host.api(path)
    assert first.headers["etag"].startswith('W/"')
    again = world.host.api(path, If_None_Match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert "x-ratelimit-remaining" in again.headers
    assert world.host.api(path, If_None_Match='"other"').status == 200
    bare = world.host.api("/repos/acme/app/commits/main", Accept="application/vnd.github.sha", If_None_Match=f'"{world.second}"')
    assert bare.status == 304


def test_a_push_is_seen_at_once(tmp_path: Path) -> None:
    path = create_repository(tmp_path / "app")
    commit_tree(path, {"a": b"1"})
    with serving({"a/app": path}) as host:
        before = host.api("/repos/a/app/git/trees/main").headers["etag"]
        newest = commit_tree(path, {"a": b"2"})
        assert host.api("/repos/a/app/commits/main", Accept="application/vnd.github.sha").body.decode() == newest
        assert host.api("/repos/a/app/git/trees/main", If_None_Match=before).status == 200


def test_commits_branches_tags_and_refs_are_listed(world: World) -> None:
    api = world.host.api
    assert [one["sha"] for one in api("/repos/acme/app/commits").json] == [world.second, world.first]
    assert [one["sha"] for one in api("/repos/acme/app/commits?path=run.sh").json] == [world.second]
    page = api("/repos/acme/app/commits?per_page=1&page=2")
    assert [one["sha"] for one in page.json] == [world.first]
    assert 'rel="prev"' in page.headers["link"]
    assert 'rel="next"' in api("/repos/acme/app/commits?per_page=1").headers["link"]
    assert [one["name"] for one in api("/repos/acme/app/branches").json] == ["feature/new/thing", "main"]
    assert api("/repos/acme/app/branches/feature/new/thing").json["commit"]["sha"] == world.first
    assert api("/repos/acme/app/branches/none").json["message"] == "Branch not found"
    assert {one["name"]: one["commit"]["sha"] for one in api("/repos/acme/app/tags").json} == {"plain": world.first, "v1.0": world.first}
    assert api("/repos/acme/app/git/refs/heads/main").json["object"]["sha"] == world.second
    assert api("/repos/acme/app/git/ref/tags/v1.0").json["object"] == {
        "sha": world.tag_object,
        "type": "tag",
        "url": f"{world.host.url}/api/v3/repos/acme/app/git/tags/{world.tag_object}",
    }
    assert api(f"/repos/acme/app/git/commits/{world.first}").json["message"] == "First"
    assert api("/repos/ACME/App").json["full_name"] == "acme/app"


def test_contents_come_as_json_raw_and_folders(world: World) -> None:
    api = world.host.api
    file = api("/repos/acme/app/contents/code.py?ref=v1.0").json
    assert (file["type"], file["encoding"], base64.b64decode(file["content"])) == ("file", "base64", b"print(1)\n")
    assert world.host.get(file["download_url"].removeprefix(world.host.url)).body == b"print(1)\n"
    raw = api("/repos/acme/app/contents/lib/deep/b.bin?ref=v1.0", Accept="application/vnd.github.raw")
    assert raw.body == bytes(range(256))
    assert {one["name"]: one["type"] for one in api("/repos/acme/app/contents").json} == {
        "code.py": "file", "dead": "symlink", "grüße": "dir", "lib": "dir", "link": "symlink", "run.sh": "file", "sub": "file",
    }  # fmt: skip
    as_object = api("/repos/acme/app/contents/lib", Accept="application/vnd.github.object").json
    assert (as_object["type"], [one["path"] for one in as_object["entries"]]) == ("dir", ["lib/a.py"])
    assert api("/repos/acme/app/contents/sub").json["type"] == "submodule"
    assert api("/repos/acme/app/contents/link", Accept="application/vnd.github.raw").body == b"a = 1\n"
    assert api("/repos/acme/app/contents/dead").json["target"] == "../../../etc/passwd"
    assert api("/repos/acme/app/contents/code.py?ref=none").json["message"] == "No commit found for the ref none"


def test_a_file_of_more_than_a_mebibyte_comes_raw_only(tmp_path: Path) -> None:
    data = b"x" * (1024 * 1024 + 1)
    path = create_repository(tmp_path / "big")
    commit_tree(path, {"big": data})
    with serving({"a/big": path}) as host:
        shape = host.api("/repos/a/big/contents/big").json
        assert (shape["content"], shape["encoding"], shape["size"]) == ("", "none", len(data))
        assert host.api("/repos/a/big/contents/big", Accept="application/vnd.github.raw+json").body == data
        blob = host.api(f"/repos/a/big/git/blobs/{shape['sha']}").json
        assert base64.b64decode(blob["content"]) == data


def test_the_tarball_holds_exactly_the_commit(world: World) -> None:
    redirect = world.host.api("/repos/acme/app/tarball/main")
    assert redirect.status == 302
    location = redirect.headers["location"].removeprefix(world.host.url)
    packed = world.host.get(location)
    assert packed.headers["content-type"] == "application/x-gzip"
    with tarfile.open(fileobj=io.BytesIO(packed.body)) as tar:
        top = f"acme-app-{world.second[:7]}"
        files = {member.name.removeprefix(f"{top}/"): member for member in tar.getmembers()}
        plain = {name: tar.extractfile(member).read() for name, member in files.items() if member.isfile()}  # type: ignore[union-attr]
        assert tar.pax_headers["comment"] == world.second
    assert plain == {
        name: data.content if isinstance(data, Moded) else data for name, data in SECOND.items() if name not in ("link", "dead", "sub")
    }
    assert files["link"].linkname == "lib/a.py"
    assert files["run.sh"].mode == 0o775
    assert files["sub"].isdir()
    assert world.host.get(location).body == packed.body
    assert world.host.get(location, If_None_Match=packed.headers["etag"]).status == 304
    assert world.host.get("/codeload/acme/app/legacy.tar.gz/none").status == 404
    assert world.host.get("/codeload/acme/app/zip/main").status == 404


def test_without_a_user_agent_nothing_is_answered(world: World) -> None:
    for agent in (None, ""):
        answer = world.host.get("/api/v3/repos/acme/app", agent=agent)
        assert answer.status == 403
        assert b"make sure your request has a User-Agent header" in answer.body


def test_an_enforced_limit_refuses_and_tells_when_to_come_back(world: World) -> None:
    with serving({"acme/app": world.path}, RateLimit(calls=3, window_seconds=3600)) as host:
        left = [host.api("/repos/acme/app").headers["x-ratelimit-remaining"] for _ in range(3)]
        assert left == ["2", "1", "0"]
        refused = host.api("/repos/acme/app")
        assert refused.status == 403
        assert refused.headers["x-ratelimit-remaining"] == "0"
        assert refused.headers["x-ratelimit-limit"] == "3"
        assert refused.headers["x-ratelimit-used"] == "3"
        assert refused.headers["x-ratelimit-resource"] == "core"
        assert refused.json["message"].startswith("API rate limit exceeded for 127.0.0.1.")
        assert host.api("/rate_limit").json["rate"]["remaining"] == 0
        assert host.get("/raw/acme/app/main/code.py").status == 200


def test_a_host_without_a_limit_tells_one_and_never_says_zero(world: World) -> None:
    answer = world.host.api("/repos/acme/app")
    assert int(answer.headers["x-ratelimit-remaining"]) > 0
    assert int(answer.headers["x-ratelimit-reset"]) > 1_700_000_000
    assert "date" in answer.headers


def test_a_private_repository_is_404_without_its_token(world: World) -> None:
    tokens = {"acme/app": "s3cret-token", "acme/other": "another"}
    with serving({"acme/app": world.path, "acme/other": world.path, "acme/public": world.path}, RateLimit(calls=6), tokens) as host:
        for path in (
            "/api/v3/repos/acme/app",
            "/raw/acme/app/main/code.py",
            f"/raw/acme/app/{world.second}/code.py",
            "/codeload/acme/app/legacy.tar.gz/main",
            "/acme/app",
        ):
            assert host.get(path).status == 404, path
            assert host.get(path, Authorization="token another").status == 404, path
            assert host.get(path, Authorization="Bearer s3cret-token").status == 200, path
            assert host.get(path).status == 404, path
            wrong = host.get(path, Authorization="token wrong")
            assert wrong.status == 401, path
            assert b"Bad credentials" in wrong.body
        signed = host.api("/repos/acme/public", Authorization="token another")
        assert signed.headers["x-ratelimit-limit"] == "5000"
        used = signed.headers["x-ratelimit-used"]
        free = host.api("/repos/acme/public", Authorization="token another", If_None_Match=signed.headers["etag"])
        assert (free.status, free.headers["x-ratelimit-used"]) == (304, used)
        assert host.api("/repos/acme/app", Authorization="token s3cret-token").json["private"] is True


def test_other_methods_change_nothing(world: World) -> None:
    assert world.host.get("/api/v3/repos/acme/app", "DELETE").status == 404
    assert world.host.get("/raw/acme/app/main/code.py", "POST").status == 405
    head = world.host.get("/api/v3/repos/acme/app", "HEAD")
    assert (head.status, head.body) == (200, b"")


def test_no_answer_tells_where_the_repositories_lie(tmp_path: Path) -> None:
    path = create_repository(tmp_path / "app")
    sha = commit_tree(path, {"a": b"1"})
    with serving({"a/app": path}) as host:
        broken = path / "objects" / sha[:2] / sha[2:]
        broken.chmod(0o644)
        broken.write_bytes(b"not zlib")
        for address in ("/api/v3/repos/a/app/commits/main", "/raw/a/app/main/a", "/a/app"):
            answer = host.get(address)
            assert answer.status == 500
            assert str(tmp_path).encode() not in answer.body
        shutil.rmtree(path)
        answer = host.api("/repos/a/app/commits/main")
        assert answer.status == 500
        assert str(tmp_path).encode() not in answer.body


def test_routes_refuse_what_cannot_be_served(tmp_path: Path) -> None:
    good = create_repository(tmp_path / "good")
    wide = create_repository(tmp_path / "wide", hash_name="sha256")
    for repositories, words in (
        ({"no-owner": good}, "owner/repo"),
        ({"api/v3": good}, "the owner is none of"),
        ({"a/b/c": good}, "owner/repo"),
        ({"a/none": tmp_path / "none"}, "not a Git repository"),
        ({"a/wide": wide}, "SHA-1"),
    ):
        with pytest.raises(CotaError, match=words):
            routes(repositories)
