"""OTA packages over REST: every validation message of ThingsBoard 4.3, uploads, lists."""

import base64
import hashlib
import socket
from typing import Any

import httpx2
import pytest
from lab_operator import Operator, receive, unique

from cota.lab.data.checksums import checksum
from cota.lab.server import Lab

_ZERO = "00000000-0000-0000-0000-000000000000"
DATA = b"print('hello')\n" * 1000


def _refused(answer: httpx2.Response, message: str, status: int = 400, code: int = 31) -> None:
    body = answer.json()
    assert (answer.status_code, body["status"], body["errorCode"], body["message"]) == (status, status, code, message)


@pytest.fixture(scope="module")
def profile(operator: Operator) -> dict[str, Any]:
    return operator.profile()


def _create(operator: Operator, profile: dict[str, Any], **more: Any) -> httpx2.Response:
    body = {"title": unique("app"), "version": "v1", "type": "FIRMWARE", "deviceProfileId": profile["id"], "usesUrl": False, **more}
    return operator.http.post("/api/otaPackage", json={key: value for key, value in body.items() if value is not ...})


_LONG = "x" * 256


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"title": "  "}, "OtaPackage title should be specified!"),
        ({"title": ...}, "OtaPackage title should be specified!"),
        ({"version": ""}, "OtaPackage version should be specified!"),
        ({"version": None}, "OtaPackage version should be specified!"),
        ({"type": ...}, "Type should be specified!"),
        ({"title": _LONG}, "Validation error: title length must be equal or less than 255"),
        ({"version": _LONG}, "Validation error: version length must be equal or less than 255"),
        ({"tag": _LONG}, "Validation error: tag length must be equal or less than 255"),
        ({"usesUrl": True, "url": "http://" + _LONG}, "Validation error: url length must be equal or less than 255"),
        ({"fileName": _LONG}, "Validation error: file name length must be equal or less than 255"),
        ({"contentType": _LONG}, "Validation error: contentType length must be equal or less than 255"),
        ({"checksum": "x" * 1021}, "Validation error: checksum length must be equal or less than 1020"),
        ({"title": "<b>app</b>"}, "Validation error: title is malformed"),
        ({"version": "{{constructor}}"}, "Validation error: version is malformed"),
        ({"tag": "<script>"}, "Validation error: tag is malformed"),
        ({"usesUrl": True, "url": "http://x/<a>"}, "Validation error: url is malformed"),
        ({"title": "<b>", "tag": "<b>"}, "Validation error: tag is malformed, title is malformed"),
        ({"usesUrl": True}, "Ota package URL should be specified!"),
        ({"usesUrl": True, "url": "  "}, "Ota package URL should be specified!"),
        ({"deviceProfileId": {"entityType": "DEVICE_PROFILE", "id": _ZERO}}, "OtaPackage is referencing to non-existent device profile!"),
        ({"deviceProfileId": {"entityType": "DEVICE_PROFILE", "id": "nonsense"}}, "Invalid UUID string: nonsense"),
        ({"type": "SPYWARE"}, "No enum constant org.thingsboard.server.common.data.ota.OtaPackageType.SPYWARE"),
        ({"checksumAlgorithm": "MD4"}, "No enum constant org.thingsboard.server.common.data.ota.ChecksumAlgorithm.MD4"),
        ({"checksumAlgorithm": ["MD5"]}, "No enum constant org.thingsboard.server.common.data.ota.ChecksumAlgorithm.['MD5']"),
        ({"dataSize": -1}, "dataSize should be a number of bytes!"),
        ({"title": 7}, "title should be text!"),
    ],
)
def test_a_package_that_breaks_a_rule_is_refused_with_thingsboards_words(
    operator: Operator, profile: dict[str, Any], more: dict[str, Any], message: str
) -> None:
    _refused(_create(operator, profile, **more), message)


def test_the_longest_allowed_texts_pass(operator: Operator, profile: dict[str, Any]) -> None:
    more = {name: unique("x").ljust(255, "x") for name in ("title", "version", "tag", "url")}
    found = _create(operator, profile, usesUrl=True, checksum="c" * 1020, **more).json()
    assert {name: found[name] for name in more} == more


def test_title_and_version_are_unique_whatever_the_type(operator: Operator, profile: dict[str, Any]) -> None:
    first = _create(operator, profile).json()
    again = _create(operator, profile, title=first["title"], type="SOFTWARE")
    _refused(again, "OtaPackage with such title and version already exists!")
    assert _create(operator, profile, title=first["title"], version="v2").status_code == 200


