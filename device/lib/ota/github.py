"""The three requests to a GitHub-shaped host, and what its refusals mean. github.com, or GitHub Enterprise's paths on one host."""

from .errors import error
from .url import quote

MAX_REF_PARTS = 4  # how many slashes a branch name may hold, less one: each further try is an API call
MAIN = "main"
HEADERS = {"User-Agent": "cota", "X-GitHub-Api-Version": "2022-11-28"}  # GitHub refuses a request without User-Agent
SHA_ONLY = "application/vnd.github.sha"  # the commit's 40 digits as the whole body
# The host's name and the path's start on github.com, and what is before that path on GitHub Enterprise.
_API = ("api.github.com", "/repos", "/api/v3")
_RAW = ("raw.githubusercontent.com", "", "/raw")
_REFUSALS = {401: "git_denied", 403: "git_denied", 404: "git_repo", 409: "git_empty", 422: "git_ref"}
_MINUTE = 60  # seconds; GitHub asks for a minute at least where it names no time
_DAY = 86400  # seconds; a host that asks for more is asked again after a day


def refs(repository):
    """The (ref, folder) pairs to try, shortest ref first, as two lists of segments."""
    rest = repository.rest
    if not rest:
        return [(MAIN, "")]
    return [("/".join(rest[:n]), "/".join(rest[n:])) for n in range(1, min(len(rest), MAX_REF_PARTS) + 1)]


def _url(repository, place, path, query=""):
    host, prefix, elsewhere = place
    target = prefix + "/" + quote(repository.owner + "/" + repository.name + "/" + path) + query
    if repository.is_github:
        return "https", host, 443, target
    return repository.scheme, repository.host, repository.port, elsewhere + target


def commit_url(repository, ref):
    """GET /repos/{owner}/{repo}/commits/{ref}, to be asked for with `Accept: SHA_ONLY`."""
    return _url(repository, _API, "commits/" + ref)


def tree_url(repository, commit):
    """GET /repos/{owner}/{repo}/git/trees/{commit}?recursive=1: every path of the commit in one answer."""
    return _url(repository, _API, "git/trees/" + commit, "?recursive=1")


def raw_url(repository, commit, path):
    """The bytes of one file at a commit: immutable, so no cache can hold them stale."""
    return _url(repository, _RAW, commit + "/" + path)


def is_commit(text):
    """True for the 40 hexadecimal digits of a commit, as bytes."""
    return len(text) == 40 and not text.strip(b"0123456789abcdef")


def refusal(status, headers, what, listed=False):
    """The exception for an answer that is not 200 (or 206 to a Range); `what` names the request's object.

    What the listing names at this commit exists: a host that denies it (`listed`) may have it later.
    """
    code = _REFUSALS.get(status, "git_status")
    seconds = wait(headers)
    if status == 429 or (status == 403 and (headers.get("x-ratelimit-remaining") == "0" or "retry-after" in headers)):
        code = "git_limit"
        seconds = seconds or _MINUTE
    elif listed and status in (404, 409, 422):
        code = "git_answer"
    return error(code, what + " (HTTP " + str(status) + ")", seconds)


def wait(headers):
    """Seconds that an answer asks to wait, or None: Retry-After (RFC 9110 10.2.3), or GitHub's x-ratelimit-reset where nothing remains.

    A board has no clock: a time is read against the answer's own Date, both within a day, because GitHub's limits are hourly.
    """
    after, reset, now = [headers.get(name, "") for name in ("retry-after", "x-ratelimit-reset", "date")]
    if after.encode().isdigit() and len(after) < 10:
        return min(int(after), _DAY)
    until = _clock(after)
    if until is None and reset.encode().isdigit() and len(reset) < 12 and headers.get("x-ratelimit-remaining") == "0":
        until = int(reset)
    now = _clock(now)
    if now is None or until is None:
        return None
    seconds = (until - now) % _DAY
    return seconds if seconds < _DAY // 2 else 1  # what is more lies behind


def _clock(text):
    """The seconds of the day of an IMF-fixdate (RFC 9110 5.6.7) such as `Sun, 06 Nov 1994 08:49:37 GMT`, or None if it is not one."""
    try:
        hour, minute, second = [int(part) for part in text[17:25].split(":")]
    except ValueError:
        return None
    return hour * 3600 + minute * 60 + second
