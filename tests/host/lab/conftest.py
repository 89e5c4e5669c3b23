"""A lab on a real socket, and an operator who is logged in."""

from collections.abc import Iterator

import httpx2
import pytest
from lab_operator import PASSWORD, TIMING, Operator

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
