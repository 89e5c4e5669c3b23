"""REST: attributes and telemetry of an entity, latest and history.

ThingsBoard's controller answers its own errors as plain text; so does this.
"""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cota.lab.clock import now_ms
from cota.lab.data import values
from cota.lab.data.aggregation import AGGREGATIONS, aggregate
from cota.lab.data.attributes import SCOPES, SERVER, SHARED
from cota.lab.data.store import Row
from cota.lab.errors import TextError
from cota.lab.ids import check_uuid
from cota.lab.web import Router, done, json_answer, read_body

_BASE = "/api/plugins/telemetry"
_ENTITY = _BASE + "/{kind}/{id}"
# The tables whose entities may carry attributes and telemetry here, and how their kind is called in messages.
_KINDS = {"DEVICE": ("device", "Device"), "DEVICE_PROFILE": ("profile", "Device profile"), "USER": ("account", "User")}
_DEFAULT_LIMIT = 100
_MAX_LIMIT = 2**31 - 1


class TelemetryApi(Router):
    """The routes of ThingsBoard's TelemetryController."""

    def routes(self) -> list[Route]:
        """Return the routes; fixed words come before parameters."""
        return [
            self.route("GET", f"{_ENTITY}/values/timeseries", self.latest_or_history),
            self.route("GET", f"{_ENTITY}/values/timeseries/history", self.history),
            self.route("GET", f"{_ENTITY}/values/attributes", self.attributes),
            self.route("GET", f"{_ENTITY}/values/attributes/{{scope}}", self.attributes),
            self.route("GET", f"{_ENTITY}/keys/timeseries", self.timeseries_keys),
            self.route("GET", f"{_ENTITY}/keys/attributes", self.attribute_keys),
            self.route("GET", f"{_ENTITY}/keys/attributes/{{scope}}", self.attribute_keys),
            self.route("POST", f"{_ENTITY}/attributes/{{scope}}", self.save_attributes),
            self.route("POST", f"{_ENTITY}/timeseries/{{scope}}", self.save_timeseries),
            self.route("POST", f"{_ENTITY}/timeseries/{{scope}}/{{ttl}}", self.save_timeseries),
            self.route("DELETE", f"{_ENTITY}/timeseries/delete", self.delete_timeseries),
            self.route("POST", f"{_ENTITY}/{{scope}}", self.save_attributes),
            self.route("DELETE", f"{_ENTITY}/{{scope}}", self.delete_attributes),
            self.route("POST", f"{_BASE}/{{id}}/{{scope}}", self.save_attributes),
            self.route("DELETE", f"{_BASE}/{{id}}/{{scope}}", self.delete_attributes),
        ]

    def _entity(self, request: Request) -> str:
        kind, entity_id = request.path_params.get("kind", "DEVICE"), check_uuid(request.path_params["id"])
        if kind == "TENANT" and entity_id == self.core.accounts.tenant_id:
            return entity_id
        if kind not in _KINDS:
            raise TextError(404, "Entity with requested id wasn't found!")
        table, name = _KINDS[kind]
        if self.core.store.one(f"SELECT 1 FROM {table} WHERE id = ?", entity_id) is None:  # noqa: S608  # names from this module
            raise TextError(404, f"{name} with requested id wasn't found!")
        return entity_id

    def _scopes(self, request: Request) -> tuple[str, ...]:
        scope = request.path_params.get("scope")
        if scope is None:
            return SCOPES
        if scope not in SCOPES:
            raise TextError(400, f"Invalid attribute scope: {scope}")
        return (scope,)

    async def attributes(self, request: Request) -> Response:
        """Answer attributes with their times; keys that do not exist are left out."""
        entity_id, keys = self._entity(request), _keys(request)
        self.core.activity.flush()
        rows = [row for scope in self._scopes(request) for row in self.core.attributes.get(entity_id, scope, keys)]
        return json_answer([{"lastUpdateTs": row["ts"], "key": row["key"], "value": values.decode(row["value"])} for row in rows])

    async def attribute_keys(self, request: Request) -> Response:
        """Answer the names of attributes."""
        entity_id = self._entity(request)
        rows = [row for scope in self._scopes(request) for row in self.core.attributes.get(entity_id, scope)]
        return json_answer([row["key"] for row in rows])

    async def save_attributes(self, request: Request) -> Response:
        """Write server or shared attributes; shared ones are pushed to the device."""
        entity_id, scope = self._entity(request), request.path_params["scope"]
        if scope not in {SERVER, SHARED}:
            raise TextError(400, f"Invalid scope: {scope}")
        body = await read_body(request)
        pairs = _converted(values.attributes, body, "Request is not a JSON object")
        if not pairs:
            raise TextError(400, "No attributes data found in request body!")
        if any(not key.strip() for key, _ in pairs):
            raise TextError(400, "Key cannot be empty or contain only spaces")
        with self.core.store.unit():
            self.core.attributes.save(entity_id, scope, pairs, now_ms())
        if scope == SHARED:
            self.core.hub.push_attributes(entity_id, {key: values.decode(value) for key, value in pairs})
        return done()

    async def delete_attributes(self, request: Request) -> Response:
        """Delete attributes; shared ones are pushed to the device as deleted, whether they existed or not."""
        entity_id, (scope,), keys = self._entity(request), self._scopes(request), _keys(request)
        if not keys:
            raise TextError(400, "Empty keys: ")
        with self.core.store.unit():
            self.core.attributes.delete(entity_id, scope, keys)
        if scope == SHARED:
            self.core.hub.push_attributes(entity_id, {"deleted": keys})
        return done()

    async def timeseries_keys(self, request: Request) -> Response:
        """Answer the names of telemetry."""
        return json_answer([row["key"] for row in self.core.timeseries.latest(self._entity(request))])

    async def latest_or_history(self, request: Request) -> Response:
        """Answer the latest values; or the history, the older way, where a span of time is named."""
        if "startTs" in request.query_params and "endTs" in request.query_params:
            return await self.history(request)
        entity_id, keys, show = self._entity(request), _keys(request), _shown(request)
        rows = {row["key"]: row for row in self.core.timeseries.latest(entity_id, keys)}
        # ThingsBoard invents a null for a key that never existed, dated now.
        answer: dict[str, Any] = {key: [{"ts": now_ms(), "value": None}] for key in keys or [] if key not in rows}
        return json_answer(answer | {key: [_sample(row, show)] for key, row in rows.items()})

    async def history(self, request: Request) -> Response:
        """Answer samples of a span of time, the newest first unless asked otherwise."""
        entity_id, keys, params, show = self._entity(request), _keys(request), request.query_params, _shown(request)
        if not keys:
            raise TextError(400, "Required request parameter 'keys' for method parameter type String is not present")
        start, end, limit = (
            _whole(request, name, default) for name, default in (("startTs", None), ("endTs", None), ("limit", _DEFAULT_LIMIT))
        )
        interval, method = _whole(request, "interval", 0), (params.get("agg") or "NONE").upper()
        ascending = (params.get("orderBy") or "DESC").upper() == "ASC"
        if method not in AGGREGATIONS:
            raise TextError(400, f"No enum constant org.thingsboard.server.common.data.kv.Aggregation.{method}")
        if not 0 < limit <= _MAX_LIMIT:
            raise TextError(400, f"Incorrect limit: {limit}")
        answer = {}
        for key in keys:
            if method == "NONE":
                rows = self.core.timeseries.history(entity_id, key, start, end, limit, ascending=ascending)
                found = [_sample(row, show) for row in rows]
            else:
                rows = self.core.timeseries.history(entity_id, key, start, end, _MAX_LIMIT, ascending=True)
                samples = ((row["ts"], values.decode(row["value"])) for row in rows)
                found = [{"ts": ts, "value": show(values.encode(value))} for ts, value in aggregate(samples, method, start, end, interval)]
            if found:
                answer[key] = found
        return json_answer(answer)

    async def save_timeseries(self, request: Request) -> Response:
        """Write telemetry of any of the three shapes."""
        entity_id = self._entity(request)
        body = await read_body(request)
        samples = _converted(
            lambda parsed: values.telemetry(parsed, now_ms()), body, "Unable to parse timeseries payload: Invalid JSON body!"
        )
        if not samples:
            raise TextError(400, "No timeseries data found in request body!")
        with self.core.store.unit():
            self.core.timeseries.save(entity_id, samples)
        return done()

    async def delete_timeseries(self, request: Request) -> Response:
        """Delete telemetry: all of some keys, or a span of time."""
        entity_id, keys, params = self._entity(request), _keys(request), request.query_params
        if not keys:
            raise TextError(400, "Empty keys: ")
        span = None
        if params.get("deleteAllDataForKeys", "false").lower() != "true":
            if "startTs" not in params or "endTs" not in params:
                raise TextError(400, "When deleteAllDataForKeys is false, start and end timestamp values shouldn't be empty")
            span = (_whole(request, "startTs", None), _whole(request, "endTs", None))
        latest = span is None or params.get("deleteLatest", "true").lower() == "true"
        rewrite = params.get("rewriteLatestIfDeleted", "false").lower() == "true"
        with self.core.store.unit():
            for key in keys:
                self.core.timeseries.delete(entity_id, key, span, latest=latest, rewrite=rewrite)
        return done()


