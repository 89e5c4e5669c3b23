"""A lab on a real socket, an operator's shell, and a front before the lab."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from front import Front, front_of
from operator_shell import PASSWORD, Shell

from cota.git.make import commit_tree, create_repository
from cota.lab.core import Timing
from cota.lab.server import Lab, LabConfig, running_lab
from cota.thingsboard import Client, Json

_PACE_SECONDS = 0.01
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What the lab's Git host shows; it looks anew at each request, so tests add theirs."""
    seed = create_repository(tmp_path_factory.mktemp("seed") / "repository")
    commit_tree(seed, {"seed.txt": b"seed\n"})
    return {"acme/seed": seed}


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


@pytest.fixture
def unique() -> Callable[[str], str]:
    """Names that no other test uses."""
    return lambda prefix: f"{prefix}-{next(_numbers)}"


@pytest.fixture
def profile(tb: Client, unique: Callable[[str], str]) -> Json:
    """A device profile of this test's own."""
    return tb.profiles.create(unique("profile"))
