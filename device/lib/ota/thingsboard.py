"""ThingsBoard's device HTTP API (`/api/v1/{token}/…`): shared attributes in, telemetry and client attributes out."""

import json

from .errors import error
from .github import wait
from .url import quote, split

MAX_ANSWER = 4096  # bytes of the shared attributes; seven keys of 255 characters fit even when each is escaped
_HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}
_SHARED = "attributes?sharedKeys=fw_title,fw_version,fw_url,fw_checksum,cota_retry"


class ThingsBoard:
    """One device's view of its server."""

    def __init__(self, net, address, token):
        """`address` is the server's URL without a path; `token` the device's access token, which no error repeats."""
        self._net = net
        self._address = address
        self._token = token

    def shared(self):
        """The shared attributes that announce an update, as a dict; empty where there are none.

        GET /api/v1/{token}/attributes?sharedKeys=… answers `{"shared": {…}}`, or `{}` where no key is set.

        Raises:
            NetworkError: the server could not be reached.
            OverTheAirUpdateError: a setting is missing, or the server's answer is of no use.
        """
        self._check(self._net.open("GET", self._url(_SHARED), _HEADERS))
        try:
            shared = json.loads(self._net.read_all(MAX_ANSWER)).get("shared", {})
            shared.get("fw_title")
        except (ValueError, AttributeError):
            raise error("tb_answer")
        return shared

    def post(self, kind, values):
        """POST values as "telemetry" or as client "attributes"; raises as `shared` does.

        Telemetry goes without a time of our own, because a board's clock may be ahead and would freeze the fleet view.
        """
        self._check(self._net.open("POST", self._url(kind), _HEADERS, json.dumps(values).encode()))
        self._net.read_all(0)  # ThingsBoard says nothing; a captive portal answers 200 with its page, and the report is lost

    def _url(self, path):
        if not self._token:
            raise error("settings", "THINGSBOARD_DEVICE_TOKEN is empty")
        try:
            return split(self._address)[:3] + ("/api/v1/" + quote(self._token) + "/" + path,)
        except Exception:
            raise error("settings", "THINGSBOARD_URL is empty or not an address")

    def _check(self, status):
        if status != 200:
            raise error("tb_token" if status == 401 else "tb_status", "HTTP " + str(status), wait(self._net.headers))
