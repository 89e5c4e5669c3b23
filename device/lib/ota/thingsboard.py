"""ThingsBoard's device HTTP API (`/api/v1/{token}/…`): shared attributes in, telemetry and client attributes out."""

import json

from .errors import error
from .url import quote, split

MAX_ANSWER = 4096  # bytes of the shared attributes; seven keys of 255 characters fit even when each is escaped
_JSON = {"Content-Type": "application/json", "Accept": "application/json"}
SHARED_KEYS = "fw_title,fw_version,fw_url,fw_checksum,fw_checksum_algorithm,fw_size,cota_retry"


class ThingsBoard:
    """One device's view of its server."""

    def __init__(self, net, address, token):
        """`address` is the server's URL without a path; `token` the device's access token, which no error repeats."""
        self._net = net
        self._base = split(address)[:3]
        self._path = "/api/v1/" + quote(token)

    def shared(self):
        """The shared attributes an update is announced with, as a dict; empty where there are none.

        GET /api/v1/{token}/attributes?sharedKeys=… answers `{"shared": {…}}`, or `{}` where no key is set.
        """
        self._call("GET", "/attributes?sharedKeys=" + SHARED_KEYS, None)
        answer = self._net.read_all(MAX_ANSWER)
        try:
            shared = json.loads(answer).get("shared", {})
            shared.get("fw_title")
        except (ValueError, AttributeError):
            raise error("tb_answer", "attributes")
        return shared

    def telemetry(self, values):
        """POST values as telemetry; without a time of our own, because a board's clock may be ahead and would freeze the fleet view."""
        self._post("/telemetry", values)

    def attributes(self, values):
        """POST values as client attributes."""
        self._post("/attributes", values)

    def _post(self, path, values):
        self._call("POST", path, json.dumps(values).encode())
        self._net.drain()

    def _call(self, method, path, body):
        status = self._net.open(method, self._base + (self._path + path,), _JSON, body)
        if status != 200:
            self._net.drain()
            raise error("tb_token" if status == 401 else "tb_status", "HTTP " + str(status))
