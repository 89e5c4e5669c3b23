"""GitHub's JSON shapes, from the values of a repository. Pure: the host's address comes in as a string."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from cota.git import Change, Commit, Entry, Ref
from cota.git.types import Person
from cota.lab.githost.repos import number_of

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a repository is shown.

    Attributes:
        base: Address of the host without a slash at the end, such as "http://127.0.0.1:8080".
        name: "owner/repo".
    """

    base: str
    name: str

    @property
    def api(self) -> str:
        """The repository's address in the API."""
        return f"{self.base}/api/v3/repos/{self.name}"

    @property
    def html(self) -> str:
        """The repository's page."""
        return f"{self.base}/{self.name}"

    def raw(self, ref: str, path: bytes) -> str:
        """Give the address of a file's bytes."""
        return f"{self.base}/raw/{self.name}/{quoted(ref)}/{quote(path)}"

    def archive(self, ref: str) -> str:
        """Give the address that streams a ref's files as tar.gz."""
        return f"{self.base}/codeload/{self.name}/legacy.tar.gz/{quoted(ref)}"


def quoted(ref: str) -> str:
    """Give a ref's name as it stands in a URL."""
    return quote(ref.encode("utf-8", "surrogateescape"))


def text(path: bytes) -> str:
    """Give a path as JSON can hold it."""
    return path.decode("utf-8", "replace")


def node_id(kind: str, name: str) -> str:
    """Give an id of GitHub's look; it only has to be stable."""
    return base64.b64encode(f"{kind}:{name}".encode()).decode("ascii")


