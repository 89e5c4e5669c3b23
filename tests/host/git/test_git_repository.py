"""Reading a local repository at a commit."""

import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from cota.git import (
    AmbiguousRefError,
    DamagedRepositoryError,
    EmptyRepositoryError,
    GitError,
    NoSuchPathError,
    NoSuchRefError,
    NotARepositoryError,
    Repository,
    WrongObjectFormatError,
)
from cota.git.archive import tar_gz
from cota.git.make import Moded, commit_tree, create_branch, create_repository, create_tag


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return create_repository(tmp_path / "app")


def test_every_kind_of_name_leads_to_its_commit(path: Path) -> None:
    first = commit_tree(path, {"a": b"1"})
    second = commit_tree(path, {"a": b"2"})
    create_branch(path, "feature/x", first)
    create_tag(path, "v1", first, "annotated")
    create_tag(path, "light", first)
    create_tag(path, "nested", create_tag(path, "inner", first, "one"))
    with Repository(path) as repository:
        for name in (
            "feature/x",
            "heads/feature/x",
            "refs/heads/feature/x",
            "v1",
            "light",
            "nested",
            "tags/v1",
            first,
            first.upper(),
            first[:9],
        ):
            assert repository.resolve(name) == first, name
        for name in ("HEAD", "@", "main", second, "HEAD~0", "main^0"):
            assert repository.resolve(name) == second, name
        for name in ("HEAD~1", "HEAD^", "main~", "HEAD^1"):
            assert repository.resolve(name) == first, name


def test_the_second_parent_of_a_merge_has_a_name(path: Path) -> None:
    left = commit_tree(path, {"a": b"1"})
    right = commit_tree(path, {"b": b"1"}, branch="side", parents=())
    merged = commit_tree(path, {"a": b"1", "b": b"1"}, parents=(left, right))
    with Repository(path) as repository:
        assert repository.resolve("HEAD^2") == right
        assert repository.resolve("HEAD^1") == left
        assert repository.commit(merged).parents == (left, right)
        with pytest.raises(NoSuchRefError):
            repository.resolve("HEAD^3")


@pytest.mark.parametrize(
    "name",
    [
        "none",
        "",
        "feature",
        "HEAD~9",
        "HEAD~99999999",
        "../config",
        "refs/heads/../../config",
        "config",
        "ORIG_HEAD",
        "a\0b",
        "deadbeef",
        "\udcff",
        "x" * 5000,
    ],
)
def test_a_name_that_nothing_answers_to_is_one_clear_error(path: Path, name: str) -> None:
    commit_tree(path, {"a": b"1"})
    create_branch(path, "feature/x", commit_tree(path, {"a": b"2"}))
    with Repository(path) as repository, pytest.raises(NoSuchRefError, match="no branch, tag or commit"):
        repository.resolve(name)


def test_a_branch_wins_over_a_tag_of_its_name(path: Path) -> None:
    first = commit_tree(path, {"a": b"1"})
    second = commit_tree(path, {"a": b"2"})
    create_branch(path, "same", first)
    create_tag(path, "same", second)
    with Repository(path) as repository:
        assert repository.resolve("same") == first
        assert repository.resolve("tags/same") == second


def test_a_short_id_of_several_commits_is_refused(path: Path) -> None:
    made: dict[str, str] = {}
    for number in range(2000):
        sha = commit_tree(path, {"a": b"1"}, time=number, parents=())
        if sha[:4] in made:
            break
        made[sha[:4]] = sha
    with Repository(path) as repository, pytest.raises(AmbiguousRefError, match="2 commits"):
        repository.resolve(sha[:4])


def test_an_empty_repository_says_so(path: Path) -> None:
    with Repository(path) as repository:
        assert repository.is_empty()
        assert repository.branches() == []
        for name in ("HEAD", "main", "0" * 40):
            with pytest.raises(EmptyRepositoryError, match="no commit yet"):
                repository.resolve(name)
        with pytest.raises(EmptyRepositoryError):
            repository.ref("refs/heads/main")


