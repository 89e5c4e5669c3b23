"""One call of GitLab's API: its query, and answers and errors in GitLab's form."""

import hashlib

from starlette.requests import Request
from starlette.responses import Response

from cota.git import Repository
from cota.lab.githost.replies import RefusedError, encode, matches


class GitLabError(RefusedError):
    """A refusal of GitLab's API.

    Attributes:
        key: What its JSON names the sentence by: "message", or "error" where the call itself was not found or understood.
    """

    def __init__(self, status: int, message: str, key: str = "message") -> None:
        super().__init__(status, message)
        self.key = key


class Call:
    """One request for one project.

    Attributes:
        request: The request.
        query: Its query.
        repository: Open until the answer is made.
        base: The host's address without a slash at the end.
        name: "owner/repo".
        private: Whether only a token opens it.
    """

    def __init__(self, request: Request, repository: Repository, base: str, name: str, private: bool) -> None:
        self.request, self.repository, self.base, self.name, self.private = request, repository, base, name, private
        self.query = request.query_params

    def ref(self) -> str:
        """Give the ref that is meant."""
        return self.query.get("ref") or "HEAD"

    def number(self, name: str, default: int) -> int:
        """Read a number of the query, which must be one and not 0."""
        text = self.query.get(name, "")
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise GitLabError(400, f"{name} is invalid", "error")
        if int(text) == 0:
            raise GitLabError(400, f"{name} has a value not allowed", "error")
        return int(text)

    def flag(self, name: str) -> bool:
        """Read a boolean of the query, which must be one."""
        text = self.query.get(name, "").lower()
        if text not in ("", "true", "t", "on", "1", "false", "f", "off", "0"):
            raise GitLabError(400, f"{name} is invalid", "error")
        return text in ("true", "t", "on", "1")


def json_reply(request: Request, value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Give JSON with an ETag, or 304 where the client holds it."""
    body = encode(value)
    shared = {"cache-control": "max-age=0, private, must-revalidate", "vary": "Origin", **(headers or {})}
    if status == 200:
        shared["etag"] = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
        if matches(request.headers.get("if-none-match"), shared["etag"]):
            return Response(None, 304, shared)
    return Response(body, status, shared, "application/json")