def test_a_url_package_keeps_what_it_was_given_and_shows_that_it_has_data_when_read_again(
    operator: Operator, profile: dict[str, Any]
) -> None:
    given = {
        "url": "https://github.com/acme/app/tree/main/firmware",
        "checksum": "ab",
        "checksumAlgorithm": "SHA256",
        "dataSize": 5,
        "tag": "t",
    }
    made = operator.info(profile, additionalInfo={"description": "d"}, **given)
    assert made["hasData"] is False
    read = operator.get(f"/api/otaPackage/info/{made['id']['id']}")
    assert read == made | {"hasData": True}
    assert {name: read[name] for name in given} == given
    expected = {"id", "createdTime", "tenantId", "deviceProfileId", "type", "title", "version", "tag", "url", "hasData", "fileName"}
    expected |= {"contentType", "checksumAlgorithm", "checksum", "dataSize", "externalId", "name", "additionalInfo"}
    assert set(read) == expected
    assert (read["id"]["entityType"], read["name"], read["additionalInfo"]) == ("OTA_PACKAGE", read["title"], {"description": "d"})


@pytest.mark.parametrize("algorithm", ["MD5", "SHA256", "SHA384", "SHA512", "CRC32", "MURMUR3_32", "MURMUR3_128"])
def test_the_checksum_is_computed_or_compared(operator: Operator, profile: dict[str, Any], algorithm: str) -> None:
    right = checksum(algorithm, DATA)
    assert operator.upload(operator.info(profile), DATA, algorithm.lower()).json()["checksum"] == right
    package = operator.info(profile)
    for wrong in (right.upper() if right.upper() != right else "0", right[::-1] + "0"):
        _refused(operator.upload(package, DATA, algorithm, checksum=wrong), "Wrong otaPackage file!")
    found = operator.upload(package, DATA, algorithm, checksum=right).json()
    assert (found["checksumAlgorithm"], found["dataSize"], found["hasData"], found["fileName"]) == (algorithm, len(DATA), True, "app.bin")


def test_the_form_may_carry_the_checksum_too(operator: Operator, profile: dict[str, Any]) -> None:
    package, right = operator.info(profile), hashlib.sha256(DATA).hexdigest()
    form = {"checksumAlgorithm": "SHA256", "checksum": right}
    answer = operator.http.post(f"/api/otaPackage/{package['id']['id']}", files={"file": ("a.bin", DATA, "text/plain")}, data=form)
    assert (answer.status_code, answer.json()["checksum"], answer.json()["contentType"]) == (200, right, "text/plain")


def test_an_upload_that_breaks_a_rule_is_refused_with_thingsboards_words(operator: Operator, profile: dict[str, Any]) -> None:
    package = operator.info(profile)
    _refused(operator.upload(package, b""), "OtaPackage data should be specified!")
    _refused(operator.upload(package, DATA, file=("app.bin", DATA, "")), "OtaPackage content type should be specified!")
    unknown = "No enum constant org.thingsboard.server.common.data.ota.ChecksumAlgorithm.SHA1"
    _refused(operator.upload(package, DATA, "sha1"), unknown)
    long_name = operator.upload(package, DATA, file=("n" * 256, DATA, "text/plain"))
    _refused(long_name, "Validation error: file name length must be equal or less than 255")
    _refused(operator.upload(operator.info(profile, url="http://x"), DATA), "Updating otaPackage URL is prohibited!")
    missing = {"id": {"id": _ZERO}}
    _refused(operator.upload(missing, DATA), f"Ota package with id [{_ZERO}] is not found", 404, 32)


def _multipart(disposition: str) -> tuple[bytes, dict[str, str]]:
    body = f"--cut\r\nContent-Disposition: form-data; {disposition}\r\nContent-Type: text/plain\r\n\r\ndata\r\n--cut--\r\n".encode()
    return body, {"content-type": "multipart/form-data; boundary=cut"}


def test_a_part_without_a_file_name_is_refused(operator: Operator, profile: dict[str, Any]) -> None:
    path = f"/api/otaPackage/{operator.info(profile)['id']['id']}?checksumAlgorithm=MD5"
    body, headers = _multipart('name="file"; filename=""')
    _refused(operator.http.post(path, content=body, headers=headers), "OtaPackage file name should be specified!")


