"""`cota web` as a process: where the page is, who gets in, and how it ends."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from farm import PASSWORD, Page

from cota.lab.server import Lab, LabConfig, running_lab

MAIN = "from cota.cli import main; main()"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with running_lab(LabConfig(password=PASSWORD)) as running:
        yield running


@pytest.fixture
def environment(lab: Lab, tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COTA_")}
    home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    return kept | home | {"COTA_URL": lab.url, "COTA_USERNAME": lab.username, "COTA_PASSWORD": PASSWORD}


def start(environment: dict[str, str], *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", MAIN, "web", "--port", "0", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def test_the_address_has_the_key_that_lets_in_and_ctrl_c_ends_it(environment: dict[str, str], lab: Lab) -> None:
    process = start(environment)
    assert process.stderr is not None
    line = process.stderr.readline()
    assert line.startswith("cota web on http://127.0.0.1:")
    url, _, key = line.split()[3].partition("#key=")
    page = Page(url.removesuffix("/page/"))
    assert page.post("login", {"key": key}).json()["user"] == lab.username
    page.close()
    process.send_signal(signal.SIGINT)
    assert (process.communicate(timeout=30), process.returncode) == (("", "stopped\n"), 0)


def test_json_gives_the_address_alone_and_log_in_asks_for_a_name(environment: dict[str, str], lab: Lab) -> None:
    process = start(environment, "--json", "--log-in")
    assert process.stdout is not None
    url = json.loads(process.stdout.readline())["url"]
    assert "key" not in url
    page = Page(url.removesuffix("/page/"))
    assert page.log_in(lab.username).json()["user"] == lab.username
    page.close()
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"COTA_PASSWORD": "wrong"}, "Invalid username or password"),
        ({"COTA_URL": "http://127.0.0.1:9"}, "cannot be reached"),
        ({"COTA_URL": ""}, "It is not known which server is meant."),
    ],
)
def test_what_is_wrong_with_the_server_is_told_before_a_page_is_served(
    change: dict[str, str], said: str, environment: dict[str, str]
) -> None:
    process = start(environment | change)
    out, errors = process.communicate(timeout=30)
    assert (out, process.returncode) == ("", 2)
    assert said in errors
    assert "Traceback" not in errors


def test_a_taken_port_is_told_with_what_to_do(environment: dict[str, str], lab: Lab) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "web", "--port", str(lab.port)], capture_output=True, text=True, env=environment, check=False
    )
    assert (done.returncode, f"port {lab.port} on 127.0.0.1 is taken" in done.stderr) == (2, True)


def test_watch_web_is_the_same_page(environment: dict[str, str], lab: Lab) -> None:
    """On its usual port, or a sentence that says whose that is: another program of this machine may have it."""
    command = [sys.executable, "-c", MAIN, "watch", "--web", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        assert "port 8081 on 127.0.0.1 is taken" in process.communicate(timeout=30)[1]
        return
    url, _, key = json.loads(line)["url"].partition("#key=")
    page = Page(url.removesuffix("/page/"))
    assert page.post("login", {"key": key}).json()["user"] == lab.username
    page.close()
    process.send_signal(signal.SIGINT)
    assert (process.communicate(timeout=30)[0], process.returncode) == ("", 0)


@pytest.mark.parametrize("more", [("--profile", "a"), ("--device", "a"), ("--until-done",), ("--timeout", "5")])
def test_watch_web_shows_the_whole_fleet(environment: dict[str, str], more: tuple[str, ...]) -> None:
    command = [sys.executable, "-c", MAIN, "watch", "--web", *more]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, "--web shows the whole fleet" in done.stderr) == (2, True)
