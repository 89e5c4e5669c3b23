"""The WebSocket: entity queries that go on telling what changes.

Source: ThingsBoard's TbWebSocketHandler and DefaultWebSocketService: `/api/ws`, one JSON object a message, `authCmd` first, then `cmds`.
Of the commands ENTITY_DATA and its end are here. As there, the devices of a subscription are those of its first answer.
"""

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import Headers
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from cota.lab.clock import now_ms
from cota.lab.core import Core
from cota.lab.data import entity_query
from cota.lab.data.entity_query import Cell, Key
from cota.lab.data.values import as_text
from cota.lab.errors import ApiError
from cota.lab.rest.query import chosen, lookup_of

# ThingsBoard's own bounds (TB_SERVER_WS_*): a message in, seconds until the first one, devices of a subscription.
MAX_MESSAGE_BYTES = 32768
_AUTH_SECONDS = 10.0
_MAX_ENTITIES = 10_000
# Ours: what one process on a laptop serves, and how long changes are gathered, so that a burst is one message.
_MAX_SESSIONS = 100
_MAX_SUBSCRIPTIONS = 64
_GATHER_SECONDS = 0.05
# ThingsBoard's SubscriptionErrorCode.
_BAD_REQUEST = 2
_POLICY_VIOLATION, _TRY_LATER = 1008, 1013  # RFC 6455 7.4.1 and its registry


@dataclass
class _Subscription:
    keys: list[Key]
    sent: dict[str, dict[Key, Cell | None]] = field(default_factory=dict)


class LiveApi:
    """The WebSocket of one lab.

    Args:
        core: The lab.
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    def routes(self) -> list[WebSocketRoute]:
        """Return the route."""
        return [WebSocketRoute("/api/ws", self.serve)]

    async def serve(self, socket: WebSocket) -> None:
        """Serve one session until it ends."""
        await socket.accept()
        if len(self._core.live) >= _MAX_SESSIONS:
            await socket.close(_TRY_LATER, "Too many sessions")
            return
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # RuntimeError: sent after the client went
            first = await self._sign_in(socket)
            if first is None:
                await socket.close(_POLICY_VIOLATION, "Unauthorized")
                return
            await _Session(self._core, socket).run(first)

    async def _sign_in(self, socket: WebSocket) -> dict[str, Any] | None:
        """Return the first message, if it or the address brings a good token."""
        token = socket.query_params.get("token")
        first: dict[str, Any] = {}
        if token is None:
            try:
                first = _object(await asyncio.wait_for(socket.receive_text(), _AUTH_SECONDS))
            except (TimeoutError, KeyError):
                return None
            given = first.get("authCmd")
            token = str(given.get("token")) if isinstance(given, dict) else ""
        try:
            self._core.auth.authenticate(Headers({"X-Authorization": f"Bearer {token}"}))
        except ApiError:
            return None
        return first


class _Session:
    def __init__(self, core: Core, socket: WebSocket) -> None:
        self._core, self._socket = core, socket
        self._subscriptions: dict[int, _Subscription] = {}
        self._dirty: set[str] = set()
        self._touched = asyncio.Event()

    async def run(self, first: dict[str, Any]) -> None:
        """Answer commands and tell changes, until the client goes."""
        self._core.live.add(self._touch)
        teller = asyncio.create_task(self._tell())
        try:
            await self._obey(first)
            while True:
                try:
                    message = await self._socket.receive_text()
                except KeyError:  # a binary message
                    message = ""
                await self._obey(_object(message))
        finally:
            self._core.live.remove(self._touch)
            teller.cancel()
            await asyncio.gather(teller, return_exceptions=True)

    def _touch(self, entity_id: str) -> None:
        self._dirty.add(entity_id)
        self._touched.set()

    async def _obey(self, message: dict[str, Any]) -> None:
        commands = message.get("cmds")
        for command in commands if isinstance(commands, list) else []:
            if not isinstance(command, dict) or not isinstance(command.get("cmdId"), int):
                continue
            number, kind = command["cmdId"], command.get("type")
            if kind == "ENTITY_DATA_UNSUBSCRIBE":
                self._subscriptions.pop(number, None)
                continue
            try:
                page = self._subscribe(number, kind, command)
            except ApiError as error:
                await self._send(number, errorCode=_BAD_REQUEST, errorMsg=error.message)
                continue
            await self._core.store.settled()
            await self._send(number, data=page)

    def _subscribe(self, number: int, kind: Any, command: dict[str, Any]) -> dict[str, Any]:
        query, latest = command.get("query"), command.get("latestCmd")
        if kind != "ENTITY_DATA" or not isinstance(query, dict):
            raise ApiError(400, 31, f"Unsupported command: {str(kind)[:64]}")
        if len(self._subscriptions) >= _MAX_SUBSCRIPTIONS and number not in self._subscriptions:
            raise ApiError(400, 31, f"Too many subscriptions, at most {_MAX_SUBSCRIPTIONS}")
        link, _ = entity_query.read_link(query.get("pageLink"))
        if link.size > _MAX_ENTITIES:
            raise ApiError(400, 31, f"Too many entities in a subscription, at most {_MAX_ENTITIES}")
        keys = [entity_query.read_key(key) for key in (latest.get("keys") or [] if isinstance(latest, dict) else [])]
        rows = chosen(self._core, query.get("entityFilter"))
        lookup = lookup_of(self._core, rows)
        page = entity_query.find(list(rows), query, lookup, now_ms())
        ids = [line["entityId"]["id"] for line in page["data"]]
        sent = {entity: {key: lookup(entity, key) for key in keys} for entity in ids}
        self._subscriptions[number] = _Subscription(keys, sent)
        return page

    async def _tell(self) -> None:
        while True:
            await self._touched.wait()
            await asyncio.sleep(_GATHER_SECONDS)
            self._touched.clear()
            dirty, self._dirty = self._dirty, set()
            # Nothing is told before it is on the disk.
            self._core.activity.flush()
            await self._core.store.settled()
            for number, subscription in list(self._subscriptions.items()):
                update = self._changes(subscription, dirty & subscription.sent.keys())
                if update:
                    await self._send(number, update=update)

    def _changes(self, subscription: _Subscription, entities: set[str]) -> list[dict[str, Any]]:
        rows = {entity: row for entity in entities if (row := self._core.devices.get(entity)) is not None}
        lookup = lookup_of(self._core, rows)
        found = []
        for entity in rows:
            latest: dict[str, dict[str, Any]] = {}
            for key in subscription.keys:
                cell = lookup(entity, key)
                if cell != subscription.sent[entity][key]:
                    subscription.sent[entity][key] = cell
                    shown = {"ts": cell.ts, "value": as_text(cell.value)} if cell else {"ts": 0, "value": ""}
                    latest.setdefault(key.kind, {})[key.name] = shown
            if latest:
                found.append({"entityId": {"entityType": "DEVICE", "id": entity}, "latest": latest, "timeseries": {}, "aggLatest": {}})
        return found

    async def _send(self, number: int, **more: Any) -> None:
        message = {
            "cmdId": number,
            "data": None,
            "update": None,
            "errorCode": 0,
            "errorMsg": None,
            "allowedEntities": _MAX_ENTITIES,
            "cmdUpdateType": "ENTITY_DATA",
        }
        await self._socket.send_text(json.dumps(message | more))


def _object(text: str) -> dict[str, Any]:
    try:
        parsed = json.loads(text)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
