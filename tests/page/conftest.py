"""A lab that is empty for each test, and real browsers on its page.

Starting a lab and logging in cost more than most tests, so those of one process share one; `own_lab` gives a test a lab of its own, where
it stops the lab, counts its sessions, guesses passwords or changes one.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser import Browser, Driver, driving, missing
from farm import PASSWORD, Farm, Page

from cota.lab.server import Lab, LabConfig, running_lab

_LOOK_SECONDS = 0.1
_PACE_SECONDS = 0.01  # between two devices of the lab's queue; ThingsBoard's own is 0.6
# What no page may ever put into a browser's console.
_ALARMS = ("Content Security Policy", "Trusted", "Uncaught", "SyntaxError")


@pytest.fixture(scope="session")
def driver() -> Iterator[Driver]:
    if lacking := missing():
        pytest.skip(lacking)
    with driving() as running:
        yield running


@pytest.fixture(autouse=True, scope="session")
def _quick() -> Iterator[None]:
    """Look more often than once a second, so that a test waits for what it is about; and forget a fleet that nobody looks at."""
    patch = pytest.MonkeyPatch()
    patch.setattr("cota.page.watcher._LOOK_SECONDS", _LOOK_SECONDS)
    patch.setattr("cota.page.watcher._LIVE_LOOK_SECONDS", 3 * _LOOK_SECONDS)
    patch.setattr("cota.page.watcher._KEEP_SECONDS", 0.0)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def shared_farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    with running_lab(LabConfig(db=tmp_path_factory.mktemp("lab") / "lab.db", password=PASSWORD, ota_pace=_PACE_SECONDS)) as running:
        made = Farm(running)
        yield made
        made.close()


@pytest.fixture
def own_lab(tmp_path: Path) -> Iterator[Lab]:
    with running_lab(LabConfig(db=tmp_path / "lab.db", password=PASSWORD, ota_pace=_PACE_SECONDS)) as running:
        yield running


@pytest.fixture
def lab(request: pytest.FixtureRequest) -> Lab:
    if "own_lab" in request.fixturenames:
        own: Lab = request.getfixturevalue("own_lab")
        return own
    shared: Farm = request.getfixturevalue("shared_farm")
    shared.clear()
    return shared.lab


@pytest.fixture
def farm(lab: Lab, request: pytest.FixtureRequest) -> Iterator[Farm]:
    if "own_lab" in request.fixturenames:
        made = Farm(lab)
        made.plant()
        yield made
        made.close()
        return
    shared: Farm = request.getfixturevalue("shared_farm")
    shared.plant()
    yield shared


@pytest.fixture
def page(lab: Lab) -> Iterator[Page]:
    """An operator's page over HTTP; not logged in."""
    made = Page(lab.url)
    yield made
    made.close()


@pytest.fixture
def inside(page: Page, lab: Lab) -> Page:
    """An operator who is logged in."""
    assert page.log_in(lab.username).status_code == 200
    return page


@pytest.fixture
def open_browser(driver: Driver) -> Iterator[Callable[..., Browser]]:
    """Open browsers that know nothing of each other. At the end none may have an alarm in its console."""
    opened: list[Browser] = []

    def make(url: str = "") -> Browser:
        browser = driver.browser()
        opened.append(browser)
        if url:
            browser.open(url)
        return browser

    yield make
    assert [one for browser in opened for one in browser.run("return window.violations || []")] == []
    said = [line for browser in opened for line in browser.console()]
    for browser in opened:
        driver.take_back(browser)
    assert [line for line in said if any(alarm in line for alarm in _ALARMS)] == []


@pytest.fixture
def open_page(lab: Lab, open_browser: Callable[..., Browser]) -> Callable[..., Browser]:
    """Open browsers on the lab's page, each logged in for itself, with the cookie that the form would have brought."""

    def make() -> Browser:
        visitor = Page(lab.url)
        assert visitor.log_in(lab.username).status_code == 200
        name = f"cota_page_{lab.port}"
        browser = open_browser()
        browser.devtools(
            "Network.setCookie", name=name, value=visitor.http.cookies[name], url=f"{lab.url}/page", path="/page", httpOnly=True
        )
        visitor.close()
        browser.open(f"{lab.url}/page/")
        browser.find("table.devices")
        browser.sees("Live", "#link-state")
        return browser

    return make


def log_in(browser: Browser, username: str, password: str = PASSWORD) -> None:
    """Fill in the log-in form as a person does, and wait for the fleet."""
    browser.fill("#username", username)
    browser.fill("#password", password)
    browser.press("Enter")
    browser.find("table.devices")
    browser.sees("Live", "#link-state")
