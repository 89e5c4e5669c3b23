"""The Git host on the lab's own port: both answer, neither stands in the other's way."""

import time
from datetime import UTC, datetime
from pathlib import Path

import githost_world as repository
from githost_server import Host

from cota.git.make import commit_tree, create_repository
from cota.lab.githost import GitToken
from cota.lab.server import LabConfig, running_lab
from cota.thingsboard import Client


def test_both_are_served_on_one_port(tmp_path: Path) -> None:
    path = create_repository(tmp_path / "app")
    sha = commit_tree(path, {"code.py": b"print(1)\n"})
    with running_lab(LabConfig(repositories={"acme/app": path}, password="correct horse battery", rate_limit=2)) as lab:
        host = Host(lab.port)
        assert host.api("/repos/acme/app/commits/main", Accept="application/vnd.github.sha").body.decode() == sha
        assert host.get("/raw/acme/app/main/code.py").body == b"print(1)\n"
        assert host.get("/acme/app").status == 200
        assert "date" in host.get("/raw/acme/app/main/code.py").headers
        assert host.api("/repos/acme/app").headers["x-ratelimit-remaining"] == "0"
        assert host.api("/repos/acme/app").status == 403
        with Client(lab.url, username=lab.username, password=lab.password) as tb:
            assert tb.user()["email"] == lab.username


def test_every_host_is_on_the_labs_port_and_the_device_api_stays_what_it_is(tmp_path: Path) -> None:
    first, second = repository.make(tmp_path / "app")
    config = LabConfig(repositories={"acme/app": tmp_path / "app"}, password="correct horse battery", git_tokens={"acme/none": "token"})
    with running_lab(config) as lab:
        host = Host(lab.port)
        assert host.get("/api/v1/repos/acme/app/git/commits/main").json["sha"] == second
        assert host.get("/api/v1/repos/acme/app/raw/code.py?ref=v1.2.3").body == b"print(1)\n"
        assert host.get("/api/v4/projects/acme%2Fapp/repository/commits/feature%2Fnew").json["id"] == first
        assert host.get("/api/v4/projects/acme%2Fapp/repository/files/code.py/raw").body == b"print(2)\n"
        assert host.get("/v1/packages/gh/acme/app@main?structure=flat").json["version"] == "main"
        assert host.get("/gh/acme/app@1.2.3/code.py").body == b"print(1)\n"
        # "repos" is as good a token of a device as any other, and no device has it.
        assert host.get("/api/v1/repos/attributes").status == 401
        counted = {kind: value["requests"] for kind, value in lab.counters().items()}
        assert counted == {"git-api": 3, "git-raw": 3, "git-web": 0, "thingsboard": 1}


def test_a_private_repository_of_a_lab_needs_its_token(tmp_path: Path) -> None:
    repository.make(tmp_path / "app")
    tokens = {"acme/app": GitToken("right", datetime(2099, 1, 2, tzinfo=UTC))}
    with running_lab(LabConfig(repositories={"acme/app": tmp_path / "app"}, git_tokens=tokens)) as lab:
        host = Host(lab.port)
        assert host.api("/repos/acme/app").status == 404
        opened = host.api("/repos/acme/app", Authorization="token right")
        assert (opened.status, opened.headers["github-authentication-token-expiration"]) == (200, "2099-01-02 00:00:00 UTC")


def test_the_window_of_the_limit_is_a_parameter(tmp_path: Path) -> None:
    repository.make(tmp_path / "app")
    with running_lab(LabConfig(repositories={"acme/app": tmp_path / "app"}, rate_limit=2, rate_window=2)) as lab:
        host = Host(lab.port)
        start = time.time()
        assert [host.api("/repos/acme/app").status for _ in range(3)] == [200, 200, 403]
        reset = int(host.api("/repos/acme/app").headers["x-ratelimit-reset"])
        assert start < reset < time.time() + 3
        time.sleep(max(0.0, reset - time.time()))
        assert host.api("/repos/acme/app").status == 200
