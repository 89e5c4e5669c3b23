"""The page in a real Chromium: what an operator sees, does, and is kept from doing by mistake."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from browser import Browser, until
from farm import PASSWORD, URL, Board, Farm, crowd, serving

from conftest import log_in
from cota.lab.data import package_rules
from cota.lab.server import Lab, LabConfig, running_lab
from cota.page.doors import KeyDoor
from cota.page.server import PageServer

Open = Callable[..., Browser]
SPACE = "space the release does not fit on the drive: 412 kB needed, 305 kB free"


def row(board: Board) -> str:
    return f'tr[data-id="{board.id}"]'


def pick(board: Board) -> str:
    return f"{row(board)} input"


def test_a_change_on_a_board_is_seen_without_a_reload(farm: Farm, open_page: Open) -> None:
    board, other = farm.boards(2)
    browser = open_page()
    browser.run("window.untouched = true")
    board.say(fw_state="DOWNLOADING")
    browser.sees("Downloading", row(board))
    board.runs("weather", "v1.2.0")
    browser.sees("Updated", row(board))
    browser.sees("weather v1.2.0", row(board))
    assert "Announced" in browser.text(row(other))
    browser.sees("1\nUpdated", ".states")
    browser.sees("weather v1.2.0\n1", ".releases")
    until(lambda: "board-1 updated" in browser.text("#announce"), "it is said to a screen reader")
    assert browser.run("return window.untouched") is True


def test_new_and_deleted_devices_come_and_go(farm: Farm, open_page: Open) -> None:
    first = farm.board("first")
    browser = open_page()
    browser.sees("first", "table.devices")
    second = farm.board("second")
    browser.sees("second", "table.devices")
    farm.client.devices.delete(first.id)
    until(lambda: "first" not in browser.text("table.devices"), "the deleted device is gone")
    assert "second" in browser.text(row(second))


def test_an_error_is_shown_and_explained_with_what_to_do(farm: Farm, open_page: Open) -> None:
    board = farm.board("board-1")
    farm.client.devices.assign(board.id, farm.package("v1.2.0"))
    browser = open_page()
    until(lambda: "fw_url" in board.hears("fw_url"), "the board is told")
    board.say(fw_state="FAILED", fw_error=SPACE)
    browser.sees("Failed", row(board))
    browser.sees("space", f"{row(board)} .code")
    browser.click(f"{row(board)} .name a")
    browser.sees("Failed: the release does not fit on the drive", ".trouble")
    browser.sees(SPACE, ".trouble q")
    assert "Leave files out with .cotaignore" in browser.text(".trouble")
    browser.sees(SPACE, ".past")
    assert "Announced" in browser.text(".past")
    assert "→ weather v1.2.0" in browser.text(".past")


def test_a_failure_that_the_board_retries_is_not_shown_as_the_end(farm: Farm, open_page: Open) -> None:
    board = farm.board("board-1")
    board.say(fw_state="DOWNLOADING")
    board.say(fw_error="later: git_limit the Git host's rate limit is used up, next try in 900 s")
    browser = open_page()
    browser.click(f"{row(board)} .name a")
    browser.sees("Not yet: the Git host's rate limit is used up", ".trouble")
    browser.sees("The board tries again by itself, 900 s after it said so.", ".trouble")
    assert "given this release up" not in browser.text(".trouble")


def test_an_error_of_an_earlier_assignment_is_history(farm: Farm, open_page: Open) -> None:
    board = farm.board("board-1")
    board.say(fw_state="FAILED", fw_error=SPACE)
    farm.client.devices.assign(board.id, farm.package("v1.2.0"))
    browser = open_page()
    browser.sees("weather v1.2.0", row(board))
    assert "space" not in browser.text(row(board))


def test_an_assignment_is_asked_for_before_it_is_made(farm: Farm, open_page: Open) -> None:
    boards = farm.boards(3)
    package = farm.package("v1.2.0")
    browser = open_page()
    for board in boards[:2]:
        browser.click(pick(board))
    browser.sees("2 devices chosen", ".tools")
    browser.click(".tools button.main")
    browser.sees("Assign to 2 devices", "dialog")
    assert browser.run("return document.querySelector('dialog button.main').disabled") is True
    browser.choose("dialog select", "weather v1.2.0")
    browser.press("Escape")
    until(lambda: not browser.text("dialog"), "the dialog is closed")
    assert [farm.assigned(board) for board in boards] == [None, None, None]
    browser.click(".tools button.main")
    browser.choose("dialog select", "weather v1.2.0")
    browser.click("dialog button.main")
    browser.sees("Assigned to 2 devices.", "#toast")
    assert [farm.assigned(board) for board in boards] == [package, package, None]
    browser.sees("weather v1.2.0", row(boards[1]))
    assert not browser.text(".tools")


def test_a_package_can_be_assigned_to_a_whole_profile(farm: Farm, open_page: Open) -> None:
    board, own = farm.boards(2)
    package, first = farm.package("v1.2.0"), farm.package("v1.1.0")
    farm.client.devices.assign(own.id, first)
    browser = open_page()
    browser.click('a[data-view="packages"]')
    browser.click('button[aria-label="Assign weather v1.2.0"]')
    browser.sees("1 device without a package of their own", "dialog")
    browser.click("dialog button.main")
    browser.sees("Assigned to the profile greenhouse.", "#toast")
    until(lambda: board.hears("fw_version") == {"fw_version": "v1.2.0"}, "the board is told")
    assert farm.client.profiles.get(farm.profile)["firmwareId"]["id"] == package
    assert farm.assigned(own) == first
    browser.sees("greenhouse\tweather v1.2.0", ".packages")


def test_a_retry_is_asked_for_and_reaches_the_board(farm: Farm, open_page: Open) -> None:
    board, well = farm.boards(2)
    board.say(fw_state="FAILED", fw_error=SPACE)
    browser = open_page()
    browser.click(f"{row(board)} .name a")
    browser.click(".title button:not(.main)")
    browser.sees("Retry on board-1", "dialog")
    assert board.hears("cota_retry") == {}
    browser.click("dialog button.main")
    browser.sees("Retry asked of 1 device.", "#toast")
    assert re.fullmatch(r"r-\w+-[0-9a-f]{4}", board.hears("cota_retry")["cota_retry"])
    assert well.hears("cota_retry") == {}


def test_a_server_that_refuses_is_quoted_and_the_dialog_says_for_which_device(farm: Farm, open_page: Open) -> None:
    board, doomed = farm.boards(2)
    package = farm.package("v1.2.0")
    browser = open_page()
    browser.click(pick(board))
    browser.click(pick(doomed))
    browser.click(".tools button.main")
    browser.choose("dialog select", "weather v1.2.0")
    farm.client.devices.delete(doomed.id)
    browser.click("dialog button.main")
    browser.sees("1 device unchanged", "dialog")
    browser.sees("board-2: The device was deleted meanwhile.", "dialog")
    assert farm.assigned(board) == package


def test_two_operators_see_each_other_and_neither_overwrites_the_other_unseen(farm: Farm, open_page: Open) -> None:
    board = farm.board("board-1")
    farm.package("v1.1.0")
    theirs = farm.package("v1.2.0")
    mine, other = open_page(), open_page()
    for browser, version in ((mine, "v1.1.0"), (other, "v1.2.0")):
        browser.click(pick(board))
        browser.click(".tools button.main")
        browser.choose("dialog select", f"weather {version}")
    other.click("dialog button.main")
    mine.sees("weather v1.2.0", row(board))
    mine.click("dialog button.main")
    mine.sees("Somebody else assigned this device meanwhile", "dialog")
    assert farm.assigned(board) == theirs
    mine.click("dialog button.main")
    mine.click(pick(board))
    mine.click(".tools button.main")
    mine.choose("dialog select", "weather v1.1.0")
    mine.click("dialog button.main")
    other.sees("weather v1.1.0", row(board))


@pytest.mark.usefixtures("own_lab")
def test_a_session_that_the_server_ends_leads_back_to_the_log_in_with_a_sentence(farm: Farm, lab: Lab, open_page: Open) -> None:
    board = farm.board("board-1")
    browser = open_page()
    browser.click(pick(board))
    browser.click(".tools button.main")
    farm.client._session.post(dict, "/api/auth/changePassword", {"currentPassword": PASSWORD, "newPassword": "battery staple"})
    browser.sees("The server ended your log-in. Log in again.", ".log-in")
    assert not browser.text("dialog")
    assert "board-1" not in browser.text()
    browser.fill("#username", lab.username)
    browser.fill("#password", PASSWORD)
    browser.press("Enter")
    browser.sees("does not accept this user name and password", ".log-in [role=alert]")
    log_in(browser, lab.username, "battery staple")
    browser.sees("board-1", "table.devices")


def test_logging_out_ends_every_tab_and_the_server_forgets_the_session(farm: Farm, lab: Lab, open_page: Open) -> None:
    farm.board("board-1")
    browser = open_page()
    first = browser.run("return document.cookie")
    assert first == "", "a script must not see the session's cookie"
    browser.new_tab(f"{lab.url}/page/")
    browser.sees("board-1", "table.devices")
    browser.click("#log-out")
    browser.sees("You logged out.", ".log-in")
    browser.first_tab()
    # Told by its stream, or by its next question where the browser had put the hidden tab's stream to sleep: the reason is the same.
    browser.sees("You logged out.", ".log-in .warn")
    assert "board-1" not in browser.text()


def test_an_assignment_in_a_tab_whose_session_ended_elsewhere_leads_to_the_log_in(farm: Farm, lab: Lab, open_page: Open) -> None:
    board = farm.board("board-1")
    farm.package("v1.2.0")
    browser = open_page()
    browser.click(pick(board))
    browser.click(".tools button.main")
    browser.choose("dialog select", "weather v1.2.0")
    browser.run(
        """return (async () => {
            const { csrf } = await (await fetch("api/session")).json();
            return (await fetch("api/logout", { method: "POST", headers: { "x-csrf-token": csrf }, body: "{}" })).status;
        })()"""
    )
    browser.run("document.querySelector('dialog button.main')?.click()")
    browser.sees("You logged out.", ".log-in .warn")
    assert farm.assigned(board) is None


EVIL = "<img src=x onerror=hacked=1>"
QUOTED = '" onmouseover="hacked=1" x=\''


def test_nothing_that_a_device_or_a_package_says_becomes_markup(farm: Farm, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    # ThingsBoard refuses markup in a package; the page must not depend on it.
    monkeypatch.setattr(package_rules, "_MARKUP", re.compile(r"(?!)"))
    profile = farm.client.profiles.create(f"profile {EVIL}")["id"]["id"]
    board = farm.board(f"name {EVIL}", label=f"label {EVIL}", profile=profile)
    script = farm.client.packages.create_url(f"title {EVIL}", f"v1 {QUOTED}", "javascript:hacked=1", profile)
    farm.client.packages.create_url(f"title2 {EVIL}", f"v2 {EVIL}", f"https://x.test/{EVIL}", profile)
    file = farm.client.packages.create(f"title3 {EVIL}", f"v3 {EVIL}", profile)["id"]["id"]
    farm.client.packages.upload(file, f"{EVIL}.bin", b"x")
    farm.client.devices.assign(board.id, script["id"]["id"])
    board.say(fw_state=f"STATE {EVIL}", current_fw_title=f"runs {EVIL}", current_fw_version=QUOTED)
    until(lambda: "fw_url" in board.hears("fw_url"), "the board is told")
    board.say(fw_state="FAILED", fw_error=f"space {EVIL}")
    board.tell(board_id=f"board {EVIL}", cota_last_error=EVIL, **{f"key {EVIL}": {"deep": EVIL}})
    browser = open_page()
    browser.sees(EVIL, f"{row(board)} .error")
    shown = browser.text(row(board))
    for text in (f"name {EVIL}", f"label {EVIL}", f"runs {EVIL} {QUOTED}", f"title {EVIL}", EVIL):
        assert text in shown
    browser.sees(f"title {EVIL} v1", ".wave select")
    browser.sees(f"runs {EVIL}", ".releases")
    browser.click(pick(board))
    browser.click(".tools button.main")
    browser.sees(f"Assign to name {EVIL}", "dialog h2")
    browser.press("Escape")
    browser.click(f"{row(board)} .name a")
    browser.sees(f"board {EVIL}", ".facts")
    browser.sees(f"key {EVIL}", ".facts")
    browser.sees(f"STATE {EVIL}", ".past")
    browser.sees(f"space {EVIL}", ".trouble q")
    browser.sees("javascript:hacked=1", ".facts")
    assert browser.run("return [...document.links].filter((one) => !/^https?:/.test(one.href)).length") == 0
    browser.click('a[data-view="packages"]')
    browser.sees(f"title2 {EVIL} v2 {EVIL}", ".packages")
    browser.sees(f"profile {EVIL}", ".packages")
    browser.sees(f"an uploaded file, {EVIL}.bin", ".packages")
    for number, act in ((1, "Delete"), (3, "Delete"), (3, "Assign")):
        browser.click(f'.plain tbody tr:has([aria-label^="Delete title{number if number > 1 else ""} "]) [aria-label^="{act}"]')
        browser.sees(EVIL, "dialog")
        if act == "Delete" and number == 1:
            browser.click("dialog button.main")
            browser.sees("It is in use and was not deleted: 1 device.", "dialog .told")
        browser.press("Escape")
        until(lambda: not browser.text("dialog"), "the dialog is closed")
    made = "return document.querySelectorAll('body :is(img, script, iframe, object), [onerror], [onmouseover]').length"
    assert browser.run(made) == 0
    assert browser.run("return typeof hacked") == "undefined"


def test_the_policy_stops_a_script_that_came_as_text(open_page: Open, farm: Farm, lab: Lab) -> None:
    browser = open_page()
    browser.console()
    refused = """try { document.querySelector("main").innerHTML = "<b>markup</b>"; return "taken"; } catch (error) { return error.name; }"""
    assert browser.run(refused) == "TypeError"
    browser.run("const s = document.createElement('script'); try { s.text = 'hacked=1' } catch {} document.head.append(s)")
    assert browser.run("return typeof hacked") == "undefined"
    # The alarms that the other tests listen for do ring.
    assert any("Trusted" in line for line in browser.console())
    assert any("require-trusted-types-for" in one for one in browser.run("return violations.splice(0)"))


def test_an_assignment_can_be_made_with_the_keyboard_alone(farm: Farm, lab: Lab, open_browser: Open) -> None:
    boards = farm.boards(4)
    package = farm.package("v1.2.0")
    browser = open_browser(f"{lab.url}/")
    browser.find("#username")
    browser.press(*lab.username, "Tab", *PASSWORD, "Enter")
    browser.find(row(boards[3]))
    browser.press("/", *"board")
    assert browser.focus() == "INPUT Search devices"
    presses = 0
    while browser.focus() != "INPUT Choose board-1":
        browser.press("Tab")
        presses += 1
        assert presses < 30, browser.focus()
    browser.press("Down", "Down")
    assert browser.focus() == "INPUT Choose board-3"
    browser.press("Space")
    browser.sees("1 device chosen", ".tools")
    while browser.focus() != "BUTTON Assign…":
        browser.press("Tab")
        presses += 1
        assert presses < 60, browser.focus()
    browser.press("Enter")
    browser.find("dialog[open]")
    assert browser.focus() == "SELECT dialog-package"
    browser.press("Down", "Tab", "Tab")
    assert browser.focus() == "BUTTON Assign"
    browser.press("Enter")
    browser.sees("Assigned to 1 device.", "#toast")
    assert [farm.assigned(board) for board in boards] == [None, None, package, None]
    assert browser.run("return document.activeElement !== document.body"), "the focus has a place to go on from"


def tab_to(browser: Browser, what: str) -> None:
    """Press Tab until something has the focus."""
    for _ in range(40):
        if browser.focus() == what:
            return
        browser.press("Tab")
    raise AssertionError(f"Tab never came to {what!r}, but to {browser.focus()!r}")


def test_a_retry_and_a_package_can_be_made_with_the_keyboard_alone(farm: Farm, open_page: Open) -> None:
    board = farm.board("board-1")
    board.say(fw_state="FAILED", fw_error=SPACE)
    browser = open_page()
    browser.sees("Failed", row(board))
    browser.press("/", *"board-1", "Tab")
    tab_to(browser, "A board-1")
    browser.press("Enter")
    browser.sees("What to do", ".trouble")
    tab_to(browser, "BUTTON Retry…")
    browser.press("Enter")
    browser.find("dialog[open]")
    assert browser.focus() == "BUTTON Cancel", "what changes something is not done by one press too many"
    tab_to(browser, "BUTTON Retry")
    browser.press("Enter")
    browser.sees("Retry asked of 1 device.", "#toast")
    until(lambda: "Retry asked of 1 device." in browser.text("#announce"), "it is said to a screen reader")
    assert browser.focus() == "BUTTON Retry…"
    assert "cota_retry" in board.hears("cota_retry")
    tab_to(browser, "A Packages")
    browser.press("Enter")
    browser.sees("weather v1.0.0", ".packages")
    tab_to(browser, "BUTTON New package…")
    browser.press("Enter")
    browser.find("dialog[open]")
    browser.press(*"weather", "Tab", *"v1.3.0", "Tab")
    assert browser.focus() == "INPUT from-url"
    browser.press("Down", "Up", "Tab", *(URL + "v1.3.0"), "Tab")
    assert browser.focus() == "SELECT field-profile"
    browser.press("Down")  # from "default" to "greenhouse"
    tab_to(browser, "BUTTON Make the package")
    browser.press("Enter")
    browser.sees("Made the package weather v1.3.0.", "#toast")


def test_the_focus_stays_on_its_device_while_others_change_and_move(farm: Farm, open_page: Open) -> None:
    boards = farm.boards(6)
    browser = open_page()
    browser.click("th.state button")  # by state: rows move when boards report
    browser.run("document.querySelector(arguments[0]).focus()", f"{row(boards[2])} .name a")
    for board in boards[3:]:
        board.say(fw_state="FAILED", fw_error=SPACE)
    browser.sees("3\nFailed", ".states")
    assert "board-3" in browser.focus()
    order = browser.run("return [...document.querySelectorAll('tr[data-id] .name bdi:first-child')].map((one) => one.textContent)")
    assert order[0] == "board-4"
    boards[2].say(fw_state="FAILED", fw_error=SPACE)
    browser.sees("4\nFailed", ".states")
    assert "board-3" in browser.focus()


def test_five_thousand_devices_scroll_with_a_bounded_document(tmp_path: Path, open_browser: Open) -> None:
    crowd(tmp_path / "crowd.db", 5000)
    with running_lab(LabConfig(db=tmp_path / "crowd.db", password=PASSWORD)) as lab:
        browser = open_browser(f"{lab.url}/")
        log_in(browser, lab.username)
        browser.sees("5,000\nAll", ".states")
        nodes = "return document.getElementsByTagName('*').length"
        table = "return document.querySelector('table.devices').getAttribute('aria-rowcount')"
        assert browser.run(table) == "5001"
        most = browser.run(nodes)
        for part in range(1, 11):
            browser.run("scrollTo(0, document.documentElement.scrollHeight * arguments[0])", part / 10)
            until(lambda: browser.probe("row_in_window"), "rows are drawn where the window is")
            most = max(most, browser.run(nodes))
        assert most < 1500
        browser.sees("board-5000", "table.devices")
        last = browser.run("return [...document.querySelectorAll('tr[data-id]')].at(-1).getAttribute('aria-rowindex')")
        assert last == "5001"
        browser.fill("#search", "board-4321")
        browser.sees("1 of 5,000 devices", "#found")
        browser.fill("#search", "")
        browser.press("x", "\ue003")
        browser.run("scrollTo(0, 0)")
        browser.run("document.querySelector('tr[data-id] .name a').focus()")
        browser.press("End")
        assert "board-5000" in browser.focus()
        browser.press("Up")
        assert "board-4999" in browser.focus()
        assert browser.run(nodes) < 1500


def test_search_filter_and_counts_agree(farm: Farm, open_page: Open) -> None:
    boards = farm.boards(5)
    for board in boards[:3]:
        board.runs("weather", "v1.2.0")
    boards[3].say(fw_state="FAILED", fw_error=SPACE, current_fw_title="weather", current_fw_version="v1.1.0")
    browser = open_page()
    browser.sees("5\nAll", ".states")
    browser.sees("weather v1.2.0\n3", ".releases")
    browser.click(".states [data-group=failed]")
    browser.sees("1 of 5 devices", "#found")
    assert "board-4" in browser.text("table.devices")
    browser.click(".states [data-group=failed]")
    browser.fill("#search", "v1.2.0")
    browser.sees("3 of 5 devices", "#found")
    browser.click('.releases button[data-release="=weather v1.1.0"]')
    browser.sees("No device fits the filter.")
    browser.click(".filter button")
    until(lambda: browser.text("#found") == "", "the filter is cleared")
    browser.sees("board-5", "table.devices")


def test_the_wave_is_drawn_and_told_in_words(farm: Farm, open_page: Open) -> None:
    boards = farm.boards(4)
    farm.client.profiles.assign(farm.profile, farm.package("v1.2.0"))
    for board in boards:
        until(lambda board=board: "fw_url" in board.hears("fw_url"), "the board is told")
    boards[0].say(fw_state="DOWNLOADING")
    browser = open_page()
    browser.sees("0 of 4 devices updated, 1 updating, 3 waiting.", ".wave-words")
    boards[0].runs("weather", "v1.2.0")
    boards[1].say(fw_state="FAILED", fw_error=SPACE)
    browser.sees("1 of 4 devices updated, 1 failed, 2 waiting.", ".wave-words")
    label = browser.run("return document.querySelector('.plot').getAttribute('aria-label')")
    assert label.startswith("Chart of the wave weather v1.2.0: 1 of 4 devices updated")
    assert {"updated", "failed", "waiting"} <= set(browser.probe("painted"))


def package_form(browser: Browser, version: str) -> None:
    """Open the form and fill in what every package has."""
    browser.click('a[data-view="packages"]')
    browser.click(".title button.main")
    browser.fill("#field-title", "weather")
    browser.fill("#field-version", version)
    browser.choose("#field-profile", "greenhouse")


def test_a_package_is_made_from_the_form_and_what_is_wrong_stands_beside_its_field(farm: Farm, open_page: Open) -> None:
    browser = open_page()
    package_form(browser, "1.10")
    browser.fill("#field-url", "github.com/acme/weather")
    browser.click("dialog button.main")
    browser.sees("The version '1.10' looks like a number. ThingsBoard makes 1.1 of such text", "#hint-version")
    browser.sees("It is https://github.com/OWNER/NAME", "#hint-url")
    until(lambda: browser.focus() == "INPUT field-version", "the first wrong field has the focus")
    invalid = (
        "return [...document.querySelectorAll('dialog [aria-invalid=true]')].map((one) => [one.id, one.getAttribute('aria-describedby')])"
    )
    assert browser.run(invalid) == [["field-version", "hint-version"], ["field-url", "hint-url"]]
    assert len(list(farm.client.packages.list())) == 1
    browser.fill("#field-version", "v1.10")
    browser.fill("#field-url", "https://github.com/acme/weather/tree/v1.10")
    browser.click("dialog button.main")
    browser.sees("Made the package weather v1.10.", "#toast")
    browser.sees("https://github.com/acme/weather/tree/v1.10", ".packages")
    package_form(browser, "v1.10")
    browser.fill("#field-url", "https://github.com/acme/weather/tree/v1.10")
    browser.click("dialog button.main")
    browser.sees("There is a package weather v1.10 already, and it cannot be changed.", "#hint-version")
    assert len(list(farm.client.packages.list())) == 2


def test_a_file_is_uploaded_from_the_form_and_who_assigns_it_is_told_that_boards_refuse_it(
    farm: Farm, open_page: Open, tmp_path: Path
) -> None:
    board = farm.board("board-1")
    firmware = tmp_path / "firmware.bin"
    firmware.write_bytes(bytes(range(256)) * 40)
    browser = open_page()
    package_form(browser, "v2.0.0")
    assert not browser.text("#field-file")
    browser.click("#from-file")
    until(lambda: browser.run("return !document.querySelector('#field-url').checkVisibility()"), "the URL is not asked for")
    assert browser.run("return document.querySelector('dialog button.main').disabled") is True
    browser.attach("#field-file", firmware)
    browser.click("dialog button.main")
    browser.sees("Made the package weather v2.0.0.", "#toast")
    browser.sees("an uploaded file, firmware.bin", ".packages")
    made = farm.client.packages.find("weather", "v2.0.0")
    assert made is not None
    assert (made["hasData"], made["fileName"], made["dataSize"]) == (True, "firmware.bin", 10240)
    browser.click('button[aria-label="Assign weather v2.0.0"]')
    browser.sees("Boards with cOTA install from a URL only", "dialog .warn")
    browser.choose("dialog select", "weather v1.0.0")
    until(lambda: not browser.text("dialog .warn"), "a package with a URL is no reason to warn")
    browser.press("Escape")
    browser.click('a[data-view="fleet"]')
    browser.click(pick(board))
    browser.click(".tools button.main")
    browser.choose("dialog select", "weather v2.0.0")
    browser.sees("will report the error no_url", "dialog .warn")


def test_a_file_that_the_server_finds_too_large_is_told_beside_it_and_leaves_nothing_behind(
    farm: Farm, open_page: Open, tmp_path: Path
) -> None:
    large, small = tmp_path / "large.bin", tmp_path / "small.bin"
    large.write_bytes(bytes(17 * 1024 * 1024))
    small.write_bytes(b"firmware")
    browser = open_page()
    package_form(browser, "v2.0.0")
    browser.click("#from-file")
    browser.attach("#field-file", large)
    browser.click("dialog button.main")
    browser.sees("The server takes no file of this size. ThingsBoard takes 16 MiB unless", "#hint-file")
    assert farm.client.packages.find("weather", "v2.0.0") is None
    browser.attach("#field-file", small)
    browser.click("dialog button.main")
    browser.sees("Made the package weather v2.0.0.", "#toast")


def test_a_package_is_deleted_after_a_question_and_one_in_use_is_not(farm: Farm, open_page: Open) -> None:
    board, free = farm.board("board-1"), farm.package("v1.1.0")
    farm.client.devices.assign(board.id, farm.package("v1.2.0"))
    browser = open_page()
    browser.click('a[data-view="packages"]')
    for version, users in (("v1.0.0", "profile greenhouse"), ("v1.2.0", "1 device")):
        browser.click(f'button[aria-label="Delete weather {version}"]')
        browser.sees(f"Delete weather {version}", "dialog h2")
        assert browser.focus() == "BUTTON Cancel"
        browser.click("dialog button.main")
        browser.sees(f"It is in use and was not deleted: {users}.", "dialog .told")
        browser.press("Escape")
    browser.click('button[aria-label="Delete weather v1.1.0"]')
    browser.press("Escape")
    until(lambda: not browser.text("dialog"), "the dialog is closed")
    assert farm.client.packages.get(free)["version"] == "v1.1.0"
    browser.click('button[aria-label="Delete weather v1.1.0"]')
    browser.click("dialog button.main")
    browser.sees("Deleted the package weather v1.1.0.", "#toast")
    until(lambda: "v1.1.0" not in browser.text(".packages"), "the row is gone")
    assert {package["version"] for package in farm.client.packages.list()} == {"v1.0.0", "v1.2.0"}
    assert browser.run("return document.activeElement.tagName") == "H1", "the focus has a place to go on from"


def test_the_page_is_dark_where_the_system_is_and_a_choice_wins_and_stays(farm: Farm, lab: Lab, open_page: Open) -> None:
    browser = open_page()
    ground = "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    assert min(browser.run(ground)) > 200
    browser.scheme("dark")
    until(lambda: max(browser.run(ground)) < 60, "the page is dark")
    browser.click("#theme")
    until(lambda: min(browser.run(ground)) > 200, "light was chosen")
    browser.open(f"{lab.url}/page/")
    browser.find("table.devices")
    assert min(browser.run(ground)) > 200
    assert browser.run("return document.querySelector('#theme').getAttribute('aria-label')") == "Theme: light. Change it."


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_the_contrast_that_wcag_asks_for(scheme: str, farm: Farm, open_page: Open) -> None:
    board, late, well = farm.boards(3)
    board.say(fw_state="FAILED", fw_error=SPACE)
    late.say(fw_state="DOWNLOADING", fw_error="later: dns no such host, next try in 20 s")
    well.runs("weather", "v1.2.0")
    browser = open_page()
    browser.scheme(scheme)
    browser.sees("1\nFailed", ".states")
    assert browser.probe("contrast") == []
    browser.click(f"{row(board)} .name a")
    browser.sees("What to do", ".trouble")
    assert browser.probe("contrast") == []
    browser.click(".title button.main")
    browser.find("dialog[open]")
    assert browser.probe("contrast") == []


def test_a_phone_shows_the_fleet_without_scrolling_sideways_and_the_table_stays_one(farm: Farm, open_page: Open) -> None:
    boards = farm.boards(3)
    farm.package("v1.2.0", title="weather-with-a-long-title-of-many-characters-and-no-space-at-all")
    boards[0].say(
        fw_state="FAILED", fw_error=SPACE, current_fw_title="weather-with-a-long-title-of-many-characters", current_fw_version="v1"
    )
    browser = open_page()
    browser.size(360, 740, phone=True)
    wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert browser.run(wide) == 0
    browser.sees("space", f"{row(boards[0])} .code")
    assert set(browser.probe("roles")) == {"table", "row", "cell", "rowheader"}
    browser.click(f"{row(boards[0])} .name a")
    browser.sees("What to do", ".trouble")
    assert browser.run(wide) == 0
    assert browser.probe("cut_off") == []
    browser.click(".title button.main")
    browser.find("dialog[open]")
    assert browser.run(wide) == 0
    browser.press("Escape")
    browser.click('a[data-view="packages"]')
    browser.sees("no-space-at-all")
    assert browser.run(wide) == 0
    assert browser.probe("cut_off") == []
    assert browser.probe("tables") == []
    browser.click(".title button.main")
    browser.find("dialog[open]")
    browser.click("#from-file")
    assert browser.run(wide) == 0
    assert browser.probe("cut_off") == []


def test_every_control_has_a_name_and_every_id_is_used_once(farm: Farm, open_page: Open) -> None:
    board = farm.board("board-1")
    farm.client.devices.assign(board.id, farm.package("v1.2.0"))
    board.say(fw_state="FAILED", fw_error=SPACE)
    browser = open_page()
    assert browser.probe("nameless") == []
    assert browser.probe("tables") == []
    assert browser.run("return document.getElementById('announce').getAttribute('aria-live')") == "polite"
    browser.click(pick(board))
    browser.click(".tools button.main")
    browser.find("dialog[open]")
    assert browser.probe("nameless") == []
    browser.press("Escape")
    browser.click(f"{row(board)} .name a")
    browser.sees("What to do")
    browser.find("table.past")
    assert browser.probe("nameless") == []
    assert browser.probe("tables") == []
    browser.click('a[data-view="packages"]')
    browser.sees("weather v1.2.0", ".packages")
    assert browser.probe("nameless") == []
    assert browser.probe("tables") == []
    browser.click(".title button.main")
    browser.find("dialog[open]")
    browser.click("#from-file")
    assert browser.probe("nameless") == []


def test_a_lab_that_was_away_is_missed_and_its_fleet_comes_back_by_itself(tmp_path: Path, open_browser: Open) -> None:
    config = LabConfig(db=tmp_path / "lab.db", password=PASSWORD)
    with running_lab(config) as lab:
        port = lab.port
        farm = Farm(lab)
        farm.plant()
        farm.board("board-1")
        browser = open_browser(f"{lab.url}/")
        log_in(browser, lab.username)
        browser.sees("board-1", "table.devices")
        farm.close()
    browser.sees("Not live", "#link-state")
    assert "board-1" in browser.text("table.devices"), "what was known stays to be read"
    with running_lab(LabConfig(db=tmp_path / "lab.db", password=PASSWORD, port=port)) as lab:
        # The page's sessions live as long as the lab's process.
        browser.sees("Your session has ended.", ".log-in")
        log_in(browser, lab.username)
        browser.sees("board-1", "table.devices")


def test_the_address_with_the_key_lets_in_and_the_key_leaves_the_address(farm: Farm, lab: Lab, open_browser: Open) -> None:
    farm.board("board-1")
    door = KeyDoor(farm.client.session)
    with serving(PageServer(door, "127.0.0.1", 0)) as server:
        browser = open_browser(f"{server.url}#key={door.key}")
        browser.sees("board-1", "table.devices")
        assert browser.run("return location.href") == server.url
        browser.click("#log-out")
        browser.sees("You logged out.", ".log-in")
        browser.fill("#key", "wrong")
        browser.press("Enter")
        browser.sees("That is not the key.", ".log-in [role=alert]")
        browser.fill("#key", door.key)
        browser.press("Enter")
        browser.sees("board-1", "table.devices")
