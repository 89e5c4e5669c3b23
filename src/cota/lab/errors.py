"""ThingsBoard's error answers: status, errorCode and the JSON shape (its global exception handler)."""

from starlette.responses import JSONResponse, PlainTextResponse, Response

from cota.lab.clock import now_ms

GENERAL = 2
AUTHENTICATION = 10
JWT_EXPIRED = 11
PERMISSION = 20
BAD_REQUEST = 31
NOT_FOUND = 32
TOO_MANY_REQUESTS = 33
VERSION_CONFLICT = 35


class ApiError(Exception):
    """An answer that is not 200.

    Args:
        status: The HTTP status.
        code: ThingsBoard's errorCode.
        message: The text, as ThingsBoard words it; None where ThingsBoard sends null.
    """

    def __init__(self, status: int, code: int, message: str | None) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    def response(self) -> Response:
        """Return the answer in ThingsBoard's shape."""
        body = {"status": self.status, "message": self.message, "errorCode": self.code, "timestamp": now_ms()}
        return JSONResponse(body, status_code=self.status)


class TextError(ApiError):
    """An error that ThingsBoard answers as plain text: its telemetry controller, and the device API's parser."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, GENERAL, message)

    def response(self) -> Response:
        """Return the text alone."""
        return PlainTextResponse(self.message or "", status_code=self.status)


class EmptyError(ApiError):
    """An error that ThingsBoard answers with a status and no body."""

    def __init__(self, status: int) -> None:
        super().__init__(status, GENERAL, None)

    def response(self) -> Response:
        """Return the bare status."""
        return Response(status_code=self.status)


class TooLargeError(ApiError):
    """A body over a limit: 413, and the text as a JSON string."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, GENERAL, f"Payload size exceeds the limit of {limit} bytes")

    def response(self) -> Response:
        """Return the JSON string."""
        return JSONResponse(self.message, status_code=413)


def invalid(message: str) -> ApiError:
    """Return the error of a failed validation: 400, errorCode 31."""
    return ApiError(400, BAD_REQUEST, message)


def not_found(message: str = "Requested item wasn't found!") -> ApiError:
    """Return 404, errorCode 32."""
    return ApiError(404, NOT_FOUND, message)


def stale(kind: str) -> ApiError:
    """Return the answer to a save with an old `version`: 409, errorCode 35."""
    return ApiError(409, VERSION_CONFLICT, f"{kind} was already changed by someone else")
