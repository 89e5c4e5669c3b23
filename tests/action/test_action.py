"""The GitHub action, run for real: its own shell lines, a lab, and simulated boards."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from composite import ACTION, ROOT, expressions, run_action
from fleet_story import CANARY, FIELD, GOOD, Story

EXAMPLES = ROOT / "examples"


def test_a_good_release_reaches_the_canary_and_then_the_fleet(story: Story) -> None:
    ran = story.runs["a good release"]
    assert ran.code == 0, ran.log
    assert ran.names == ["Install cota", "Roll out"]
    assert story.profile_after["a good release"] == "v1.0.0"
    lines = ran.log.splitlines()
    canary, fleet = f"Canary {CANARY}: UPDATED 100 %", "Profile weather boards: 2 of 2 devices updated, 2 needed"
    assert lines.index(canary) < lines.index(fleet)
    assert story.telemetry(FIELD)["current_fw_version"] == "v1.0.0"
    summary = json.loads(ran.outputs["summary"])
    assert (summary["done"], summary["version"], summary["commit"]) == (True, "v1.0.0", story.commits["v1.0.0"])
    assert ran.summary.startswith("## cOTA: weather v1.0.0 is out")


def test_a_bad_release_is_undone_by_the_canary_and_stops_there_with_the_reason(story: Story) -> None:
    ran = story.runs["a bad release"]
    assert ran.code == 1, ran.log
    reason = f"The canary gave the release up. {CANARY}: undone ValueError: on a Sunday"
    assert f"::error title=cOTA::{reason}" in ran.log
    assert f"Stopped: {reason}" in ran.log
    assert "The release failed on trial and the board went back" in ran.log
    assert "undone ValueError: on a Sunday" in ran.summary
    assert json.loads(ran.outputs["summary"])["stage"] == "canary"


def test_a_bad_release_leaves_the_profile_and_the_fleet_untouched(story: Story) -> None:
    assert story.profile_after["a bad release"] == "v1.0.0"
    told = story.telemetry(FIELD)
    assert (told["current_fw_version"], told["target_fw_version"], told["fw_state"]) == ("v1.0.0", "v1.0.0", "UPDATED")
    assert story.rack.boards[CANARY].read("app.py") == GOOD["app.py"]
    assert story.rack.boards[FIELD].read("app.py") == GOOD["app.py"]


def test_a_job_that_is_run_again_says_the_same_at_once(story: Story) -> None:
    first, again = (json.loads(story.runs[name].outputs["summary"]) for name in ("a bad release", "the bad one again"))
    assert story.runs["the bad one again"].code == 1
    for key in ("stage", "reason", "package", "version"):
        assert again[key] == first[key]
    assert "DOWNLOADING" not in story.runs["the bad one again"].log


def test_a_release_that_boards_would_refuse_ends_before_anything_is_published(story: Story) -> None:
    ran = story.runs["a refused release"]
    assert (ran.code, json.loads(ran.outputs["summary"])["stage"]) == (1, "check")
    assert re.search(r"::error title=cOTA::A board would refuse this release\. refused: main\.py", ran.log)
    assert "v1.2.0" not in {str(one["version"]) for one in story.client.packages.list()}


def test_a_run_that_cannot_begin_says_so(story: Story) -> None:
    ran = story.runs["no such ref"]
    assert (ran.code, ran.outputs) == (2, {"summary": ""})
    assert "::error title=cOTA::The rollout ended before it had a result" in ran.log
    assert "v9.9.9" in ran.log


def test_what_the_boards_say_is_between_words_that_stop_the_runners_commands(story: Story) -> None:
    log = story.runs["a bad release"].log
    (word,) = re.findall(r"(?m)^::stop-commands::(\S+)$", log)
    start, end = log.index(f"::stop-commands::{word}"), log.index(f"::{word}::")
    assert start < log.index("Canary bench 1") < end < log.index("::error title")
    assert word not in story.runs["the bad one again"].log


def test_the_plain_script_does_the_same_for_any_other_ci(story: Story) -> None:
    ran = story.runs["the script"]
    assert ran.code == 0, ran.log
    assert "Was published already: weather v1.0.0" in ran.log
    assert ran.log.endswith("Done: weather v1.0.0 is out.\n")


def test_no_password_is_in_a_log(story: Story) -> None:
    assert all("correct horse" not in ran.log + ran.summary + str(ran.outputs) for ran in story.runs.values())


@pytest.mark.parametrize("hostile", ["$(touch pwned)", "`touch pwned`", '"; touch pwned; "', "--help", "a\nb'\n"])
def test_an_input_is_never_a_command_or_an_option(story: Story, tmp_path: Path, hostile: str) -> None:
    inputs = {"url": "http://127.0.0.1:9", "api-key": hostile, "canary": hostile, "title": hostile, "ref": hostile, "repo": str(tmp_path)}
    ran = run_action(tmp_path, tmp_path / "job", inputs, story.environment())
    assert ran.code in (1, 2), ran.log
    assert "Publish a release, try it on canaries" not in ran.log  # the help
    assert not list(tmp_path.glob("**/pwned"))


def test_no_expression_stands_in_a_script() -> None:
    assert [expressions(step["run"]) for step in ACTION["runs"]["steps"]] == [[], []]


def test_every_input_is_used_and_every_expression_is_an_input() -> None:
    used = {found for step in ACTION["runs"]["steps"] for found in expressions(step["env"])}
    assert used - {"github.action_path", "runner.temp"} == {f"inputs.{name}" for name in ACTION["inputs"]}


def test_the_install_step_names_the_versions_that_are_tested(tmp_path: Path) -> None:
    line = next(line for line in ACTION["runs"]["steps"][0]["run"].splitlines() if line.startswith("sed "))
    environment = {"ACTION": str(ROOT), "TEMPORARY": str(tmp_path), "PATH": "/usr/bin:/bin"}
    subprocess.run(["bash", "-c", line], env=environment, check=True)
    names = (tmp_path / "cota-constraints.txt").read_text().split("\n")
    pinned = {name.partition("==")[0] for name in names if name}
    wanted = {"click", "dulwich", "httpx2", "rich", "starlette", "uvicorn"}
    assert wanted <= pinned
    assert not [name for name in names if "sha256" in name or "\\" in name]


def test_the_example_workflow_gives_the_action_what_it_asks_for() -> None:
    workflow = yaml.safe_load((EXAMPLES / "github/cota.yml").read_text(encoding="utf-8"))
    (job,) = workflow["jobs"].values()
    given = next(step["with"] for step in job["steps"] if "cota@" in step["uses"])
    assert set(given) <= set(ACTION["inputs"])
    assert {name for name, about in ACTION["inputs"].items() if about.get("required")} <= set(given)
    assert workflow[True] == {"push": {"tags": ["v*"]}}  # YAML reads the key `on` as true
    minutes = int(ACTION["inputs"]["canary-minutes"]["default"]) + int(ACTION["inputs"]["fleet-minutes"]["default"])
    assert job["timeout-minutes"] > minutes
    assert workflow["permissions"] == {"contents": "read"}


def test_the_example_for_gitlab_calls_the_command_as_it_is(story: Story) -> None:
    (job,) = yaml.safe_load((EXAMPLES / "gitlab-ci.yml").read_text(encoding="utf-8")).values()
    line = next(line for line in job["script"] if line.startswith("cota rollout"))
    environment = story.environment() | {"CI_COMMIT_TAG": "v1", "MIRROR": "http://127.0.0.1:9/a/b", "COTA_CANARY": "one"}
    done = subprocess.run(["bash", "-c", line], env=environment, cwd=story.folder, capture_output=True, text=True, check=False)
    assert (done.returncode, "Usage" in done.stderr) == (2, False)
    assert "127.0.0.1:9" in done.stderr