def utc(seconds: int) -> str:
    """Give a time as the hosts' JSON has it (RFC 3339)."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _person(person: Person) -> Json:
    return {"name": person.name, "email": person.email, "date": utc(person.time)}


def repository(place: Place, default_branch: str, private: bool) -> Json:
    """Give the answer to GET /repos/{owner}/{repo}."""
    owner, _, name = place.name.partition("/")
    return {
        "id": number_of(place.name),
        "node_id": node_id("Repository", place.name),
        "name": name,
        "full_name": place.name,
        "private": private,
        "visibility": "private" if private else "public",
        "owner": {"login": owner, "id": number_of(owner), "node_id": node_id("User", owner), "type": "User", "site_admin": False},
        "html_url": place.html,
        "description": None,
        "fork": False,
        "archived": False,
        "disabled": False,
        "url": place.api,
        "trees_url": f"{place.api}/git/trees{{/sha}}",
        "commits_url": f"{place.api}/commits{{/sha}}",
        "contents_url": f"{place.api}/contents/{{+path}}",
        "branches_url": f"{place.api}/branches{{/branch}}",
        "default_branch": default_branch,
    }


# Files that a commit's answer names at most on its first page ("Get a commit").
MAX_CHANGES = 300

_UNSIGNED: Json = {"verified": False, "reason": "unsigned", "signature": None, "payload": None, "verified_at": None}


def git_commit(place: Place, commit: Commit) -> Json:
    """Give the answer to GET /git/commits/{sha}."""
    return {
        "sha": commit.sha,
        "node_id": node_id("Commit", commit.sha),
        "url": f"{place.api}/git/commits/{commit.sha}",
        "html_url": f"{place.html}/commit/{commit.sha}",
        "author": _person(commit.author),
        "committer": _person(commit.committer),
        "tree": {"sha": commit.tree, "url": f"{place.api}/git/trees/{commit.tree}"},
        "message": commit.message,
        "parents": _parents(place, commit),
        "verification": _UNSIGNED,
    }


def _parents(place: Place, commit: Commit) -> list[Json]:
    return [{"sha": sha, "url": f"{place.api}/commits/{sha}", "html_url": f"{place.html}/commit/{sha}"} for sha in commit.parents]


def listed_commit(place: Place, commit: Commit) -> Json:
    """Give one element of GET /commits."""
    return {
        "sha": commit.sha,
        "node_id": node_id("Commit", commit.sha),
        "commit": {
            "author": _person(commit.author),
            "committer": _person(commit.committer),
            "message": commit.message,
            "tree": {"sha": commit.tree, "url": f"{place.api}/git/trees/{commit.tree}"},
            "url": f"{place.api}/git/commits/{commit.sha}",
            "comment_count": 0,
            "verification": _UNSIGNED,
        },
        "url": f"{place.api}/commits/{commit.sha}",
        "html_url": f"{place.html}/commit/{commit.sha}",
        "comments_url": f"{place.api}/commits/{commit.sha}/comments",
        "author": None,
        "committer": None,
        "parents": _parents(place, commit),
    }


def full_commit(place: Place, commit: Commit, changes: Sequence[Change]) -> Json:
    """Give the answer to GET /commits/{ref}; of each changed file the lines that came and went, and no patch."""
    files: list[Json] = [
        {
            "sha": change.sha,
            "filename": text(change.path),
            "status": change.status,
            "additions": change.additions,
            "deletions": change.deletions,
            "changes": change.additions + change.deletions,
            "blob_url": f"{place.html}/raw/{commit.sha}/{quote(change.path)}",
            "raw_url": f"{place.html}/raw/{commit.sha}/{quote(change.path)}",
            "contents_url": f"{place.api}/contents/{quote(change.path)}?ref={commit.sha}",
        }
        for change in changes
    ]
    added, gone = sum(change.additions for change in changes), sum(change.deletions for change in changes)
    return {**listed_commit(place, commit), "stats": {"total": added + gone, "additions": added, "deletions": gone}, "files": files}


def tree_line(place: Place, entry: Entry) -> Json:
    """Give one element of a tree; a folder and a submodule have no size, and a submodule no address."""
    line: Json = {"path": text(entry.path), "mode": f"{entry.mode:06o}", "type": entry.kind, "sha": entry.sha}
    if entry.kind == "blob":
        line["size"] = entry.size
    if entry.kind != "commit":
        line["url"] = f"{place.api}/git/{entry.kind}s/{entry.sha}"
    return line


def tree(place: Place, sha: str, lines: Sequence[Json], truncated: bool) -> Json:
    """Give the answer to GET /git/trees/{sha}."""
    return {"sha": sha, "url": f"{place.api}/git/trees/{sha}", "tree": lines, "truncated": truncated}


def base64_lines(data: bytes) -> str:
    """Give bytes as GitHub's JSON has them."""
    # Lines of 60 with a newline after each, as GitHub gives them.
    encoded = base64.b64encode(data).decode("ascii")
    return "".join(encoded[start : start + 60] + "\n" for start in range(0, len(encoded), 60))


def blob(place: Place, sha: str, data: bytes) -> Json:
    """Give the answer to GET /git/blobs/{sha}."""
    return {
        "sha": sha,
        "node_id": node_id("Blob", sha),
        "size": len(data),
        "url": f"{place.api}/git/blobs/{sha}",
        "content": base64_lines(data),
        "encoding": "base64",
    }


def git_ref(place: Place, ref: Ref) -> Json:
    """Give the answer to GET /git/ref/{ref}."""
    kind = f"{ref.kind}s"
    return {
        "ref": ref.name,
        "node_id": node_id("Ref", ref.name),
        "url": f"{place.api}/git/{quoted(ref.name)}",
        "object": {"sha": ref.sha, "type": ref.kind, "url": f"{place.api}/git/{kind}/{ref.sha}"},
    }


def branch(place: Place, ref: Ref) -> Json:
    """Give one element of GET /branches."""
    return {
        "name": ref.name.removeprefix("refs/heads/"),
        "commit": {"sha": ref.commit, "url": f"{place.api}/commits/{ref.commit}"},
        "protected": False,
    }


def tag(place: Place, ref: Ref) -> Json:
    """Give one element of GET /tags."""
    name = ref.name.removeprefix("refs/tags/")
    return {
        "name": name,
        "commit": {"sha": ref.commit, "url": f"{place.api}/commits/{ref.commit}"},
        "tarball_url": f"{place.api}/tarball/{quoted(ref.name)}",
        "node_id": node_id("Tag", ref.name),
    }