def test_an_upload_that_is_no_form_is_refused(operator: Operator, profile: dict[str, Any]) -> None:
    path = f"/api/otaPackage/{operator.info(profile)['id']['id']}"
    assert operator.http.post(path, params={"checksumAlgorithm": "MD5"}, content=DATA).status_code == 415
    no_file = operator.http.post(path, params={"checksumAlgorithm": "MD5"}, files={"data": ("a", DATA, "text/plain")})
    _refused(no_file, "Required part 'file' is not present.", 500, 2)
    no_algorithm = operator.http.post(path, files={"file": ("a", DATA, "text/plain")})
    assert (no_algorithm.status_code, no_algorithm.json()["errorCode"]) == (500, 2)
    torn = operator.http.post(path, params={"checksumAlgorithm": "MD5"}, content=b"--x", headers={"content-type": "multipart/form-data"})
    assert torn.status_code == 400


def test_an_upload_over_16_mib_gets_413_and_a_json_string(lab: Lab, operator: Operator, profile: dict[str, Any]) -> None:
    package = operator.info(profile)["id"]["id"]
    with socket.create_connection(("127.0.0.1", lab.port), timeout=20) as raw:
        head = f"POST /api/otaPackage/{package}?checksumAlgorithm=MD5 HTTP/1.1\r\nHost: lab\r\n"
        head += "Content-Type: multipart/form-data; boundary=x\r\n"
        raw.sendall(f"{head}X-Authorization: Bearer {operator.tokens['token']}\r\nContent-Length: 16777217\r\n\r\n".encode())
        answer = receive(raw)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"Payload size exceeds the limit of 16777216 bytes"' in answer


def test_a_package_cannot_change_but_for_its_additional_info(operator: Operator, profile: dict[str, Any]) -> None:
    package = operator.package(profile, DATA, tag="t")
    prohibited = {
        "type": ("SOFTWARE", "Updating type is prohibited!"),
        "title": ("other", "Updating otaPackage title is prohibited!"),
        "version": ("other", "Updating otaPackage version is prohibited!"),
        "tag": (None, "Updating otaPackage tag is prohibited!"),
        "deviceProfileId": (operator.profile()["id"], "Updating otaPackage deviceProfile is prohibited!"),
        "fileName": ("other", "Updating otaPackage file name is prohibited!"),
        "contentType": ("text/other", "Updating otaPackage content type is prohibited!"),
        "checksumAlgorithm": ("MD5", "Updating otaPackage content type is prohibited!"),
        "checksum": ("00", "Updating otaPackage content type is prohibited!"),
        "dataSize": (1, "Updating otaPackage data size is prohibited!"),
    }
    for name, (value, message) in prohibited.items():
        _refused(operator.http.post("/api/otaPackage", json=package | {name: value}), message)
    by_url = operator.get(f"/api/otaPackage/info/{operator.info(profile, url='http://x')['id']['id']}")
    _refused(operator.http.post("/api/otaPackage", json=by_url | {"url": "http://y"}), "Updating otaPackage URL is prohibited!")
    described = operator.post("/api/otaPackage", package | {"additionalInfo": {"description": "new"}})
    assert described == package | {"additionalInfo": {"description": "new"}}
    assert operator.get(f"/api/otaPackage/info/{package['id']['id']}") == described
    _refused(
        operator.http.post("/api/otaPackage", json=package | {"id": {"entityType": "OTA_PACKAGE", "id": _ZERO}}),
        f"Ota package with id [{_ZERO}] is not found",
        *(404, 32),
    )


def test_an_identical_upload_passes_again_and_another_one_does_not(operator: Operator, profile: dict[str, Any]) -> None:
    package = operator.package(profile, DATA)
    assert operator.upload(package, DATA).json() == package
    _refused(
        operator.upload(package, DATA, file=("b.bin", DATA, "application/octet-stream")), "Updating otaPackage file name is prohibited!"
    )
    _refused(operator.upload(package, DATA + b"x"), "Updating otaPackage content type is prohibited!")
    _refused(operator.upload(package, DATA, "MD5"), "Updating otaPackage content type is prohibited!")
    collision = operator.info(profile)
    operator.upload(collision, b"plumless", "CRC32").raise_for_status()
    _refused(operator.upload(collision, b"buckeroo", "CRC32"), "Updating otaPackage data is prohibited!")


def test_a_package_is_read_with_and_without_its_data(operator: Operator, profile: dict[str, Any]) -> None:
    package = operator.package(profile, DATA)
    whole = operator.get(f"/api/otaPackage/{package['id']['id']}")
    assert base64.b64decode(whole.pop("data")) == DATA
    assert whole == package
    download = operator.http.get(f"/api/otaPackage/{package['id']['id']}/download")
    assert (download.content, download.headers["x-filename"]) == (DATA, "app.bin")
    by_url = operator.info(profile, url="http://x")["id"]["id"]
    refused = operator.http.get(f"/api/otaPackage/{by_url}/download")
    assert (refused.status_code, refused.content) == (400, b"")
    _refused(operator.http.get(f"/api/otaPackage/info/{_ZERO}"), "Requested item wasn't found!", 404, 32)
    _refused(operator.http.get(f"/api/otaPackage/{_ZERO}"), f"Ota package with id [{_ZERO}] is not found", 404, 32)