def test_a_head_without_its_branch_does_not_make_a_repository_empty(path: Path) -> None:
    sha = commit_tree(path, {"a": b"1"}, branch="other")
    with Repository(path) as repository:
        assert not repository.is_empty()
        assert repository.resolve("other") == sha
        with pytest.raises(NoSuchRefError):
            repository.resolve("HEAD")


def test_what_is_no_repository_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path, tmp_path / "none", tmp_path / "file"):
        with pytest.raises(NotARepositoryError, match=str(path)):
            Repository(path)


def test_a_future_repository_format_is_named(path: Path) -> None:
    (path / "config").write_text("[core]\n\trepositoryformatversion = 9\n")
    with pytest.raises(NotARepositoryError, match="of a kind that cannot be read"):
        Repository(path)


def test_a_sha256_repository_is_read_and_refused_where_sha1_is_needed(tmp_path: Path) -> None:
    path = create_repository(tmp_path / "wide", hash_name="sha256")
    sha = commit_tree(path, {"a/b": b"1"})
    with Repository(path) as repository:
        assert (repository.hash_name, len(sha)) == ("sha256", 64)
        assert repository.resolve() == repository.resolve(sha[:12]) == sha
        assert repository.blob(repository.find(sha, b"a/b").sha) == b"1"
        with pytest.raises(WrongObjectFormatError, match="SHA256"):
            repository.require_sha1()


def test_a_tree_is_walked_in_gits_order_with_modes_and_sizes(path: Path) -> None:
    files = {"b": b"22", "a.b": b"", "a/x": b"333", "l": Moded(0o120000, b"b"), "s": Moded(0o160000, b"3" * 40), "e": Moded(0o100755, b"#")}
    sha = commit_tree(path, files)
    with Repository(path) as repository:
        found = [(entry.name, f"{entry.mode:o}", entry.kind, entry.size) for entry in repository.tree(sha)]
        assert found == [
            ("a.b", "100644", "blob", 0),
            ("a", "40000", "tree", None),
            ("a/x", "100644", "blob", 3),
            ("b", "100644", "blob", 2),
            ("e", "100755", "blob", 1),
            ("l", "120000", "blob", 1),
            ("s", "160000", "commit", None),
        ]
        assert [entry.name for entry in repository.tree(sha, recursive=False)] == ["a.b", "a", "b", "e", "l", "s"]
        assert all(entry.size is None for entry in repository.tree(sha, sizes=False))


@pytest.mark.parametrize("asked", [b"none", b"a/none", b"a/x/y", b"..", b"a/../a", b"a//x", b"/a", b"a/", b".", b"s/x"])
def test_nothing_is_found_where_nothing_is(path: Path, asked: bytes) -> None:
    sha = commit_tree(path, {"a/x": b"1", "s": Moded(0o160000, b"3" * 40)})
    with Repository(path) as repository, pytest.raises(NoSuchPathError):
        repository.find(sha, asked)


def test_a_tree_is_no_blob_and_a_blob_no_commit(path: Path) -> None:
    sha = commit_tree(path, {"a/x": b"1"})
    with Repository(path) as repository:
        blob = repository.find(sha, b"a/x").sha
        with pytest.raises(NoSuchPathError):
            repository.blob(repository.find(sha, b"a").sha)
        for wrong in (blob, "0" * 40, "xyz"):
            with pytest.raises(NoSuchRefError):
                repository.commit(wrong)
            with pytest.raises(NoSuchRefError):
                list(repository.tree(wrong))
        assert repository.is_tree(repository.commit(sha).tree)
        assert not repository.is_tree(sha)


@pytest.mark.parametrize("damage", [b"", b"not zlib at all", None])
def test_a_damaged_or_missing_object_is_named_so(path: Path, damage: bytes | None) -> None:
    sha = commit_tree(path, {"a": b"1" * 100})
    with Repository(path) as repository:
        blob = repository.find(sha, b"a").sha
        file = path / "objects" / blob[:2] / blob[2:]
        file.chmod(0o644)
        file.unlink() if damage is None else file.write_bytes(damage)
    with Repository(path) as repository:
        with pytest.raises(DamagedRepositoryError, match="damaged"):
            list(repository.tree(sha))
        with pytest.raises(GitError):
            repository.blob(blob)


