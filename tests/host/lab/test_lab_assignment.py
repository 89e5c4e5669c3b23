"""What the server does on assignment: states, attributes, the queue, who is reached."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from lab_operator import PASSWORD, Operator, unique, until

from cota.lab.server import Lab, LabConfig, running_lab

DATA = b"firmware" * 100


def _assign(operator: Operator, device: dict[str, Any], package: dict[str, Any] | None, field: str = "firmwareId") -> dict[str, Any]:
    current = operator.get(f"/api/device/{device['id']['id']}")
    saved: dict[str, Any] = operator.post("/api/device", current | {field: package["id"] if package else None})
    return saved


def _shared(operator: Operator, device: dict[str, Any], prefix: str = "fw") -> dict[str, Any]:
    found = until(
        lambda: operator.attributes(device, "SHARED_SCOPE").get(f"{prefix}_title") and operator.attributes(device, "SHARED_SCOPE")
    )
    assert isinstance(found, dict)
    return found


def test_a_data_package_brings_size_and_checksum_and_deletes_the_url(operator: Operator) -> None:
    profile = operator.profile()
    package = operator.package(profile, DATA, tag="app 1")
    device, _ = operator.device(profile)
    operator.post(f"/api/plugins/telemetry/DEVICE/{device['id']['id']}/SHARED_SCOPE", {"fw_url": "http://old", "mine": "stays"})
    before = time.time() * 1000
    _assign(operator, device, package)
    assert _shared(operator, device) == {
        "mine": "stays",
        "fw_title": package["title"],
        "fw_version": "v1",
        "fw_tag": "app 1",
        "fw_size": len(DATA),
        "fw_checksum_algorithm": "SHA256",
        "fw_checksum": package["checksum"],
    }
    told = operator.latest(device)
    assert told.pop("target_fw_ts") >= before - 1000
    assert told == {"target_fw_title": package["title"], "target_fw_version": "v1", "target_fw_tag": "app 1", "fw_state": "INITIATED"}
    params = {"keys": "fw_state", "startTs": 0, "endTs": 2**53, "orderBy": "ASC"}
    history = operator.get(f"/api/plugins/telemetry/DEVICE/{device['id']['id']}/values/timeseries/history", **params)["fw_state"]
    assert [one["value"] for one in history][-1] == "INITIATED"
    assert {one["value"] for one in history} <= {"QUEUED", "INITIATED"}


def test_a_url_package_brings_only_what_it_has_and_versions_stay_text(operator: Operator) -> None:
    profile = operator.profile()
    bare = operator.info(profile, url="https://github.com/acme/app", version="1.10")
    full = operator.info(profile, url="http://x/m", checksum="ab", checksumAlgorithm="SHA256", dataSize=9)
    (one, _), (two, _) = operator.device(profile, firmwareId=bare["id"]), operator.device(profile, firmwareId=full["id"])
    assert _shared(operator, one) == {"fw_title": bare["title"], "fw_version": "1.10", "fw_url": "https://github.com/acme/app"}
    assert operator.latest(one, "target_fw_version") == {"target_fw_version": "1.10"}
    expected = {"fw_title": full["title"], "fw_version": "v1", "fw_url": "http://x/m", "fw_size": 9}
    assert _shared(operator, two) == expected | {"fw_checksum": "ab", "fw_checksum_algorithm": "SHA256"}


def _polled(lab: Lab, token: str, act: Callable[[], Any]) -> list[Any]:
    """Return what two polls in a row see of an action."""
    with ThreadPoolExecutor() as pool:
        first = pool.submit(httpx2.get, f"{lab.url}/api/v1/{token}/attributes/updates?timeout=900", timeout=30)
        time.sleep(0.15)
        act()
        seen = [first.result()]
        seen.append(httpx2.get(f"{lab.url}/api/v1/{token}/attributes/updates?timeout=100", timeout=30))
    return [answer.json() if answer.status_code == 200 else answer.status_code for answer in seen]


def test_a_long_poll_sees_only_the_deleted_half_of_an_assignment(lab: Lab, operator: Operator) -> None:
    profile = operator.profile()
    device, token = operator.device(profile)
    package = operator.package(profile, DATA)
    assert _polled(lab, token, lambda: _assign(operator, device, package)) == [{"deleted": ["fw_tag", "fw_url"]}, 408]


def test_an_unassignment_deletes_all_keys_in_one_push_and_leaves_the_telemetry(lab: Lab, operator: Operator) -> None:
    profile = operator.profile()
    package = operator.package(profile, DATA)
    device, token = operator.device(profile, firmwareId=package["id"])
    _shared(operator, device)
    (seen, _) = _polled(lab, token, lambda: _assign(operator, device, None))
    names = ("title", "version", "ts", "state", "size", "checksum", "checksum_algorithm", "url", "tag")
    assert seen == {"deleted": [f"fw_{name}" for name in names]}
    assert operator.attributes(device, "SHARED_SCOPE") == {}
    assert operator.latest(device, "fw_state", "target_fw_title") == {"fw_state": "INITIATED", "target_fw_title": package["title"]}


def test_software_goes_the_same_way_under_its_own_names(operator: Operator) -> None:
    profile = operator.profile()
    package = operator.info(profile, type="SOFTWARE", url="http://x")
    device, _ = operator.device(profile)
    _assign(operator, device, package, "softwareId")
    assert _shared(operator, device, "sw") == {"sw_title": package["title"], "sw_version": "v1", "sw_url": "http://x"}
    assert operator.latest(device, "sw_state", "fw_state") == {"sw_state": "INITIATED", "fw_state": None}


def test_a_profile_reaches_the_devices_without_a_package_of_their_own(operator: Operator) -> None:
    profile = operator.profile()
    own, common, later = (operator.info(profile, url=f"http://x/{n}") for n in range(3))
    with_own, _ = operator.device(profile, firmwareId=own["id"])
    without = [operator.device(profile)[0] for _ in range(3)]
    elsewhere, _ = operator.device()
    assert operator.get(f"/api/devices/count/FIRMWARE/{profile['id']['id']}") == 3
    saved = operator.post("/api/deviceProfile", profile | {"firmwareId": common["id"]})
    assert [_shared(operator, device)["fw_url"] for device in [with_own, *without]] == ["http://x/0"] + ["http://x/1"] * 3
    newcomer, _ = operator.device(profile)
    assert _shared(operator, newcomer)["fw_url"] == "http://x/1"
    saved = operator.post("/api/deviceProfile", saved | {"firmwareId": later["id"]})
    until(lambda: operator.attributes(without[2], "SHARED_SCOPE")["fw_url"] == "http://x/2")
    _assign(operator, with_own, None)
    until(lambda: operator.attributes(with_own, "SHARED_SCOPE")["fw_url"] == "http://x/2")
    operator.post("/api/deviceProfile", saved | {"firmwareId": None})
    assert [operator.attributes(device, "SHARED_SCOPE") for device in [*without, with_own, elsewhere]] == [{}] * 5


def test_a_device_that_changes_its_profile_gets_the_new_profiles_package(operator: Operator) -> None:
    old, new = operator.profile(), operator.profile()
    package = operator.info(new, url="http://x/new")
    operator.post("/api/deviceProfile", new | {"firmwareId": package["id"]})
    device, _ = operator.device(old)
    operator.post("/api/device", device | {"deviceProfileId": new["id"]})
    assert _shared(operator, device)["fw_url"] == "http://x/new"


def test_the_same_package_again_does_nothing(operator: Operator) -> None:
    profile = operator.profile()
    package = operator.info(profile, url="http://x")
    device, _ = operator.device(profile, firmwareId=package["id"])
    _shared(operator, device)
    until(lambda: operator.latest(device, "fw_state")["fw_state"] == "INITIATED")
    before = operator.get(f"/api/plugins/telemetry/DEVICE/{device['id']['id']}/values/timeseries")
    _assign(operator, device, package)
    time.sleep(0.2)
    assert operator.get(f"/api/plugins/telemetry/DEVICE/{device['id']['id']}/values/timeseries") == before


@pytest.mark.parametrize(
    ("field", "word", "kind", "other"),
    [("firmwareId", "firmware", "FIRMWARE", "SOFTWARE"), ("softwareId", "software", "SOFTWARE", "FIRMWARE")],
)
def test_a_package_that_does_not_fit_cannot_be_assigned(operator: Operator, field: str, word: str, kind: str, other: str) -> None:
    profile, stranger = operator.profile(), operator.profile()
    nothing = {"entityType": "OTA_PACKAGE", "id": "00000000-0000-0000-0000-000000000000"}
    cases = {
        f"Can't assign non-existent {word}!": nothing,
        f"Can't assign {word} with type: {other}": operator.info(profile, type=other, url="http://x")["id"],
        f"Can't assign {word} with empty data!": operator.info(profile, type=kind)["id"],
        f"Can't assign {word} with different deviceProfile!": operator.info(stranger, type=kind, url="http://x")["id"],
    }
    device, _ = operator.device(profile)
    for message, package_id in cases.items():
        for path, entity in (("/api/device", device), ("/api/deviceProfile", profile)):
            answer = operator.http.post(path, json=entity | {field: package_id})
            assert (answer.status_code, answer.json()["errorCode"], answer.json()["message"]) == (400, 31, message)
    assert operator.get(f"/api/device/{device['id']['id']}") == device
    refused = operator.http.post("/api/device", json={"name": unique("half"), "deviceProfileId": profile["id"], field: nothing})
    assert refused.status_code == 400
    assert operator.get("/api/tenant/deviceInfos", pageSize=1, page=0, textSearch="half")["totalElements"] == 0


def test_a_stale_save_is_refused_and_one_without_a_version_is_forced(operator: Operator) -> None:
    profile = operator.profile()
    device, _ = operator.device(profile)
    for path, entity, name in (("/api/device", device, "Device"), ("/api/deviceProfile", profile, "Device profile")):
        saved = operator.post(path, entity)
        assert saved["version"] == entity["version"] + 1
        stale = operator.http.post(path, json=entity)
        assert (stale.status_code, stale.json()["errorCode"], stale.json()["message"]) == (
            409,
            35,
            f"{name} was already changed by someone else",
        )
        forced = operator.post(path, {key: value for key, value in entity.items() if key != "version"})
        assert operator.post(path, forced | {"version": None})["version"] == forced["version"] + 1


def _slow(db: Path | None) -> LabConfig:
    return LabConfig(db=db, password=PASSWORD, ota_pace=3600)


def _queued(operator: Operator, profile: dict[str, Any], package: dict[str, Any], count: int) -> list[tuple[dict[str, Any], str]]:
    devices = [operator.device(profile) for _ in range(count)]
    operator.post("/api/deviceProfile", profile | {"firmwareId": package["id"]})
    until(lambda: operator.latest(devices[0][0], "fw_state")["fw_state"] == "INITIATED")
    return devices


def test_the_queue_is_paced_and_a_restart_forgets_nobody(tmp_path: Path) -> None:
    with running_lab(_slow(tmp_path / "lab.db")) as lab:
        operator = Operator(lab.url, lab.username, PASSWORD)
        profile = operator.profile()
        package = operator.info(profile, url="http://x")
        devices = _queued(operator, profile, package, 4)
        assert [operator.latest(device, "fw_state")["fw_state"] for device, _ in devices] == ["INITIATED"] + ["QUEUED"] * 3
        assert [operator.attributes(device, "SHARED_SCOPE") == {} for device, _ in devices] == [False, True, True, True]
        operator.http.close()
    with running_lab(LabConfig(db=tmp_path / "lab.db", password=PASSWORD, ota_pace=0.01)) as lab:
        operator = Operator(lab.url, lab.username, PASSWORD)
        for device, _ in devices:
            assert _shared(operator, device)["fw_title"] == package["title"]
        until(lambda: {operator.latest(device, "fw_state")["fw_state"] for device, _ in devices} == {"INITIATED"})
        operator.http.close()


def test_what_is_assigned_anew_or_taken_back_while_it_waits_is_dropped(tmp_path: Path) -> None:
    with running_lab(_slow(tmp_path / "lab.db")) as lab:
        operator = Operator(lab.url, lab.username, PASSWORD)
        profile = operator.profile()
        package, other = operator.info(profile, url="http://x"), operator.info(profile, url="http://y")
        (_, (moved, _), (taken_back, _), (deleted, _)) = _queued(operator, profile, package, 4)
        _assign(operator, moved, other)
        operator.post("/api/deviceProfile", operator.get(f"/api/deviceProfile/{profile['id']['id']}") | {"firmwareId": None})
        operator.http.delete(f"/api/device/{deleted['id']['id']}").raise_for_status()
        operator.http.close()
    with running_lab(LabConfig(db=tmp_path / "lab.db", password=PASSWORD, ota_pace=0)) as lab:
        operator = Operator(lab.url, lab.username, PASSWORD)
        assert _shared(operator, moved)["fw_url"] == "http://y"
        assert operator.attributes(taken_back, "SHARED_SCOPE") == {}
        assert operator.latest(taken_back, "fw_state") == {"fw_state": "QUEUED"}
        operator.http.close()


def test_a_thousand_devices_are_queued_by_one_save(tmp_path: Path) -> None:
    with running_lab(LabConfig(db=tmp_path / "lab.db", password=PASSWORD, ota_pace=0)) as lab:
        operator = Operator(lab.url, lab.username, PASSWORD)
        profile = operator.profile()
        package = operator.info(profile, url="http://x")
        for _ in range(1000):
            operator.device(profile)
        operator.post("/api/deviceProfile", profile | {"firmwareId": package["id"]})
        state = {"key": {"type": "TIME_SERIES", "key": "fw_state"}, "valueType": "STRING"}
        equal = {"type": "STRING", "operation": "EQUAL", "value": {"defaultValue": "INITIATED"}, "ignoreCase": False}
        query = {"entityFilter": {"type": "deviceType", "deviceTypes": [profile["name"]]}, "keyFilters": [state | {"predicate": equal}]}
        until(lambda: operator.post("/api/entitiesQuery/count", query) == 1000, seconds=60)
        operator.http.close()
