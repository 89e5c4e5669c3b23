"""Devices, profiles and dashboards over REST."""

from typing import Any

import httpx2
import pytest
from lab_operator import Operator, unique

_ZERO = "00000000-0000-0000-0000-000000000000"


def _refused(answer: httpx2.Response, message: str, status: int = 400, code: int = 31) -> None:
    assert (answer.status_code, answer.json()["errorCode"], answer.json()["message"]) == (status, code, message)


# --- devices ----------------------------------------------------------------------------------------------------------------------------


def test_a_device_has_the_fields_of_thingsboards(operator: Operator) -> None:
    profile = operator.profile()
    device, token = operator.device(profile, label="shelf", additionalInfo={"description": "d"})
    assert set(device) >= {"id", "createdTime", "tenantId", "customerId", "name", "type", "label", "deviceProfileId", "deviceData"}
    assert set(device) >= {"firmwareId", "softwareId", "version", "additionalInfo", "externalId", "ownerId"}
    assert (device["type"], device["label"], device["version"], device["firmwareId"]) == (profile["name"], "shelf", 1, None)
    device_id = device["id"]["id"]
    assert operator.get(f"/api/device/{device_id}") == device
    assert operator.get("/api/tenant/device", deviceName=device["name"]) == device
    assert operator.get(f"/api/devices?deviceIds={device_id},{_ZERO}") == [device]
    info = operator.get(f"/api/device/info/{device_id}")
    assert info == device | {"customerTitle": None, "customerIsPublic": False, "deviceProfileName": profile["name"], "active": False}
    credentials = operator.get(f"/api/device/{device_id}/credentials")
    assert (credentials["credentialsType"], credentials["credentialsId"], credentials["credentialsValue"]) == ("ACCESS_TOKEN", token, None)
    assert credentials["deviceId"] == device["id"]


def test_a_device_gets_its_profile_by_id_by_name_or_by_default(operator: Operator) -> None:
    name = unique("made by name")
    made = operator.post("/api/device", {"name": unique("d"), "type": name})
    assert made["type"] == name
    again = operator.post("/api/device", {"name": unique("d"), "type": name})
    assert again["deviceProfileId"] == made["deviceProfileId"]
    default = operator.get("/api/deviceProfileInfo/default")
    assert operator.post("/api/device", {"name": unique("d")})["deviceProfileId"] == default["id"]
    assert name in [one["type"] for one in operator.get("/api/device/types")]


def test_a_bad_device_is_refused(operator: Operator) -> None:
    device, token = operator.device()
    unknown = {"entityType": "DEVICE_PROFILE", "id": _ZERO}
    for body, message in (
        ({}, "Device name should be specified!"),
        ({"name": " "}, "Device name should be specified!"),
        ({"name": device["name"]}, "Device with such name already exists!"),
        ({"name": "x" * 256}, "Validation error: name length must be equal or less than 255"),
        ({"name": unique("d"), "deviceProfileId": unknown}, "Device is referencing to non existing device profile!"),
        ({"name": unique("d"), "deviceProfileId": {"id": 7}}, "Invalid UUID string: 7"),
        ({"name": unique("d"), "type": ["x"]}, "Validation error: type length must be equal or less than 255"),
        ([], "Request body should be a JSON object"),
    ):
        _refused(operator.http.post("/api/device", json=body), message)
    taken = operator.http.post("/api/device", json={"name": unique("d")}, params={"accessToken": token})
    _refused(taken, "Device credentials are already assigned to another device!")
    missing = operator.http.post("/api/device", json={"name": "d", "id": {"entityType": "DEVICE", "id": _ZERO}})
    _refused(missing, f"Device with id [{_ZERO}] is not found", 404, 32)
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/credentials")):
        _refused(operator.http.request(method, f"/api/device/{_ZERO}{path}"), f"Device with id [{_ZERO}] is not found", 404, 32)
    _refused(operator.http.get("/api/device/nonsense"), "Invalid UUID string: nonsense")
    _refused(operator.http.get("/api/tenant/device?deviceName=nobody"), "Requested item wasn't found!", 404, 32)
    assert operator.http.get("/api/tenant/device").status_code == 500
    assert operator.http.post("/api/device", content=b"{").status_code == 400