def test_a_file_name_that_no_header_can_hold_is_escaped(operator: Operator, profile: dict[str, Any]) -> None:
    package = operator.info(profile)
    operator.upload(package, DATA, file=("größe.bin", DATA, "not a type")).raise_for_status()
    download = operator.http.get(f"/api/otaPackage/{package['id']['id']}/download")
    assert download.headers["x-filename"] == "gr%C3%B6%C3%9Fe.bin"
    assert download.headers["content-type"] == "application/octet-stream"


def test_lists_are_paged_sorted_and_searched(operator: Operator) -> None:
    profile = operator.profile()
    word = unique("Needle")
    for number in (3, 1, 2):
        operator.info(profile, title=f"x{word}y", version=f"v{number}", url="http://x")
    empty = operator.info(profile, title=f"z{word}")

    def read(**more: Any) -> Any:
        return operator.get(
            "/api/otaPackages", **({"pageSize": 2, "page": 0, "textSearch": word.lower(), "sortProperty": "version"} | more)
        )

    first, last = read(), read(page=1)
    assert [one["version"] for one in first["data"] + last["data"]] == ["v1", "v1", "v2", "v3"]
    assert (first["totalPages"], first["totalElements"], first["hasNext"], last["hasNext"]) == (2, 4, True, False)
    assert [one["version"] for one in read(sortOrder="DESC")["data"]] == ["v3", "v2"]
    assert read(textSearch="%")["totalElements"] == 0
    assert read(page=9)["data"] == []
    path = f"/api/otaPackages/{profile['id']['id']}"
    assignable = operator.get(f"{path}/FIRMWARE", pageSize=10, page=0)
    assert empty["id"] not in [one["id"] for one in assignable["data"]]
    assert assignable["totalElements"] == 3
    assert operator.get(f"{path}/SOFTWARE", pageSize=10, page=0)["totalElements"] == 0


@pytest.mark.parametrize(
    ("params", "status", "code", "message"),
    [
        ({"page": 0, "pageSize": 0}, 400, 31, "Incorrect page link page size '0'. Page size must be greater than zero."),
        ({"page": -1, "pageSize": 1}, 400, 31, "Incorrect page link page '-1'. Page must be positive integer."),
        ({"page": 0}, 500, 2, "Required request parameter 'pageSize' for method parameter type int is not present"),
        ({"pageSize": 1}, 500, 2, "Required request parameter 'page' for method parameter type int is not present"),
        ({"page": 0, "pageSize": "many"}, 400, 31, "Parameter 'pageSize' should be a number, got: many"),
        ({"page": 0, "pageSize": 2**31}, 400, 31, "Parameter 'pageSize' should be a number, got: 2147483648"),
    ],
)
def test_a_bad_page_is_refused(operator: Operator, params: dict[str, Any], status: int, code: int, message: str) -> None:
    _refused(operator.http.get("/api/otaPackages", params=params), message, status, code)
    odd = {"page": 0, "pageSize": 1, "sortProperty": "colour"}
    assert "Unsupported sort property 'colour'" in operator.http.get("/api/otaPackages", params=odd).json()["message"]


def test_a_package_in_use_cannot_be_deleted(operator: Operator) -> None:
    profile = operator.profile()
    for kind, field, word in (("FIRMWARE", "firmwareId", "otaPackage"), ("SOFTWARE", "softwareId", "software")):
        package = operator.info(profile, type=kind, url="http://x")
        path = f"/api/otaPackage/{package['id']['id']}"
        device, _ = operator.device(profile, **{field: package["id"]})
        _refused(operator.http.delete(path), f"The {word} referenced by the devices cannot be deleted!")
        operator.post("/api/device", device | {field: None})
        saved = operator.post("/api/deviceProfile", operator.get(f"/api/deviceProfile/{profile['id']['id']}") | {field: package["id"]})
        _refused(operator.http.delete(path), f"The {word} referenced by the device profile cannot be deleted!")
        operator.post("/api/deviceProfile", saved | {field: None})
        answer = operator.http.delete(path)
        assert (answer.status_code, answer.content) == (200, b"")
        assert operator.http.get(path).status_code == 404
