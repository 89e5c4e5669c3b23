"""Who gets in: logins, tokens, API keys, and that a device's token opens nothing else."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from lab_operator import PASSWORD, Operator, unique

from cota.lab import tokens
from cota.lab.app import build
from cota.lab.server import Lab, LabConfig, running_lab
from cota.lab.throttle import LoginThrottle

_USER = "/api/auth/user"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Operator]:
    """An operator of a lab that nobody else uses."""
    with running_lab(LabConfig(db=tmp_path / "lab.db", password=PASSWORD)) as lab:
        operator = Operator(lab.url, lab.username, PASSWORD)
        yield operator
        operator.http.close()


def _refused(answer: httpx2.Response, message: str = "Authentication failed", code: int = 10) -> None:
    body = answer.json()
    assert (answer.status_code, body["status"], body["errorCode"], body["message"]) == (401, 401, code, message)


def _claims(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def test_a_login_brings_two_tokens_with_thingsboards_claims(operator: Operator) -> None:
    assert set(operator.tokens) == {"token", "refreshToken"}
    header = json.loads(base64.urlsafe_b64decode(operator.tokens["token"].split(".")[0] + "=="))
    assert header == {"alg": "HS512"}
    access, refresh, user = _claims(operator.tokens["token"]), _claims(operator.tokens["refreshToken"]), operator.get(_USER)
    assert access["scopes"] == ["TENANT_ADMIN"]
    assert refresh["scopes"] == ["REFRESH_TOKEN"]
    assert (access["exp"] - access["iat"], refresh["exp"] - refresh["iat"]) == (9000, 604800)
    assert (access["sub"], access["userId"], access["tenantId"]) == (user["email"], user["id"]["id"], user["tenantId"]["id"])
    assert user["authority"] == "TENANT_ADMIN"
    assert operator.get(f"/api/user/{user['id']['id']}") == user
    assert operator.get("/api/users", pageSize=5, page=0)["data"] == [user]


def test_a_refresh_token_brings_a_new_pair_and_opens_nothing_else(operator: Operator) -> None:
    pair = httpx2.post(f"{operator.url}/api/auth/token", json={"refreshToken": operator.tokens["refreshToken"]}).json()
    for header in ("X-Authorization", "Authorization"):
        assert httpx2.get(operator.url + _USER, headers={header: f"Bearer {pair['token']}"}).status_code == 200
    _refused(httpx2.get(operator.url + _USER, headers={"X-Authorization": f"Bearer {pair['refreshToken']}"}))
    for bad in (pair["token"], "nonsense", None, 7):
        _refused(httpx2.post(f"{operator.url}/api/auth/token", json={"refreshToken": bad}))


def _forged(token: str, key: bytes, header: dict[str, str], **claims: Any) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, _claims(token) | claims)]
    signed = b".".join(parts)
    return f"{signed.decode()}.{base64.urlsafe_b64encode(hmac.digest(key, signed, hashlib.sha512)).rstrip(b'=').decode()}"


def test_a_token_that_was_not_signed_here_is_refused(lab: Lab, operator: Operator) -> None:
    token, key = operator.tokens["token"], lab.core.accounts.jwt_key
    head, body, signature = token.split(".")
    bad = [
        f"{head}.{body}.{signature[:-2]}AA",
        f"{head}.{body}.",
        f"{head}.{body}",
        _forged(token, b"another key", {"alg": "HS512"}),
        _forged(token, key, {"alg": "none"}),
        _forged(token, key, {"alg": "HS512"}, userId="00000000-0000-0000-0000-000000000000"),
        "x" * 5000,
        "..",
        "é.é.é",
    ]
    for text in bad:
        _refused(httpx2.get(operator.url + _USER, headers={"X-Authorization": f"Bearer {text}".encode()}))
    assert (
        httpx2.get(operator.url + _USER, headers={"X-Authorization": f"Bearer {_forged(token, key, {'alg': 'HS512'})}"}).status_code == 200
    )
    expired = _forged(token, key, {"alg": "HS512"}, exp=int(time.time()) - 1)
    _refused(httpx2.get(operator.url + _USER, headers={"X-Authorization": f"Bearer {expired}"}), "Token has expired", 11)


def test_a_header_of_another_kind_is_nobody(operator: Operator) -> None:
    token = operator.tokens["token"]
    for value in (token, f"bearer {token}", f"Basic {token}", "Bearer", "ApiKey", ""):
        answer = httpx2.get(operator.url + _USER, headers={"X-Authorization": value})
        assert (answer.status_code, answer.json()["errorCode"]) == (401, 10), value


def test_a_wrong_password_and_a_wrong_name_look_the_same(own: Operator) -> None:
    for given in ({"username": "tenant@thingsboard.org", "password": "x"}, {"username": "nobody", "password": PASSWORD}):
        _refused(httpx2.post(f"{own.url}/api/auth/login", json=given), "Invalid username or password")
    for given in ({}, {"username": 1, "password": 2}):
        assert httpx2.post(f"{own.url}/api/auth/login", json=given).status_code == 401
    assert httpx2.post(f"{own.url}/api/auth/login", content=b"{").status_code == 400
    assert httpx2.post(f"{own.url}/api/auth/login").status_code == 400
    assert httpx2.post(f"{own.url}/api/auth/login", content=b" " * 65_537).status_code == 413


def test_who_guesses_passwords_has_to_wait(own: Operator) -> None:
    def login(password: str) -> httpx2.Response:
        return httpx2.post(f"{own.url}/api/auth/login", json={"username": "tenant@thingsboard.org", "password": password})

    assert [login(f"guess {n}").status_code for n in range(5)] == [401] * 5
    slowed = login(PASSWORD)
    assert (slowed.status_code, slowed.json()["errorCode"]) == (429, 33)
    assert own.http.get(_USER).status_code == 200


def test_the_throttle_doubles_its_wait_and_forgets_after_a_success() -> None:
    throttle = LoginThrottle()
    waits = []
    for n in range(13):
        throttle.failed("a", 100.0)
        waits.append(throttle.wait("a", 100.0))
        assert throttle.wait("a", 100.0 + 60) == 0, n
    assert waits == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert throttle.wait("b", 100.0) == 0
    throttle.succeeded("a")
    assert throttle.wait("a", 100.0) == 0
    for n in range(2000):
        throttle.failed(f"crowd {n}", 100.0)
    assert len(throttle._failures) == 1024


def test_a_logout_ends_its_session_only(own: Operator) -> None:
    other = httpx2.post(f"{own.url}/api/auth/login", json={"username": "tenant@thingsboard.org", "password": PASSWORD}).json()
    assert own.http.post("/api/auth/logout").status_code == 200
    _refused(own.http.get(_USER), "Token has expired", 11)
    _refused(httpx2.post(f"{own.url}/api/auth/token", json={"refreshToken": own.tokens["refreshToken"]}), "Token has expired", 11)
    assert httpx2.get(own.url + _USER, headers={"X-Authorization": f"Bearer {other['token']}"}).status_code == 200


def test_a_new_password_voids_every_older_token(own: Operator) -> None:
    _refused(own.http.post("/api/auth/changePassword", json={"currentPassword": "x", "newPassword": "y"}), "Invalid username or password")
    assert own.http.post("/api/auth/changePassword", json={"currentPassword": PASSWORD, "newPassword": ""}).status_code == 400
    pair = own.post("/api/auth/changePassword", {"currentPassword": PASSWORD, "newPassword": "another one"})
    _refused(own.http.get(_USER))
    assert httpx2.get(own.url + _USER, headers={"X-Authorization": f"Bearer {pair['token']}"}).status_code == 200
    old = httpx2.post(f"{own.url}/api/auth/login", json={"username": "tenant@thingsboard.org", "password": PASSWORD})
    _refused(old, "Invalid username or password")


def _key(operator: Operator, **more: Any) -> dict[str, Any]:
    user = operator.get(_USER)
    made: dict[str, Any] = operator.post(
        "/api/apiKey", {"userId": user["id"], "description": "ci", "enabled": True, "expirationTime": 0} | more
    )
    return made


def test_an_api_key_opens_the_rest_api_until_it_is_switched_off_or_deleted(operator: Operator) -> None:
    key = _key(operator)
    assert key["value"].startswith("tb_")

    def ask(header: str = "X-Authorization") -> httpx2.Response:
        return httpx2.get(operator.url + _USER, headers={header: f"ApiKey {key['value']}"})

    assert [ask(header).status_code for header in ("X-Authorization", "Authorization")] == [200, 200]
    listed = operator.get(f"/api/apiKeys/{key['userId']['id']}", pageSize=100, page=0)["data"]
    assert {name: value for name, value in key.items() if name != "value"} in listed
    assert key["value"] not in json.dumps(listed)
    off = operator.http.put(f"/api/apiKey/{key['id']['id']}/enabled/false").json()
    assert off["enabled"] is False
    _refused(ask(), "User account is not active")
    operator.http.put(f"/api/apiKey/{key['id']['id']}/enabled/true").raise_for_status()
    assert ask().status_code == 200
    assert operator.http.put(f"/api/apiKey/{key['id']['id']}/description", content=b"renamed").json()["description"] == "renamed"
    assert operator.http.delete(f"/api/apiKey/{key['id']['id']}").status_code == 200
    _refused(ask(), "Invalid username or password")
    assert operator.http.delete(f"/api/apiKey/{key['id']['id']}").status_code == 404


def test_an_expired_api_key_says_so(operator: Operator) -> None:
    key = _key(operator, expirationTime=1)
    assert key["expired"] is True
    _refused(httpx2.get(operator.url + _USER, headers={"X-Authorization": f"ApiKey {key['value']}"}), "API key is expired")
    unknown = httpx2.get(operator.url + _USER, headers={"X-Authorization": "ApiKey tb_unknown"})
    _refused(unknown, "Invalid username or password")


def test_a_bad_api_key_request_is_refused(operator: Operator) -> None:
    user = operator.get(_USER)["id"]
    stranger = {"entityType": "USER", "id": "00000000-0000-0000-0000-000000000000"}
    for body, status in (
        ({"userId": user}, 400),
        ({"userId": user, "description": "x" * 256}, 400),
        ({"userId": user, "description": "x", "expirationTime": "soon"}, 400),
        ({"userId": stranger, "description": "x"}, 403),
    ):
        assert operator.http.post("/api/apiKey", json=body).status_code == status


def test_every_rest_route_asks_who_is_there_and_a_token_of_a_device_is_nobody(lab: Lab, operator: Operator) -> None:
    _, token = operator.device()
    asked = 0
    with httpx2.Client(base_url=lab.url) as client:
        for route in build(lab.core, []).routes:
            path = str(getattr(route, "path", ""))
            # What is not under /api/ is the page's, which asks in its own way: tests/page.
            if not path.startswith("/api/") or path.startswith("/api/v1/") or path in {"/api/auth/login", "/api/auth/token"}:
                continue
            for part in path.split("/"):
                path = path.replace(part, "11111111-1111-1111-1111-111111111111") if part.startswith("{") else path
            for method in getattr(route, "methods", set()) - {"HEAD"}:
                for headers in (
                    {},
                    {"X-Authorization": f"Bearer {token}"},
                    {"X-Authorization": f"ApiKey {token}"},
                    {"X-Authorization": token},
                ):
                    answer = client.request(method, path, headers=headers)
                    assert (answer.status_code, answer.json()["errorCode"]) == (401, 10), f"{method} {path}"
                    asked += 1
    assert asked > 200
    assert httpx2.get(f"{lab.url}/api/unknown").status_code == 401
    assert operator.http.get("/api/unknown").status_code == 404


def test_a_token_of_another_device_opens_nothing_of_this_one(operator: Operator, device_http: httpx2.Client) -> None:
    (device, token), (_, other) = operator.device(), operator.device()
    device_http.post(f"/api/v1/{other}/attributes", json={"secret": "x"})
    assert device_http.get(f"/api/v1/{token}/attributes").content == b"{}"
    operator.post(
        "/api/device/credentials", operator.get(f"/api/device/{device['id']['id']}/credentials") | {"credentialsId": unique("new")}
    )
    assert device_http.get(f"/api/v1/{token}/attributes").status_code == 401


def test_the_database_holds_neither_password_nor_api_key_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    with running_lab(LabConfig(db=tmp_path / "lab.db", password=PASSWORD)) as lab:
        operator = Operator(lab.url, lab.username, PASSWORD)
        value = _key(operator)["value"]
        operator.http.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"scrypt$" in stored
    assert PASSWORD.encode() not in stored
    assert value.encode() not in stored
    assert {oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()} == {"0o600"}


def test_each_installation_signs_with_its_own_key_and_keeps_it(tmp_path: Path) -> None:
    def token(db: Path) -> tuple[str, bytes]:
        with running_lab(LabConfig(db=db, password=PASSWORD)) as lab:
            operator = Operator(lab.url, lab.username, PASSWORD)
            operator.http.close()
            return operator.tokens["token"], lab.core.accounts.jwt_key

    first, key = token(tmp_path / "a.db")
    assert token(tmp_path / "a.db")[1] == key
    assert token(tmp_path / "b.db")[1] != key
    assert len(key) == 64
    assert tokens.verify(first, key, time.time())["scopes"] == ["TENANT_ADMIN"]


def test_a_lab_without_a_password_makes_one_once_and_keeps_it(tmp_path: Path) -> None:
    with running_lab(LabConfig(db=tmp_path / "lab.db")) as lab:
        assert lab.password_is_new
        made = str(lab.password)
        assert len(made) >= 16
        Operator(lab.url, lab.username, made).http.close()
    with running_lab(LabConfig(db=tmp_path / "lab.db")) as lab:
        assert (lab.password, lab.password_is_new) == (None, False)
        operator = Operator(lab.url, lab.username, made)
        assert operator.get(_USER)["email"] == lab.username
        operator.http.close()
    with running_lab(LabConfig(db=tmp_path / "lab.db", password="reset")) as lab:
        assert not lab.password_is_new
        operator = Operator(lab.url, lab.username, "reset")
        assert operator.get(_USER)["email"] == lab.username
        operator.http.close()


def test_answers_carry_headers_that_a_browser_needs(operator: Operator) -> None:
    headers = operator.http.get(_USER).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["x-frame-options"] == "DENY"
    assert "server" not in headers
    assert "access-control-allow-origin" not in operator.http.get(_USER, headers={"Origin": "http://evil"}).headers
