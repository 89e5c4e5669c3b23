"""A lab on a real socket, an operator's shell, and a front before the lab."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from front import Front, front_of
from operator_shell import PASSWORD, Shell

from cota.lab.core import Timing
from cota.lab.server import Lab, LabConfig, running_lab
from cota.thingsboard import Client, Json, id_of

_PACE_SECONDS = 0.01
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def lab(repositories: dict[str, Path]) -> Iterator[Lab]:
    config = LabConfig(password=PASSWORD, repositories=repositories, ota_pace=_PACE_SECONDS, timing=Timing(async_timeout=1.0))
    with running_lab(config) as running:
        yield running


@pytest.fixture(scope="session")
def tb(lab: Lab) -> Iterator[Client]:
    """Another operator, who does by hand what a test needs done."""
    with Client(lab.url, username=lab.username, password=PASSWORD) as client:
        yield client


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shell where nobody signed in."""
    return Shell(tmp_path / "config", monkeypatch)


@pytest.fixture
def cota(stranger: Shell, lab: Lab) -> Shell:
    """A shell that knows the lab from the environment."""
    stranger.set(COTA_URL=lab.url, COTA_USERNAME=lab.username, COTA_PASSWORD=PASSWORD)
    return stranger


@pytest.fixture
def front(cota: Shell, lab: Lab) -> Iterator[Front]:
    """A front before the lab; the shell goes through it."""
    with front_of(lab.url) as made:
        cota.set(COTA_URL=made.url)
        yield made


class Device:
    """A device that speaks ThingsBoard's device API as a board does."""

    def __init__(self, lab: Lab, tb: Client, name: str, profile: Json) -> None:
        self.name, self.token = name, f"token-{next(_numbers)}"
        self._url = f"{lab.url}/api/v1/{self.token}"
        self.id = id_of(tb.devices.create(name, profile_id=id_of(profile), token=self.token))

    def tell(self, **values: str) -> None:
        """Send telemetry."""
        assert httpx2.post(f"{self._url}/telemetry", json=values).status_code == 200

    def shared(self) -> dict[str, object]:
        """What a poll of the shared attributes gives."""
        answer = httpx2.get(f"{self._url}/attributes", params={"sharedKeys": "fw_title,fw_version,fw_url,cota_retry"}).json()
        return dict(answer.get("shared", {}))


@pytest.fixture
def device(lab: Lab, tb: Client, profile: Json, unique: Callable[[str], str]) -> Device:
    """A device of this test's profile."""
    return Device(lab, tb, unique("device"), profile)


@pytest.fixture
def make_device(lab: Lab, tb: Client, profile: Json, unique: Callable[[str], str]) -> Callable[..., Device]:
    """Make devices, of this test's profile unless another is given."""
    return lambda name=None, of=None: Device(lab, tb, name or unique("device"), of or profile)


@pytest.fixture
def unique() -> Callable[[str], str]:
    """Names that no other test uses."""
    return lambda prefix: f"{prefix}-{next(_numbers)}"


@pytest.fixture
def profile(tb: Client, unique: Callable[[str], str]) -> Json:
    """A device profile of this test's own."""
    return tb.profiles.create(unique("profile"))
