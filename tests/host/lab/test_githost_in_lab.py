"""The Git host on the lab's own port: both answer, neither stands in the other's way."""

from pathlib import Path

from githost_server import Host

from cota.git.make import commit_tree, create_repository
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
