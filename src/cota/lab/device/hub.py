"""What waits for a device: its session, its long polls, and the RPC requests that nobody has fetched yet.

Nothing here outlives the process.
"""

import asyncio
import itertools
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Protocol

# A device needs one poll of a kind; the oldest of more ends as if its time were up, so that a device cannot hold the lab's memory.
_MAX_POLLS = 8
_MAX_PENDING_RPC = 100


class ClosedError(Exception):
    """The poll ends without an answer: the device or the lab went away; the text says which."""


class OverfullError(Exception):
    """A device has more polls than it may, or more unanswered RPC than fit."""


@dataclass
class RpcRequest:
    """A server-side RPC on its way to a device."""

    number: int
    method: str
    params: Any
    oneway: bool
    expires: float  # time.monotonic() seconds
    answer: asyncio.Future[Any]
    sent: bool = False

    def message(self) -> dict[str, Any]:
        """Return what the device reads."""
        return {"id": self.number, "method": self.method, "params": self.params}


class Session(Protocol):
    """A device's open connection, which gets everything at once; each of these may be called at any time until `detach`."""

    def attributes_changed(self, message: dict[str, Any]) -> None:
        """Take a push of shared attributes."""

    def called(self, request: RpcRequest) -> bool:
        """Take an RPC request; False where this connection takes none."""

    def closed(self, reason: str, *, replaced: bool = False) -> None:
        """End: the device or the lab went away, or another connection of the device took this one's place."""


# One of these is held for every open connection. Lists, as an empty deque takes ten times their memory and at most _MAX_POLLS are in one.
@dataclass(slots=True)
class _Waiters:
    attributes: list[asyncio.Future[dict[str, Any]]] = field(default_factory=list)
    rpc: list[asyncio.Future[RpcRequest]] = field(default_factory=list)
    requests: dict[int, RpcRequest] = field(default_factory=dict)
    session: Session | None = None

    def waiting(self) -> "list[asyncio.Future[Any]]":
        return [*self.attributes, *self.rpc, *(request.answer for request in self.requests.values())]


class Hub:
    """Waiting polls and pending RPC, by device."""

    def __init__(self) -> None:
        self._devices: defaultdict[str, _Waiters] = defaultdict(_Waiters)
        self._closed: str | None = None
        self._numbers = itertools.count()  # one for all devices: a late reply never meets a newer request

    def _future(self, waiting: "list[asyncio.Future[Any]]") -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._closed:
            future.set_exception(ClosedError(self._closed))
            return future
        if len(waiting) >= _MAX_POLLS:
            oldest = waiting.pop(0)
            if not oldest.done():
                oldest.set_exception(OverfullError())
        waiting.append(future)
        return future

    def wait_for_attributes(self, device_id: str) -> asyncio.Future[dict[str, Any]]:
        """Return a future of the next push of shared attributes; nothing that came before counts."""
        return self._future(self._devices[device_id].attributes)

    def push_attributes(self, device_id: str, message: dict[str, Any]) -> None:
        """Tell the session and answer every poll that waits for shared attributes; without any the push is lost, as on ThingsBoard."""
        device = self._devices.get(device_id)
        if device and device.session:
            device.session.attributes_changed(message)
        while device and device.attributes:
            future = device.attributes.pop(0)
            if not future.done():
                future.set_result(message)

    def wait_for_rpc(self, device_id: str) -> asyncio.Future[RpcRequest]:
        """Return a future of the next RPC request, which may already be there."""
        device = self._devices[device_id]
        future = self._future(device.rpc)
        for request in self._unsent(device):
            if not future.done():
                device.rpc.remove(future)
                self._deliver(device, request, future)
        return future

    def _unsent(self, device: _Waiters) -> list[RpcRequest]:
        now = time.monotonic()
        return [request for request in device.requests.values() if not request.sent and request.expires > now]

    def send_rpc(self, device_id: str, method: str, params: Any, *, oneway: bool, timeout: float) -> RpcRequest:
        """Put an RPC request on its way.

        Raises:
            OverfullError: The device has left too many unanswered.
        """
        device = self._devices[device_id]
        if len(device.requests) >= _MAX_PENDING_RPC:
            raise OverfullError
        loop = asyncio.get_running_loop()
        request = RpcRequest(next(self._numbers), method, params, oneway, time.monotonic() + timeout, loop.create_future())
        device.requests[request.number] = request
        self._call(device, request)
        while device.rpc and not request.sent:
            future = device.rpc.pop(0)
            if not future.done():
                self._deliver(device, request, future)
        return request

    def _call(self, device: _Waiters, request: RpcRequest) -> None:
        if device.session and device.session.called(request):
            self._sent(device, request)

    def _deliver(self, device: _Waiters, request: RpcRequest, future: asyncio.Future[RpcRequest]) -> None:
        future.set_result(request)
        self._sent(device, request)

    def _sent(self, device: _Waiters, request: RpcRequest) -> None:
        request.sent = True
        if request.oneway:
            del device.requests[request.number]
            request.answer.set_result(None)

    def attach(self, device_id: str, session: Session) -> None:
        """Make this the device's one session: an older one ends, as with ThingsBoard's one session a device."""
        device = self._devices[device_id]
        older, device.session = device.session, session
        if older is not None:
            older.closed("Another connection took this one's place", replaced=True)

    def detach(self, device_id: str, session: Session) -> None:
        """Forget a session that ended; one that was replaced is forgotten already."""
        device = self._devices.get(device_id)
        if device and device.session is session:
            device.session = None
            self._tidy(device_id, device)

    def call_waiting(self, device_id: str) -> None:
        """Give the session, which has just begun to take RPC, the requests that nobody has fetched yet."""
        if device := self._devices.get(device_id):
            for request in self._unsent(device):
                self._call(device, request)

    def answer_rpc(self, device_id: str, number: int, reply: Any) -> None:
        """Hand a device's reply to whoever asked; one that nobody waits for is dropped."""
        device = self._devices.get(device_id)
        request = device.requests.pop(number, None) if device else None
        if request and not request.answer.done():
            request.answer.set_result(reply)

    def forget_rpc(self, device_id: str, request: RpcRequest) -> None:
        """Give a request up, because whoever asked has stopped waiting."""
        device = self._devices.get(device_id)
        if device:
            device.requests.pop(request.number, None)
            self._tidy(device_id, device)

    def leave(self, device_id: str, future: asyncio.Future[Any]) -> None:
        """Take a poll out that ended by itself."""
        device = self._devices.get(device_id)
        if device is None:
            return
        if future in device.attributes:
            device.attributes.remove(future)
        if future in device.rpc:
            device.rpc.remove(future)
        self._tidy(device_id, device)

    def _tidy(self, device_id: str, device: _Waiters) -> None:
        if not (device.attributes or device.rpc or device.requests or device.session):
            self._devices.pop(device_id, None)

    def close_device(self, device_id: str, reason: str) -> None:
        """End a device's session, and its polls with 403 and this text."""
        device = self._devices.pop(device_id, None)
        if device and device.session:
            device.session.closed(reason)
        for future in device.waiting() if device else []:
            if not future.done():
                future.set_exception(ClosedError(reason))

    def close(self) -> None:
        """End all sessions, and all polls, now and later: the lab stops."""
        self._closed = "The server is shutting down"
        for device in list(self._devices.values()):
            if device.session:
                device.session.closed(self._closed)
            for future in device.waiting():
                if not future.done():
                    future.set_exception(ClosedError(self._closed))

    @property
    def closed(self) -> bool:
        """Whether the lab is stopping."""
        return self._closed is not None
