"""The client against the lab, through real sockets."""

import http.client
import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cota.lab.server import Lab, LabConfig, running_lab
from cota.thingsboard import Client, ThingsBoardError, fleet_query, id_of


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with running_lab(LabConfig(db=None, port=0, password="correct horse battery", ota_pace=0.01)) as running:
        yield running


@pytest.fixture(scope="module")
def tb(lab: Lab) -> Iterator[Client]:
    with Client(lab.url, username=lab.username, password=lab.password) as client:
        yield client


@pytest.fixture
def name() -> str:
    return f"n-{uuid.uuid4().hex[:10]}"


def board(lab: Lab, method: str, path: str, body: object = None) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", lab.port, timeout=30)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        data = response.read()
        assert response.status == 200, data
        return json.loads(data) if data else None
    finally:
        connection.close()


def until(get: Any, wanted: Any) -> None:
    for _ in range(500):
        if get() == wanted:
            return
        time.sleep(0.02)
    assert get() == wanted


def test_who_signed_in_is_told(lab: Lab, tb: Client) -> None:
    assert tb.user()["email"] == lab.username
    with Client(lab.url, username=lab.username, password="wrong") as other, pytest.raises(ThingsBoardError) as caught:
        other.user()
    assert caught.value.status == 401


def test_a_device_is_made_found_listed_and_deleted(tb: Client, name: str) -> None:
    assert tb.devices.find(name) is None
    made = tb.devices.create(name, token=f"token-{name}", label="on the shelf")
    assert tb.devices.token(id_of(made)) == f"token-{name}"
    found = tb.devices.find(name)
    assert found is not None
    assert id_of(found) == id_of(made)
    assert [info["name"] for info in tb.devices.infos(text=name)] == [name]
    assert [info["name"] for info in tb.devices.infos(text=name, active=False)] == [name]
    assert list(tb.devices.infos(text=name, active=True)) == []
    with pytest.raises(ThingsBoardError) as caught:
        tb.devices.create(name)
    assert caught.value.status == 400
    tb.devices.delete(id_of(made))
    assert tb.devices.find(name) is None
    assert tb.devices.token(id_of(tb.devices.create(name))) != ""


def test_a_long_listing_comes_whole(tb: Client, name: str) -> None:
    profile = tb.profiles.create(name)
    names = [f"{name}-{number:03}" for number in range(205)]
    for each in names:
        tb.devices.create(each, profile_id=id_of(profile))
    assert sorted(info["name"] for info in tb.devices.infos(profile_id=id_of(profile))) == names
    assert [member.name for member in tb.fleet.find(fleet_query([name]))] == names
    assert tb.fleet.count(fleet_query([name])) == 205
    assert tb.profiles.count_affected(id_of(profile)) == 205


def test_a_profile_lets_boards_make_their_own_device(lab: Lab, tb: Client, name: str) -> None:
    profile = tb.profiles.create(name, provision_key=f"key-{name}", provision_secret=f"secret-{name}")
    answer = board(
        lab,
        "POST",
        "/api/v1/provision",
        {"deviceName": f"{name}-1", "provisionDeviceKey": f"key-{name}", "provisionDeviceSecret": f"secret-{name}"},
    )
    assert answer["status"] == "SUCCESS"
    device = tb.devices.find(f"{name}-1")
    assert device is not None
    assert device["deviceProfileId"] == profile["id"]
    assert tb.devices.token(id_of(device)) == answer["credentialsValue"]
    found = tb.profiles.find(name)
    assert found is not None
    found["description"] = "changed"
    tb.profiles.save(found)
    assert tb.profiles.get(id_of(profile))["description"] == "changed"
    assert tb.profiles.find(name[:-1]) is None
    assert tb.profiles.default()["default"] is True


def test_a_url_package_reaches_the_boards_of_its_profile(lab: Lab, tb: Client, name: str) -> None:
    profile = tb.profiles.create(name)
    device = tb.devices.create(name, profile_id=id_of(profile), token=f"t-{name}")
    url = "https://github.com/acme/app/tree/main"
    package = tb.packages.create_url(name, "v1.0.0", url, id_of(profile), checksum="ab" * 32, size=7)
    found = tb.packages.find(name, "v1.0.0")
    assert found is not None
    assert id_of(found) == id_of(package)
    assert tb.packages.find(name, "v1.0.1") is None
    assert (found["url"], found["checksum"], found["dataSize"]) == (url, "ab" * 32, 7)
    tb.profiles.assign(id_of(profile), id_of(package))
    keys = ("fw_title", "fw_version", "fw_url", "fw_checksum")
    until(lambda: tb.telemetry.attributes(id_of(device), keys=keys), dict(zip(keys, (name, "v1.0.0", url, "ab" * 32), strict=True)))
    shared = board(lab, "GET", f"/api/v1/t-{name}/attributes?sharedKeys=fw_url")["shared"]
    assert shared == {"fw_url": url}
    with pytest.raises(ThingsBoardError, match="referenced by the device profile"):
        tb.packages.delete(id_of(package))
    tb.profiles.assign(id_of(profile), None)
    until(lambda: tb.telemetry.attributes(id_of(device), keys=keys), {})
    assert tb.profiles.get(id_of(profile))["profileData"] == profile["profileData"]
    tb.packages.delete(id_of(package))
    assert tb.packages.find(name, "v1.0.0") is None


