"""Publishing, from a commit to devices that have it assigned."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from front import Front, refusal
from operator_shell import PASSWORD, Done, Shell
from waiting import until

from cota.git.make import Moded, commit_tree, create_branch, create_repository, create_tag
from cota.git.types import MODE_SYMLINK
from cota.lab.server import Lab
from cota.thingsboard import Client, Json, id_of

FILES = {"main.py": b"import ota\n", "app/sensor.py": b"x = 1\n"}
Unique = Callable[[str], str]


class Repo:
    """A repository that the lab's Git host shows as well."""

    def __init__(self, path: Path, lab: Lab, name: str) -> None:
        self.path, self.name, self.url = path, name, f"{lab.url}/acme/{name}"
        create_repository(path, bare=False)

    def commit(self, files: Any = None, **more: Any) -> str:
        """Commit exactly these files."""
        return commit_tree(self.path, files or FILES, **more)

    def set_remote(self, url: str) -> None:
        """Name what the remote is."""
        with (self.path / ".git" / "config").open("a") as file:
            file.write(f'[remote "origin"]\n\turl = {url}\n')


@pytest.fixture
def repo(tmp_path: Path, lab: Lab, repositories: dict[str, Path], unique: Unique) -> Repo:
    made = Repo(tmp_path / "checkout", lab, unique("app"))
    repositories[f"acme/{made.name}"] = made.path
    return made


def publish(shell: Shell, repo: Repo, profile: Json, *more: str) -> Done:
    return shell("publish", "--repo", repo.url, "--profile", profile["name"], "--json", *more)


def test_a_tag_is_published_pinned_to_its_commit_and_assigned(cota: Shell, tb: Client, repo: Repo, profile: Json, device: Any) -> None:
    sha = repo.commit()
    create_tag(repo.path, "v1.2.0", sha)
    done = cota("publish", "v1.2.0", "--repo", repo.url, "--profile", profile["name"], "--json")
    assert done.code == 0, done.err
    url = f"{repo.url}/tree/{sha}"
    said = done.json
    assert (said["published"], said["created"], said["title"], said["version"]) == (True, True, repo.name, "v1.2.0")
    assert (said["url"], said["commit"], said["findings"]) == (url, sha, [])
    assert said["assigned"] == [{"profile": profile["name"], "changed": True, "devices": 1, "own": 0}]
    until(lambda: device.shared() == {"fw_title": repo.name, "fw_version": "v1.2.0", "fw_url": url})
    assert f'COTA_GIT_HOSTS = "{repo.url.split("/")[2]}"' in done.err


def test_publishing_again_does_nothing_and_says_so(cota: Shell, repo: Repo, profile: Json) -> None:
    repo.commit()
    first = publish(cota, repo, profile).json
    again = publish(cota, repo, profile)
    assert again.code == 0
    assert again.json == {**first, "created": False, "assigned": [{**first["assigned"][0], "changed": False}]}
    assert "Was published already" in again.err
    assert "has" in again.err


def test_the_same_name_for_another_commit_is_refused_with_both(cota: Shell, repo: Repo, profile: Json, tb: Client) -> None:
    first = repo.commit()
    publish(cota, repo, profile, "--version", "v1")
    second = repo.commit({**FILES, "new.py": b"y = 1\n"})
    done = publish(cota, repo, profile, "--version", "v1")
    assert (done.code, done.out) == (1, "")
    assert first in done.err
    assert second in done.err
    assert "another --version" in done.err
    assert len(list(tb.packages.list(repo.name))) == 1


def test_one_name_for_two_profiles_is_refused(cota: Shell, repo: Repo, profile: Json, tb: Client, unique: Unique) -> None:
    repo.commit()
    publish(cota, repo, profile)
    other = tb.profiles.create(unique("profile"))
    done = publish(cota, repo, other)
    assert done.code == 1
    assert "--title" in done.err


