"""The dashboard as a whole: counts by state, the fleet, the devices of one count, one device's history."""

import hashlib
import json
from typing import Any

from cota.dashboard import widgets
from cota.dashboard.widgets import Json, column, count_card, device_table, history_table, make_id

TITLE = "cOTA fleet"
_DESCRIPTION = "Devices with state, release, progress, error and when they were last seen. Made by `cota dashboard install`"
_MARK = "[cota {}]"
_DIGEST = 16  # hexadecimal digits

# Name, label, icon, colour, and the states of fw_state that count; None: devices that are silent.
CARDS: tuple[tuple[str, str, str, str, tuple[str, ...] | None], ...] = (
    ("waiting", "Waiting", "hourglass_empty", widgets.GREY, ("QUEUED",)),
    ("updating", "Updating", "update", widgets.BLUE, ("INITIATED", "DOWNLOADING", "DOWNLOADED", "VERIFIED", "UPDATING")),
    ("updated", "Updated", "check_circle", widgets.GREEN, ("UPDATED",)),
    ("failed", "Failed", "error", widgets.RED, ("FAILED",)),
    ("silent", "Silent", "wifi_off", widgets.GREY, None),
)
_FLEET, _DEVICE = make_id("all devices"), make_id("state entity")


def build(title: str = TITLE) -> Json:
    """Give the dashboard, as POST /api/dashboard takes it and an import file holds it."""
    configuration = _configuration()
    configuration["description"] = f"{_DESCRIPTION}. {_MARK.format(digest_of(configuration))}"
    return {"title": title, "image": None, "mobileHide": False, "configuration": configuration}


def digest_of(configuration: Json) -> str:
    """Give the digest of a configuration without its description, which carries it."""
    bare = {key: value for key, value in configuration.items() if key != "description"}
    return hashlib.sha256(json.dumps(bare, sort_keys=True).encode()).hexdigest()[:_DIGEST]


def mark_of(configuration: Json) -> str | None:
    """Give the digest that a dashboard of ours was installed with; None where it is not ours."""
    _, mark, rest = str(configuration.get("description") or "").partition(_MARK.partition("{")[0])
    return rest[:_DIGEST] if mark and rest[_DIGEST : _DIGEST + 1] == "]" else None


def _configuration() -> Json:
    fleet = device_table("fleet", "Devices", _FLEET, None, _columns(), "device")
    history = history_table("history", "What the device said", _DEVICE, _history())
    cards = [count_card(name, label, icon, color, _FLEET, make_id(f"filter {name}"), name) for name, label, icon, color, _ in CARDS]
    lists = {
        name: device_table(f"list {name}", label, _FLEET, make_id(f"filter {name}"), _columns(), "device") for name, label, *_ in CARDS
    }
    states: Json = {"default": _state("Fleet", [(card, 4 * at, 0) for at, card in enumerate(cards)] + [(fleet, 0, 2)], root=True)}
    states |= {name: _state(label, [(lists[name], 0, 0)]) for name, label, *_ in CARDS}
    states["device"] = _state("${entityName}", [(history, 0, 0)])
    return {
        "widgets": {widget["id"]: widget for widget in [*cards, fleet, *lists.values(), history]},
        "states": states,
        "entityAliases": {
            _FLEET: {
                "id": _FLEET,
                "alias": "All devices",
                "filter": {"type": "entityType", "resolveMultiple": True, "entityType": "DEVICE"},
            },
            _DEVICE: {
                "id": _DEVICE,
                "alias": "The device",
                "filter": {"type": "stateEntity", "resolveMultiple": False, "stateEntityParamName": None, "defaultStateEntity": None},
            },
        },
        "filters": {make_id(f"filter {name}"): _filter(name, label, states_of) for name, label, _, _, states_of in CARDS},
        "timewindow": {
            "selectedTab": 0,
            "realtime": {"realtimeType": 0, "interval": 1000, "timewindowMs": 86_400_000},
            "aggregation": {"type": "NONE", "limit": 1000},
        },
        "settings": {
            "stateControllerId": "entity",
            "showTitle": False,
            "showDashboardsSelect": True,
            "showEntitiesSelect": False,
            "showDashboardTimewindow": False,
            "showDashboardExport": True,
            "toolbarAlwaysOpen": True,
            "showFilters": False,
        },
    }


def _columns() -> list[Json]:
    return [
        column("fw_state", "State", width="110px", style=widgets.STATE_STYLE),
        column("fw_state", "Progress", width="15%", content=widgets.PROGRESS),
        column("current_fw_title", "Runs"),
        column("current_fw_version", "Version"),
        column("target_fw_version", "Assigned"),
        column("fw_error", "Error", width="25%", style=f"return {{color: '{widgets.RED}', whiteSpace: 'normal'}};"),
        column("lastActivityTime", "Last seen", "attribute", width="90px", content=widgets.SEEN),
        column("active", "Active", "attribute", width="60px", content=widgets.ACTIVE, style=widgets.ACTIVE_STYLE),
        column("type", "Profile", "entityField"),
    ]


def _history() -> list[Json]:
    return [
        column("fw_state", "State", style=widgets.STATE_STYLE),
        column("fw_error", "Error"),
        column("current_fw_title", "Runs"),
        column("current_fw_version", "Version"),
        column("target_fw_title", "Assigned"),
        column("target_fw_version", "Assigned version"),
    ]


def _state(name: str, placed: list[tuple[Json, int, int]], *, root: bool = False) -> Json:
    places = {widget["id"]: {"sizeX": widget["sizeX"], "sizeY": widget["sizeY"], "col": col, "row": row} for widget, col, row in placed}
    grid = {
        "backgroundColor": "#eeeeee",
        "columns": 24,
        "margin": 10,
        "backgroundSizeMode": "100%",
        "autoFillHeight": True,
        "mobileAutoFillHeight": False,
        "mobileRowHeight": 70,
    }
    return {"name": name, "root": root, "layouts": {"main": {"widgets": places, "gridSettings": grid}}}


def _filter(name: str, label: str, states: tuple[str, ...] | None) -> Json:
    """A filter on fw_state, or on the server's own attribute `active`."""
    if states is None:
        key, kind = {"type": "ATTRIBUTE", "key": "active"}, "BOOLEAN"
        predicate: Json = {"type": "BOOLEAN", "operation": "EQUAL", "value": {"defaultValue": False, "dynamicValue": None}}
    else:
        key, kind = {"type": "TIME_SERIES", "key": "fw_state"}, "STRING"
        one_of = [_with_info(_equal(state)) for state in states]
        predicate = _equal(states[0]) if len(states) == 1 else {"type": "COMPLEX", "operation": "OR", "predicates": one_of}
    key_filter: Json = {"key": key, "valueType": kind, "predicates": [_with_info(predicate)]}
    return {"id": make_id(f"filter {name}"), "filter": label, "keyFilters": [key_filter], "editable": False}


def _equal(state: str) -> dict[str, Any]:
    return {"type": "STRING", "operation": "EQUAL", "value": {"defaultValue": state, "dynamicValue": None}, "ignoreCase": False}


def _with_info(predicate: Json) -> Json:
    return {"keyFilterPredicate": predicate, "userInfo": {"editable": False, "label": "", "autogeneratedLabel": True, "order": 0}}
