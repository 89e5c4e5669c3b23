"""Every error that leaves the library: a stable code, whether to try again, and one sentence.

Two roots, because a board cannot derive one class from two built-in ones: `OverTheAirUpdateError` for what is wrong with a release, a
server's answer or the drive, and `NetworkError`, which is a `ConnectionError` (or an `OSError` where a VM lacks that name), for a
network that does not carry. The code is what ThingsBoard shows; its family says what the device does next.
"""

try:
    _Connection = ConnectionError
except NameError:  # MicroPython
    _Connection = OSError

LATER = True  # try again after a wait
NEVER = False  # this release cannot be installed here; wait for another one, or for cota_retry

_NETWORK = {
    "wifi": "Wi-Fi is not joined",
    "dns": "the server's name was not found",
    "connect": "the server did not accept a connection",
    "tls": "the TLS handshake failed: the certificate is not trusted, or the name does not fit it",
    "timeout": "the server did not answer in time",
    "closed": "the connection was closed before the answer was complete",
    "slow": "the answer came too slowly",
    "http": "the answer is not valid HTTP",
}

_RELEASE = {
    "tb_token": (LATER, "ThingsBoard does not know this access token; check THINGSBOARD_DEVICE_TOKEN"),
    "tb_status": (LATER, "ThingsBoard answered with an unexpected status"),
    "tb_answer": (LATER, "ThingsBoard's answer could not be read"),
    "nothing": (LATER, "no release waits for this device"),
    "attributes": (NEVER, "the shared attributes of this package cannot be used"),
    "no_url": (NEVER, "this package has no URL; make a package with a link to a Git repository"),
    "url": (NEVER, "fw_url is not https://github.com/<owner>/<repo>[/tree/<ref>[/<folder>]]"),
    "url_secret": (NEVER, "fw_url carries a user name or token; make the package again without it"),
    "git_host": (NEVER, "fw_url names a host that is neither github.com nor in COTA_GIT_HOSTS"),
    "git_ref": (NEVER, "the repository has no such branch, tag or commit"),
    "git_repo": (NEVER, "the repository does not exist, or is private"),
    "git_empty": (NEVER, "the repository is empty"),
    "git_folder": (NEVER, "the repository has no such folder, or the folder is empty"),
    "git_denied": (NEVER, "the Git host refuses access to the repository"),
    "git_limit": (LATER, "the Git host's rate limit is used up"),
    "git_status": (LATER, "the Git host answered with an unexpected status"),
    "git_answer": (LATER, "the Git host's answer could not be read"),
    "listing_truncated": (NEVER, "the repository is too large for the Git host to list whole"),
    "listing_cut": (LATER, "the listing ended early"),
    "too_many": (NEVER, "the release has too many files"),
    "path_fat": (NEVER, "a FAT drive cannot hold this path"),
    "path_long": (NEVER, "this path is too long for a board"),
    "path_kept": (NEVER, "the drive keeps a file or folder where the release needs this name; see COTA_KEEP"),
    "path_case": (NEVER, "two paths differ only by upper and lower case, which a FAT drive cannot hold"),
    "symlink": (NEVER, "the release holds a symbolic link, which a FAT drive cannot hold"),
    "submodule": (NEVER, "the release holds a Git submodule, which a board cannot follow"),
    "lfs": (NEVER, "this file is only a Git LFS pointer; keep the file itself in the repository"),
    "ignore": (NEVER, ".cotaignore is too long or not UTF-8"),
    "boot_hook": (NEVER, "the release's boot.py lacks cOTA's hook; take boot.py from cOTA's device folder, or name it in .cotaignore"),
    "hash": (LATER, "the bytes that arrived are not the release's"),
    "staged": (LATER, "the staged bytes did not read back as they were written"),
    "space": (NEVER, "the release does not fit on the drive"),
    "read_only": (LATER, "the drive is not writable to the updater: USB holds it"),
    "flash": (LATER, "the drive failed"),
    "memory": (LATER, "out of memory"),
    "apply": (LATER, "the release is committed but could not be applied yet"),
    "refused": (NEVER, "this release was given up before; publish it anew, or set cota_retry"),
    "internal": (LATER, "the updater itself failed"),
}


class OverTheAirUpdateError(Exception):
    """A release, an answer or the drive is not as it must be.

    Attributes:
        code: Stable short name, a key of the tables above.
        later: True if trying again may help, False if this release must be given up.
        wait: Seconds that the peer asked to wait, or None.
    """

    def __init__(self, code, detail=""):
        later, sentence = _RELEASE.get(code) or (LATER, code)
        super().__init__(sentence + ": " + detail if detail else sentence)
        self.code = code
        self.later = later
        self.wait = None


class HashMismatchError(OverTheAirUpdateError):
    """Bytes that arrived are not those that the Git tree names."""


class InvalidGithubRepoUrlError(OverTheAirUpdateError):
    """`fw_url` is not the address of a repository that this device may use."""


class EmptyGithubRepoError(OverTheAirUpdateError):
    """The repository, or its folder, holds nothing."""


class NetworkError(_Connection):
    """The network did not carry an answer to its end. Always worth another try."""

    def __init__(self, code, detail=""):
        sentence = _NETWORK[code]
        super().__init__(sentence + ": " + detail if detail else sentence)
        self.code = code
        self.later = LATER
        self.wait = None


_CLASSES = {
    "hash": HashMismatchError,
    "url": InvalidGithubRepoUrlError,
    "url_secret": InvalidGithubRepoUrlError,
    "git_host": InvalidGithubRepoUrlError,
    "git_empty": EmptyGithubRepoError,
    "git_folder": EmptyGithubRepoError,
}


def error(code, detail="", wait=None):
    """The exception for `code`, to be raised by the caller; `detail` names the thing, never a secret."""
    if code in _NETWORK:
        made = NetworkError(code, detail)
    else:
        made = _CLASSES.get(code, OverTheAirUpdateError)(code, detail)
    made.wait = wait
    return made


def sentence(exc):
    """What an exception says as one bounded line, for `fw_error` and the console."""
    text = exc.args[0] if exc.args and isinstance(exc.args[0], str) else repr(exc)
    return text.replace("\n", " ")[:200]
