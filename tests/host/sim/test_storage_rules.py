"""Who may write the drive, and when: CircuitPython's rules."""

import asyncio

import pytest

from cota.sim import BoardOptions

from .conftest import MakeBench

TRY = """
def attempt(name):
    try:
        with open('/written.txt', 'w') as f:
            f.write('x')
        print(name, 'wrote')
    except OSError as e:
        print(name, 'errno', e.errno)
"""


def test_a_board_with_a_usb_drive_is_read_only_to_the_program_though_no_host_is_attached(bench: MakeBench) -> None:
    text = bench(
        {"boot.py": TRY + "attempt('boot')", "main.py": TRY + "attempt('main')\nimport storage\nprint(storage.getmount('/').readonly)"}
    ).run_until()
    assert "boot wrote" in text and "main errno 30" in text and "True" in text


def test_every_way_of_writing_is_refused_on_a_read_only_drive(bench: MakeBench) -> None:
    program = """
import os
for name, act in (("remove", lambda: os.remove("/a.txt")), ("rename", lambda: os.rename("/a.txt", "/b.txt")),
                  ("mkdir", lambda: os.mkdir("/d")), ("append", lambda: open("/a.txt", "a")), ("update", lambda: open("/a.txt", "r+b"))):
    try:
        act()
        print(name, "done")
    except OSError as e:
        print(name, "errno", e.errno)
"""
    text = bench({"main.py": program, "a.txt": "a"}).run_until()
    for name in ("remove", "rename", "mkdir", "append", "update"):
        assert f"{name} errno 30" in text


def test_remount_in_boot_py_lets_the_program_write_even_after_reloads(bench: MakeBench) -> None:
    main = (
        TRY + "import supervisor\nattempt('main')\nif supervisor.runtime.run_reason == supervisor.RunReason.STARTUP: supervisor.reload()\n"
    )
    make = bench({"boot.py": "import storage\nstorage.remount('/')\n", "main.py": main}, options=BoardOptions(usb=True))
    assert make.run_until().count("main wrote") == 2
    assert make.board.read("written.txt") == b"x"


def test_remount_from_the_program_works_only_while_no_host_has_the_drive(bench: MakeBench) -> None:
    main = (
        TRY + "import storage\ntry:\n    storage.remount('/', readonly=False)\nexcept RuntimeError as e:\n    print(e)\nattempt('main')\n"
    )
    assert "main wrote" in bench({"main.py": main}).run_until()


def test_remount_from_the_program_is_refused_while_a_host_has_the_drive(bench: MakeBench) -> None:
    main = (
        TRY
        + """
import storage, supervisor
print('usb', supervisor.runtime.usb_connected)
try:
    storage.remount('/', readonly=False)
except RuntimeError as e:
    print(e)
attempt('main')
"""
    )
    text = bench({"main.py": main}, options=BoardOptions(usb=True)).run_until()
    assert "usb True" in text and "Cannot remount path when visible via USB." in text and "main errno 30" in text


def test_a_remount_in_the_program_is_forgotten_at_reset(bench: MakeBench) -> None:
    main = (
        TRY
        + """
import storage, microcontroller as m
attempt('start')
if m.cpu.reset_reason == m.ResetReason.POWER_ON:
    storage.remount('/', False)
    attempt('later')
    m.reset()
"""
    )
    text = bench({"main.py": main}).run_until("start", times=2)
    assert text.count("start errno 30") == 2 and "later wrote" in text


def test_without_the_usb_drive_the_program_may_write_and_the_switch_works_in_boot_py_only(bench: MakeBench) -> None:
    main = TRY + "attempt('main')\nimport storage\ntry:\n    storage.disable_usb_drive()\nexcept RuntimeError as e:\n    print(e)\n"
    text = bench({"boot.py": "import storage\nstorage.disable_usb_drive()", "main.py": main}, options=BoardOptions(usb=True)).run_until()
    assert "main wrote" in text and "Cannot change USB devices now" in text


def test_a_board_without_usb_mass_storage_is_writable_by_default(bench: MakeBench) -> None:
    assert "main wrote" in bench({"main.py": TRY + "attempt('main')"}, profile="esp32-c3").run_until()