def test_a_name_conflict_can_be_solved_by_the_server(operator: Operator) -> None:
    device, _ = operator.device()
    body = {"name": device["name"]}
    random = operator.post("/api/device", body, nameConflictPolicy="UNIQUIFY")["name"]
    assert random.startswith(f"{device['name']}_")
    counted = [
        operator.post("/api/device", body, nameConflictPolicy="UNIQUIFY", uniquifyStrategy="INCREMENTAL", uniquifySeparator="-")["name"]
        for _ in range(2)
    ]
    assert counted == [f"{device['name']}-1", f"{device['name']}-2"]
    assert operator.http.post("/api/device", json=body, params={"nameConflictPolicy": "PANIC"}).status_code == 400


def test_credentials_are_given_with_the_device_or_changed_later(operator: Operator, device_http: httpx2.Client) -> None:
    token = unique("given")
    body = {"device": {"name": unique("d")}, "credentials": {"credentialsType": "ACCESS_TOKEN", "credentialsId": token}}
    device = operator.post("/api/device-with-credentials", body)
    assert device_http.get(f"/api/v1/{token}/attributes").status_code == 200
    credentials = operator.get(f"/api/device/{device['id']['id']}/credentials")
    changed = operator.post("/api/device/credentials", credentials | {"credentialsId": token + "-new"})
    assert (changed["credentialsId"], changed["version"], changed["id"]) == (token + "-new", 2, credentials["id"])
    assert [device_http.get(f"/api/v1/{t}/attributes").status_code for t in (token, token + "-new")] == [401, 200]
    basic = '{"clientId":"c","userName":"u","password":"p"}'
    operator.post("/api/device/credentials", changed | {"credentialsType": "MQTT_BASIC", "credentialsValue": basic})
    assert device_http.get(f"/api/v1/{token}-new/attributes").status_code == 401
    _, other = operator.device()
    for change, message in (
        ({"credentialsId": other}, "Device credentials are already assigned to another device!"),
        ({"credentialsId": ""}, "Device credentials id should be specified!"),
        ({"credentialsType": None}, "Device credentials type should be specified!"),
        ({"deviceId": None}, "Device credentials should be assigned to device!"),
        ({"id": {"id": _ZERO}}, "Unable to update non-existent device credentials!"),
        ({"credentialsType": "MQTT_BASIC", "credentialsValue": "{"}, "Incorrect device credentials value"),
        ({"credentialsType": "MQTT_BASIC", "credentialsValue": "{}"}, "Both mqtt client id and user name are empty!"),
        ({"credentialsValue": 7}, "Device credentials value should be text!"),
    ):
        _refused(operator.http.post("/api/device/credentials", json=changed | change), message)
    assert operator.http.post("/api/device-with-credentials", json={"device": {"name": "x"}}).status_code == 400


def test_devices_are_listed_by_page_profile_state_and_name(operator: Operator, device_http: httpx2.Client) -> None:
    profile = operator.profile()
    made = [operator.device(profile, name=unique("list")) for _ in range(5)]
    device_http.get(f"/api/v1/{made[2][1]}/attributes")

    def read(path: str = "/api/tenant/deviceInfos", **params: Any) -> list[str]:
        wanted = {"pageSize": 100, "page": 0, "sortProperty": "name", "type": profile["name"]} | params
        return [one["name"] for one in operator.get(path, **wanted)["data"]]

    names = sorted(device["name"] for device, _ in made)
    assert read() == names
    assert read(type="", deviceProfileId=profile["id"]["id"]) == names
    assert read("/api/tenant/devices") == names
    assert read(sortOrder="DESC", pageSize=2, page=1) == names[::-1][2:4]
    assert read(active="true") == [made[2][0]["name"]]
    assert len(read(active="false")) == 4
    assert read(textSearch=names[1].upper()) == [names[1]]
    assert read(type="no such profile") == []
    assert operator.get(f"/api/customer/{_ZERO}/deviceInfos", pageSize=1, page=0)["data"] == []
    assert operator.http.get("/api/devices/count/SPYWARE/" + profile["id"]["id"]).status_code == 400


