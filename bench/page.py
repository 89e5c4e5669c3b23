"""`python -m bench.page`: the fleet's page in a real Chromium with thousands of devices: bytes, times, long tasks, nodes.

Times depend on the machine, so they are no part of `make bench` and its table. Beside them stand an empty page of the same server in the
same browser, the machine's load, and the processor time of the page's thread, which a busy machine does not lengthen.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from cota.lab.server import Lab, LabConfig, running_lab
from cota.thingsboard import Client

# The browser and the operator of the page's tests, which are no package.
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "page"))

from browser import Browser, driving, missing, until
from farm import PASSWORD, Page, crowd

_SCRIPTS = Path(__file__).parent / "page_scripts"
_CHANGES = 100  # devices that report in each of the seconds of the live part
_SECONDS = 5
_PATIENCE = 120.0


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.page", description="Measure the page with a large fleet in a real Chromium.")
    parser.add_argument("--devices", type=int, default=5000, help="devices of the fleet (default: 5000)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    if lacking := missing():
        print(f"bench.page: {lacking}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lab.db"
        crowd(path, options.devices, wave=True)
        with running_lab(LabConfig(db=path, password=PASSWORD)) as lab, driving() as driver:
            browser = driver.browser()
            found = _measure(lab, browser, options.devices)
            browser.close()
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        for what, value in found.items():
            print(f"{what:<72} {value:>12,}" if isinstance(value, int) else f"{what:<72} {value!s:>12}")
    return 0


def _measure(lab: Lab, browser: Browser, devices: int) -> dict[str, Any]:
    visitor = Page(lab.url)
    assert visitor.log_in(lab.username).status_code == 200
    found: dict[str, Any] = {
        "devices": devices,
        "load of the machine, processes a core": round(os.getloadavg()[0] / (os.cpu_count() or 1), 1),
    }
    portions = list(_whole(visitor))
    whole = sum(len(json.dumps(portion, separators=(",", ":"))) for portion in portions)
    found["stream: bytes of the whole fleet"] = whole
    found["stream: bytes a device"] = round(whole / devices)
    name = f"cota_page_{lab.port}"
    browser.devtools("Network.setCookie", name=name, value=visitor.http.cookies[name], url=f"{lab.url}/page", path="/page")
    began = time.monotonic()
    browser.open(f"{lab.url}/page/icon.svg")
    found["an empty page of the same server, ms"] = round(1000 * (time.monotonic() - began))
    browser.devtools("Page.addScriptToEvaluateOnNewDocument", source=_script("observe").replace("DEVICES", str(devices)))
    browser.open(f"{lab.url}/page/")
    until(lambda: browser.run("return measured.whole"), "the whole fleet is shown", _PATIENCE)
    for what, key in (("first rows of the table, ms", "first"), ("the whole fleet, ms", "whole")):
        found[f"load: {what}"] = round(browser.run(f"return measured.{key}"))
    found["load: bytes of files"] = browser.run(
        "return performance.getEntriesByType('resource').reduce((sum, one) => sum + one.transferSize, 0)"
    )
    found |= _tasks(browser, "load")
    found["nodes in the document"] = browser.run("return document.getElementsByTagName('*').length")
    found["rows in the document"] = browser.run("return document.querySelectorAll('tr[data-id]').length")
    # In processor time; the usual clock also counts while other processes have the processor.
    browser.devtools("Performance.enable", timeDomain="threadTicks")
    before = _durations(browser)
    browser.devtools("Runtime.evaluate", expression=_script("scroll"))
    scrolled = until(lambda: browser.run("return measured.scrolled"), "the table is scrolled through", _PATIENCE)
    found |= {f"scroll: {what}": value for what, value in scrolled.items()}
    found |= {
        f"scroll: {what} a step, ms": round(1000 * (spent - before[what]) / scrolled["steps"], 1)
        for what, spent in _durations(browser).items()
    }
    found |= _tasks(browser, "scroll")
    found |= _live(lab, browser, [row["id"] for portion in portions for row in portion["rows"]])
    visitor.close()
    return found


def _whole(visitor: Page) -> Any:
    for event, data, _ in visitor.events():
        if event == "fleet":
            yield data
            if data["last"]:
                return


def _durations(browser: Browser) -> dict[str, float]:
    """Give the processor time that the page's thread has spent, in seconds (DevTools: Performance.getMetrics)."""
    words = {"ScriptDuration": "script", "LayoutDuration": "layout", "RecalcStyleDuration": "style", "TaskDuration": "all work"}
    return {words[one["name"]]: one["value"] for one in browser.devtools("Performance.getMetrics")["metrics"] if one["name"] in words}


def _tasks(browser: Browser, part: str) -> dict[str, Any]:
    """Give the tasks of more than 50 ms since the last call (Long Tasks API)."""
    tasks = browser.run("return measured.tasks.splice(0)")
    return {f"{part}: long tasks": len(tasks), f"{part}: the longest, ms": round(max(tasks, default=0))}


def _live(lab: Lab, browser: Browser, ids: list[str]) -> dict[str, Any]:
    """Let devices report for some seconds, and see how late the last one is shown."""
    told = ids[: _SECONDS * _CHANGES]
    browser.run("scrollTo(0, 0)")
    with Client(lab.url, username=lab.username, password=PASSWORD) as client:
        client.login()
        for second in range(_SECONDS):
            due = time.monotonic() + 1
            for device in told[second * _CHANGES :][:_CHANGES]:
                client.session.put(f"/api/plugins/telemetry/DEVICE/{device}/timeseries/ANY", {"fw_state": "DOWNLOADING"})
            time.sleep(max(0.0, due - time.monotonic()))
    ended = time.monotonic()
    expected = f"{len(told):,}\nUpdating"
    until(lambda: expected in browser.text(".states"), lambda: f"the last change is shown: {browser.text('.states')}", _PATIENCE)
    return {"live: the last of the changes is shown after, ms": round(1000 * (time.monotonic() - ended))} | _tasks(browser, "live")


def _script(name: str) -> str:
    return (_SCRIPTS / f"{name}.js").read_text(encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
