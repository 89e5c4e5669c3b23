"""`cota dashboard` puts a dashboard into ThingsBoard once, again, and never over somebody's work; what devices say stays text in it."""

import copy
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from drive_memory import Done

from cota.dashboard import install as installing
from cota.dashboard import widgets
from cota.dashboard.build import CARDS, build
from cota.lab.server import Lab
from cota.thingsboard import Client, id_of

Cota = Callable[..., Done]
# What ThingsBoard CE 4 ships, by the `fqn` of its widget types, and the kind of widget that each is.
SHIPPED = {"system.entity_count": "latest", "system.cards.entities_table": "latest", "system.cards.timeseries_table": "timeseries"}


@pytest.fixture
def title(number: int) -> str:
    return f"Fleet {number}"


def stored(client: Client, title: str) -> list[dict[str, Any]]:
    session = client._session
    found = [one for one in session.pages("/api/tenant/dashboards", {"textSearch": title}) if one["title"] == title]
    return [session.get(dict, f"/api/dashboard/{id_of(one)}") for one in found]


def save(client: Client, dashboard: dict[str, Any]) -> dict[str, Any]:
    return client._session.post(dict, "/api/dashboard", dashboard)


def test_it_is_made_and_making_it_again_changes_nothing(cota: Cota, operator: None, client: Client, title: str) -> None:
    done = cota("dashboard", "install", "--title", title)
    assert done.code == 0, done.err
    assert done.out.startswith(f"Made the dashboard {title}: ")
    (made,) = stored(client, title)
    assert made["configuration"] == build(title)["configuration"]
    again = cota("dashboard", "install", "--title", title, "--json")
    assert json.loads(again.out) == {"done": "unchanged", "id": id_of(made), "url": f"{client.url}/dashboards/{id_of(made)}"}
    assert stored(client, title) == [made]