def test_a_deleted_device_leaves_nothing_behind(operator: Operator, device_http: httpx2.Client) -> None:
    device, token = operator.device()
    device_http.post(f"/api/v1/{token}/telemetry", json={"a": 1})
    answer = operator.http.delete(f"/api/device/{device['id']['id']}")
    assert (answer.status_code, answer.content) == (200, b"")
    assert device_http.get(f"/api/v1/{token}/attributes").status_code == 401
    gone = operator.http.get(f"/api/plugins/telemetry/DEVICE/{device['id']['id']}/values/timeseries")
    assert (gone.status_code, gone.text) == (404, "Device with requested id wasn't found!")
    operator.post("/api/device", {"name": device["name"]}, accessToken=token)
    assert device_http.get(f"/api/v1/{token}/attributes").content == b"{}"


# --- profiles ---------------------------------------------------------------------------------------------------------------------------


def test_a_profile_keeps_fields_that_the_lab_does_not_know(operator: Operator) -> None:
    profile = operator.profile(newerField={"a": [1]}, description="d", profileData={"alarms": [], "future": 1})
    assert profile["newerField"] == {"a": [1]}
    assert profile["profileData"]["future"] == 1
    assert operator.get(f"/api/deviceProfile/{profile['id']['id']}") == profile
    saved = operator.post("/api/deviceProfile", profile | {"description": "new"})
    assert saved == profile | {"description": "new", "version": 2}


def test_a_fresh_lab_has_a_default_profile(operator: Operator) -> None:
    info = operator.get("/api/deviceProfileInfo/default")
    assert set(info) == {"id", "name", "image", "defaultDashboardId", "type", "transportType", "tenantId"}
    whole = operator.get(f"/api/deviceProfile/{info['id']['id']}")
    assert (whole["name"], whole["default"], whole["provisionType"], whole["type"]) == ("default", True, "DISABLED", "DEFAULT")
    assert operator.get(f"/api/deviceProfileInfo/{info['id']['id']}") == info


def test_another_profile_can_become_the_default(operator: Operator) -> None:
    old, profile = operator.get("/api/deviceProfileInfo/default"), operator.profile()
    assert operator.post(f"/api/deviceProfile/{profile['id']['id']}/default", None)["default"] is True
    assert operator.get("/api/deviceProfileInfo/default")["id"] == profile["id"]
    refused = operator.http.delete(f"/api/deviceProfile/{profile['id']['id']}")
    _refused(refused, "Deletion of Default Device Profile is prohibited!")
    operator.post(f"/api/deviceProfile/{old['id']['id']}/default", None)
    assert operator.get(f"/api/deviceProfile/{profile['id']['id']}")["default"] is False


def test_a_bad_profile_is_refused(operator: Operator) -> None:
    profile, good = operator.profile(provisionDeviceKey=unique("key")), {"type": "DEFAULT", "transportType": "DEFAULT"}
    for body, message in (
        (good, "Device profile name should be specified!"),
        (good | {"name": "x" * 256}, "Validation error: name length must be equal or less than 255"),
        ({"name": unique("p"), "transportType": "DEFAULT"}, "Device profile type should be specified!"),
        ({"name": unique("p"), "type": "DEFAULT"}, "Device profile transport type should be specified!"),
        (good | {"name": profile["name"]}, "Device profile with such name already exists!"),
        (good | {"name": unique("p"), "default": True}, "Another default device profile is present!"),
        (
            good | {"name": unique("p"), "provisionDeviceKey": profile["provisionDeviceKey"]},
            "Device profile with such provision device key already exists!",
        ),
        (
            good | {"name": unique("p"), "provisionType": "MAGIC"},
            "No enum constant org.thingsboard.server.common.data.DeviceProfileProvisionType.MAGIC",
        ),
    ):
        _refused(operator.http.post("/api/deviceProfile", json=body), message)
    _refused(operator.http.get(f"/api/deviceProfile/{_ZERO}"), f"Device profile with id [{_ZERO}] is not found", 404, 32)