def test_the_version_comes_from_tag_then_pyproject_then_the_day(cota: Shell, repo: Repo, profile: Json) -> None:
    sha = repo.commit(time=1_795_600_000)
    assert publish(cota, repo, profile, "--dry-run").json["version"] == f"2026.11.25-{sha[:7]}"
    sha = repo.commit({**FILES, "pyproject.toml": b'[project]\nversion = "3.2.1"\n', "board/main.py": b"import ota\n"})
    assert publish(cota, repo, profile, "--dry-run").json["version"] == "3.2.1"
    assert publish(cota, repo, profile, "--dry-run", "--folder", "board").json["version"] == "3.2.1"
    create_tag(repo.path, "v4.0.0", sha, "annotated")
    assert cota("publish", "v4.0.0", "--repo", repo.url, "--dry-run", "--json").json["version"] == "v4.0.0"
    create_branch(repo.path, "next/step", sha)
    assert cota("publish", "next/step", "--repo", repo.url, "--dry-run", "--json").json["commit"] == sha


@pytest.mark.parametrize("version", ["1.10", "007", "3"])
def test_a_numeric_version_is_refused_before_anything_is_made(cota: Shell, repo: Repo, profile: Json, tb: Client, version: str) -> None:
    repo.commit()
    done = publish(cota, repo, profile, "--version", version)
    assert (done.code, done.out) == (2, "")
    assert f"Name it v{version}" in done.err
    assert list(tb.packages.list(repo.name)) == []


def test_a_release_that_a_board_would_refuse_is_not_published(cota: Shell, repo: Repo, profile: Json, tb: Client) -> None:
    repo.commit({**FILES, "link": Moded(MODE_SYMLINK, b"main.py"), "app/broken.py": b"def f(:\n", "boot.py": b"import storage\n"})
    done = publish(cota, repo, profile)
    assert done.code == 1
    said = done.json
    assert said["published"] is False
    assert sorted(one["code"] for one in said["findings"]) == ["boot_hook", "symlink", "syntax"]
    assert "near CircuitPython and not the same" in done.err
    assert list(tb.packages.list(repo.name)) == []


def test_a_refusal_says_what_to_do_about_it(cota: Shell, repo: Repo, profile: Json) -> None:
    repo.commit({**FILES, "lib/json.py": b"x = 1\n"})
    done = publish(cota, repo, profile)
    assert (done.code, [one["code"] for one in done.json["findings"]]) == (1, ["shadow"])
    assert "refused: lib/json.py: it would hide lib/ota, or json or binascii [shadow]" in done.err
    assert "shadow: CircuitPython looks for modules at the root before" in done.err


def test_a_folder_is_checked_and_pinned_by_itself(cota: Shell, repo: Repo, profile: Json) -> None:
    sha = repo.commit({"board/main.py": b"import ota\n", "link": Moded(MODE_SYMLINK, b"x")})
    said = publish(cota, repo, profile, "--folder", "board/").json
    assert (said["url"], said["findings"]) == (f"{repo.url}/tree/{sha}/board", [])
    done = publish(cota, repo, profile, "--folder", "nothing")
    assert done.code == 1
    assert "'nothing'" in done.err


def test_a_dry_run_needs_no_server_and_changes_nothing(stranger: Shell, repo: Repo) -> None:
    repo.commit({"main.py": b"print(1)\n"})
    done = stranger("publish", "--repo", repo.url, "--dry-run", "--json")
    assert done.code == 0
    assert done.json["published"] is False
    assert [one["code"] for one in done.json["findings"]] == ["no_ota"]
    assert "warning: main.py: no program imports ota" in done.err


def test_a_checkout_is_published_through_its_remote(cota: Shell, repo: Repo, profile: Json, monkeypatch: pytest.MonkeyPatch) -> None:
    sha = repo.commit()
    create_tag(repo.path, "v1.0.0", sha)
    repo.set_remote(repo.url + ".git")
    (repo.path / "app").mkdir()
    monkeypatch.chdir(repo.path / "app")
    done = cota("publish", "--profile", profile["name"], "--json")
    assert done.code == 0, done.err
    assert (done.json["url"], done.json["version"], done.json["title"]) == (f"{repo.url}/tree/{sha}", "v1.0.0", repo.name)


