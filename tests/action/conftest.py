"""One story that the tests of the action look at: a good tag, a bad tag, and both once more."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from composite import ROOT, Ran
from fleet_story import BAD, FIELD, GOOD, PACE_SECONDS, PASSWORD, REFUSED, SPEED, Story, powered, put_boards

from cota.git.make import commit_tree, create_repository, create_tag
from cota.lab.server import LabConfig, running_lab
from cota.sim import BoardOptions, Rack, find_profile
from cota.thingsboard import Client


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    if shutil.which("bash") is None:
        pytest.skip("BASH IS NOT INSTALLED: the action was not run")
    if not (Path(sys.executable).parent / "cota").exists():
        pytest.skip("THE COMMAND cota IS NOT BESIDE THIS PYTHON: the action was not run")
    folder = tmp_path_factory.mktemp("action")
    checkout = create_repository(folder / "checkout", bare=False)
    with (
        running_lab(LabConfig(password=PASSWORD, repositories={"acme/weather": checkout}, ota_pace=PACE_SECONDS)) as lab,
        Client(lab.url, username=lab.username, password=PASSWORD) as client,
    ):
        with (checkout / ".git" / "config").open("a") as file:
            file.write(f'[remote "origin"]\n\turl = {lab.url}/acme/weather\n')
        rack = Rack(folder / "rack", find_profile("pico-w"), options=BoardOptions(speed=SPEED))
        told = Story(lab, client, client.profiles.create("weather boards"), checkout, folder, rack)
        for tag, files in (("v1.0.0", GOOD), ("v1.1.0", BAD), ("v1.2.0", REFUSED)):
            told.commits[tag] = commit_tree(checkout, files)
            create_tag(checkout, tag, told.commits[tag])
        put_boards(told)
        with powered(rack):
            told.act("a good release", "v1.0.0", share="100")
            told.act("a bad release", "v1.1.0")
            told.act("the bad one again", "v1.1.0")
            told.act("a refused release", "v1.2.0")
            told.act("no such ref", "v9.9.9")
            environment = told.environment() | {
                "COTA_URL": lab.url,
                "COTA_USERNAME": lab.username,
                "COTA_PASSWORD": PASSWORD,
                "COTA_CANARY": FIELD,
            }
            script = [str(ROOT / "examples/rollout.sh"), "v1.0.0", "--title", "weather", "--look-seconds", "0.3"]
            done = subprocess.run(script, cwd=checkout, env=environment, capture_output=True, text=True, timeout=100, check=False)
            told.runs["the script"] = Ran(done.returncode, done.stderr)
            yield told