def test_a_profile_is_deleted_with_its_packages_but_not_with_its_devices(operator: Operator) -> None:
    profile = operator.profile()
    package = operator.package(profile, b"x" * 70_000)
    device, _ = operator.device(profile)
    path = f"/api/deviceProfile/{profile['id']['id']}"
    _refused(operator.http.delete(path), "The device profile referenced by the devices cannot be deleted!")
    operator.http.delete(f"/api/device/{device['id']['id']}")
    assert operator.http.delete(path).status_code == 200
    assert operator.http.get(f"/api/otaPackage/info/{package['id']['id']}").status_code == 404


def test_profiles_are_listed_and_name_the_keys_of_their_devices(operator: Operator, device_http: httpx2.Client) -> None:
    profile = operator.profile()
    _, token = operator.device(profile)
    device_http.post(f"/api/v1/{token}/telemetry", json={"b": 1, "a": 2})
    device_http.post(f"/api/v1/{token}/attributes", json={"c": 1})
    assert operator.get("/api/deviceProfile/devices/keys/timeseries", deviceProfileId=profile["id"]["id"]) == ["a", "b"]
    assert "c" in operator.get("/api/deviceProfile/devices/keys/attributes", deviceProfileId=profile["id"]["id"])
    assert {"a", "b"} <= set(operator.get("/api/deviceProfile/devices/keys/timeseries"))
    params = {"pageSize": 10, "page": 0, "textSearch": profile["name"], "sortProperty": "name"}
    (info,) = [one for one in operator.get("/api/deviceProfileInfos", **params)["data"] if one["id"] == profile["id"]]
    assert "firmwareId" not in info
    assert profile in operator.get("/api/deviceProfiles", **params)["data"]
    assert profile["name"] in [one["name"] for one in operator.get("/api/deviceProfile/names")]


# --- dashboards -------------------------------------------------------------------------------------------------------------------------


def test_a_dashboard_is_kept_as_it_came(operator: Operator) -> None:
    given = {"title": unique("Firmware"), "configuration": {"widgets": {"a": [1, 2.5, None, "é"]}}, "mobileHide": True}
    saved = operator.post("/api/dashboard", given)
    assert {name: saved[name] for name in given} == given
    path = f"/api/dashboard/{saved['id']['id']}"
    assert operator.get(path) == saved
    assert "configuration" not in operator.get(f"/api/dashboard/info/{saved['id']['id']}")
    changed = operator.post("/api/dashboard", saved | {"configuration": {}})
    assert (changed["configuration"], changed["version"]) == ({}, 2)
    assert operator.http.post("/api/dashboard", json=saved).status_code == 409
    listed = operator.get("/api/tenant/dashboards", pageSize=10, page=0, textSearch=given["title"])
    assert [one["id"] for one in listed["data"]] == [saved["id"]]
    assert operator.http.delete(path).status_code == 200
    _refused(operator.http.get(path), f"Dashboard with id [{saved['id']['id']}] is not found", 404, 32)
    _refused(operator.http.post("/api/dashboard", json={"title": ""}), "Dashboard title should be specified!")
    assert operator.http.post("/api/dashboard", json={"title": "x" * 256}).status_code == 400
    assert isinstance(operator.get("/api/dashboard/serverTime"), int)


@pytest.mark.parametrize("body", [b"\xff", b"[" * 50_000, b'{"title":"\\ud800"}', b'{"title":1e999}', b'{"title":' + b"9" * 5000 + b"}"])
def test_a_body_that_no_rule_foresaw_is_a_clear_error_and_not_a_fault(operator: Operator, body: bytes) -> None:
    for path in ("/api/dashboard", "/api/device", "/api/deviceProfile", "/api/otaPackage", "/api/entitiesQuery/find"):
        assert operator.http.post(path, content=body).status_code == 400, path