def test_boot_out_txt_says_what_board_it_is_and_is_not_rewritten_when_it_stays_the_same(vm_bench: MakeBench) -> None:
    make = vm_bench({"boot.py": "print('constant')", "main.py": "print('up')"})
    make.run_until()
    first = make.board.read("boot_out.txt").decode()
    assert (
        first.startswith("Adafruit CircuitPython 10.3.1 on ")
        and "Board ID:raspberry_pi_pico_w\nUID:" in first
        and first.endswith("boot.py output:\nconstant\n")
    )
    image = make.board.volume.path.read_bytes()
    make.run_until(times=2)
    assert make.board.volume.path.read_bytes() == image


def test_a_full_drive_raises_enospc_and_keeps_what_fitted(vm_bench: MakeBench) -> None:
    main = """
import os, storage
storage.remount("/", False)
f = open("/big.bin", "wb")
block = bytes(4096)
try:
    while True:
        f.write(block)
except OSError as e:
    print("errno", e.errno)
f.close()
print("free", os.statvfs("/")[3], "size", os.stat("/big.bin")[6] // 1024)
"""
    text = vm_bench({"main.py": main}).run_until()
    assert "errno 28" in text
    free, size = text.split("free ")[1].split("\n")[0].split(" size ")
    assert int(free) <= 8 and 470 < int(size) < 490


def test_a_volume_that_is_not_fat_is_formatted_at_boot_with_a_greeting(vm_bench: MakeBench) -> None:
    make = vm_bench({"main.py": "print('gone')"})
    image = make.board.volume.path
    content = bytearray(image.read_bytes())
    content[:4096] = b"\xff" * 4096
    image.write_bytes(content)
    text = make.run_until()
    assert "Hello World!" in text and "gone" not in text
    assert set(make.board.files()) == {"code.py", "boot_out.txt"}


def test_a_power_cut_in_the_middle_of_writing_leaves_a_drive_that_boots_on(vm_bench: MakeBench) -> None:
    main = """
import storage
storage.remount("/", False)
print("have", [n for n in __import__("os").listdir("/") if n.startswith("f")])
n = 0
while True:
    with open("/f%d" % (n % 4), "wb") as f:
        f.write(bytes(3000))
    n += 1
    if n == 8: print("busy")
"""
    make = vm_bench({"main.py": main})

    for times in (1, 2, 3):
        make.run_until("busy", times)  # the power goes off in the middle of the program's writing
        make.lines.append("--")
        assert make.board.read("main.py") == main.encode()
    assert "have ['f0'" in make.text.split("--")[1]


def test_ram_is_lost_at_a_power_cut_and_nvm_and_the_drive_are_not(bench: MakeBench) -> None:
    boot = "import storage\nstorage.remount('/')\n"
    main = """
import microcontroller, supervisor
print("before", microcontroller.nvm[5], supervisor.get_previous_traceback())
microcontroller.nvm[5:7] = b"AB"
try: microcontroller.nvm[0:2] = b"ABC"
except ValueError as e: print(e)
raise RuntimeError("first")
"""
    make = bench({"boot.py": boot, "main.py": main})
    make.run_until()
    text = make.run_until(times=2)
    assert "before 255 None" in text and "before 65 None" in text and "Slice and value different lengths." in text


def test_starting_a_board_that_is_on_is_an_error(bench: MakeBench) -> None:
    make = bench({"main.py": "print('up')"})

    async def twice() -> None:
        make.board.start()
        with pytest.raises(RuntimeError, match="is on"):
            make.board.start()
        await make.board.stop()

    asyncio.run(twice())


def test_written_sectors_are_counted_over_reload_and_reset(vm_bench: MakeBench) -> None:
    boot = "import storage\nstorage.remount('/')\n"
    main = """
import supervisor, microcontroller as m
with open("/lib/data.bin", "r+b") as f: f.write(bytes(1024))
m.nvm[0] = (m.nvm[0] + 1) % 256
if m.nvm[0] == 0: supervisor.reload()
if m.nvm[0] == 1: m.reset()
"""
    make = vm_bench({"boot.py": boot, "main.py": main, "lib/data.bin": bytes(1024)})
    make.run_until()
    first, page0 = make.board.sectors_written, make.board.page0_writes
    assert first > 3 * 2 and page0 < first
    make.run_until(times=2)
    assert make.board.sectors_written > first