def test_an_uploaded_package_is_checked_and_may_be_sent_again(tb: Client, name: str) -> None:
    profile = tb.profiles.create(name)
    package = tb.packages.create(name, "v1", id_of(profile))
    data = bytes(range(256)) * 100
    first = tb.packages.upload(id_of(package), "app.bin", data)
    assert (first["dataSize"], first["hasData"]) == (len(data), True)
    assert tb.packages.upload(id_of(package), "app.bin", data)["checksum"] == first["checksum"]
    assert tb.packages.get(id_of(package))["fileName"] == "app.bin"
    with pytest.raises(ThingsBoardError) as caught:
        tb.packages.upload(id_of(package), "app.bin", b"other")
    assert caught.value.status == 400
    with pytest.raises(ThingsBoardError, match="already exists"):
        tb.packages.create(name, "v1", id_of(profile))
    device = tb.devices.create(name, profile_id=id_of(profile))
    tb.devices.assign(id_of(device), id_of(package))
    assert tb.devices.get(id_of(device))["firmwareId"]["id"] == id_of(package)
    tb.devices.assign(id_of(device), None)
    assert not tb.devices.get(id_of(device)).get("firmwareId")


def test_a_package_over_sixteen_mebibytes_is_refused_with_the_remedy(tb: Client, name: str) -> None:
    package = tb.packages.create(name, "v1", id_of(tb.profiles.create(name)))
    with pytest.raises(ThingsBoardError) as caught:
        tb.packages.upload(id_of(package), "big.bin", bytes(17 * 1024 * 1024))
    assert caught.value.status == 413
    assert "16 MiB" in str(caught.value)


def test_shared_attributes_are_written_read_and_deleted(lab: Lab, tb: Client, name: str) -> None:
    device = id_of(tb.devices.create(name, token=f"t-{name}"))
    tb.telemetry.write_shared(device, {"cota_retry": "r-1", "rate": 3, "on": True})
    assert tb.telemetry.attributes(device) == {"cota_retry": "r-1", "rate": 3, "on": True}
    assert tb.telemetry.attributes(device, keys=["rate", "none"]) == {"rate": 3}
    tb.telemetry.delete_shared(device, ["rate", "none"])
    assert tb.telemetry.attributes(device) == {"cota_retry": "r-1", "on": True}
    board(lab, "POST", f"/api/v1/t-{name}/attributes", {"board": "pico_w"})
    assert tb.telemetry.attributes(device, "CLIENT_SCOPE")["board"] == "pico_w"


def test_telemetry_is_read_latest_and_in_order(lab: Lab, tb: Client, name: str) -> None:
    device = id_of(tb.devices.create(name, token=f"t-{name}"))
    for number, state in enumerate(("DOWNLOADING", "DOWNLOADED", "UPDATED")):
        board(lab, "POST", f"/api/v1/t-{name}/telemetry", {"ts": 1_700_000_000_000 + number, "values": {"fw_state": state}})
    latest = tb.telemetry.latest(device, ["fw_state", "never_sent"])
    assert {key: sample.value for key, sample in latest.items()} == {"fw_state": "UPDATED"}
    history = tb.telemetry.history(device, ["fw_state"], 1_700_000_000_000, 1_700_000_000_003)
    assert [sample.value for sample in history["fw_state"]] == ["DOWNLOADING", "DOWNLOADED", "UPDATED"]
    limited = tb.telemetry.history(device, ["fw_state"], 0, 1_800_000_000_000, limit=2)
    assert [sample.time for sample in limited["fw_state"]] == [1_700_000_000_000, 1_700_000_000_001]
    assert tb.telemetry.latest(device)["fw_state"].value == "UPDATED"


def test_the_fleet_shows_where_each_board_stands(lab: Lab, tb: Client, name: str) -> None:
    profile = id_of(tb.profiles.create(name))
    for number, state in enumerate(("UPDATED", "FAILED")):
        device = tb.devices.create(f"{name}-{number}", profile_id=profile, token=f"t-{name}-{number}")
        board(lab, "POST", f"/api/v1/t-{name}-{number}/telemetry", {"fw_state": state, "current_fw_version": "v1"})
        tb.telemetry.write_shared(id_of(device), {"fw_url": "http://x"})
    tb.devices.create(f"{name}-2", profile_id=profile)
    members = list(tb.fleet.find(fleet_query([name], shared=["fw_url"], server=["active"])))
    assert [member.telemetry.get("fw_state") for member in members] == ["UPDATED", "FAILED", None]
    assert members[0].telemetry["current_fw_version"] == "v1"
    assert members[0].shared == {"fw_url": "http://x"}
    assert members[0].times["fw_state"] > 1_700_000_000_000
    assert members[2].shared == {}
    assert [member.name for member in tb.fleet.find(fleet_query([name], state="FAILED"))] == [f"{name}-1"]
    assert tb.fleet.count(fleet_query([name], state="FAILED")) == 1


def test_an_unknown_device_is_404(tb: Client) -> None:
    nobody = str(uuid.uuid4())
    for call in (lambda: tb.devices.get(nobody), lambda: tb.devices.delete(nobody), lambda: tb.telemetry.attributes(nobody)):
        with pytest.raises(ThingsBoardError) as caught:
            call()
        assert caught.value.status == 404


# Text that does not read as a number, a boolean or JSON to the server's cast.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20).map(lambda text: "x" + text)
VALUE = TEXT | st.integers(-(2**53), 2**53) | st.booleans()


@settings(max_examples=40, deadline=None)
@given(values=st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,10}", fullmatch=True), VALUE, min_size=1, max_size=5))
def test_shared_attributes_come_back_as_they_were_written(tb: Client, values: dict[str, str | int | bool]) -> None:
    device = id_of(tb.devices.create(uuid.uuid4().hex))
    tb.telemetry.write_shared(device, values)
    found = tb.telemetry.attributes(device, keys=values)
    assert found == values
    assert {key: type(value) for key, value in found.items()} == {key: type(value) for key, value in values.items()}
    tb.telemetry.delete_shared(device, values)
    assert tb.telemetry.attributes(device) == {}
