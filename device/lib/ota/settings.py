"""The keys of settings.toml. A value that cannot be used gives way to its default, and is reported: a typing error must not cost the
board its way to the next release.
"""

DEFAULT_POLL = 60  # seconds
MAX_POLL = 86400
_FLAGS = {"": False, "0": False, "1": True}


class Settings:
    """The updater's settings, read once through `getenv(key)`, which gives text (a number on CircuitPython 10.1 and older) or None.

    Attributes:
        url, port, token: ThingsBoard's device API.
        poll: Seconds between two looks at the server.
        keep: COTA_KEEP's names.
        update_settings: Whether a release's settings.toml is applied.
        git_hosts: `host` or `host:port` names of COTA_GIT_HOSTS, in lower case.
        problems: What could not be used, one sentence each.
    """

    def __init__(self, getenv):
        self._getenv = getenv
        self.problems = []
        self.url = self._text("THINGSBOARD_URL")
        self.port = self._text("THINGSBOARD_PORT")
        self.token = self._text("THINGSBOARD_DEVICE_TOKEN")
        self.keep = self._text("COTA_KEEP").split(",")
        self.git_hosts = self._text("COTA_GIT_HOSTS").lower().replace(" ", "").split(",")
        text = self._text("COTA_POLL_SECONDS") or str(DEFAULT_POLL)
        self.poll = int(text) if text.encode().isdigit() and len(text) < 6 else 0
        if not 0 < self.poll <= MAX_POLL:
            self.poll = DEFAULT_POLL
            self.problems.append("COTA_POLL_SECONDS must be a whole number from 1 to 86400")
        self.update_settings = _FLAGS.get(self._text("COTA_UPDATE_SETTINGS"), False)
        if self._text("COTA_UPDATE_SETTINGS") not in _FLAGS:
            self.problems.append('COTA_UPDATE_SETTINGS must be "1" or "0"')

    def _text(self, key):
        value = self._getenv(key)
        return "" if value is None else str(value).strip()


def server(url, port):
    """ThingsBoard's address for `ota.url.split`, from a URL with or without scheme and a port that may be empty, an int or text."""
    port = str(port or "").strip()
    scheme, mark, rest = str(url or "").strip().partition("://")
    if not mark:
        rest = scheme
        scheme = "http" if port in ("80", "8080") else "https"
    host = rest.split("/")[0]
    if port and ":" not in host:
        host += ":" + port
    return scheme + "://" + host
