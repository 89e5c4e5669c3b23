"""The dashboard's widgets, of the types that ThingsBoard 4 ships: counts, a table of entities, a table of time series.

Everything that a device says is escaped before it becomes HTML: cells of ThingsBoard's tables take HTML, and a device must not bring any.
"""

import json
import uuid
from typing import Any

from cota.thingsboard.boards import PERCENT

Json = dict[str, Any]

_SPACE = uuid.UUID("6b1f0c1e-27a8-5d0e-9c53-0c07a0f1ee70")  # ours; ids follow from names, so that every run makes the same ones
RED, GREEN, BLUE, GREY = "#c62828", "#2e7d32", "#1565c0", "#616161"
_ESCAPE = "String(value).replace(/[&<>\"'`]/g, function (c) { return '&#' + c.charCodeAt(0) + ';'; })"
# The functions' bodies, as ThingsBoard calls them: with `value`, and what they return is a cell's HTML or style.
PLAIN = f"if (value === undefined || value === null) {{ return ''; }}\nreturn {_ESCAPE};"
PROGRESS = (
    f"var percent = {json.dumps(PERCENT)}[value];\n"
    "if (typeof percent !== 'number') { return ''; }\n"
    f"var color = value === 'FAILED' ? '{RED}' : value === 'UPDATED' ? '{GREEN}' : '{BLUE}';\n"
    'return \'<div role="progressbar" aria-valuemin="0" aria-valuemax="100" aria-valuenow="\' + percent + \'" \'\n'
    "  + 'style=\"height:8px;border-radius:4px;background:#e0e0e0\">'\n"
    "  + '<div style=\"height:8px;border-radius:4px;width:' + percent + '%;background:' + color + '\"></div></div>';"
)
STATE_STYLE = (
    f"if (value === 'FAILED') {{ return {{color: '{RED}', fontWeight: 'bold'}}; }}\n"
    f"if (value === 'UPDATED') {{ return {{color: '{GREEN}'}}; }}\n"
    "return {};"
)
SEEN = (
    "var then = Number(value);\n"
    "if (!then) { return 'never'; }\n"
    "var seconds = Math.max(0, Math.round((Date.now() - then) / 1000));\n"
    "if (seconds < 120) { return seconds + ' s ago'; }\n"
    "if (seconds < 7200) { return Math.round(seconds / 60) + ' min ago'; }\n"
    "if (seconds < 172800) { return Math.round(seconds / 3600) + ' h ago'; }\n"
    "return Math.round(seconds / 86400) + ' d ago';"
)
ACTIVE = "return String(value) === 'true' ? 'yes' : 'no';"
ACTIVE_STYLE = f"return String(value) === 'true' ? {{}} : {{color: '{GREY}'}};"


def make_id(name: str) -> str:
    """Give the id of a part by its name."""
    return str(uuid.uuid5(_SPACE, name))


def column(key: str, label: str, kind: str = "timeseries", *, width: str = "0px", content: str = PLAIN, style: str = "") -> Json:
    """Give a column of a table.

    Args:
        key: The telemetry key or attribute.
        label: Its title.
        kind: "timeseries", "attribute" or "entityField", as ThingsBoard names the kinds of a data key.
        width: Its width; "0px" leaves it to the table.
        content: Body of the function that makes the cell's HTML.
        style: Body of the function that gives the cell's style; "" for none.
    """
    return {
        "name": key,
        "type": kind,
        "label": label,
        "color": BLUE,
        "settings": {
            "columnWidth": width,
            "useCellStyleFunction": bool(style),
            "cellStyleFunction": style,
            "useCellContentFunction": True,
            "cellContentFunction": content,
            "defaultColumnVisibility": "visible",
            "columnSelectionToDisplay": "enabled",
        },
        "_hash": 0.1,
    }


