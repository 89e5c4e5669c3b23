"""Every error that leaves the library: a stable code, whether to try again, and one sentence.

Two roots, because a board cannot derive one class from two built-in ones: `OverTheAirUpdateError` for what is wrong with a release, a
server's answer or the drive, and `NetworkError`, which is a `ConnectionError` (or an `OSError` where a VM lacks that name), for a
network that does not carry. The code is what ThingsBoard shows; its family says what the device does next.
"""

try:
    _Connection = ConnectionError
except NameError:  # MicroPython
    _Connection = OSError


_NETWORK = {
    "wifi": "Wi-Fi is not joined",
    "dns": "no such host",
    "connect": "the server accepts no connection",
    "tls": "no TLS: broken off, or certificate not trusted for this name",
    "timeout": "the server did not answer in time",
    "closed": "the connection closed amid the answer",
    "slow": "the answer came too slowly",
    "http": "the answer is not valid HTTP",
}

# Worth another try.
_LATER = {
    "tb_token": "ThingsBoard does not know THINGSBOARD_DEVICE_TOKEN",
    "tb_status": "ThingsBoard did not accept the request",
    "tb_answer": "the answer is not ThingsBoard's",
    "settings": "settings.toml lacks something",
    "nothing": "no release waits for this device",
    "git_denied": "the Git host refuses access",
    "git_limit": "the Git host's rate limit is used up",
    "git_status": "the Git host failed",
    "git_answer": "the answer is not a Git host's",
    "listing_cut": "the listing ended early",
    "hash": "the bytes that arrived are not the release's",
    "staged": "what was staged does not read back",
    "read_only": "USB holds the drive",
    "flash": "the drive failed",
    "memory": "out of memory",
    "apply": "the release could not be applied yet",
    "internal": "the updater itself failed",
}

# This release cannot be installed here: another one, or cota_retry, has to come.
_NEVER = {
    "attributes": "title, version and URL are too long",
    "no_url": "the package lacks the URL of a Git repository",
    "url": "fw_url is not https://github.com/<owner>/<repo>[/tree/<ref>[/<folder>]]",
    "url_secret": "fw_url carries a user name or token; take it out",
    "git_host": "the host of fw_url is not in COTA_GIT_HOSTS",
    "git_ref": "no such branch, tag or commit",
    "git_repo": "the repository does not exist or is private",
    "git_empty": "the repository is empty",
    "git_folder": "the folder does not exist or is empty",
    "listing_truncated": "the repository is too large to be listed",
    "too_many": "the release has too many files",
    "path_fat": "a FAT drive cannot hold this path",
    "path_long": "the path is too long",
    "path_kept": "the drive keeps what is in the release's way; see COTA_KEEP",
    "path_case": "a FAT drive takes both paths for one",
    "symlink": "a FAT drive has no symbolic links",
    "submodule": "a board cannot follow a Git submodule",
    "lfs": "only a Git LFS pointer; put the file itself into Git",
    "refused": "given up before; publish it anew, or set cota_retry",
    "shadow": "it would hide lib/ota, or json or binascii",
    "ignore": ".cotaignore is too long or not UTF-8",
    "boot_hook": "boot.py lacks cOTA's hook; take cOTA's, or name it in .cotaignore",
    "space": "the release does not fit on the drive",
}


class OverTheAirUpdateError(Exception):
    """A release, an answer or the drive is not as it must be.

    Attributes:
        code: Stable short name, a key of the tables above.
        later: True if trying again may help, False if this release must be given up.
        wait: Seconds that the peer asked to wait, or None.
    """

    def __init__(self, code, detail=""):
        self.later = code not in _NEVER
        super().__init__(_with(_LATER.get(code) or _NEVER.get(code, code), detail))
        self.code = code
        self.wait = None


class HashMismatchError(OverTheAirUpdateError):
    """Bytes that arrived are not those that the Git tree names."""


class InvalidGithubRepoUrlError(OverTheAirUpdateError):
    """`fw_url` is not the address of a repository that this device may use."""


class EmptyGithubRepoError(OverTheAirUpdateError):
    """The repository, or its folder, holds nothing."""


class NetworkError(_Connection):
    """The network did not carry an answer to its end. Always worth another try."""

    later = True
    wait = None

    def __init__(self, code, detail=""):
        super().__init__(_with(_NETWORK[code], detail))
        self.code = code


def _with(text, detail):
    return text + ": " + detail if detail else text


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
    kind = NetworkError if code in _NETWORK else _CLASSES.get(code, OverTheAirUpdateError)
    made = kind(code, detail)
    made.wait = wait
    return made


def sentence(exc):
    """What an exception says as one bounded line, for `fw_error` and the console."""
    text = exc.args[0] if exc.args and isinstance(exc.args[0], str) else repr(exc)
    return text.replace("\n", " ")[:200]
