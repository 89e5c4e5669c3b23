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
_UNKNOWN_WAIT = 60  # seconds; GitHub asks for a minute at least where it names no time


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
    """True for the 40 hexadecimal digits of a commit."""
    return len(text) == 40 and not text.strip("0123456789abcdef")


def refusal(status, headers, what):
    """The exception for an answer that is not 200 (or 206 to a Range); `what` names the request's object."""
    detail = what + " (HTTP " + str(status) + ")"
    if status == 429 or (status == 403 and (headers.get("x-ratelimit-remaining") == "0" or "retry-after" in headers)):
        return error("git_limit", detail, _wait(headers))
    return error(_REFUSALS.get(status, "git_status"), detail)


def _wait(headers):
    """Seconds until the limit is over. A board has no clock: the reset time is read against the answer's own Date."""
    after = headers.get("retry-after", "")
    if after.isdigit() and len(after) < 6:
        return int(after)
    reset, now = headers.get("x-ratelimit-reset", ""), http_date(headers.get("date", ""))
    if reset.isdigit() and len(reset) < 12 and now:
        return min(max(int(reset) - now, 1), 7200)
    return _UNKNOWN_WAIT


def http_date(text):
    """Epoch seconds of an IMF-fixdate (RFC 9110 5.6.7) such as `Sun, 06 Nov 1994 08:49:37 GMT`, or 0 if it is not one."""
    parts = text.replace(":", " ").split()
    try:
        day, year, hour, minute, second = [int(parts[i]) for i in (1, 3, 4, 5, 6)]
        month = "JanFebMarAprMayJunJulAugSepOctNovDec".index(parts[2]) // 3 + 1
    except (ValueError, IndexError):
        return 0
    # Days since 1970 by counting from March, so that the leap day ends the year.
    shifted = year - (month < 3)
    days = 365 * shifted + shifted // 4 - shifted // 100 + shifted // 400 + (153 * ((month + 9) % 12) + 2) // 5 + day - 719469
    return ((days * 24 + hour) * 60 + minute) * 60 + second
