"""jsDelivr for repositories of GitHub: the data API below /v1/packages/gh, and the files of its CDN below /gh.

It follows https://www.jsdelivr.com/docs/data.jsdelivr.com ("Get package metadata", "Get version metadata", "Resolve package version") and
https://www.jsdelivr.com/documentation ("GitHub"). What a client of GitHub would trip over:

* there are no commits and no Git ids: a listing has the SHA-256 of each file in base64, its size, and no mode; what is no plain file is
  not in it;
* a version is a tag (a `v` before it may be left out), a branch without a slash, or a whole commit id; a listing repeats it as it was
  asked for, so that a branch cannot be pinned here;
* `resolved?specifier=` knows versions only, and answers `null` for a branch;
* nothing private is ever found, whatever token is sent;
* a package of more than 50 MB and a file of more than 20 MB are 403.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from cota.git import EmptyRepositoryError, GitError, NoSuchPathError, NoSuchRefError, Repository
from cota.git.types import MODE_EXECUTABLE, MODE_FILE
from cota.lab.githost import shapes
from cota.lab.githost.desk import Desk
from cota.lab.githost.files import HARMLESS, media_type, ranged_reply
from cota.lab.githost.replies import RefusedError

MAX_PACKAGE_BYTES = 50 * 1024 * 1024
MAX_FILE_BYTES = 20 * 1024 * 1024
_TOO_LARGE = "Package size exceeded the configured limit of 50 MB."
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_RANGE = re.compile(r"\d+(\.\d+)?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_DOCS = "https://www.jsdelivr.com/docs/data.jsdelivr.com"
_STATIC = "public, max-age=31536000, s-maxage=31536000, immutable"
_MOVING = "public, max-age=604800, s-maxage=43200"


def answer_data(desk: Desk, request: Request, parts: list[str]) -> Response:
    """Answer a call of the data API.

    Args:
        desk: The host.
        request: The request.
        parts: The path's segments behind /v1/packages/gh, percent-decoded.
    """
    try:
        _require_get(request)
        match parts:
            case [owner, repo] if "@" in repo:
                repo, _, version = repo.partition("@")
                return _json(_files(desk, request, owner, repo, version))
            case [owner, repo]:
                return _json(_versions_of(desk, request, owner, repo))
            case [owner, repo, "resolved"]:
                return _json(_resolved(desk, request, owner, repo))
        raise RefusedError(404, "Not found.")
    except RefusedError as refused:
        return _json({"status": refused.status, "message": str(refused), "links": {"documentation": _DOCS}}, refused.status)
    except GitError:
        return _json({"status": 502, "message": "Bad gateway.", "links": {"documentation": _DOCS}}, 502)


def answer_cdn(desk: Desk, request: Request, parts: list[str]) -> Response:
    """Answer /gh/{owner}/{repo}[@{version}]/{path}; without a version the newest one, or the default branch where there is none.

    Args:
        desk: The host.
        request: The request.
        parts: The path's segments behind /gh, percent-decoded.
    """
    try:
        _require_get(request)
        owner, repo, *rest = [*parts, "", ""] if len(parts) < 2 else parts
        repo, _, asked = repo.partition("@")
        name = _public(desk, owner, repo)
        path = "/".join(rest)
        with desk.repositories.open(name) as repository:
            try:
                kind, version, sha = _version(repository, asked or "latest", moving=True)
            except RefusedError:
                raise RefusedError(404, f"Couldn't find the requested release version {asked}.") from None
            if sum(size for _, _, size in _listed(desk, repository, name, sha)) > MAX_PACKAGE_BYTES:
                raise RefusedError(403, _TOO_LARGE)
            entry = repository.find(sha, path.encode("utf-8", "surrogateescape"))
            if entry.mode not in (MODE_FILE, MODE_EXECUTABLE):
                raise NoSuchPathError("Not a file.")
            data = repository.blob(entry.sha)
        if len(data) > MAX_FILE_BYTES:
            raise RefusedError(403, "File size exceeded the configured limit of 20 MB.")
        fixed = kind == "commit" or (kind == "version" and asked.removeprefix("v") == version)
        headers = {
            "etag": f'W/"{len(data):x}-{base64.b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode().rstrip("=")}"',
            "accept-ranges": "bytes",
            "access-control-allow-origin": "*",
            "cache-control": _STATIC if fixed else _MOVING,
            "x-jsd-version": version,
            "x-jsd-version-type": kind,
            **HARMLESS,
        }
        return ranged_reply(request, data, headers, media_type(data))
    except RefusedError as refused:
        return _text(str(refused), refused.status)
    except NoSuchPathError:
        return _text(f"Couldn't find the requested file /{path} in {name}.", 404)
    except GitError:
        return _text("Bad gateway.", 502)


def _require_get(request: Request) -> None:
    if request.method not in ("GET", "HEAD"):
        raise RefusedError(405, "Method not allowed.")


def _public(desk: Desk, owner: str, repo: str) -> str:
    name = desk.repositories.full_name(owner, repo)
    if name is None or desk.tokens.is_private(name):
        raise RefusedError(404, f"Couldn't fetch versions for {owner}/{repo}.")
    return name


def _json(value: object, status: int = 200) -> Response:
    # As it comes from there: indented, which a reader of a board must stand.
    body = json.dumps(value, indent=2, ensure_ascii=False).encode("utf-8", "replace")
    return Response(body, status, {"access-control-allow-origin": "*"}, "application/json; charset=utf-8")


def _text(message: str, status: int) -> Response:
    # A path may hold what is not UTF-8.
    return PlainTextResponse(message.encode("utf-8", "replace"), status)


def _tags(repository: Repository) -> dict[str, str]:
    """Give versions with their commits; a `v` before a number is left out, as there."""
    tags = {tag.name.removeprefix("refs/tags/"): tag.commit for tag in repository.tags()}
    return {(name[1:] if name.startswith("v") else name): commit for name, commit in tags.items() if name != "v"}


def _numbers(version: str) -> tuple[int, ...]:
    found = _VERSION.fullmatch(version)
    return tuple(map(int, found.groups())) if found else ()


def _newest(versions: dict[str, str], wanted: str) -> str | None:
    """Give the highest full version that a start of one, such as "1" or "1.2", or "latest" stands for; None where there is none."""
    if wanted != "latest" and not _RANGE.fullmatch(wanted):
        return None
    fitting = [one for one in versions if _numbers(one) and (wanted == "latest" or one.startswith(f"{wanted}."))]
    return max(fitting, key=_numbers, default=None)


def _version(repository: Repository, asked: str, *, moving: bool) -> tuple[str, str, str]:
    """Give the kind of a version, its name and its commit.

    Args:
        repository: The repository.
        asked: What stands behind the `@`.
        moving: Whether "latest" and ranges are taken too.
    """
    try:
        if _COMMIT.fullmatch(asked):
            repository.commit(asked)
            return "commit", asked, asked
        versions = _tags(repository)
        name = asked if asked in versions else asked.removeprefix("v")
        if name in versions:
            return "version", name, versions[name]
        if "/" not in asked and any(branch.name == f"refs/heads/{asked}" for branch in repository.branches()):
            return "branch", asked, repository.ref(f"refs/heads/{asked}").commit
        newest = _newest(versions, asked) if moving else None
        if newest is not None:
            return "version", newest, versions[newest]
        if moving and asked == "latest":
            return "branch", repository.default_branch, repository.resolve(repository.default_branch)
    except (NoSuchRefError, EmptyRepositoryError):
        pass
    raise RefusedError(
        404, f"Couldn't find version {asked}. Make sure you use a specific version number, and not a version range or a tag."
    )


def _listed(desk: Desk, repository: Repository, name: str, sha: str) -> list[tuple[str, str, int]]:
    """Give path, hash and size of each plain file of a commit."""
    key = ("jsdelivr", name, sha)
    held = desk.cache.get(key)
    if held is None:
        held = json.dumps(list(_hashed(repository, sha))).encode("ascii")
        desk.cache.put(key, held)
    return [(str(path), str(digest), int(size)) for path, digest, size in json.loads(held)]


def _hashed(repository: Repository, sha: str) -> Iterator[tuple[str, str, int]]:
    for entry in repository.tree(sha, sizes=False):
        if entry.mode in (MODE_FILE, MODE_EXECUTABLE):
            data = repository.blob(entry.sha)
            yield f"/{shapes.text(entry.path)}", base64.b64encode(hashlib.sha256(data).digest()).decode("ascii"), len(data)


def _links(request: Request, name: str, version: str | None) -> dict[str, str]:
    base = f"{str(request.base_url).rstrip('/')}/v1"
    at = f"@{version}" if version else ""
    return {"self": f"{base}/packages/gh/{name}{at}", "stats": f"{base}/stats/packages/gh/{name}{at}"}


def _versions_of(desk: Desk, request: Request, owner: str, repo: str) -> shapes.Json:
    name = _public(desk, owner, repo)
    with desk.repositories.open(name) as repository:
        versions = sorted(_tags(repository), key=lambda one: (_numbers(one), one), reverse=True)
    return {
        "type": "gh",
        "name": name,
        "tags": {},
        "versions": [{"version": one, "links": _links(request, name, one)} for one in versions],
        "links": {"stats": _links(request, name, None)["stats"]},
    }


def _resolved(desk: Desk, request: Request, owner: str, repo: str) -> shapes.Json:
    name = _public(desk, owner, repo)
    asked = request.query_params.get("specifier") or "latest"
    with desk.repositories.open(name) as repository:
        versions = _tags(repository)
    exact = next((one for one in (asked, asked.removeprefix("v")) if one in versions), None)
    found = exact or _newest(versions, asked)
    return {"type": "gh", "name": name, "version": found, "links": _links(request, name, found) if found else {}}


def _files(desk: Desk, request: Request, owner: str, repo: str, asked: str) -> shapes.Json:
    name = _public(desk, owner, repo)
    structure = request.query_params.get("structure", "tree")
    if structure not in ("tree", "flat"):
        raise RefusedError(400, 'Invalid value of the parameter structure. It must be one of "tree", "flat".')
    with desk.repositories.open(name) as repository:
        _, _, sha = _version(repository, asked, moving=False)
        listed = _listed(desk, repository, name, sha)
    if sum(size for _, _, size in listed) > MAX_PACKAGE_BYTES:
        raise RefusedError(403, _TOO_LARGE)
    flat: list[shapes.Json] = [{"name": path, "hash": digest, "size": size} for path, digest, size in listed]
    return {
        "type": "gh",
        "name": name,
        "version": asked,
        "default": None,
        "files": flat if structure == "flat" else _nested(listed),
        "links": {"stats": _links(request, name, asked)["stats"]},
    }


def _nested(listed: list[tuple[str, str, int]]) -> list[shapes.Json]:
    top: list[shapes.Json] = []
    folders: dict[str, list[shapes.Json]] = {"": top}
    for path, digest, size in listed:
        *way, last = path.removeprefix("/").split("/")
        here, where = top, ""
        for name in way:
            where += f"/{name}"
            if where not in folders:
                folders[where] = []
                here.append({"type": "directory", "name": name, "files": folders[where]})
            here = folders[where]
        here.append({"type": "file", "name": last, "hash": digest, "size": size})
    for content in folders.values():
        content.sort(key=lambda one: one["type"] != "directory")
    return top
