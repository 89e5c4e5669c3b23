"""A lab, an operator's environment, and the command run as a person runs it."""

import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from drive_memory import NEW, Done, put

from cota.cli import main
from cota.lab.server import Lab, LabConfig, running_lab
from cota.thingsboard import Client

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def lab(repositories: dict[str, Path]) -> Iterator[Lab]:
    with running_lab(LabConfig(repositories=repositories, ota_pace=0.02)) as running:
        yield running


@pytest.fixture(scope="session")
def client(lab: Lab) -> Iterator[Client]:
    with Client(lab.url, username=lab.username, password=lab.password) as signed_in:
        yield signed_in


@pytest.fixture
def number() -> int:
    """One that no other test has: names in the lab are taken once."""
    return next(_numbers)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No word of the environment, and no sign-in, that this machine happens to have."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path / "config"))
    for name in (
        "URL",
        "API_KEY",
        "USERNAME",
        "PASSWORD",
        "SERVER",
        "PROVISION_KEY",
        "PROVISION_SECRET",
        "WIFI_SSID",
        "WIFI_PASSWORD",
        "WEB_PASSWORD",
        "DEVICE_TOKEN",
    ):
        monkeypatch.delenv(f"COTA_{name}", raising=False)


@pytest.fixture
def operator(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator's credentials and the boards' Wi-Fi, in the environment."""
    for name, value in (("URL", lab.url), ("USERNAME", lab.username), ("PASSWORD", lab.password)):
        monkeypatch.setenv(f"COTA_{name}", value)
    monkeypatch.setenv("COTA_WIFI_SSID", "home")
    monkeypatch.setenv("COTA_WIFI_PASSWORD", "secret-of-home")


@pytest.fixture
def cota(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["cota", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        return Done(code if isinstance(code, int) else 1, *capsys.readouterr())

    return run


@pytest.fixture
def make_drive(tmp_path: Path) -> Callable[..., Path]:
    """Make a folder that stands for a mounted drive."""
    return lambda files=NEW, name="CIRCUITPY": put(tmp_path / name, files)