def test_an_older_one_of_ours_is_brought_up_to_date_and_keeps_what_thingsboard_added(
    cota: Cota, operator: None, client: Client, title: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(widgets, "SEEN", "return 'an older version';")
    assert cota("dashboard", "install", "--title", title).code == 0
    (made,) = stored(client, title)
    save(client, {**made, "mobileOrder": 3})
    monkeypatch.undo()
    for name, value in (("URL", client.url), ("USERNAME", "tenant@thingsboard.org")):
        monkeypatch.setenv(f"COTA_{name}", value)
    done = installing.install(client, title)
    assert done.done == "updated"
    (now,) = stored(client, title)
    assert now["configuration"] == build(title)["configuration"]
    assert (now["id"], now["mobileOrder"]) == (made["id"], 3)


def test_one_that_was_changed_by_hand_stays_unless_it_is_to_be_replaced(cota: Cota, operator: None, client: Client, title: str) -> None:
    assert cota("dashboard", "install", "--title", title).code == 0
    (made,) = stored(client, title)
    changed = copy.deepcopy(made)
    changed["configuration"]["settings"]["showTitle"] = True
    save(client, changed)
    done = cota("dashboard", "install", "--title", title)
    assert done.code == 1
    assert "was changed by hand" in done.err
    assert "--replace" in done.err
    assert stored(client, title)[0]["configuration"]["settings"]["showTitle"] is True
    done = cota("dashboard", "install", "--title", title, "--replace")
    assert (done.code, done.out.split()[0]) == (0, "Brought")
    assert stored(client, title)[0]["configuration"] == build(title)["configuration"]


def test_somebody_elses_dashboard_of_that_title_stays(cota: Cota, operator: None, client: Client, title: str) -> None:
    mine = save(client, {"title": title, "configuration": {"widgets": {}, "description": "mine"}})
    done = cota("dashboard", "install", "--title", title, "--replace")
    assert done.code == 1
    assert "is not cOTA's" in done.err
    assert stored(client, title)[0]["version"] == mine["version"]
    save(client, {"title": title, "configuration": None})
    done = cota("dashboard", "install", "--title", title)
    assert (done.code, "2 dashboards" in done.err) == (1, True)


def test_a_title_that_is_part_of_another_is_another(cota: Cota, operator: None, client: Client, title: str) -> None:
    save(client, {"title": f"{title} of my own", "configuration": {}})
    assert cota("dashboard", "install", "--title", title).code == 0


def test_two_operators_at_once_end_with_one_state(
    cota: Cota, operator: None, client: Client, title: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(widgets, "SEEN", "return 'an older version';")
    assert cota("dashboard", "install", "--title", title).code == 0
    monkeypatch.undo()
    post = client._session.post
    raced = []

    def race(kind: Any, path: str, body: Any, **more: Any) -> Any:
        if path == "/api/dashboard" and not raced:
            raced.append(path)
            post(dict, path, {**stored(client, title)[0], "mobileOrder": 7})
        return post(kind, path, body, **more)

    monkeypatch.setattr(client._session, "post", race)
    assert installing.install(client, title).done == "updated"
    (now,) = stored(client, title)
    assert raced
    assert now["mobileOrder"] == 7, "the other's change is kept"
    assert now["configuration"] == build(title)["configuration"]


def test_the_export_is_what_is_installed_and_asks_no_server(cota: Cota, title: str) -> None:
    done = cota("dashboard", "export", "--title", title)
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == build(title)


@pytest.mark.parametrize("arguments", [("install", "--title", " "), ("install", "--title", "x" * 256), ("remove",), ()])
def test_wrong_use_is_told(cota: Cota, operator: None, arguments: tuple[str, ...]) -> None:
    done = cota("dashboard", *arguments)
    assert (done.code, "Usage:" in done.err) == (2, True)


def test_without_credentials_a_wrong_password_or_a_server_it_says_so(cota: Cota, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    done = cota("dashboard", "install")
    assert (done.code, "COTA_API_KEY" in done.err) == (2, True)
    for name, value in (("URL", lab.url), ("USERNAME", lab.username), ("PASSWORD", "wrong-word")):
        monkeypatch.setenv(f"COTA_{name}", value)
    done = cota("dashboard", "install")
    assert (done.code, "401" in done.err, "wrong-word" in done.err) == (2, True, False)
    monkeypatch.setenv("COTA_URL", "http://127.0.0.1:9")
    done = cota("dashboard", "install")
    assert (done.code, "cannot be reached" in done.err) == (2, True)


def test_it_uses_only_widgets_that_thingsboard_ships_and_everything_in_it_holds_together() -> None:
    configuration = build()["configuration"]
    parts = configuration["widgets"]
    for name, widget in parts.items():
        assert widget["id"] == name
        assert SHIPPED[widget["typeFullFqn"]] == widget["type"]
        for source in widget["config"]["datasources"]:
            assert source["entityAliasId"] in configuration["entityAliases"]
            assert source.get("filterId") in {None, *configuration["filters"]}
        for actions in widget["config"]["actions"].values():
            assert all(action["targetDashboardStateId"] in configuration["states"] for action in actions)
    placed = [name for state in configuration["states"].values() for name in state["layouts"]["main"]["widgets"]]
    assert sorted(placed) == sorted(parts), "every widget stands in exactly one place"
    assert [name for name, state in configuration["states"].items() if state["root"]] == ["default"]
    assert json.loads(json.dumps(configuration)) == configuration
    assert build() == build()


def test_no_two_cards_overlap_the_table() -> None:
    places = build()["configuration"]["states"]["default"]["layouts"]["main"]["widgets"].values()
    cells = [(x, y) for p in places for x in range(p["col"], p["col"] + p["sizeX"]) for y in range(p["row"], p["row"] + p["sizeY"])]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_its_filters_count_what_the_server_counts(client: Client, lab: Lab, number: int) -> None:
    """The filters go to the server as ThingsBoard's page sends them: predicates without what is only for its editor."""
    profile = id_of(client.profiles.create(f"counted-{number}"))
    for state in widgets.PERCENT:
        token = f"counted-{state}-{number}"
        client.devices.create(token, profile_id=profile, token=token)
        httpx2.post(f"{lab.url}/api/v1/{token}/telemetry", json={"fw_state": state}).raise_for_status()

    def sent(part: dict[str, Any]) -> dict[str, Any]:
        predicate = part["keyFilterPredicate"]
        inner = {"predicates": [sent(one) for one in predicate["predicates"]]} if "predicates" in predicate else {}
        return {**predicate, **inner}

    def count(name: str) -> int:
        filters = build()["configuration"]["filters"][widgets.make_id(f"filter {name}")]["keyFilters"]
        asked = [{**{k: one[k] for k in ("key", "valueType")}, "predicate": sent(one["predicates"][0])} for one in filters]
        query = {"entityFilter": {"type": "deviceType", "deviceTypes": [f"counted-{number}"], "deviceNameFilter": ""}, "keyFilters": asked}
        return client.fleet.count(query)

    end = time.monotonic() + 10
    while {name: count(name) for name, *_, states in CARDS if states} != {"waiting": 1, "updating": 5, "updated": 1, "failed": 1}:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert count("silent") == 0


NASTY = "<img src=x onerror=alert(1)>&\"'`"


def run_cell(body: str, value: object) -> Any:
    """Run a cell's function as ThingsBoard does: a function of `value` made from its text."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("NODE IS NOT INSTALLED: the dashboard's functions were not run")
    program = "const [b, v] = JSON.parse(process.argv[1]); console.log(JSON.stringify(new Function('value', b)(v)))"
    done = subprocess.run([node, "-e", program, json.dumps([body, value])], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def all_columns() -> list[dict[str, Any]]:
    parts = build()["configuration"]["widgets"].values()
    return [key for widget in parts for source in widget["config"]["datasources"] for key in source["dataKeys"] if key["type"] != "count"]


def test_nothing_that_a_device_says_becomes_html() -> None:
    bodies = {key["settings"]["cellContentFunction"] for key in all_columns()}
    assert all(key["settings"]["useCellContentFunction"] for key in all_columns())
    for body in bodies:
        shown = str(run_cell(body, NASTY))
        assert "<img" not in shown
        assert '"' not in shown or shown.startswith("<div role")
    assert run_cell(widgets.PLAIN, NASTY) == "&#60;img src=x onerror=alert(1)&#62;&#38;&#34;&#39;&#96;"


@pytest.mark.parametrize(("value", "shown"), [(None, ""), ("", ""), ("v1.0", "v1.0"), (0, "0")])
def test_a_plain_cell_shows_what_is_there(value: object, shown: str) -> None:
    assert run_cell(widgets.PLAIN, value) == shown


@pytest.mark.parametrize(("state", "percent"), [*widgets.PERCENT.items(), ("IDLE", None), ("", None), ("toString", None)])
def test_progress_follows_the_state(state: str, percent: int | None) -> None:
    shown = run_cell(widgets.PROGRESS, state)
    assert (f'aria-valuenow="{percent}"' in shown) if percent is not None else shown == ""


@pytest.mark.parametrize(
    ("seconds", "shown"), [(5, "5 s ago"), (600, "10 min ago"), (18_000, "5 h ago"), (345_600, "4 d ago"), (None, "never")]
)
def test_last_seen_is_told_in_words(seconds: int | None, shown: str) -> None:
    value = "" if seconds is None else int((time.time() - seconds) * 1000)
    said = run_cell(widgets.SEEN, value)
    assert said in (shown, shown.replace("5 s", "6 s"))


def test_a_state_has_its_colour_and_an_active_device_says_yes() -> None:
    assert run_cell(widgets.STATE_STYLE, "FAILED")["color"] == widgets.RED
    assert run_cell(widgets.STATE_STYLE, "anything") == {}
    assert [run_cell(widgets.ACTIVE, value) for value in (True, "true", False, "", None)] == ["yes", "yes", "no", "no", "no"]
