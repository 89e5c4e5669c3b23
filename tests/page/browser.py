"""A real Chromium, driven over the W3C WebDriver protocol (https://www.w3.org/TR/webdriver2/) by a few lines of our own."""

import base64
import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key that marks an element (WebDriver, 12.1)
_PATIENCE_SECONDS = 20.0
_SIZE = (1320, 900)
_PROBES = Path(__file__).parent / "probes"
KEYS = {
    "Tab": "\ue004",
    "Enter": "\ue007",
    "Escape": "\ue00c",
    "Space": " ",
    "Down": "\ue015",
    "Up": "\ue013",
    "End": "\ue010",
    "Home": "\ue011",
}
_ARGUMENTS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run", "--disable-dev-shm-usage", "--window-size=1320,900", "--lang=en-GB"),
    # Nothing slides or fades: each frame is drawn by the processor here, and a test waits for what is there at the end.
    *("--force-prefers-reduced-motion", "--disable-extensions", "--disable-default-apps", "--mute-audio"),
)


def missing() -> str | None:
    """Say what this machine lacks for a browser, or None."""
    absent = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return f"no {' and no '.join(absent)} here: apt-get install chromium chromium-driver" if absent else None


class Driver:
    """A running chromedriver; `browser` gives a browser that knows nothing, an old one made forgetful where there is one."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        command = ["chromedriver", f"--port={port}", "--silent"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.http = httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False)
        self._idle: list[Browser] = []
        until(self._ready, "chromedriver answers")

    def _ready(self) -> bool:
        with contextlib.suppress(httpx2.HTTPError):
            return bool(self.http.get("/status").json()["value"]["ready"])
        return False

    def browser(self) -> "Browser":
        return self._idle.pop() if self._idle else Browser(self.http)

    def take_back(self, browser: "Browser") -> None:
        """Make a browser forget all, for the next test: starting one takes longer than most tests."""
        browser.forget()
        self._idle.append(browser)

    def close(self) -> None:
        for browser in self._idle:
            browser.close()
        self.http.close()
        self._process.terminate()
        self._process.wait(10)


class Browser:
    """One browser."""

    def __init__(self, http: httpx2.Client) -> None:
        options = {"binary": shutil.which("chromium"), "args": list(_ARGUMENTS)}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        self._http = http
        started = http.post("/session", json={"capabilities": {"alwaysMatch": wanted}}).json()["value"]
        assert "sessionId" in started, started
        self._path = f"/session/{started['sessionId']}"
        self.size(*_SIZE)
        self.devtools("Page.addScriptToEvaluateOnNewDocument", source=(_PROBES / "violations.js").read_text(encoding="utf-8"))

    def forget(self) -> None:
        """Close all tabs but one, and lose cookies, sizes and tastes. What a page stored goes by its port, which no test has twice."""
        first, *others = self._call("GET", "/window/handles")
        for handle in others:
            self._call("POST", "/window", {"handle": handle})
            self._call("DELETE", "/window")
        self._call("POST", "/window", {"handle": first})
        self.open("about:blank")
        self.devtools("Network.clearBrowserCookies")
        self.devtools("Emulation.setEmulatedMedia", features=[])
        self.size(*_SIZE)
        self.console()

    def close(self) -> None:
        self._http.delete(self._path)

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._http.request(method, self._path + path, json={} if body is None and method == "POST" else body)
        value = answer.json()["value"]
        if answer.status_code != 200:
            raise BrowserError(f"{value['error']}: {value['message']}")
        return value

    def devtools(self, command: str, **params: Any) -> Any:
        """Send a command of the DevTools protocol."""
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": params})

    def size(self, width: int, height: int, *, phone: bool = False) -> None:
        """Set the size of what is seen, in CSS pixels."""
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2 if phone else 1, mobile=phone)

    def scheme(self, name: str) -> None:
        """Prefer light or dark."""
        self.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def open(self, url: str) -> None:
        self._call("POST", "/url", {"url": url})

    def new_tab(self, url: str) -> None:
        """Open a second tab, with the same cookies, and look at it."""
        self._call("POST", "/window", {"handle": self._call("POST", "/window/new", {"type": "tab"})["handle"]})
        self.open(url)

    def first_tab(self) -> None:
        """Look at the first tab again."""
        self._call("POST", "/window", {"handle": self._call("GET", "/window/handles")[0]})

    def run(self, script: str, *values: Any) -> Any:
        """Run a script in the page and return what it returns."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(values)})

    def probe(self, name: str) -> Any:
        """Run a script of probes/."""
        return self.run((_PROBES / f"{name}.js").read_text(encoding="utf-8"))

    def find(self, css: str) -> str:
        """Return an element, waiting until it is there and seen."""
        return until(lambda: self._find(css), f"{css} is there")

    def _find(self, css: str) -> str | None:
        found = self.run("return [...document.querySelectorAll(arguments[0])].find((one) => one.checkVisibility()) || null", css)
        return None if found is None else str(found[_ELEMENT])

    def click(self, css: str) -> None:
        """Click as a person does; what covers the element is an error."""

        def clicked() -> bool:
            with contextlib.suppress(BrowserError):
                self._call("POST", f"/element/{self.find(css)}/click")
                return True
            return False

        until(clicked, f"{css} can be clicked")

    def fill(self, css: str, text: str) -> None:
        """Type into a field, in place of what is there."""
        element = self.find(css)
        self._call("POST", f"/element/{element}/clear")
        self._call("POST", f"/element/{element}/value", {"text": text})

    def attach(self, css: str, path: Path) -> None:
        """Choose a file in a file field, as its dialog would."""
        self._call("POST", f"/element/{self.find(css)}/value", {"text": str(path)})

    def choose(self, css: str, text: str) -> None:
        """Choose an option whose text begins so, as the browser does it for a person."""
        self.find(css)
        script = """const [css, text] = arguments, select = document.querySelector(css);
            const option = [...select.options].find((one) => one.textContent.startsWith(text));
            if (!option) return [...select.options].map((one) => one.textContent);
            select.value = option.value;
            for (const name of ["input", "change"]) select.dispatchEvent(new Event(name, { bubbles: true }));
            return true;"""
        found = self.run(script, css, text)
        assert found is True, f"no option {text!r} in {found}"

    def press(self, *keys: str) -> None:
        """Press keys one after the other, wherever the focus is."""
        actions = [{"type": kind, "value": KEYS.get(key, key)} for key in keys for kind in ("keyDown", "keyUp")]
        self._call("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def text(self, css: str = "body") -> str:
        """Return the text that is seen, "" where the element is not there or hidden."""
        return str(self.run("const e = document.querySelector(arguments[0]); return e?.checkVisibility() ? e.innerText : ''", css))

    def sees(self, text: str, css: str = "body") -> None:
        """Wait until a text is seen."""
        until(lambda: text in self.text(css), lambda: f"{text!r} in {css}: {self.text(css)[:2000]!r}")

    def focus(self) -> str:
        """Return what has the focus: its tag, and its label or text."""
        return str(
            self.run("const e = document.activeElement; return `${e.tagName} ${e.getAttribute('aria-label') || e.id || e.innerText}`")
        )

    def console(self) -> list[str]:
        """Return what the console said since the last call; a violation of the policy and a script's error end up here."""
        return [line["message"] for line in self._call("POST", "/se/log", {"type": "browser"})]

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """Save what is seen as PNG."""
        data = self.devtools("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))


class BrowserError(Exception):
    """The browser refused a command."""


def until(condition: Callable[[], Any], what: str | Callable[[], str], seconds: float = _PATIENCE_SECONDS) -> Any:
    """Wait for something and return it."""
    end = time.monotonic() + seconds
    while True:
        if found := condition():
            return found
        if time.monotonic() > end:
            raise AssertionError(f"it did not happen: {what if isinstance(what, str) else what()}")
        time.sleep(0.08)  # each look costs the browser something too


@contextlib.contextmanager
def driving() -> Iterator[Driver]:
    """Run a driver for a block."""
    driver = Driver()
    try:
        yield driver
    finally:
        driver.close()
