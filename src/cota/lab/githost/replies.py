"""Answers: what every shape of the Git host says the same way, and GitHub's JSON with an ETag and its error bodies."""

import hashlib
import json
from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response

from cota.git import EmptyRepositoryError, GitError, NoSuchPathError, NoSuchRefError

_DOCS = "https://docs.github.com/rest"
_LIMIT_DOCS = "https://docs.github.com/rest/overview/resources-in-the-rest-api#rate-limiting"
# GitHub answers this one as text, before anything looks at the path.
_NO_USER_AGENT = (
    "\r\nRequest forbidden by administrative rules. Please make sure your request has a User-Agent header "
    "(https://docs.github.com/en/rest/overview/resources-in-the-rest-api#user-agent-required). "
    "Check https://developer.github.com for other possible causes.\r\n"
)


class RefusedError(Exception):
    """An answer that is not a success, in whichever shape.

    Attributes:
        status: Its status.
        message: The sentence that it gives.
        docs: The page that GitHub names with it.
    """

    def __init__(self, status: int, message: str, docs: str = _DOCS) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.docs = docs


NOT_FOUND = "Not Found"


def no_user_agent() -> Response:
    """Refuse a request without a User-Agent, as GitHub does."""
    return Response(_NO_USER_AGENT, 403, media_type="text/html")


def limit_exceeded(address: str) -> RefusedError:
    """Give the refusal of a client that used its calls up."""
    message = (
        f"API rate limit exceeded for {address}. (But here's the good news: Authenticated requests get a higher rate limit. "
        "Check out the documentation for more details.)"
    )
    return RefusedError(403, message, _LIMIT_DOCS)


def refusal_of(error: GitError) -> RefusedError:
    """Give GitHub's answer to what the repository could not do; the error's own text, which names a folder, stays here."""
    if isinstance(error, EmptyRepositoryError):
        return RefusedError(409, "Git Repository is empty.", f"{_DOCS}/git/trees#get-a-tree")
    if isinstance(error, NoSuchRefError | NoSuchPathError):
        return RefusedError(404, NOT_FOUND)
    return RefusedError(500, "Server Error: the repository cannot be read.")


def error_reply(refusal: RefusedError) -> Response:
    """Give an error with GitHub's JSON body."""
    body = {"message": refusal.message, "documentation_url": refusal.docs, "status": str(refusal.status)}
    return Response(json.dumps(body), refusal.status, media_type="application/json; charset=utf-8")


def matches(header: str | None, etag: str) -> bool:
    """Say whether an If-None-Match header names an ETag, compared weakly (RFC 9110, 13.1.2)."""
    if header is None:
        return False
    asked = [one.strip().removeprefix("W/") for one in header.split(",")]
    return "*" in asked or etag.removeprefix("W/") in asked


def reply(request: Request, body: bytes, etag: str, media_type: str, headers: Mapping[str, str] | None = None) -> Response:
    """Give 200 with an ETag, or 304 where the client holds this body already."""
    shared = {"etag": etag, **(headers or {})}
    if matches(request.headers.get("if-none-match"), etag):
        return Response(None, 304, shared)
    return Response(body, 200, shared, media_type)


def encode(value: object) -> bytes:
    """Give a value as JSON without blanks; what is not UTF-8 in it becomes U+FFFD."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "replace")


def json_reply(request: Request, body: bytes, headers: Mapping[str, str] | None = None, media: str = "github.v3; format=json") -> Response:
    """Give JSON as GitHub's API does: weak ETag, a minute of caching."""
    scope = "private" if "authorization" in request.headers else "public"
    shared = {
        "cache-control": f"{scope}, max-age=60, s-maxage=60",
        "vary": "Accept, Authorization, Cookie, X-GitHub-OTP,Accept-Encoding, Accept, X-Requested-With",
        "x-github-media-type": media,
        **(headers or {}),
    }
    etag = f'W/"{hashlib.sha256(body).hexdigest()}"'
    return reply(request, body, etag, "application/json; charset=utf-8", shared)


def wants(request: Request, kind: str) -> bool:
    """Say whether the Accept header asks for a media type of GitHub's, such as "raw" or "sha"."""
    names = [one.split(";")[0].strip().lower() for one in request.headers.get("accept", "").split(",")]
    known = {f"application/vnd.github.{version}{kind}{form}" for version in ("", "v3.") for form in ("", "+json")}
    return any(name in known for name in names)


Handler = Callable[[Request], Response]
