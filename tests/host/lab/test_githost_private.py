"""Private repositories: what opens them on each host, and what is told of a token that expires."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import githost_world as repository
import pytest
from githost_server import Host, serving

from cota.lab.githost import GitToken
from cota.lab.githost.access import Tokens

SOON = datetime(2099, 12, 24, 10, 30, tzinfo=UTC)
PATHS = {
    "gitea": "/api/v1/repos/acme/app/git/trees/main",
    "gitea-raw": "/api/v1/repos/acme/app/raw/code.py",
    "gitlab": "/api/v4/projects/acme%2Fapp/repository/tree",
    "gitlab-raw": "/api/v4/projects/acme%2Fapp/repository/files/code.py/raw",
    "github": "/api/v3/repos/acme/app/commits/main",
    "github-raw": "/raw/acme/app/main/code.py",
}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    path = tmp_path_factory.mktemp("repositories") / "app"
    repository.make(path)
    tokens = {
        "acme/app": GitToken("right", SOON),
        "acme/old": GitToken("was-right", datetime.now(UTC) - timedelta(days=1)),
        "acme/other": "another",
    }
    with serving({"acme/app": path, "acme/old": path, "acme/other": path, "acme/public": path}, tokens=tokens) as running:
        yield running


@pytest.mark.parametrize("kind", sorted(PATHS))
def test_a_private_repository_is_not_found_without_its_token(host: Host, kind: str) -> None:
    path = PATHS[kind]
    assert host.get(path).status == 404
    assert host.get(path, Authorization="Bearer another").status == 404
    assert host.get(path, Authorization="Bearer wrong").status == 401
    assert host.get(path, Authorization="Bearer right").status == 200
    assert host.get(path).status == 404
    assert host.get(path.replace("app", "public")).status == 200


def test_gitlab_takes_its_own_header_and_gitea_its_own_word(host: Host) -> None:
    assert host.get(PATHS["gitlab"], Private_Token="right").status == 200
    assert host.get(PATHS["gitlab"], Private_Token="wrong").json == {"message": "401 Unauthorized"}
    assert host.get(PATHS["gitlab"]).json == {"message": "404 Project Not Found"}
    assert host.get(PATHS["gitea"], Authorization="token right").status == 200
    assert host.get("/acme/app/-/raw/main/code.py", Private_Token="right").body == b"print(2)\n"
    assert host.get("/acme/app/-/raw/main/code.py").status == 404


def test_jsdelivr_never_finds_it(host: Host) -> None:
    for path in ("/v1/packages/gh/acme/app", "/v1/packages/gh/acme/app@main", "/gh/acme/app@main/code.py"):
        assert host.get(path).status == 404
        assert host.get(path, Authorization="Bearer right").status == 404
        assert host.get(path.replace("app", "public")).status == 200


def test_github_tells_with_each_answer_of_its_api_when_the_token_expires(host: Host) -> None:
    name = "github-authentication-token-expiration"
    for path in ("/repos/acme/app", "/repos/acme/none", "/rate_limit"):
        assert host.api(path, Authorization="token right").headers[name] == "2099-12-24 10:30:00 UTC", path
    assert name not in host.api("/repos/acme/other", Authorization="token another").headers
    assert name not in host.api("/repos/acme/public").headers
    assert name not in host.get(PATHS["github-raw"], Authorization="token right").headers


def test_a_token_that_expired_opens_nothing_and_is_refused(host: Host) -> None:
    assert host.api("/repos/acme/old", Authorization="token was-right").status == 401
    assert host.get("/raw/acme/old/main/code.py", Authorization="token was-right").status == 401
    assert host.get("/api/v1/repos/acme/old", Authorization="token was-right").status == 401
    expired = host.get("/api/v4/projects/acme%2Fold", Private_Token="was-right")
    assert (expired.status, expired.json["error"]) == (401, "invalid_token")


def test_a_token_works_until_the_second_it_expires() -> None:
    now = [SOON.timestamp() - 1]
    tokens = Tokens({"acme/app": GitToken("right", SOON)}, lambda: now[0])
    assert tokens.opens(b"right", "acme/app")
    assert tokens.knows(b"right")
    now[0] += 1
    assert not tokens.opens(b"right", "acme/app")
    assert not tokens.knows(b"right")
    assert tokens.is_expired(b"right")
    assert not tokens.is_expired(b"other")


def test_a_token_is_not_shown_by_what_holds_it() -> None:
    assert "right" not in repr(GitToken("right", SOON))


def test_the_settings_of_a_lab_show_no_token() -> None:
    from cota.lab.server import LabConfig

    assert "s3cret" not in repr(LabConfig(git_tokens={"acme/app": "s3cret"}))
