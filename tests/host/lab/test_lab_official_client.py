"""ThingsBoard's official REST client works with the lab.

Its 4.4.0 has bugs of its own that are stepped around here: it drops `usesUrl`, `tag` and `checksum` of a package it creates, and its
get_attributes_by_scope answers None.
"""

import hashlib
import json
import warnings
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from lab_operator import PASSWORD, Operator, unique, until

from cota.lab.server import Lab

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the client's own models warn while they are made
    from tb_ce_client import ApiException, ThingsboardClient
    from tb_ce_client.models.api_key_info import ApiKeyInfo
    from tb_ce_client.models.device import Device
    from tb_ce_client.models.device_profile import DeviceProfile
    from tb_ce_client.models.entity_data_query import EntityDataQuery
    from tb_ce_client.models.save_ota_package_info_request import SaveOtaPackageInfoRequest

DATA = b"firmware" * 1000


@pytest.fixture
def client(lab: Lab) -> Iterator[Any]:
    with ThingsboardClient(lab.url, username=lab.username, password=PASSWORD, retry_on_rate_limit=False) as made:
        yield made


def _id(entity: Any) -> str:
    return str(entity.id.id)


def _profile(client: Any) -> Any:
    return client.save_device_profile(DeviceProfile(name=unique("profile"), type="DEFAULT", transport_type="DEFAULT"))


def _attributes(client: Any, device: Any, scope: str) -> dict[str, Any]:
    answer = client.get_attributes_by_scope_without_preload_content("DEVICE", _id(device), scope)
    return {one["key"]: one["value"] for one in json.loads(answer.data)}


def test_the_whole_way_of_a_firmware(client: Any, lab: Lab) -> None:
    profile = _profile(client)
    device = client.save_device(Device(name=unique("device"), device_profile_id=profile.id))
    assert (device.type, device.version) == (profile.name, 1)
    title = unique("app")
    info = client.save_ota_package_info(
        SaveOtaPackageInfoRequest(title=title, version="v1", type="FIRMWARE", device_profile_id=profile.id, uses_url=False)
    )
    checksum = hashlib.sha256(DATA).hexdigest()
    saved = client.save_ota_package_data(_id(info), "SHA256", ("app.bin", DATA), checksum=checksum)
    assert (saved.has_data, saved.data_size, saved.checksum, saved.file_name) == (True, len(DATA), checksum, "app.bin")
    assert bytes(client.download_ota_package(_id(info))) == DATA
    page = client.get_ota_packages_by_device_profile_and_type(_id(profile), "FIRMWARE", 10, 0)
    assert [_id(one) for one in page.data] == [_id(info)]
    assert client.count_by_device_profile_and_empty_ota_package("FIRMWARE", _id(profile)) == 1

    whole = client.get_device_profile_by_id(_id(profile))
    whole.firmware_id = saved.id
    client.save_device_profile(whole)
    until(lambda: _attributes(client, device, "SHARED_SCOPE").get("fw_title") == title)

    token = client.get_device_credentials_by_device_id(_id(device)).credentials_id
    with httpx2.Client(base_url=lab.url) as board:
        named = {"title": title, "version": "v1"}
        assert board.get(f"/api/v1/{token}/firmware", params=named).content == DATA
        told = {"current_fw_title": title, "current_fw_version": "v1", "fw_state": "UPDATED"}
        board.post(f"/api/v1/{token}/telemetry", json=told).raise_for_status()
    latest = json.loads(
        client.get_latest_timeseries_without_preload_content("DEVICE", _id(device), keys="fw_state,current_fw_version").data
    )
    assert {key: samples[0]["value"] for key, samples in latest.items()} == {"fw_state": "UPDATED", "current_fw_version": "v1"}

    query = EntityDataQuery.from_dict(
        {
            "entityFilter": {"type": "deviceType", "deviceTypes": [profile.name], "deviceNameFilter": ""},
            "pageLink": {"pageSize": 10, "page": 0, "sortOrder": {"key": {"type": "ENTITY_FIELD", "key": "name"}, "direction": "ASC"}},
            "entityFields": [{"type": "ENTITY_FIELD", "key": "name"}],
            "latestValues": [{"type": "TIME_SERIES", "key": "fw_state"}],
        }
    )
    found = client.find_entity_data_by_query(query)
    assert found.total_elements == 1
    assert found.data[0].latest["TIME_SERIES"]["fw_state"].value == "UPDATED"
    assert found.data[0].latest["ENTITY_FIELD"]["name"].value == device.name
    infos = client.get_tenant_device_infos(10, 0, text_search=device.name)
    assert [(one.name, one.active) for one in infos.data] == [(device.name, True)]


def test_a_telemetry_and_attribute_write(client: Any) -> None:
    device = client.save_device(Device(name=unique("device")))
    client.save_entity_telemetry("DEVICE", _id(device), "ANY", json.dumps({"temperature": 21.5}))
    client.save_entity_attributes_v2("DEVICE", _id(device), "SHARED_SCOPE", json.dumps({"cota_retry": "r-1"}))
    assert _attributes(client, device, "SHARED_SCOPE") == {"cota_retry": "r-1"}
    assert client.get_timeseries_keys("DEVICE", _id(device)) == ["temperature"]
    client.delete_device(_id(device))
    with pytest.raises(ApiException) as refused:
        client.get_device_by_id(_id(device))
    assert refused.value.status == 404


def test_an_api_key_and_a_refresh(client: Any, lab: Lab, operator: Operator) -> None:
    user = client.get_user()
    assert user.email == lab.username
    key = client.save_api_key(ApiKeyInfo(description="ci", enabled=True, expiration_time=0, user_id=user.id))
    with ThingsboardClient(lab.url, api_key=key.value, retry_on_rate_limit=False) as by_key:
        assert by_key.get_user().email == lab.username
    assert "ci" in [one.description for one in client.get_user_api_keys(str(user.id.id), 10, 0).data]
    pair = operator.tokens
    with ThingsboardClient(lab.url, token=pair["token"], refresh_token=pair["refreshToken"], retry_on_rate_limit=False) as by_token:
        assert by_token.get_user().email == lab.username


def test_a_wrong_password_is_told(lab: Lab) -> None:
    with pytest.raises(ApiException) as refused:
        ThingsboardClient(lab.url, username=lab.username, password="wrong", retry_on_rate_limit=False)
    assert refused.value.status == 401