def test_a_blob_whose_bytes_are_anothers_is_refused(path: Path) -> None:
    sha = commit_tree(path, {"a": b"good", "b": b"evil"})
    with Repository(path) as repository:
        good, evil = (repository.find(sha, name).sha for name in (b"a", b"b"))
        file = path / "objects" / good[:2] / good[2:]
        file.chmod(0o644)
        file.write_bytes((path / "objects" / evil[:2] / evil[2:]).read_bytes())
    with Repository(path) as repository, pytest.raises(DamagedRepositoryError):
        repository.blob(good)


def test_the_history_of_a_path_leaves_out_other_commits(path: Path) -> None:
    first = commit_tree(path, {"a": b"1"}, "one", "Ann <ann@x>", 100)
    commit_tree(path, {"a": b"1", "b": b"1"}, time=200)
    third = commit_tree(path, {"a": b"2", "b": b"1"}, time=300)
    with Repository(path) as repository:
        assert [commit.sha for commit in repository.history(third, b"a")] == [third, first]
        assert len(list(repository.history(third))) == 3
        commit = repository.commit(first)
        assert (commit.author.name, commit.author.email, commit.author.time, commit.message) == ("Ann", "ann@x", 100, "one")


def test_changes_tell_added_modified_and_removed(path: Path) -> None:
    commit_tree(path, {"a": b"1\n2\n", "gone": b"x\n", "same": b"s", "bin": b"\0\1"})
    sha = commit_tree(path, {"a": b"1\n3\n4\n", "new": b"n\n", "same": b"s", "bin": b"\0\2"})
    with Repository(path) as repository:
        found = {change.path: (change.status, change.additions, change.deletions) for change in repository.changes(repository.commit(sha))}
    assert found == {b"a": ("modified", 2, 1), b"gone": ("removed", 0, 1), b"new": ("added", 1, 0), b"bin": ("modified", 0, 0)}


def test_the_archive_is_what_git_archive_holds(path: Path) -> None:
    sha = commit_tree(
        path, {"a": b"1", "d/ü": b"22", "x": Moded(0o100755, b"#!"), "l": Moded(0o120000, b"a"), "s": Moded(0o160000, b"3" * 40)}
    )
    with Repository(path) as repository:
        ours = b"".join(tar_gz(repository, sha, "top"))
        assert b"".join(tar_gz(repository, sha, "top")) == ours
    theirs = subprocess.run(
        ["git", "-C", str(path), "archive", "--format=tar", "--prefix=top/", sha], check=True, capture_output=True
    ).stdout

    def listed(data: bytes) -> list[tuple[object, ...]]:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            return sorted(
                (member.name, member.type, member.size, member.mode, member.linkname, member.mtime) for member in tar.getmembers()
            )

    assert [line[:3] for line in listed(ours)] == [line[:3] for line in listed(theirs)]
    assert [line[4:] for line in listed(ours)] == [line[4:] for line in listed(theirs)]


def test_git_itself_finds_nothing_wrong_with_what_was_made(tmp_path: Path) -> None:
    path = create_repository(tmp_path / "r", "trunk")
    sha = commit_tree(path, {"a": b"1", "a.b/c": b"2", "z/y/x": b"3"}, "Message", "Ann <a@x>")
    create_tag(path, "v1", sha, "tagged")
    checked = subprocess.run(["git", "-C", str(path), "fsck", "--strict"], check=False, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    assert checked.stderr == ""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(path), str(clone)], check=True)
    assert (clone / "z/y/x").read_bytes() == b"3"
    with Repository(clone) as repository:
        assert repository.default_branch == "trunk"
        assert repository.resolve("origin/trunk") == sha
    with Repository(clone / ".git") as repository:
        assert repository.resolve() == sha


def test_the_same_commits_make_the_same_ids(tmp_path: Path) -> None:
    shas = [commit_tree(create_repository(tmp_path / name), {"a": b"1"}) for name in ("one", "two")]
    assert shas[0] == shas[1]


