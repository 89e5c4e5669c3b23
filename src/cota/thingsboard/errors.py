"""What can go wrong between here and ThingsBoard, as one sentence and what to do next."""

import json
import ssl

import httpx2

from cota.errors import CotaError

# A server's message longer than this is a page, not a message.
_MAX_MESSAGE = 300

# The server understood and says no; every other status means that it cannot be asked, not so, not by this account, or not now.
_ANSWERS = (400, 404, 409, 413)

_SIGN_IN = "POST /api/auth/login"  # every ThingsBoard has it
_NOT_THINGSBOARD = "That is not how ThingsBoard answers: check the server's address, its port, and that no path stands behind it."

# What to do next, by HTTP status.
_HINTS = {
    400: None,
    401: "Check the user name and password, or the API key; a key may have expired or been switched off.",
    403: "The account may not do this; use a tenant administrator's.",
    404: "Check the name or id; it may have been deleted meanwhile.",
    409: "Somebody else changed it at the same time; try again.",
    413: (
        "ThingsBoard takes 16 MiB unless HTTP_MAX_PAYLOAD_SIZE_LIMIT_CONFIGURATION says more; "
        "make the package smaller, or publish it as a URL package."
    ),
    429: "The server limits how often it may be asked; wait a minute and try again.",
    502: "The server behind the proxy does not answer; it may still be starting.",
    503: "The server is not ready; it may still be starting.",
    504: "The server behind the proxy does not answer; it may still be starting.",
}


class ThingsBoardError(CotaError):
    """The server refused, answered nonsense, or was not reached.

    Attributes:
        status: HTTP status; None where no answer came.
        server_message: What the server said, cut to a sensible length; empty where it said nothing.
        error_code: ThingsBoard's own errorCode; None where there was none.
        exit_code: 1 where the server understood and says no, else 2.
    """

    def __init__(
        self, message: str, hint: str | None = None, *, status: int | None = None, server_message: str = "", error_code: int | None = None
    ) -> None:
        super().__init__(message, hint)
        self.status = status
        self.server_message = server_message
        self.error_code = error_code
        self.exit_code = 1 if status in _ANSWERS else 2


def refused(server: str, what: str, status: int, server_message: str, error_code: int | None) -> ThingsBoardError:
    """Give the error for an answer that is not a success.

    Args:
        server: The server's address.
        what: What was asked, such as "GET /api/device/…".
        status: HTTP status.
        server_message: The server's words, free of secrets.
        error_code: ThingsBoard's errorCode, if it gave one.
    """
    said = " ".join(server_message.split())
    if len(said) > _MAX_MESSAGE:
        said = said[:_MAX_MESSAGE] + "…"
    told = f": {said}" if said else "."
    hint = _HINTS.get(status, "Look at the server's log." if status >= 500 else None)
    # ThingsBoard says in words what it has not found (its telemetry does so without an errorCode); a page or nothing is another server's.
    is_stranger = status == 404 and (not said or what == _SIGN_IN)
    text = f"{server} answered {status} to {what}{told}"
    error = ThingsBoardError(text, _NOT_THINGSBOARD if is_stranger else hint, status=status, server_message=said, error_code=error_code)
    if is_stranger:
        error.exit_code = 2
    return error


def not_reached(server: str, what: str, error: httpx2.HTTPError, timeout: float, detail: str) -> ThingsBoardError:
    """Give the error for a request that got no answer.

    Args:
        server: The server's address.
        what: What was asked, such as "GET /api/device/…".
        error: What happened.
        timeout: Seconds that were waited.
        detail: The error's words, free of secrets.
    """
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and cause not in causes:
        causes.append(cause)
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return ThingsBoardError(
            f"{server} has no TLS certificate that this machine trusts: {detail}.",
            "Check the address and the clock; SSL_CERT_FILE names the file of an authority of your own.",
        )
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return ThingsBoardError(
            f"{server} does not speak https: {detail}.", "Write http:// in its address, if that is what it speaks; else check the port."
        )
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return ThingsBoardError(
            f"{server} cannot be reached: {detail}.", "Check the address and that the server runs; `cota lab` starts one here."
        )
    if isinstance(error, httpx2.TimeoutException):
        return ThingsBoardError(f"{server} did not answer {what} within {timeout:g} s.", "Try again, or wait longer.")
    return ThingsBoardError(f"The connection to {server} broke during {what}: {detail}.", "Try again.")


def fields_of(response: httpx2.Response) -> tuple[str, int | None]:
    """Give the server's message and errorCode; some of its errors are a bare JSON string or plain text."""
    try:
        body = response.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        is_page = "html" in response.headers.get("content-type", "")
        return "" if is_page else response.text, None
    if isinstance(body, dict):
        code = body.get("errorCode")
        return str(body.get("message", "")), code if isinstance(code, int) else None
    return str(body), None
