"""URLs, as far as a board needs them: an http(s) URL, and the address of a repository's folder at a ref."""

from binascii import unhexlify

from .errors import error

MAX_URL = 512  # ThingsBoard holds 255 characters; the Git host's own redirects are longer
PORTS = {"http": 80, "https": 443}
_PLAIN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/"  # RFC 3986 2.3, and the separator
_GITHUB = ("github.com", "www.github.com")


def split(url):
    """Split an http(s) URL into (scheme, host, port, target); the fragment is dropped.

    White space is refused here, what else a request cannot hold by http.request_head.

    Raises:
        InvalidGithubRepoUrlError: not such a URL ("url"), or it carries a user name or token ("url_secret").
    """
    scheme, mark, rest = url.partition("://")
    scheme = scheme.lower()
    if not mark or scheme not in PORTS or len(url) > MAX_URL or url.split() != [url]:
        raise error("url", _shown(url))
    rest = rest.split("#")[0]
    host = rest.split("/")[0].split("?")[0]
    target = rest[len(host) :]
    host = host.lower()
    if "@" in host:
        raise error("url_secret")
    port = PORTS[scheme]
    if ":" in host:
        host, _, digits = host.partition(":")
        port = int(digits) if digits.encode().isdigit() and len(digits) < 6 else 0
    if not host or not 0 < port < 65536:
        raise error("url", _shown(url))
    return scheme, host, port, target if target[:1] == "/" else "/" + target


def join(base, location):
    """The (scheme, host, port, target) that a redirect's `Location` names, seen from `base` (RFC 9110 10.2.2)."""
    if location[:2] == "//":
        location = base[0] + ":" + location
    if location[:1] == "/":
        return base[:3] + (location,)
    return split(location)


def quote(text):
    """Percent-encode a path as UTF-8, `/` kept (RFC 3986 2.1)."""
    return "".join([chr(b) if b in _PLAIN else "%%%02X" % b for b in text.encode()])


def unquote(text):
    """Undo percent-encoding; raises the "url" error where it is malformed or not UTF-8."""
    parts = text.split("%")
    out = bytearray(parts[0].encode())
    try:
        for part in parts[1:]:
            out.append(unhexlify(part[:2])[0])
            out.extend(part[2:].encode())
        return out.decode()
    except (ValueError, IndexError):  # UnicodeError is a ValueError
        raise error("url", text[:80])


def _shown(url):
    """What an error may repeat of a URL: nothing before an @, where a token would stand."""
    return url[url.rfind("@") + 1 :][:80]


class Repository:
    """Where a release lives: `scheme`, `host`, `port`, `owner`, `name`, and the segments after `/tree/` in `rest`.

    `rest` is empty for the branch `main`. How many of its segments belong to the ref is known only to the Git host, because a branch
    may hold slashes.
    """

    def __init__(self, url, hosts=()):
        """Read `fw_url`; `hosts` are the `host` or `host:port` names of COTA_GIT_HOSTS.

        Raises:
            InvalidGithubRepoUrlError: "url", "url_secret" or "git_host".
        """
        self.scheme, self.host, self.port, target = split(url)
        self.is_github = self.host in _GITHUB and self.port == PORTS[self.scheme]
        if not self.is_github and self.host not in hosts and self.host + ":" + str(self.port) not in hosts:
            raise error("git_host", self.host)
        parts = [unquote(part) for part in target.split("?")[0].split("/") if part]
        if len(parts) < 2 or (len(parts) > 2 and (parts[2] != "tree" or len(parts) < 4)) or "." in parts or ".." in parts:
            raise error("url", _shown(url))
        self.owner = parts[0]
        self.name = parts[1][:-4] if parts[1].endswith(".git") else parts[1]
        self.rest = parts[3:]
        if not self.name:
            raise error("url", _shown(url))