def test_a_commit_that_is_not_pushed_is_refused(cota: Shell, repo: Repo, tmp_path: Path, profile: Json, lab: Lab) -> None:
    repo.commit()
    ahead = Repo(tmp_path / "ahead", lab, repo.name)
    ahead.commit({**FILES, "more.py": b""})
    ahead.set_remote(repo.url)
    done = cota("publish", "--repo", str(ahead.path), "--profile", profile["name"])
    assert done.code == 1
    assert "git push" in done.err


def test_a_git_host_that_cannot_be_asked_is_a_warning_for_a_checkout(stranger: Shell, repo: Repo) -> None:
    repo.commit()
    repo.set_remote("http://127.0.0.1:9/acme/app")
    done = stranger("publish", "--repo", str(repo.path), "--dry-run", "--json")
    assert done.code == 0
    assert [one["code"] for one in done.json["findings"]] == ["not_seen"]


@pytest.mark.parametrize("remote", [None, "/srv/git/app.git", "https://s3cret@example.com/only"])
def test_a_checkout_whose_remote_no_board_can_read_is_refused(stranger: Shell, repo: Repo, remote: str | None) -> None:
    repo.commit()
    if remote:
        repo.set_remote(remote)
    done = stranger("publish", "--repo", str(repo.path), "--dry-run")
    assert (done.code, done.out) == (2, "")
    assert "origin" in done.err
    assert "s3cret" not in done.err


def test_repositories_and_refs_that_are_not_there_are_named(cota: Shell, repo: Repo, lab: Lab, tmp_path: Path) -> None:
    done = cota("publish", "--repo", f"{lab.url}/acme/nothing", "--dry-run")
    assert done.code == 1
    assert "does not exist, or is private" in done.err
    repo.commit()
    done = cota("publish", "v9", "--repo", repo.url, "--dry-run")
    assert done.code == 1
    assert "no branch, tag or commit 'v9'" in done.err
    done = cota("publish", "--repo", "http://127.0.0.1:9/a/b", "--dry-run")
    assert done.code == 2
    assert "127.0.0.1:9 cannot be reached" in done.err
    done = cota("publish", "--repo", str(tmp_path), "--dry-run")
    assert done.code == 1
    assert "not in a Git repository" in done.err
    assert cota("publish", "--repo", str(tmp_path / "no"), "--dry-run").code == 2


def test_devices_get_a_release_of_their_own(cota: Shell, repo: Repo, device: Any, make_device: Any, tb: Client) -> None:
    other = make_device()
    repo.commit()
    done = cota("publish", "--repo", repo.url, "--device", device.name, "--json")
    assert done.code == 0, done.err
    assert done.json["assigned"] == [{"device": device.name, "changed": True, "problem": None}]
    until(lambda: device.shared().get("fw_title") == repo.name)
    assert other.shared() == {}
    done = cota("publish", "--repo", repo.url, "--device", device.name, "--device", device.name)
    assert f"{device.name} has {repo.name}" in done.err


def test_devices_of_two_profiles_are_refused(cota: Shell, repo: Repo, device: Any, make_device: Any, tb: Client, unique: Unique) -> None:
    other = make_device(of=tb.profiles.create(unique("profile")))
    repo.commit()
    done = cota("publish", "--repo", repo.url, "--device", device.name, "--device", other.name)
    assert done.code == 1
    assert "serves one device profile" in done.err
    assert list(tb.packages.list(repo.name)) == []


def test_without_a_name_several_profiles_are_not_guessed(cota: Shell, repo: Repo, profile: Json) -> None:
    repo.commit()
    done = cota("publish", "--repo", repo.url)
    assert (done.code, done.out) == (2, "")
    assert "--profile" in done.err
    assert profile["name"] in done.err


def test_no_assign_only_makes_the_package(cota: Shell, repo: Repo, profile: Json, tb: Client) -> None:
    repo.commit()
    said = publish(cota, repo, profile, "--no-assign").json
    assert (said["created"], said["assigned"]) == (True, [])
    assert tb.profiles.get(id_of(profile))["firmwareId"] is None


