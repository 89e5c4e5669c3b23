"""The page without a browser: what every answer carries, and what a stranger or a forged request meets."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from farm import NOBODY, PASSWORD, Page

from cota.lab.server import Lab, LabConfig, running_lab
from cota.page import app as page_app

STATIC = Path(page_app.__file__).parent / "static"
READS = (
    "errors",
    "packages",
    "stream",
    "wave",
    f"device/{NOBODY}",
    f"profile/{NOBODY}/reach",
)
POSTS = ("login", "logout", "packages", "packages/file", f"packages/{NOBODY}/delete", "assign", "assign-profile", "retry")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """One for all tests here: none of them changes anything."""
    with running_lab(LabConfig(password=PASSWORD)) as running:
        yield running


@pytest.fixture(scope="module")
def inside(lab: Lab) -> Iterator[Page]:
    made = Page(lab.url)
    assert made.log_in(lab.username).status_code == 200
    yield made
    made.close()


def test_the_lab_sends_a_browser_to_the_page(lab: Lab) -> None:
    for path in ("/", "/page"):
        answer = httpx2.get(lab.url + path, follow_redirects=True)
        assert (answer.status_code, answer.url.path) == (200, "/page/")
        assert "<title>cOTA</title>" in answer.text


@pytest.mark.parametrize("path", ["", "main.js", "style.css", "vendor/uplot.js", "api/session", "api/errors", "no/such/file"])
def test_every_answer_carries_the_policy_and_may_not_be_framed_or_guessed(path: str, page: Page) -> None:
    answer = page.http.get(f"/page/{path}")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'self'; ")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] in {"no-store", "no-cache"}


def test_the_page_has_no_inline_script_no_inline_style_and_names_no_other_host(page: Page) -> None:
    text = page.http.get("/page/").text
    assert "<script>" not in text
    assert "style=" not in text
    assert "<style" not in text
    for file in ("", "main.js", "style.css", "table.js", "chart.js", "vendor/uplot.css"):
        assert "//cdn" not in page.http.get(f"/page/{file}").text
        assert 'src="http' not in page.http.get(f"/page/{file}").text
    assert "Leon Sorokin" in page.http.get("/page/vendor/uplot.LICENSE").text


def test_all_modules_are_asked_for_at_once_and_not_one_after_the_other(page: Page) -> None:
    text = page.http.get("/page/").text
    modules = {file.name for file in STATIC.glob("*.js")} - {"main.js", "theme.js"}
    assert set(re.findall(r'<link rel="modulepreload" href="([^"]+)">', text)) == modules


def test_files_outside_the_page_cannot_be_had(page: Page) -> None:
    for path in ("../app.py", "%2e%2e/app.py", "vendor/..%2f..%2fapp.py", "....//app.py"):
        assert page.http.get(f"/page/{path}").status_code == 404


def test_the_cookie_is_for_this_page_alone_and_not_for_scripts(lab: Lab) -> None:
    answer = httpx2.get(f"{lab.url}/page/api/session")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"cota_page_{lab.port}=")
    for part in ("HttpOnly", "SameSite=strict", "Path=/page"):
        assert part in cookie


def test_who_is_not_logged_in_sees_nothing(page: Page) -> None:
    assert {path: page.get(path).status_code for path in READS} == dict.fromkeys(READS, 401)
    others = [path for path in POSTS if path != "login"]
    assert {path: page.post(path, {}).status_code for path in others} == dict.fromkeys(others, 401)


@pytest.mark.parametrize("path", POSTS)
def test_a_post_that_another_site_could_send_is_refused(path: str, inside: Page, lab: Lab) -> None:
    url = f"/page/api/{path}"
    forged = [
        inside.http.post(url, json={}),
        inside.http.post(url, json={}, headers={"X-CSRF-Token": "0" * 64}),
        inside.post(path, {}, Origin="https://evil.test"),
        inside.post(path, {}, Origin="null"),
        inside.post(path, {}, Origin=f"http://127.0.0.1:{lab.port + 1}"),
        httpx2.post(lab.url + url, json={}, headers={"X-CSRF-Token": inside.token}),
    ]
    assert [answer.status_code for answer in forged] == [403] * 6
    assert inside.get("errors").status_code == 200, "nobody was logged out by it"


def test_a_token_of_another_operator_opens_nothing(inside: Page, lab: Lab) -> None:
    other = Page(lab.url)
    other.log_in(lab.username)
    own, other.token = other.token, inside.token
    assert other.post("logout", {}).status_code == 403
    other.token = own
    assert other.post("logout", {}).status_code == 200
    other.close()


def test_nothing_is_changed_by_a_get(inside: Page) -> None:
    assert {path: inside.get(path).status_code for path in ("login", "logout", "assign", "retry")} == dict.fromkeys(
        ("login", "logout", "assign", "retry"), 404
    )


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"[" * 100_000, b"\xff"])
def test_a_body_that_is_no_object_is_refused_with_a_sentence(body: bytes, inside: Page) -> None:
    answer = inside.http.post("/page/api/retry", content=body, headers={"X-CSRF-Token": inside.token})
    assert (answer.status_code, answer.json()["message"]) == (400, "The page sent something that is no JSON object.")


def test_a_body_without_end_is_cut(inside: Page) -> None:
    answer = inside.http.post("/page/api/retry", content=b" " * 300_000, headers={"X-CSRF-Token": inside.token})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("assign", {"devices": [], "package": None}),
        ("assign", {"devices": [{"id": NOBODY, "assigned": 1}] * 101, "package": None}),
        ("assign", {"devices": [{"id": "../../x", "assigned": 1}], "package": None}),
        ("assign", {"devices": [{"id": NOBODY, "assigned": "1"}], "package": None}),
        ("assign", {"devices": [{"id": NOBODY, "assigned": -1}], "package": None}),
        ("assign", {"devices": [{"id": NOBODY, "assigned": 1}], "package": 5}),
        ("assign", {"devices": "all"}),
        ("assign", {"devices": [5]}),
        ("assign-profile", {"profile": "x"}),
        ("retry", {"devices": [{}]}),
    ],
)
def test_a_request_that_the_page_never_sends_is_refused(path: str, body: dict[str, Any], inside: Page) -> None:
    assert inside.post(path, body).status_code == 400


def test_a_path_that_would_leave_the_api_is_no_id(inside: Page) -> None:
    for path in ("device/..%2f..%2fauth", "device/x", "profile/%2e%2e/reach"):
        assert inside.get(path).status_code in {400, 404}


@pytest.mark.parametrize(
    "given",
    [{}, {"username": "x"}, {"username": "", "password": "x"}, {"username": 5, "password": []}, {"username": "x", "password": "y" * 5000}],
)
def test_a_form_that_is_not_filled_in_never_reaches_the_server(given: dict[str, Any], page: Page) -> None:
    answer = page.post("login", given)
    assert (answer.status_code, answer.json()["message"]) == (403, "Give a user name and a password.")


def test_a_device_that_is_gone_is_a_404_with_the_servers_words(inside: Page) -> None:
    answer = inside.get(f"device/{NOBODY}")
    assert answer.status_code == 404
    assert NOBODY in answer.json()["message"]
