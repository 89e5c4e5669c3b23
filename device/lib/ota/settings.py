"""The keys of settings.toml. A value that cannot be used gives way to its default, and is reported: a typing error must not cost the
board its way to the next release.
"""

DEFAULT_POLL = 60  # seconds
MIN_POLL, MAX_POLL = 1, 86400
_ON = ("1", "true", "yes", "on")
_OFF = ("", "0", "false", "no", "off")


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
        self.poll = self._seconds("COTA_POLL_SECONDS")
        self.keep = self._list("COTA_KEEP")
        self.update_settings = self._flag("COTA_UPDATE_SETTINGS")
        self.git_hosts = [host.lower() for host in self._list("COTA_GIT_HOSTS")]

    def _text(self, key):
        value = self._getenv(key)
        return "" if value is None else str(value).strip()

    def _list(self, key):
        return [name.strip() for name in self._text(key).split(",") if name.strip()]

    def _seconds(self, key):
        text = self._text(key) or str(DEFAULT_POLL)
        if text.isdigit() and len(text) < 8 and MIN_POLL <= int(text) <= MAX_POLL:
            return int(text)
        self.problems.append(key + " must be a whole number from " + str(MIN_POLL) + " to " + str(MAX_POLL))
        return DEFAULT_POLL

    def _flag(self, key):
        text = self._text(key).lower()
        if text not in _ON and text not in _OFF:
            self.problems.append(key + ' must be "1" or "0"')
        return text in _ON


def server(url, port):
    """ThingsBoard's base address as (scheme, host, port) text parts for `ota.url.split`, from a URL with or without scheme and a port
    that may be empty, an int or text.
    """
    port = str(port or "").strip()
    scheme, mark, rest = str(url or "").strip().partition("://")
    if not mark:
        rest = scheme
        scheme = "http" if port in ("80", "8080") else "https"
    host = rest.split("/")[0]
    if port and ":" not in host:
        host += ":" + port
    return scheme + "://" + host