def _keys(request: Request) -> list[str] | None:
    """Return the keys that are asked for: `keys=a,b`, or `key=` repeated where names hold commas; None for all."""
    params = request.query_params
    keys = [key for text in params.getlist("keys") for key in text.split(",") if key] + [key for key in params.getlist("key") if key]
    return list(dict.fromkeys(keys)) or None


def _shown(request: Request) -> Callable[[str], Any]:
    strict = request.query_params.get("useStrictDataTypes", "false").lower() == "true"
    return values.decode if strict else values.as_text


def _sample(row: Row, show: Callable[[str], Any]) -> dict[str, Any]:
    return {"ts": row["ts"], "value": show(row["value"])}


def _whole(request: Request, name: str, default: int | None) -> int:
    text = request.query_params.get(name)
    if text is None and default is not None:
        return default
    try:
        number = int(text or "") if len(text or "") <= 20 else None
    except ValueError:
        number = None
    if number is None:
        raise TextError(400, f"Required request parameter '{name}' should be a number of milliseconds or a count")
    return max(-(2**63), min(number, 2**63 - 1))


def _converted(convert: Callable[[Any], Any], body: bytes, refusal: str) -> Any:
    try:
        parsed = values.parse(body)
    except values.PayloadError:
        raise TextError(400, "Invalid JSON" if not refusal.startswith("Unable") else refusal) from None
    try:
        return convert(parsed)
    except values.PayloadError as error:
        raise TextError(400, refusal if not isinstance(parsed, dict) else str(error)) from None
