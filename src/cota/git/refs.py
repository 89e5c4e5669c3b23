"""Names to commits: what a branch, a tag, a commit id or HEAD stands for."""

import re
from typing import TYPE_CHECKING

from cota.git.errors import AmbiguousRefError, EmptyRepositoryError, NoSuchRefError
from cota.git.types import Ref

if TYPE_CHECKING:
    from dulwich.objects import ObjectID
    from dulwich.repo import Repo

# Where a short name is looked up, in this order. GitHub lets a branch win over a tag of the same name.
_PLACES = ("refs/heads/", "refs/tags/", "refs/remotes/", "refs/")
_HEX = re.compile(r"[0-9a-fA-F]+")
# Git takes no fewer digits for a short id (core.abbrev in git-config(1)).
_MIN_SHORT = 4
_STEPS = re.compile(r"(?:~[0-9]{0,6}|\^[0-9]{0,2})+$")
_STEP = re.compile(r"([~^])([0-9]*)")
# Steps back in one name; more is a mistake, and each one reads an object.
_MAX_STEPS = 10_000
# Tags that point at tags; Git itself writes one.
_MAX_TAGS = 8


def read_ref(repo: "Repo", full: str) -> "ObjectID | None":
    """Give the object id that a full ref name or HEAD holds, symbolic refs followed; None where there is no such ref."""
    from dulwich.refs import Ref as RefName
    from dulwich.refs import SymrefLoop, check_ref_format

    name = RefName(full.encode("utf-8", "surrogateescape"))
    if full != "HEAD" and not (full.startswith("refs/") and check_ref_format(name)):
        return None
    try:
        return repo.refs.follow(name)[1]
    except (KeyError, OSError, SymrefLoop):
        # A folder of refs, or a name too long for the file system: in both cases no ref of that name.
        return None


def head_branch(repo: "Repo") -> str | None:
    """Give the branch that HEAD names, existing or not; None where HEAD is detached."""
    from dulwich.refs import HEADREF, SYMREF

    held = repo.refs.read_ref(HEADREF) or b""
    return held[len(SYMREF) :].decode("utf-8", "surrogateescape").removeprefix("refs/heads/") if held.startswith(SYMREF) else None


def peel(repo: "Repo", sha: "ObjectID") -> "ObjectID | None":
    """Follow tags to what they name and give it if it is a commit."""
    from dulwich.objects import Commit, Tag

    for _ in range(_MAX_TAGS):
        found = repo.object_store[sha]
        if isinstance(found, Commit):
            return found.id
        if not isinstance(found, Tag):
            return None
        sha = found.object[1]
    return None


def full_name(repo: "Repo", name: str) -> str | None:
    """Give the full name of a branch, tag or remote branch by its short or full name; None where there is none."""
    if name.startswith("refs/"):
        return name if read_ref(repo, name) is not None else None
    for place in _PLACES:
        if read_ref(repo, place + name) is not None:
            return place + name
    return None


def is_empty(repo: "Repo") -> bool:
    """Say whether no ref leads anywhere, as in a repository that was only just made."""
    return read_ref(repo, "HEAD") is None and not any(True for _ in repo.refs.allkeys() if repo.refs.follow(_)[1])


def _by_id(repo: "Repo", name: str) -> "ObjectID | None":
    from dulwich.objects import ObjectID

    digits = repo.object_format.hex_length
    if not _MIN_SHORT <= len(name) <= digits or not _HEX.fullmatch(name):
        return None
    prefix = name.lower().encode("ascii")
    if len(prefix) == digits:
        sha = ObjectID(prefix)
        return peel(repo, sha) if sha in repo.object_store else None
    found = {commit for sha in repo.object_store.iter_prefix(prefix) if (commit := peel(repo, sha)) is not None}
    if len(found) > 1:
        raise AmbiguousRefError(f"{name} begins the ids of {len(found)} commits.", "Give more digits of the commit id.")
    return found.pop() if found else None


def _start(repo: "Repo", name: str) -> "ObjectID | None":
    if name in ("HEAD", "@"):
        sha = read_ref(repo, "HEAD")
        return None if sha is None else peel(repo, sha)
    if len(name) == repo.object_format.hex_length and (found := _by_id(repo, name)) is not None:
        return found
    full = full_name(repo, name)
    if full is not None:
        sha = read_ref(repo, full)
        return None if sha is None else peel(repo, sha)
    return _by_id(repo, name)


def _steps_back(repo: "Repo", sha: "ObjectID", steps: str) -> "ObjectID | None":
    from dulwich.objects import Commit

    taken = 0
    for sign, digits in _STEP.findall(steps):
        count = int(digits) if digits else 1
        # "~3" is three first parents; "^2" is the second parent; "^0" and "~0" stay.
        hops = [0] * count if sign == "~" else ([count - 1] if count else [])
        for which in hops:
            taken += 1
            found = repo.object_store[sha]
            if taken > _MAX_STEPS or not isinstance(found, Commit) or which >= len(found.parents):
                return None
            sha = found.parents[which]
            if sha not in repo.object_store:
                # Behind the last commit of a shallow clone.
                return None
    return sha


def resolve(repo: "Repo", name: str, where: str) -> str:
    """Give the commit that a name stands for.

    Args:
        repo: The repository.
        name: "HEAD", a branch, a tag, a full ref name, a whole or short commit id, each with "~2" or "^" behind it if wanted.
        where: How to name the repository in an error.

    Raises:
        EmptyRepositoryError: The repository has no commit at all.
        AmbiguousRefError: A short id begins several commits' ids.
        NoSuchRefError: Nothing answers to the name.
    """
    sha = _start(repo, name)
    if sha is None and (steps := _STEPS.search(name)) is not None:
        start = _start(repo, name[: steps.start()])
        sha = None if start is None else _steps_back(repo, start, steps.group())
    if sha is not None:
        return sha.decode("ascii")
    if is_empty(repo):
        raise EmptyRepositoryError(f"The Git repository at {where} has no commit yet.", "Commit something first.")
    shown = name.encode("utf-8", "replace").decode("utf-8")
    hint = "`git branch -a` and `git tag` list the names."
    if repo.get_shallow():
        hint = f"It is a shallow clone, and `git fetch --unshallow` brings what is older. {hint}"
    raise NoSuchRefError(f"The Git repository at {where} has no branch, tag or commit {shown!r}.", hint)


def list_refs(repo: "Repo", prefix: str) -> list[Ref]:
    """Give every ref under a prefix such as "refs/heads/" that leads to a commit, by name."""
    from dulwich.objects import Tag

    listed = []
    for name in sorted(repo.refs.allkeys()):
        full = name.decode("utf-8", "surrogateescape")
        if not full.startswith(prefix):
            continue
        sha = read_ref(repo, full)
        if sha is None or sha not in repo.object_store:
            continue
        commit = peel(repo, sha)
        if commit is None:
            continue
        kind = "tag" if isinstance(repo.object_store[sha], Tag) else "commit"
        listed.append(Ref(full, sha.decode("ascii"), kind, commit.decode("ascii")))
    return listed
