"""The links to the Git host: the repository, the ref, the folder, and how many calls are left."""

import time
from dataclasses import dataclass
from urllib.parse import quote, unquote

import httpx2

from cota.doctor.chain import Said, UncheckedError, WrongError
from cota.doctor.facts import Facts

GITHUB_API = "https://api.github.com"
_GITHUB = ("github.com", "www.github.com")
_HEADERS = {"User-Agent": "cota", "X-GitHub-Api-Version": "2022-11-28"}
_MAX_REF_PARTS = 4  # how many slashes the board tries in a ref, less one (ota.github)
_CALLS = 2  # of an update: the commit and the listing


@dataclass(frozen=True)
class Source:
    """Where fw_url leads.

    Attributes:
        api: The start of the Git host's API.
        name: OWNER/NAME.
        rest: What stands behind /tree/: a ref, and possibly a folder.
    """

    api: str
    name: str
    rest: tuple[str, ...]


def read_source(url: str, hosts: list[str] | None) -> Source:
    """Read fw_url as the board does.

    Args:
        url: fw_url.
        hosts: COTA_GIT_HOSTS; None where the board's settings are not known.

    Raises:
        WrongError: The board would refuse it.
    """
    parsed = httpx2.URL(url)
    if "@" in url.partition("://")[2].partition("/")[0]:
        raise WrongError(
            "fw_url holds a user name or a token.", "Make a package whose URL has none; everybody who sees the device sees it."
        )
    port = parsed.port or {"http": 80, "https": 443}.get(parsed.scheme, 0)
    parts = [unquote(part) for part in parsed.raw_path.decode().split("?")[0].split("/") if part]
    if not port or len(parts) < 2 or (len(parts) > 2 and (parts[2] != "tree" or len(parts) < 4)):
        raise WrongError(
            f"fw_url is not the address of a repository: {url}.",
            "It is https://github.com/OWNER/NAME, with /tree/REF/FOLDER behind it or not.",
        )
    name = f"{parts[0]}/{parts[1].removesuffix('.git')}"
    if parsed.host in _GITHUB and parsed.port is None:
        return Source(GITHUB_API, name, tuple(parts[3:]))
    if hosts is not None and parsed.host not in hosts and f"{parsed.host}:{port}" not in hosts:
        raise WrongError(
            f"The board does not allow the Git host {parsed.host}:{port}.",
            f'Set COTA_GIT_HOSTS = "{parsed.host}:{port}" in its settings.toml; the host must speak as GitHub Enterprise does.',
        )
    return Source(f"{parsed.scheme}://{parsed.host}:{port}/api/v3", name, tuple(parts[3:]))


def check_source(facts: Facts) -> Said:
    """The repository is there and open, and has the ref and the folder."""
    url = str((facts.shared or {}).get("fw_url", ""))
    if not url:
        raise UncheckedError("no address of a repository is known")
    hosts = None if facts.settings is None else facts.settings.get("COTA_GIT_HOSTS", "").lower().replace(" ", "").split(",")
    source = read_source(url, hosts)
    if _ask(facts, source, "").status_code == 404:
        raise WrongError(
            f"The repository {source.name} does not exist, or is private.", "Check fw_url; boards read public repositories only."
        )
    rest = source.rest or ("main",)
    for count in range(1, min(len(rest), _MAX_REF_PARTS) + 1):
        ref, folder = "/".join(rest[:count]), "/".join(rest[count:])
        answer = _ask(facts, source, f"/commits/{quote(ref)}", {"Accept": "application/vnd.github.sha"})
        if answer.status_code == 200:
            commit = answer.text.strip()
            if folder and _ask(facts, source, f"/contents/{quote(folder)}?ref={commit}").status_code == 404:
                continue
            notes = [] if ref.startswith(commit[:7]) or len(ref) == 40 else [f"{ref} may move; `cota publish` pins the commit."]
            return Said(f"{source.name} at {ref}{' in ' + folder if folder else ''}: commit {commit[:10]}", notes)
        if answer.status_code == 409:
            raise WrongError(f"The repository {source.name} is empty.", "Push something to it.")
    raise WrongError(
        f"{source.name} has no branch, tag or commit, or no such folder in it: {'/'.join(rest)}.",
        "Push it, or make a package with another URL.",
    )


def check_limit(facts: Facts) -> Said:
    """The Git host still answers calls from here."""
    if facts.remaining is None:
        is_known = bool((facts.shared or {}).get("fw_url"))
        raise UncheckedError("the Git host does not tell" if is_known else "no address of a repository is known")
    if facts.remaining < _CALLS:
        raise WrongError(
            f"The Git host allows {facts.remaining} more calls in this hour, and an update takes {_CALLS}.",
            "Wait for the next hour. The limit counts all devices behind one address; updates of many boards need it to be larger.",
        )
    return Said(f"{facts.remaining} calls left to this network's address in this hour; an update takes {_CALLS}")


def _ask(facts: Facts, source: Source, path: str, headers: dict[str, str] | None = None) -> httpx2.Response:
    url = f"{source.api}/repos/{quote(source.name)}{path}"
    try:
        answer = facts.net.get(url, headers={**_HEADERS, **(headers or {})}, follow=True)
    except httpx2.HTTPError as error:
        raise WrongError(f"The Git host cannot be reached: {error}.", "Check the host in fw_url, and this computer's network.") from None
    left = answer.headers.get("x-ratelimit-remaining", "")
    facts.remaining = int(left) if left.isdigit() else facts.remaining
    if answer.status_code == 429 or (answer.status_code == 403 and left == "0"):
        reset = answer.headers.get("x-ratelimit-reset", "")
        minutes = max(1, round((int(reset) - time.time()) / 60)) if reset.isdigit() else 60
        raise WrongError(
            f"The Git host answers nobody from this address for {minutes} more minutes: its limit of calls an hour is spent.",
            "Wait. The limit counts all devices behind one address.",
        )
    if answer.status_code in (401, 403):
        raise WrongError(
            f"The Git host refuses to show {source.name} (HTTP {answer.status_code}).", "Boards read public repositories only."
        )
    if answer.status_code >= 500:
        raise WrongError(f"The Git host answers {answer.status_code}.", "Try again later; boards do.")
    return answer