def test_a_device_that_is_deleted_meanwhile_is_told_and_the_others_get_theirs(
    front: Front, cota: Shell, repo: Repo, make_device: Any, tb: Client
) -> None:
    gone, stays = make_device(), make_device()
    repo.commit()
    front.once("POST", "/api/device", lambda: tb.devices.delete(gone.id))
    done = cota("publish", "--repo", repo.url, "--device", gone.name, "--device", stays.name, "--json")
    assert done.code == 1
    assert [(one["changed"], one["problem"]) for one in done.json["assigned"]] == [(False, "it was deleted meanwhile"), (True, None)]
    assert f"{gone.name}: not changed" in done.err


def test_two_operators_who_publish_at_once_make_one_package(cota: Shell, front: Front, repo: Repo, profile: Json, tb: Client) -> None:
    sha = repo.commit()

    def other_operator() -> None:
        tb.packages.create_url(repo.name, "v1", f"{repo.url}/tree/{sha}", id_of(profile))

    front.once("POST", "/api/otaPackage", other_operator)
    done = publish(cota, repo, profile, "--version", "v1")
    assert done.code == 0, done.err
    assert done.json["created"] is False
    assert len(list(tb.packages.list(repo.name))) == 1


def test_another_operators_change_of_the_profile_survives(cota: Shell, front: Front, repo: Repo, profile: Json, tb: Client) -> None:
    repo.commit()

    def other_operator() -> None:
        now = tb.profiles.get(id_of(profile))
        tb.profiles.save({**now, "description": "changed by another"})

    front.once("POST", "/api/deviceProfile", other_operator)
    assert publish(cota, repo, profile).code == 0
    now = tb.profiles.get(id_of(profile))
    assert now["description"] == "changed by another"
    assert now["firmwareId"] is not None


def test_a_profile_that_never_stays_still_is_a_conflict(cota: Shell, front: Front, repo: Repo, profile: Json) -> None:
    repo.commit()
    front.hook = lambda method, path: (
        refusal(409, "Device profile was changed by other user or process", 35)
        if (method, path) == ("POST", "/api/deviceProfile")
        else None
    )
    done = publish(cota, repo, profile)
    assert (done.code, done.out) == (1, "")
    assert "Somebody else changed it at the same time" in done.err


@pytest.mark.parametrize(("status", "says"), [(403, "tenant administrator"), (413, "16 MiB"), (401, "Check the user name")])
def test_a_server_that_takes_no_package_says_why(cota: Shell, front: Front, repo: Repo, profile: Json, status: int, says: str) -> None:
    repo.commit()
    front.always("POST", "/api/otaPackage", refusal(status, "no", 10))
    done = publish(cota, repo, profile)
    assert done.code == (1 if status == 413 else 2)
    assert done.out == ""
    assert f"answered {status}" in done.err
    assert says in done.err


def test_five_operators_at_once_leave_one_package_assigned(cota: Shell, repo: Repo, profile: Json, tb: Client, lab: Lab) -> None:
    from cota.publish.package import make_package
    from cota.publish.release import prepare
    from cota.publish.target import assign, find_target

    repo.commit()
    release = prepare(repo.url, None, "", None, "v1")
    made: list[bool] = []
    errors: list[BaseException] = []

    def operator() -> None:
        try:
            with Client(lab.url, username=lab.username, password=PASSWORD) as client:
                target = find_target(client, profile["name"], ())
                package, new = make_package(client, release, target.profile)
                assign(client, package, target)
                made.append(new)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=operator) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(made) == [False, False, False, False, True]
    (package,) = tb.packages.list(repo.name)
    assert tb.profiles.get(id_of(profile))["firmwareId"]["id"] == id_of(package)


def test_a_folder_that_is_no_release_fills_no_screen_and_json_lists_all(cota: Shell, repo: Repo, profile: Json) -> None:
    repo.commit({f"m{number:02}.py": b"def\n" for number in range(30)})
    done = cota("publish", "--repo", repo.url, "--profile", profile["name"], "--version", "v1")
    assert done.code == 1
    assert done.err.count("refused: m") == 20
    assert "and 11 more findings; --json lists them all." in done.err, "ten files, and that there is no program"
    assert len(publish(cota, repo, profile, "--version", "v1").json["findings"]) == 31
