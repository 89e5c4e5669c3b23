"""A release from a Git host, read with the requests that a board makes: so what is read here, a board can read too."""

import datetime
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import quote

import httpx2

from cota.errors import AnswerIsNoError, CotaError
from cota.git.types import MODE_SUBMODULE
from cota.publish.address import Address
from cota.publish.source import File, Snapshot, blob_id
from cota.thingsboard.address import is_loopback

# GitHub refuses a request without User-Agent.
_HEADERS = {"User-Agent": "cota", "X-GitHub-Api-Version": "2022-11-28", "Accept": "application/vnd.github+json"}
_TIMEOUT_SECONDS = 30.0
_CONNECTIONS = 8
_MAX_ANSWER = 64 * 1024 * 1024  # GitHub stops a listing at 7 MB


@dataclass(frozen=True)
class _Answer:
    status: int
    data: bytes
    calls_left: str


class NotReachedError(CotaError):
    """The Git host gave no answer that says anything about the repository."""


class GitHost:
    """A repository on a Git host; close it, or use it in a `with`.

    Args:
        address: Where it is.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        host = address.host.partition(":")[0]
        self._http = httpx2.Client(
            headers=_HEADERS,
            timeout=_TIMEOUT_SECONDS,
            follow_redirects=True,
            limits=httpx2.Limits(max_connections=_CONNECTIONS),
            trust_env=not is_loopback(host),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        self._http.close()

    def commit(self, ref: str) -> tuple[str, int]:
        """Give the commit that a branch, tag or commit stands for, and when it was committed.

        Raises:
            AnswerIsNoError: There is no such repository or ref.
            NotReachedError: The host gave no answer to that.
        """
        answer = self._get(f"{self.address.api}/commits/{quote(ref)}")
        if answer.status in (404, 422):
            self._refuse_missing(ref)
        found = self._json(answer)
        when = datetime.datetime.fromisoformat(found["commit"]["committer"]["date"].replace("Z", "+00:00"))
        return found["sha"], int(when.timestamp())

    def has(self, commit: str) -> bool:
        """Say whether the host has a commit and shows it to everybody.

        Raises:
            AnswerIsNoError: There is no such repository, or it is private.
            NotReachedError: The host gave no answer to that.
        """
        try:
            return self.commit(commit)[0] == commit
        except NoSuchRefError:
            return False

    def snapshot(self, ref: str | None, folder: str) -> Snapshot:
        """Read a release; see `Source`."""
        commit, time = self.commit(ref or "HEAD")
        answer = self._get(f"{self.address.api}/git/trees/{commit}?recursive=1")
        listing = self._json(answer)
        if listing.get("truncated"):
            raise AnswerIsNoError(
                f"{self.address.url} is too large to be listed at once, so boards cannot read it.",
                "Keep the boards' files in a repository of their own.",
            )
        prefix = f"{folder}/" if folder else ""
        entries = [
            File(str(line["path"]), str(line["path"]), int(line["mode"], 8), str(line["sha"]), int(line.get("size", 0)))
            for line in listing["tree"]
            if line["type"] != "tree"
        ]
        files = [replace(one, path=one.path[len(prefix) :]) for one in entries if one.path.startswith(prefix)]
        if not files:
            what = f"has no folder {folder!r}" if folder else "is empty"
            raise AnswerIsNoError(f"{self.address.url} {what} at {commit[:12]}.", "Upper and lower case count in --folder.")
        outer = {one.path: one for one in entries if "/" not in one.path}
        tags = (ref.removeprefix("refs/tags/"),) if ref and self._is_tag(ref, commit) else ()

        def read(wanted: Iterable[File]) -> Mapping[str, bytes]:
            chosen = list(wanted)
            with ThreadPoolExecutor(_CONNECTIONS) as pool:
                found = pool.map(lambda file: self._bytes(commit, file), chosen)
                return dict(zip((file.path for file in chosen), found, strict=True))

        return Snapshot(self.address, commit, time, folder, tuple(files), tags, outer, read)

    def _is_tag(self, ref: str, commit: str) -> bool:
        if commit.startswith(ref.lower()) or ref.startswith("refs/heads/"):
            return False
        return self._get(f"{self.address.api}/git/ref/tags/{quote(ref.removeprefix('refs/tags/'))}").status == 200

    def _bytes(self, commit: str, file: File) -> bytes:
        if file.mode == MODE_SUBMODULE:
            return b""
        answer = self._get(self.address.raw(commit, file.place))
        if answer.status != 200:
            raise self._not_said(answer)
        if blob_id(answer.data) != file.sha:
            raise CotaError(
                f"{self.address.url} gave other bytes for {file.place} than its listing names.", "Try again; a cache may lie between."
            )
        return answer.data

    def _refuse_missing(self, ref: str) -> None:
        answer = self._get(self.address.api)
        if answer.status == 404:
            raise AnswerIsNoError(
                f"{self.address.url} does not exist, or is private; boards can read public repositories only.",
                "Check owner and name, and make the repository public.",
            )
        if answer.status == 200:
            raise NoSuchRefError(
                f"{self.address.url} has no branch, tag or commit {ref!r}.", "`git push` it first; `git push --tags` for a tag."
            )
        raise self._not_said(answer)

    def _get(self, url: str) -> "_Answer":
        try:
            with self._http.stream("GET", url) as answer:
                data = bytearray()
                for piece in answer.iter_bytes():
                    data += piece
                    if len(data) > _MAX_ANSWER:
                        raise NotReachedError(f"{self.address.host} answers without end.", "Check the address.")
        except httpx2.HTTPError as error:
            raise NotReachedError(
                f"The Git host {self.address.host} cannot be reached: {error}.", "Check the address and the network; boards need it too."
            ) from error
        return _Answer(answer.status_code, bytes(data), answer.headers.get("x-ratelimit-remaining", ""))

    def _json(self, answer: "_Answer") -> Any:
        if answer.status == 409:
            raise AnswerIsNoError(f"{self.address.url} has no commit yet.", "Commit something and push it.")
        if answer.status != 200:
            raise self._not_said(answer)
        try:
            return json.loads(answer.data)
        except ValueError:
            raise NotReachedError(f"{self.address.host} answers, but not as GitHub does.", "Check the address of the repository.") from None

    def _not_said(self, answer: "_Answer") -> CotaError:
        if answer.status == 429 or (answer.status == 403 and answer.calls_left == "0"):
            return NotReachedError(
                f"{self.address.host} has answered enough for this address for now (its rate limit).",
                "Wait up to an hour, or publish from a checkout (--repo PATH), which needs one request.",
            )
        return NotReachedError(f"{self.address.host} answered {answer.status}.", "Try again; look at the host's status page.")


class NoSuchRefError(AnswerIsNoError):
    """The repository is there, and nothing in it has this name."""
