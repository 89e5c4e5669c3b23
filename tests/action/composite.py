"""Runs a composite action as GitHub's runner does: its steps in order, their `run` by bash, inputs put into their `env`."""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
_EXPRESSION = re.compile(r"\$\{\{\s*(.+?)\s*\}\}")
# How the runner starts `shell: bash` (GitHub's workflow syntax, "Custom shell").
_BASH = ("bash", "--noprofile", "--norc", "-e", "-o", "pipefail")


@dataclass
class Ran:
    """What a run of the action left.

    Attributes:
        code: The exit code of the last step that ran.
        log: What the steps said.
        summary: The job's summary page.
        outputs: The action's outputs.
        names: The steps that ran.
    """

    code: int = 0
    log: str = ""
    summary: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)


def run_action(workspace: Path, temporary: Path, inputs: Mapping[str, str], environment: Mapping[str, str]) -> Ran:
    """Run every step.

    Args:
        workspace: What was checked out.
        temporary: The runner's folder for this job.
        inputs: The `with` of the workflow; what it lacks has its default.
        environment: The runner's environment.
    """
    temporary.mkdir(parents=True)
    known = ACTION["inputs"]
    assert set(inputs) <= set(known)
    assert {name for name, about in known.items() if about.get("required")} <= set(inputs)
    values = {f"inputs.{name}": inputs.get(name, about.get("default", "")) for name, about in known.items()}
    values |= {"github.action_path": str(ROOT), "runner.temp": str(temporary)}
    ran, steps = Ran(), {}
    path = environment["PATH"]
    summary = temporary / "summary.md"
    for number, step in enumerate(ACTION["runs"]["steps"]):
        assert step["shell"] == "bash"
        files = {name: temporary / f"{name}-{number}" for name in ("GITHUB_OUTPUT", "GITHUB_PATH")}
        for file in (*files.values(), summary):
            file.touch()
        script = temporary / f"step-{number}.sh"
        script.write_text(step["run"], encoding="utf-8")
        env = dict(environment) | {name: str(file) for name, file in files.items()}
        env |= {"GITHUB_STEP_SUMMARY": str(summary), "PATH": path}
        env |= {name: substitute(str(text), values) for name, text in step.get("env", {}).items()}
        done = subprocess.run(
            [*_BASH, str(script)],
            cwd=workspace,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        path = os.pathsep.join([*reversed(files["GITHUB_PATH"].read_text().split()), path])
        pairs = (line.partition("=") for line in files["GITHUB_OUTPUT"].read_text().splitlines())
        steps |= {f"steps.{step.get('id')}.outputs.{name}": value for name, _, value in pairs}
        ran.code, ran.log = done.returncode, ran.log + done.stdout
        ran.names.append(step["name"])
        if done.returncode:
            break
    ran.summary = summary.read_text(encoding="utf-8")
    ran.outputs = {name: substitute(about["value"], steps) for name, about in ACTION["outputs"].items()}
    return ran


def substitute(text: str, values: Mapping[str, str]) -> str:
    """Put values in place of `${{ … }}`; one that is not known is an error, except for outputs of steps that did not run."""
    return _EXPRESSION.sub(lambda found: values.get(found[1], "") if found[1].startswith("steps.") else values[found[1]], text)


def expressions(thing: Any) -> list[str]:
    """Give every `${{ … }}` in a text."""
    return _EXPRESSION.findall(str(thing))
