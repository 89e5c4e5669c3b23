"""The settings that device code reads, the shipped settings.toml, and docs/settings.md name the same keys with the same defaults."""

import ast
import importlib.util
import re
import tomllib

import pytest
from docs_markdown import DOCS, ROOT

DEVICE = ROOT / "device"
_KEY = re.compile(r"(?:COTA|THINGSBOARD|WIFI|CIRCUITPY)_[A-Z0-9_]+")
_SHIPPED = re.compile(r"(?m)^(?P<off># )?(?P<key>[A-Z0-9_]+) = (?P<value>\".*\")$")


def shipped() -> dict[str, str]:
    """The shipped file with every line that stands behind a # taken in."""
    lines = [f"{found['key']} = {found['value']}" for found in _SHIPPED.finditer((DEVICE / "settings.toml").read_text())]
    return tomllib.loads("\n".join(lines))


def read_by_the_code() -> set[str]:
    return {
        node.value
        for path in [*DEVICE.glob("*.py"), *(DEVICE / "lib/ota").glob("*.py")]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _KEY.fullmatch(node.value)
    }


def documented() -> dict[str, str]:
    """Key -> what the page says of it."""
    page = (DOCS / "settings.md").read_text()
    return dict(re.findall(r"(?m)^`([A-Z0-9_]+)`\n: ((?:.+\n)+)", page))


def test_every_key_that_the_device_reads_is_shipped_and_documented_and_no_other_is() -> None:
    assert {"COTA_POLL_SECONDS", "COTA_USB_PIN", "WIFI_SSID"} <= read_by_the_code()
    assert set(shipped()) == read_by_the_code()
    assert set(documented()) == read_by_the_code()


def test_the_shipped_file_is_toml_that_circuitpython_can_read() -> None:
    text = (DEVICE / "settings.toml").read_text()
    values = tomllib.loads(text)
    assert all(isinstance(value, str) for value in values.values())
    assert not re.search(r"(?m)^\s*\[", text)


def test_a_default_that_stands_behind_a_hash_is_what_the_code_does_without_it() -> None:
    spec = importlib.util.spec_from_file_location("device_settings", DEVICE / "lib/ota/settings.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    without = vars(module.Settings(tomllib.loads((DEVICE / "settings.toml").read_text()).get))
    given = vars(module.Settings(shipped().get))
    assert {name: value for name, value in given.items() if name != "_getenv"} == {
        name: value for name, value in without.items() if name != "_getenv"
    }
    text = " ".join(documented()["COTA_POLL_SECONDS"].split())
    assert f"from 1 to {module.MAX_POLL}. Default: {module.DEFAULT_POLL}." in text


@pytest.mark.parametrize("key", sorted(read_by_the_code()))
def test_the_page_gives_each_key_a_default_or_says_that_it_is_required(key: str) -> None:
    assert re.search(r"Default: |Required", documented()[key])
