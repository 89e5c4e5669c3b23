"""`cota sim` as a user runs it, against a lab."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from cota.cli.sim import command
from cota.errors import CotaError
from cota.lab.server import Lab, LabConfig, running_lab
from cota.sim import identity
from cota.thingsboard.client import Client

from .conftest import PATIENCE_SECONDS


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with running_lab(LabConfig()) as running:
        yield running


def _client(lab: Lab) -> Client:
    return Client(lab.url, username=lab.username, password=lab.password)


def _sim(lab_url: str, folder: Path, *options: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", "from cota.cli import main; main()", "sim", "--server", lab_url, "--dir", str(folder), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
        start_new_session=True,
    )


def _events(process: "subprocess.Popen[str]", until: str) -> list[dict[str, object]]:
    """Read events until a console line holds `until`, then press Ctrl-C and read the rest."""
    events = []
    assert process.stdout is not None and process.stderr is not None
    for line in process.stdout:
        events.append(json.loads(line))
        if until in str(events[-1].get("line", "")) and process.poll() is None:
            process.send_signal(signal.SIGINT)
            until = "\0"
    errors = process.stderr.read()
    assert process.wait(PATIENCE_SECONDS) == 0, errors
    process.stdout.close()
    process.stderr.close()
    return events


def _running_boards(folder: Path) -> int:
    """Count the processes that run a board of this folder (Linux)."""
    count = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                count += str(folder).encode() in (entry / "cmdline").read_bytes() and b"start.py" in (entry / "cmdline").read_bytes()
            except OSError:
                continue
    return count


def test_boards_make_their_own_devices_report_and_go_on_in_a_second_run(lab: Lab, tmp_path: Path) -> None:
    with _client(lab) as client:
        client.profiles.create("self-made", provision_key="the-key", provision_secret="the-secret")
        way = ("--provision-key", "the-key", "--provision-secret", "the-secret")
        events = _events(_sim(lab.url, tmp_path, "--devices", "2", "--prefix", "own", "--poll", "1", *way, "--json"), "main.py output:")
        assert events[0]["event"] == "started" and events[0]["boards"] == ["own-1", "own-2"]
        stopped = [event for event in events if event["event"] == "stopped"]
        assert [event["board"] for event in stopped] == ["own-1", "own-2"]
        device = client.devices.find("own-1")
        assert device is not None
        settings = (tmp_path / "own-1" / "drive.img").read_bytes()
        assert client.devices.token(identity.id_of(device)).encode() in settings
    again = _events(_sim(lab.url, tmp_path, "--devices", "2", "--prefix", "own", "--json"), "main.py output:")
    assert again[0]["event"] == "started"


def test_an_administrator_finds_or_makes_the_devices(lab: Lab, tmp_path: Path) -> None:
    with _client(lab) as client:
        client.devices.create("adm-1", token="token-of-adm-1")
    process = _sim(
        lab.url, tmp_path, "--devices", "2", "--prefix", "adm", "--username", lab.username, "--json", COTA_PASSWORD=str(lab.password)
    )
    _events(process, "main.py output:")
    assert b"token-of-adm-1" in (tmp_path / "adm-1" / "drive.img").read_bytes()
    with _client(lab) as client:
        assert client.devices.find("adm-2") is not None


def test_the_console_of_each_board_is_on_stderr_under_its_name(lab: Lab, tmp_path: Path) -> None:
    process = _sim(lab.url, tmp_path, "--token", "x", "--prefix", "talk")
    assert process.stderr is not None and process.stdout is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if line.startswith("talk-1  main.py output:"):
            process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE_SECONDS) == 0
    assert process.stdout.read() == ""
    process.stdout.close()
    process.stderr.close()
    assert said[0].startswith("cota sim: 1 pico-w on micropython for http://127.0.0.1") and str(tmp_path) in said[-1]


def test_power_is_cut_by_a_seed_and_the_boards_go_on(lab: Lab, tmp_path: Path) -> None:
    process = _sim(lab.url, tmp_path, "--token", "x", "--power-cut", "60", "--seed", "5", "--json")
    events = _events(process, "[power cut]")
    assert events[0]["seed"] == 5
    assert "[power cut]" in [event.get("line") for event in events]


def test_a_seed_without_power_cuts_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["--server", "http://x", "--dir", str(tmp_path), "--token", "x", "--seed", "1"])
    assert result.exit_code == 2 and "--seed goes with --power-cut" in result.stderr


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="finds orphaned processes by /proc, which only Linux has")
@pytest.mark.parametrize("vm", ["micropython", "cpython"])
def test_a_rack_that_is_killed_takes_its_boards_with_it(lab: Lab, tmp_path: Path, vm: str) -> None:
    process = _sim(lab.url, tmp_path, "--token", "x", "--vm", vm)
    assert process.stderr is not None and process.stdout is not None
    for line in process.stderr:
        if "main.py output:" in line:
            break
    assert _running_boards(tmp_path) == 1
    process.kill()
    process.wait()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while _running_boards(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.stdout.close()
    process.stderr.close()
    assert _running_boards(tmp_path) == 0


def test_a_wrong_provisioning_key_and_a_taken_name_are_clear_errors(lab: Lab) -> None:
    with _client(lab) as client:
        client.profiles.create("taken", provision_key="k2", provision_secret="s2")
    with pytest.raises(CotaError, match="does not know this provisioning key and secret"):
        identity.provisioned(lab.url, "wrong", "s2")("taken-1")
    assert identity.provisioned(lab.url, "k2", "s2")("taken-1")
    with pytest.raises(CotaError, match="does not provision a device of this name: taken-1") as caught:
        identity.provisioned(lab.url, "k2", "s2")("taken-1")
    assert "s2" not in str(caught.value)


def test_a_server_that_is_not_there_is_a_clear_error() -> None:
    with pytest.raises(CotaError, match=r"http://127\.0\.0\.1:1 cannot be reached"):
        identity.provisioned("http://127.0.0.1:1", "k", "s")("b")


def test_tokens_and_boards_must_be_as_many() -> None:
    assert identity.given(["a", "b"], ["1", "2"])("b") == "2"
    with pytest.raises(CotaError, match="2 boards need 2 tokens; 1 came"):
        identity.given(["a", "b"], ["1"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "New boards need one identity"),
        (["--token", "x", "--username", "u"], "New boards need one identity"),
        (["--provision-key", "x"], "go together"),
    ],
)
def test_a_new_board_needs_exactly_one_identity(tmp_path: Path, options: list[str], said: str) -> None:
    result = CliRunner().invoke(command, ["--server", "http://127.0.0.1:1", "--dir", str(tmp_path), *options])
    assert result.exit_code == 2 and said in result.stderr


def test_a_board_of_another_server_is_not_taken_over(tmp_path: Path) -> None:
    (tmp_path / "sim-1").mkdir()
    (tmp_path / "sim-1" / "server").write_text("http://elsewhere:80\n")
    result = CliRunner().invoke(command, ["--server", "http://127.0.0.1:1", "--dir", str(tmp_path), "--token", "x"])
    assert isinstance(result.exception, CotaError) and "belongs to http://elsewhere:80" in str(result.exception)


def test_the_profiles_are_listed_on_request() -> None:
    result = CliRunner().invoke(command, ["--server", "http://x", "--board", "help"])
    assert result.exit_code == 0 and "pico-w" in result.stdout and "508 KiB drive" in result.stdout


def test_boards_on_cpython_are_announced_loudly(lab: Lab, tmp_path: Path) -> None:
    process = _sim(lab.url, tmp_path, "--token", "x", "--vm", "cpython")
    assert process.stderr is not None and process.stdout is not None
    said = ""
    for line in process.stderr:
        said += line
        if "main.py output:" in line:
            process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_SECONDS) == 0
    process.stdout.close()
    process.stderr.close()
    assert said.startswith("cota: NO MICROPYTHON VM: the boards run on CPython.") and "pip install 'circuitpython-cota[sim]'" in said
