"""os.getenv over settings.toml, and what `os`, `time`, `hashlib` and the rest have and lack."""

import pytest

from cota.drive.tree import with_settings
from cota.sim import BoardOptions
from cota.sim.profiles import find_profile

from .conftest import MakeBench

SETTINGS = r'''# a comment
PLAIN = "text"
  SPACED   =   "indented"  # behind
NUMBER = 42
HEXED = 0x1F
NEGATIVE = -7 # cold
TRUTH = true
FLOAT = 1.5
LIST = [1, 2]
QUOTED = "a \"b\" \\ \t\u00e9|"
HASH = "not # a comment"
EMPTY = ""
TWICE = "first"
TWICE = "second"
PREFIX_LONG = "longer"
PREFIX = "short"
"DOUBLE" = "quoted key"
dotted.key = "x"
BROKEN = "no end
CRLF = "line"
[section]
INSIDE = "hidden"
'''.replace('CRLF = "line"\n', 'CRLF = "line"\r\n')  # fmt: skip

ASK = """
import os
def ask(key, *default):
    try:
        print(key, repr(os.getenv(key, *default)))
    except ValueError as e:
        print(key, "ValueError")
"""


READ = [
    ("PLAIN", "'text'"),
    ("SPACED", "'indented'"),
    ("NUMBER", "'42'"),
    ("HEXED", "'0x1F'"),
    ("NEGATIVE", "'-7'"),
    ("TRUTH", "'true'"),
    ("FLOAT", "'1.5'"),
    ("LIST", "'[1, 2]'"),
    ("HASH", "'not # a comment'"),
    ("EMPTY", "''"),
    ("TWICE", "'first'"),
    ("PREFIX", "'short'"),
    ("PREFIX_LONG", "'longer'"),
    ("DOUBLE", "None"),
    ("dotted", "None"),
    ("BROKEN", "ValueError"),
    ("CRLF", "'line'"),
    ("INSIDE", "None"),
    ("MISSING", "None"),
    ("PATH", "None"),
]


@pytest.mark.parametrize(("key", "said"), READ)
def test_getenv_reads_settings_toml_by_circuitpythons_rules(reader: str, key: str, said: str) -> None:
    assert f"\n{key} {said}\n" in reader