def _widget(name: str, kind: str, fqn: str, size: tuple[int, int], config: Json) -> Json:
    return {
        "id": make_id(name),
        "type": kind,
        "typeFullFqn": f"system.{fqn}",
        "sizeX": size[0],
        "sizeY": size[1],
        "row": 0,
        "col": 0,
        "config": {
            "showTitle": True,
            "backgroundColor": "rgb(255, 255, 255)",
            "color": "rgba(0, 0, 0, 0.87)",
            "padding": "4px",
            "dropShadow": True,
            "enableFullscreen": True,
            "useDashboardTimewindow": False,
            "showLegend": False,
            "widgetStyle": {},
            "actions": {},
            **config,
        },
    }


def count_card(name: str, label: str, icon: str, color: str, alias: str, filter_id: str, target: str) -> Json:
    """Give a card that counts the devices of a filter and opens their list."""
    constant = {"type": "constant", "color": color}
    action = {
        "id": make_id(f"{name} open"),
        "name": "Open",
        "icon": "open_in_new",
        "type": "updateDashboardState",
        "targetDashboardStateId": target,
        "setEntityId": False,
    }
    return _widget(
        name,
        "latest",
        "entity_count",
        (4, 2),
        {
            "showTitle": False,
            "padding": "0px",
            "title": label,
            "enableFullscreen": False,
            "datasources": [
                {
                    "type": "entityCount",
                    "name": "",
                    "entityAliasId": alias,
                    "filterId": filter_id,
                    "dataKeys": [{"name": "count", "type": "count", "label": label, "color": color, "settings": {}, "_hash": 0.1}],
                }
            ],
            "settings": {
                "layout": "column",
                "showLabel": True,
                "label": label,
                "showIcon": True,
                "icon": icon,
                "iconSize": 20,
                "iconSizeUnit": "px",
                "iconColor": {"type": "constant", "color": "rgba(255, 255, 255, 1)"},
                "showIconBackground": True,
                "iconBackgroundSize": 36,
                "iconBackgroundSizeUnit": "px",
                "iconBackgroundColor": constant,
                "showChevron": True,
            },
            "actions": {"cardClick": [action]},
        },
    )


def device_table(name: str, title: str, alias: str, filter_id: str | None, columns: list[Json], target: str) -> Json:
    """Give a table of devices, whose rows open the state `target` for their device."""
    action = {
        "id": make_id(f"{name} open"),
        "name": "History",
        "icon": "history",
        "type": "openDashboardState",
        "targetDashboardStateId": target,
        "setEntityId": True,
        "stateEntityParamName": None,
        "openRightLayout": False,
    }
    source: Json = {"type": "entity", "name": None, "entityAliasId": alias, "dataKeys": columns}
    if filter_id is not None:
        source["filterId"] = filter_id
    return _widget(
        name,
        "latest",
        "cards.entities_table",
        (24, 10),
        {
            "title": title,
            "timewindow": {"realtime": {"interval": 1000, "timewindowMs": 86_400_000}, "aggregation": {"type": "NONE", "limit": 200}},
            "datasources": [source],
            "settings": {
                "entitiesTitle": title,
                "enableSearch": True,
                "enableSelectColumnDisplay": True,
                "enableStickyHeader": True,
                "enableStickyAction": True,
                "displayEntityName": True,
                "entityNameColumnTitle": "Device",
                "displayEntityLabel": False,
                "displayEntityType": False,
                "displayPagination": True,
                "defaultPageSize": 20,
                "defaultSortOrder": "entityName",
            },
            "actions": {"rowClick": [action]},
        },
    )


def history_table(name: str, title: str, alias: str, columns: list[Json]) -> Json:
    """Give a table of what one device has sent in the last week."""
    return _widget(
        name,
        "timeseries",
        "cards.timeseries_table",
        (24, 10),
        {
            "title": title,
            "timewindow": {"realtime": {"interval": 1000, "timewindowMs": 604_800_000}, "aggregation": {"type": "NONE", "limit": 1000}},
            "displayTimewindow": True,
            "datasources": [{"type": "entity", "name": None, "entityAliasId": alias, "dataKeys": columns}],
            "settings": {
                "showTimestamp": True,
                "displayPagination": True,
                "defaultPageSize": 20,
                "hideEmptyLines": True,
                "enableSearch": True,
                "enableStickyHeader": True,
            },
        },
    )
