"""A lab of its own for each test, and real browsers on its page."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser import Browser, Driver, driving, missing
from farm import PASSWORD, Farm, Page

from cota.lab.server import Lab, LabConfig, running_lab

_PACE_SECONDS = 0.01  # between two devices of the lab's queue; ThingsBoard's own is 0.6
# What no page may ever put into a browser's console.
_ALARMS = ("Content Security Policy", "Trusted", "Uncaught", "SyntaxError")


@pytest.fixture(scope="session")
def driver() -> Iterator[Driver]:
    if lacking := missing():
        pytest.skip(lacking)
    with driving() as running:
        yield running


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with running_lab(LabConfig(db=tmp_path / "lab.db", password=PASSWORD, ota_pace=_PACE_SECONDS)) as running:
        yield running


@pytest.fixture
def farm(lab: Lab) -> Iterator[Farm]:
    made = Farm(lab)
    yield made
    made.close()


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

    def make(url: str) -> Browser:
        browser = driver.browser()
        opened.append(browser)
        browser.open(url)
        return browser

    yield make
    said = [line for browser in opened for line in browser.console()]
    for browser in opened:
        driver.take_back(browser)
    assert [line for line in said if any(alarm in line for alarm in _ALARMS)] == []


@pytest.fixture
def open_page(lab: Lab, open_browser: Callable[..., Browser]) -> Callable[..., Browser]:
    """Open browsers on the lab's page, logged in."""

    def make() -> Browser:
        browser = open_browser(f"{lab.url}/")
        log_in(browser, lab.username)
        return browser

    return make


def log_in(browser: Browser, username: str, password: str = PASSWORD) -> None:
    """Fill in the log-in form as a person does, and wait for the fleet."""
    browser.fill("#username", username)
    browser.fill("#password", password)
    browser.press("Enter")
    browser.find("table.devices")
    browser.sees("Live", "#link-state")