@pytest.fixture(scope="module", params=["micropython", "cpython"])
def reader(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    from .conftest import maker

    keys = [parameter[0] for parameter in READ]
    bench = maker(tmp_path_factory.mktemp("reader"), str(request.param))({"main.py": ASK + f"for key in {keys!r}: ask(key)\n"})
    bench.board.volume.write({"settings.toml": SETTINGS.encode()})
    return "\n" + bench.run_until() + "\n"


def test_getenv_handles_escapes_defaults_and_long_values(bench: MakeBench) -> None:
    make = bench(
        {
            "main.py": """
import os
v = os.getenv('QUOTED')
print([ord(c) for c in v])
print(os.getenv('NOPE', 'fallback'), len(os.getenv('LONG')))
"""
        }
    )
    make.board.volume.write({"settings.toml": b'LONG = "' + b"x" * 5000 + b'"\n' + SETTINGS.encode()})
    text = make.run_until()
    assert str([ord(c) for c in 'a "b" \\ \t\u00e9|']) in text
    assert "fallback 5000" in text


def test_getenv_without_the_file_gives_the_default(bench: MakeBench) -> None:
    make = bench({"main.py": "import os\nprint(os.getenv('X'), os.getenv('X', 'd'))"})
    make.board.volume.remove("settings.toml")
    assert "None d" in make.run_until()


def test_get_setting_is_typed(bench: MakeBench) -> None:
    main = """
import supervisor
for k in ('NUMBER', 'HEXED', 'TRUTH', 'PLAIN', 'NONE'): print(k, repr(supervisor.get_setting(k, 'dflt')))
try: supervisor.get_setting('LIST')
except ValueError: print('bad list')
"""
    make = bench({"main.py": main})
    make.board.volume.write({"settings.toml": SETTINGS.encode()})
    text = make.run_until()
    for said in ("NUMBER 42", "HEXED 31", "TRUTH True", "PLAIN 'text'", "NONE 'dflt'", "bad list"):
        assert said in text


def test_the_boards_settings_are_written_over_those_of_the_tree_and_read_back(bench: MakeBench) -> None:
    main = "import os\nprint([os.getenv(k) for k in ('WIFI_SSID', 'TOKEN', 'KEPT')])\n"
    text = bench({"main.py": main, "settings.toml": 'TOKEN = "of the tree"\nKEPT = "yes"\n'}, settings={"TOKEN": 'a"b\\c'}).run_until()
    assert str(["cota-sim", 'a"b\\c', "yes"]) in text


def test_with_settings_keeps_comments_and_replaces_only_what_it_sets() -> None:
    assert with_settings("# A = 1\nA = 2\nAB = 3\n", {"A": "x"}) == 'A = "x"\n\n# A = 1\nAB = 3\n'


def test_what_circuitpython_lacks_is_lacking(bench: MakeBench) -> None:
    main = """
import os, time, hashlib
print([n for n in ("path", "makedirs", "walk", "truncate", "environ", "replace", "system") if hasattr(os, n)])
print([n for n in ("ticks_ms", "ticks_diff", "sleep_ms", "time_ns", "perf_counter", "strftime") if hasattr(time, n)])
print([n for n in ("sha256", "sha1", "md5") if hasattr(hashlib, n)])
missing = []
for name in ("socket", "machine", "_thread", "vfs"):
    try:
        __import__(name).anything
    except ImportError:
        missing.append(name)
print(missing)
import wifi, socketpool, ssl
print(hasattr(socketpool.Socket, "recv"), hasattr(socketpool.Socket, "makefile"))
"""
    text = bench({"main.py": main}).run_until()
    assert text.splitlines()[1:6] == ["[]", "[]", "[]", "['socket', 'machine', '_thread', 'vfs']", "False False"]


def test_hashlib_new_knows_sha1_and_sha256_and_a_9x_board_only_sha1(bench: MakeBench) -> None:
    main = """
import hashlib, binascii
for name in ("sha1", "sha256", "md5"):
    try:
        h = hashlib.new(name, b"ab")
        h.update(b"c")
        print(name, binascii.hexlify(h.digest()).decode()[:8], h.digest_size, h.digest() == h.digest())
    except ValueError as e:
        print(name, "ValueError")
"""
    make = bench({"main.py": main})
    assert "sha1 a9993e36 20 True\nsha256 ba7816bf 32 True\nmd5 ValueError" in make.run_until()
    make.board.options = BoardOptions(sha256=False)
    assert "sha256 ValueError" in make.run_until(times=2)


def test_the_file_system_calls_behave_as_fatfs_does(vm_bench: MakeBench) -> None:
    main = """
import os, storage
storage.remount("/", False)
def number(act, *args):
    try:
        act(*args)
        return 0
    except OSError as e:
        return e.errno
os.mkdir("/d")
open("/d/f", "w").close()
open("/g", "w").close()
refused = [number(os.remove, "/d"), number(os.rmdir, "/d"), number(os.stat, "/d/"), number(os.stat, "/none"), number(os.rename, "/g", "/d")]
print("errnos", refused, number(open, "/d", "r"))
os.rename("/g", "/d/f")
print("case", os.stat("/MAIN.PY")[6] > 0, os.stat("/d")[0] == 0x4000, os.getcwd())
"""
    text = vm_bench({"main.py": main}).run_until()
    assert "errnos [21, 13, 22, 2, 21] 2" in text
    assert "case True True /" in text


def test_time_starts_at_2000_goes_on_over_a_reload_and_counts_ticks(bench: MakeBench) -> None:
    main = """
import time, supervisor, rtc
leap, then = time.localtime(951782400)[:3], time.mktime((2026, 11, 23, 15, 5, 0, 0, 0, -1))
print("t", time.time() - 946684800 < 100, time.localtime().tm_year, leap, then)
print("ticks", 0 <= supervisor.ticks_ms() < 1 << 29, time.monotonic() * 10**9 <= time.monotonic_ns())
if supervisor.runtime.run_reason == supervisor.RunReason.STARTUP:
    time.sleep(0.3)
    rtc.RTC().datetime = time.struct_time((2026, 5, 4, 3, 2, 1, 0, 0, -1))
    supervisor.reload()
print("late", time.monotonic() >= 0.3, time.localtime()[:5])
try: time.sleep(-1)
except ValueError: print("no negative sleep")
"""
    text = bench({"main.py": main}).run_until()
    assert "t True 2000 (2000, 2, 29) 1795446300" in text and "ticks True True" in text
    assert "late True (2026, 5, 4, 3, 2)" in text and "no negative sleep" in text


def test_errors_carry_the_numbers_of_a_boards_c_library(bench: MakeBench) -> None:
    main = """
import errno
from errno import ETIMEDOUT, EHOSTUNREACH, ECONNREFUSED
print(ETIMEDOUT, EHOSTUNREACH, ECONNREFUSED, errno.ENOENT)
try:
    open('/none')
except OSError as e:
    print(e.errno == errno.ENOENT)
print(issubclass(ConnectionError, OSError), issubclass(TimeoutError, OSError), ReloadException.__name__)
"""
    text = bench({"main.py": main}).run_until()
    assert "116 118 111 2\nTrue\nTrue True ReloadException" in text


def test_a_traceback_can_be_formatted_and_printed_on_the_board(bench: MakeBench) -> None:
    main = """
import traceback
try:
    1/0
except Exception as e:
    lines = traceback.format_exception(e)
    print(len(lines), lines[-1].strip())
    traceback.print_exception(e)
"""
    text = bench({"main.py": main}).run_until()
    assert "ZeroDivisionError" in text and 'File "main.py", line 4' in text and "runner" not in text


def test_zlib_decompresses_whole_buffers(bench: MakeBench) -> None:
    import gzip
    import zlib

    data = b"firmware " * 200
    main = f"""
import zlib
print("n", len(zlib.decompress({zlib.compress(data)!r})), len(zlib.decompress({gzip.compress(data)!r}, 31)))
try: zlib.decompress(b"nonsense")
except ValueError: print("bad data")
"""
    text = bench({"main.py": main}).run_until()
    assert "n 1800 1800" in text and "bad data" in text


def test_uname_and_board_id_are_the_profiles(bench: MakeBench) -> None:
    text = bench(
        {
            "main.py": """
import os, board, microcontroller
print(os.uname().machine, os.uname().release, board.board_id, len(microcontroller.cpu.uid))
"""
        },
        profile="esp32-s3",
    ).run_until()
    assert "ESP32-S3-DevKitC-1-N8 with ESP32S3 10.3.1 espressif_esp32s3_devkitc_1_n8 8" in text


def test_the_program_finds_the_heap_that_the_profile_promises(vm_bench: MakeBench) -> None:
    text = vm_bench({"main.py": "import gc\ngc.collect()\nprint('free', gc.mem_free())"}).run_until()
    free = int(text.split("free ")[1].split()[0])
    promised = find_profile("pico-w").vm_heap
    assert promised <= free <= promised * 1.05


def test_a_program_that_takes_all_the_heap_gets_a_memory_error_and_the_board_says_so(vm_bench: MakeBench) -> None:
    text = vm_bench({"main.py": "hold = []\nwhile True:\n    hold.append(bytearray(1000))\n"}).run_until()
    assert "MemoryError" in text and "Code done running." in text
