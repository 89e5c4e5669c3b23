"""A lab on a real socket, and an operator who is logged in."""

from collections.abc import Callable, Iterator

import httpx2
import pytest
from lab_operator import PASSWORD, TIMING, Operator
from lab_process import SECONDS, LabProcess

from cota.lab.server import Lab, LabConfig, running_lab


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with running_lab(LabConfig(password=PASSWORD, ota_pace=0.02, timing=TIMING, mqtt_port=0)) as running:
        yield running


@pytest.fixture(scope="module")
def operator(lab: Lab) -> Iterator[Operator]:
    operator = Operator(lab.url, lab.username, PASSWORD)
    yield operator
    operator.http.close()


@pytest.fixture
def device_http(lab: Lab) -> Iterator[httpx2.Client]:
    """A client that is nobody: what a board has."""
    with httpx2.Client(base_url=lab.url, timeout=30) as client:
        yield client


@pytest.fixture
def start() -> Iterator[Callable[..., LabProcess]]:
    """Start labs as processes; those that still run at the end are killed."""
    running: list[LabProcess] = []

    def start_one(*arguments: str, **environment: str) -> LabProcess:
        running.append(LabProcess(*arguments, **environment))
        return running[-1]

    yield start_one
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate(timeout=SECONDS)
