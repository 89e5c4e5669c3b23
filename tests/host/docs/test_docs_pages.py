"""The pages build, hold together, and say what the code says."""

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from docs_markdown import DOCS, PAGES, ROOT, anchors, prose, relative_links

LIBRARY = ROOT / "device/lib/ota"


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def constants(path: Path) -> set[str]:
    return {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_the_pages_build_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="SPHINX IS NOT INSTALLED: the pages were not built")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", str(DOCS), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "bench_table" not in (tmp_path / "benchmarks.html").read_text()


def test_the_generated_pages_are_what_the_code_says_now() -> None:
    # In a process of its own: click keeps a command's help option as the first context made it.
    done = subprocess.run([sys.executable, str(DOCS / "generate.py"), "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_stale_page_is_named(generate: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "DOCS", tmp_path)
    (tmp_path / "errors.md").write_text(generate.errors_page() + "\n", encoding="utf-8")
    assert generate.stale_pages() == ["errors.md", "cli.md", "boards.md"]


def test_every_error_code_has_advice_once_and_no_other_has(generate: ModuleType) -> None:
    advised = [code for group in generate.error_advice().values() for code in group]
    assert sorted(advised) == sorted(generate.error_codes()), "complete src/cota/explain/advice.toml"


def test_the_words_of_a_bad_trial_are_the_devices_own_and_on_the_page(generate: ModuleType) -> None:
    said = constants(LIBRARY / "report.py")
    assert {"undone ", "not undone yet: "} <= said
    assert [words.rstrip(": ") for words in ("undone ", "not undone yet: ")] == list(generate.TRIAL)
    page = generate.errors_page()
    assert all(f"### `{words}`\n" in page for words in generate.TRIAL)


def test_every_error_code_that_the_library_raises_is_on_the_page(generate: ModuleType) -> None:
    calls = [
        call.args[0].value
        for path in LIBRARY.glob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "error"
        if call.args and isinstance(call.args[0], ast.Constant)
    ]
    assert len(calls) > 20
    assert set(calls) <= set(generate.error_codes())


def test_the_bench_table_shows_figures_bars_and_what_is_missed(generate: ModuleType, tmp_path: Path) -> None:
    kept = tmp_path / "results.json"
    assert "make bench" in generate.bench_table(kept)
    kept.write_text(
        '{"schema": 1, "groups": "all", "figures": [{"group": "idle", "what": "requests", "value": 1, "bar": 1, "pass": true, "peer": 2},'
        '{"group": "idle", "what": "a|b", "value": 12345, "bar": 9, "pass": false, "note": "as counted"}]}'
    )
    table = generate.bench_table(kept)
    assert "| requests | 1 | ≤ 1 | 2 |" in table
    assert "| a\\|b | 12,345 | ≤ 9 (missed) |  |" in table
    assert "\n* as counted\n" in table


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in relative_links(page):
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file), target


def test_every_key_that_the_board_sends_or_reads_is_in_the_page_about_thingsboard() -> None:
    keys = {
        text
        for name in ("report", "client", "board", "thingsboard")
        for text in constants(LIBRARY / f"{name}.py")
        if re.fullmatch(r"(current_fw|fw|cota)_[a-z_]+|free_[a-z]+|board_id|runs", text)
    }
    # The report joins these of the beginning and a field of the release's record.
    assert "current_fw_" in constants(LIBRARY / "report.py")
    keys |= {"current_fw_title", "current_fw_version"}
    assert {"fw_state", "cota_commit", "free_bytes"} <= keys
    page = (DOCS / "thingsboard.md").read_text()
    assert [key for key in sorted(keys) if f"`{key}`" not in page] == []


def test_every_public_name_of_the_library_is_in_the_page_about_it() -> None:
    page = (DOCS / "api.md").read_text()
    exported = set(re.findall(r'^    "(\w+)",$', (LIBRARY / "__init__.py").read_text(), re.MULTILINE))
    assert "OverTheAirUpdate" in exported
    updater = next(node for node in ast.parse((LIBRARY / "client.py").read_text()).body if isinstance(node, ast.ClassDef))
    methods = [node.name for node in updater.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]
    assert len(methods) >= 5
    assert [name for name in exported if f"ota.{name}" not in page] == []
    assert [name for name in methods if f"`{name}(" not in page] == []


def test_the_phases_in_the_page_about_the_library_are_those_of_an_update_in_their_order() -> None:
    tree = ast.parse((LIBRARY / "update.py").read_text())
    table = next(node.value for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "STEPS")
    assert isinstance(table, ast.Dict)
    phases = [str(key.value) for key in table.keys if isinstance(key, ast.Constant)]
    text = ", ".join(f"`{phase}`" for phase in [*phases, "done"])
    assert text in " ".join((DOCS / "api.md").read_text().split())


def test_no_page_names_a_place_on_somebodys_machine_or_a_token() -> None:
    for page in PAGES:
        text = prose(page)
        assert not re.search(r"/(home|Users|root|work)/", text), page
        assert not re.search(r"gh[pousr]_[A-Za-z0-9]{20}", text), page