@pytest.mark.parametrize(
    "files",
    [
        {"": b""},
        {"/a": b""},
        {"a/../b": b""},
        {"a//b": b""},
        {".git/config": b""},
        {"a": b"", "a/b": b""},
        {"a\0": b""},
        {"a": Moded(0o777, b"")},
    ],
)
def test_paths_that_no_commit_can_hold_are_refused(path: Path, files: dict[str, bytes]) -> None:
    with pytest.raises(GitError):
        commit_tree(path, files)
    with Repository(path) as repository:
        assert repository.is_empty()


def test_a_repository_is_not_made_over_something_else(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x")
    (tmp_path / "file").write_text("x")
    for name in ("full", "file"):
        with pytest.raises(GitError):
            create_repository(tmp_path / name)


def test_opening_and_closing_leaves_nothing_behind(path: Path) -> None:
    commit_tree(path, {"a": b"1"})
    script = f"from cota.git import Repository\nr = Repository({str(path)!r})\nr.resolve()\nr.close()\nr.close()\nprint('done')"
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_the_package_is_imported_without_dulwich() -> None:
    script = "import sys, cota.git, cota.git.make, cota.git.archive\nprint([n for n in sys.modules if n.startswith('dulwich')])"
    assert subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout == "[]\n"


def cloned(path: Path, to: Path, *options: str) -> Path:
    subprocess.run(["git", "clone", "-q", *options, path.as_uri(), str(to)], check=True)
    return to


def test_a_shallow_clone_is_read_as_far_as_it_goes(path: Path, tmp_path: Path) -> None:
    commit_tree(path, {"a": b"1"})
    newest = commit_tree(path, {"a": b"2"})
    with Repository(cloned(path, tmp_path / "shallow", "--depth=1")) as repository:
        assert repository.resolve() == newest
        assert [commit.sha for commit in repository.history(newest)] == [newest]
        assert [change.status for change in repository.changes(repository.commit(newest))] == ["added"]
        with pytest.raises(NoSuchRefError, match="--unshallow"):
            repository.resolve("HEAD~1")


def test_a_detached_head_has_a_default_branch_all_the_same(path: Path, tmp_path: Path) -> None:
    first = commit_tree(path, {"a": b"1"})
    commit_tree(path, {"a": b"2"})
    clone = cloned(path, tmp_path / "clone")
    subprocess.run(["git", "-C", str(clone), "checkout", "-q", "--detach", first], check=True)
    with Repository(clone) as repository:
        assert (repository.default_branch, repository.resolve()) == ("main", first)
    subprocess.run(["git", "-C", str(clone), "branch", "-q", "-m", "main", "trunk"], check=True)
    with Repository(clone) as repository:
        assert repository.default_branch == "trunk"


def test_a_linked_working_tree_is_a_repository_too(path: Path, tmp_path: Path) -> None:
    sha = commit_tree(path, {"a": b"1"})
    clone = cloned(path, tmp_path / "clone")
    subprocess.run(["git", "-C", str(clone), "worktree", "add", "-q", "-b", "side", str(tmp_path / "linked")], check=True)
    with Repository(tmp_path / "linked") as repository:
        assert repository.default_branch == "side"
        assert repository.resolve() == repository.resolve("main") == sha
        assert repository.blob(repository.find(sha, b"a").sha) == b"1"


def test_a_name_that_leads_out_of_a_folder_is_nothing_even_where_a_tree_has_it(path: Path) -> None:
    from dulwich.objects import Blob, Tree
    from dulwich.repo import Repo

    with Repo(str(path)) as repo:
        blob, inner, outer = Blob.from_string(b"evil"), Tree(), Tree()
        inner.add(b"..", 0o100644, blob.id)
        outer.add(b"a", 0o040000, inner.id)
        for made in (blob, inner, outer):
            repo.object_store.add_object(made)
    with Repository(path) as repository, pytest.raises(NoSuchPathError):
        repository.find(outer.id.decode(), b"a/..")
