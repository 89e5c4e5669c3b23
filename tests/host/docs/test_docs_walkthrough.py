"""What the pages tell a newcomer to type is typed here, in order, in an empty folder, and does what they say."""

from pathlib import Path

import pytest
from docs_markdown import DOCS, PAGES, ROOT, Step, steps
from docs_terminal import PORT, Terminal, at_port, free_port, run, until

from cota.demo.release import make_example
from cota.git.make import commit_tree, create_repository
from cota.lab.server import LabConfig, running_lab
from cota.thingsboard import Client, id_of

_PASSWORD = "greenhouse"  # in the pages
_KINDS = {"run", "background", "file", "wait for", "environment", "not run", "run in a lab", "background in a lab"}
# Pages whose commands have tests of their own, beside what they describe.
_ELSEWHERE = {"install.md", "doctor.md", "page.md", "recovery.md"}


def kind_of(step: Step) -> str:
    return step.mark.partition(": ")[0]


def walk(page: Path, place: Path, environment: dict[str, str], terminals: list[Terminal]) -> list[str]:
    """Do what a page says; gives the kinds of steps that were done."""
    port, done = free_port(), []
    for step in steps(page):
        kind, _, detail = step.mark.partition(": ")
        lines = [at_port(line, port) for line in step.commands]
        if kind == "environment":
            settings = (line.removeprefix("export ").split() for line in lines if line.startswith("export "))
            environment = environment | dict(pair.split("=", 1) for pairs in settings for pair in pairs)
        elif kind == "run":
            run("\n".join(lines), place, environment)
        elif kind == "background":
            for line in lines:
                terminals.append(Terminal(line, place, environment))
                until("Ctrl-C", terminals[-1:])
        elif kind == "file":
            (place / detail).write_text(step.text.replace(PORT, port), encoding="utf-8")
        elif kind == "wait for":
            until(detail, terminals)
        else:
            continue
        done.append(kind)
    return done


@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in _ELSEWHERE], ids=lambda page: page.name)
def test_every_command_is_run_by_a_test_or_the_page_says_why_not(page: Path) -> None:
    for step in steps(page):
        assert not step.mark or kind_of(step) in _KINDS or step.mark.startswith("Made by"), step.mark
        if step.language == "console":
            assert kind_of(step) in _KINDS, step.text
            assert kind_of(step) != "not run" or step.mark.partition(": ")[2], step.text


def test_the_three_commands_of_the_readme_work_as_written(tmp_path: Path, environment: dict[str, str], terminals: list[Terminal]) -> None:
    clone = create_repository(tmp_path / "clone", bare=False)
    example = ROOT / "src/cota/demo/example/2"
    files = {str(path.relative_to(ROOT)): path.read_bytes() for path in example.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    commit_tree(clone, {**files, "pyproject.toml": (ROOT / "pyproject.toml").read_bytes(), "README.md": (ROOT / "README.md").read_bytes()})
    done = walk(ROOT / "README.md", clone, environment, terminals)
    assert done == ["environment", "background", "background", "run", "run"]
    assert terminals[1].said.count("greenhouse watch 2") >= 2


def test_starting_without_a_board_works_as_written(tmp_path: Path, environment: dict[str, str], terminals: list[Terminal]) -> None:
    done = walk(DOCS / "start-without-a-board.md", tmp_path, environment, terminals)
    assert done == ["run", "run", "background", "background", "run", "run", "wait for", "run", "wait for", "run"]


@pytest.mark.parametrize("name", ["github.md", "thingsboard-setup.md", "lab.md", "sim.md"])
def test_the_commands_of_a_page_work_in_a_lab(name: str, tmp_path: Path, environment: dict[str, str], terminals: list[Terminal]) -> None:
    repository, own = tmp_path / "greenhouse.git", create_repository(tmp_path / "weather")
    make_example(repository)
    commit_tree(own, {"main.py": b"import ota\n"})
    said, ran = "", 0
    with (
        running_lab(LabConfig(repositories={"demo/greenhouse": repository}, password=_PASSWORD, ota_pace=0.02)) as lab,
        Client(lab.url, username=lab.username, password=_PASSWORD) as client,
    ):
        profile = client.profiles.create("weather-board")
        client.devices.create("bench-1", profile_id=id_of(profile))
        environment |= {"COTA_URL": lab.url, "COTA_USERNAME": lab.username, "COTA_PASSWORD": _PASSWORD}
        for step in steps(DOCS / name):
            kind, _, detail = step.mark.partition(": ")
            if kind == "run in a lab":
                code = int(detail.removeprefix("fails with ") or 0)
                lines = (at_port(line, str(lab.port)).replace("curl -s ", "curl -sf ") for line in step.commands)
                said += run("\n".join(lines), tmp_path, environment, code)
            elif kind == "background in a lab":
                for line in step.commands:
                    port = free_port() if line.startswith("cota lab") else str(lab.port)
                    terminals.append(Terminal(at_port(line, port), tmp_path, environment))
                    until("Ctrl-C", terminals[-1:])
                    terminals[-1].close()
            else:
                continue
            ran += 1
    assert ran >= 2
    if name == "lab.md":
        assert "Greenhouse watch 2" in said
        assert 'print("greenhouse watch 2")' in said
        assert '"name":"kitchen"' in said
        assert said.endswith("{}")
