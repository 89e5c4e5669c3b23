"""What befalls a board that is in use: faults, Ctrl-C, deep sleep; and a clock that runs faster than ours."""

import asyncio
import time
from collections.abc import Callable

from cota.sim import BoardOptions

from .conftest import Bench, MakeBench
from .test_boot_order import COUNT

FOREVER = "import time\nprint('awake')\nwhile True:\n    time.sleep(0.1)\n"
STICKY = (
    "import supervisor\nprint('booted')\n"
    "supervisor.set_next_code_file('/own/g.py', sticky_on_success=True, sticky_on_error=True, sticky_on_reload=True)\n"
)


def live(bench: Bench, *steps: tuple[str, int, Callable[[], None]]) -> str:
    """Power the board; wait for each text, so many times, and act. Gives the console."""

    async def go() -> None:
        bench.board.start()
        try:
            for part, times, act in steps:
                await bench.until(part, times)
                act()
        finally:
            await bench.board.stop()

    asyncio.run(go())
    return bench.text


def nothing() -> None:
    """The act of a step that only waits."""


# The clock.


def test_a_clock_that_runs_60_times_faster_makes_a_minute_a_second(bench: MakeBench) -> None:
    main = (
        "import time, supervisor\nfrom time import monotonic\nt, k, n = monotonic(), supervisor.ticks_ms(), time.monotonic_ns()\n"
        "time.sleep(60)\nprint('slept', 60 <= monotonic() - t < 90, 60000 <= (supervisor.ticks_ms() - k) % (1 << 29) < 90000,"
        " 60e9 <= time.monotonic_ns() - n < 90e9)\n"
    )
    started = time.monotonic()
    assert "slept True True True" in bench({"main.py": main}, options=BoardOptions(speed=60)).run_until()
    assert time.monotonic() - started < 15


def test_a_board_whose_naps_alone_are_fast_keeps_time_with_us_while_it_works(bench: MakeBench) -> None:
    main = (
        "import time, supervisor\nfrom time import monotonic\nt = monotonic()\ntime.sleep(3600)\n"
        "print('slept', 3600 <= monotonic() - t < 3610)\nt = monotonic()\nwhile monotonic() - t < 1: pass\n"
        "if supervisor.runtime.run_reason == supervisor.RunReason.STARTUP:\n    supervisor.reload()\nprint('kept', monotonic() >= 7200)\n"
    )
    started = time.monotonic()
    text = bench({"main.py": main}, options=BoardOptions(naps=1200)).run_until()
    assert text.count("slept True") == 2 and "kept True" in text  # a reload does not turn the clock back
    assert 8 <= time.monotonic() - started < 30  # two naps of 3 s, and twice a second of work


def test_deep_sleep_is_a_nap_too(bench: MakeBench) -> None:
    main = (
        "import alarm, time\nif alarm.wake_alarm is None:\n"
        "    alarm.exit_and_deep_sleep_until_alarms(alarm.time.TimeAlarm(monotonic_time=time.monotonic() + 3600))\nprint('woken')\n"
    )
    started = time.monotonic()
    bench({"main.py": main}, options=BoardOptions(naps=1800)).run_until("woken")
    assert 2 <= time.monotonic() - started < 15


def test_a_watchdog_counts_seconds_of_the_boards_clock(bench: MakeBench) -> None:
    main = COUNT + (
        "import microcontroller as m\nfrom watchdog import WatchDogMode\nprint('run', n, m.cpu.reset_reason)\n"
        "if n == 1:\n    m.watchdog.timeout = 100\n    m.watchdog.mode = WatchDogMode.RESET\n    while True: pass\n"
    )
    started = time.monotonic()
    text = bench({"main.py": main}, profile="esp32-s3", options=BoardOptions(speed=100)).run_until("run 2")
    assert "run 2 microcontroller.ResetReason.WATCHDOG" in text
    assert time.monotonic() - started < 20


# alarm.


def test_deep_sleep_passes_except_exception_and_the_board_boots_when_the_alarm_comes(bench: MakeBench) -> None:
    main = """
import alarm, microcontroller, time
print(microcontroller.cpu.reset_reason, alarm.wake_alarm is None, alarm.sleep_memory[0])
if alarm.wake_alarm is None:
    alarm.sleep_memory[0] = 7
    try:
        alarm.exit_and_deep_sleep_until_alarms(alarm.time.TimeAlarm(monotonic_time=time.monotonic() + 60))
    except Exception:
        print('swallowed')
    except BaseException as request:
        print(type(request).__name__)
        raise
"""
    text = bench({"boot.py": "print('booted')", "main.py": main}, options=BoardOptions(speed=60)).run_until()
    assert "ResetReason.POWER_ON True 0" in text and "ResetReason.SOFTWARE False 7" in text  # as an RP2040 wakes
    assert "DeepSleepRequest" in text and "swallowed" not in text
    assert text.count("booted") == 2


def test_an_alarm_may_be_told_by_the_clock_and_not_lie_in_the_past(bench: MakeBench) -> None:
    main = """
import alarm, time
for wrong in ({}, {'monotonic_time': time.monotonic() - 1}, {'epoch_time': time.time() - 5}, {'monotonic_time': 1, 'epoch_time': 1}):
    try:
        alarm.time.TimeAlarm(**wrong)
    except ValueError:
        print('refused')
if alarm.wake_alarm is None:
    alarm.exit_and_deep_sleep_until_alarms(alarm.time.TimeAlarm(epoch_time=time.time() + 20))
print('woken')
"""
    assert bench({"main.py": main}, options=BoardOptions(speed=60)).run_until("woken").count("refused") == 8


def test_a_reset_button_wakes_a_board_that_sleeps(bench: MakeBench) -> None:
    main = """
import alarm, microcontroller, time
print('run', microcontroller.cpu.reset_reason)
if 'RESET_PIN' not in repr(microcontroller.cpu.reset_reason):
    alarm.exit_and_deep_sleep_until_alarms(alarm.time.TimeAlarm(monotonic_time=time.monotonic() + 9000))
"""
    make = bench({"main.py": main})

    async def press() -> None:
        make.board.start()
        while make.board.phase != "sleep":
            await asyncio.sleep(0.02)
        make.board.press_reset()
        await make.until("run microcontroller.ResetReason.RESET_PIN")
        await make.board.stop()

    asyncio.run(asyncio.wait_for(press(), 30))


def test_sleep_memory_outlasts_reload_and_reset_and_not_a_power_cut(bench: MakeBench) -> None:
    main = """
import alarm, microcontroller, supervisor
m = alarm.sleep_memory
print('memory', len(m), m[0], bytes(m[1:4]))
m[1:4] = b'abc'
m[0] += 1
if m[0] == 1: supervisor.reload()
if m[0] == 2: microcontroller.reset()
"""
    make = bench({"main.py": main})
    expected = [f"memory 256 {n} {content}" for n, content in ((0, bytes(3)), (1, b"abc"), (2, b"abc"))]
    for _ in range(2):
        make.lines.clear()
        make.run_until()
        assert [line for line in make.lines if line.startswith("memory")] == expected


def test_the_size_of_sleep_memory_is_the_boards_and_a_pico_2_w_has_no_alarm(bench: MakeBench) -> None:
    main = "try:\n    import alarm\n    print('bytes', len(alarm.sleep_memory))\nexcept ImportError:\n    print('no alarm')\n"
    make = bench({"main.py": main}, profile="pico-2-w")
    assert "no alarm" in make.run_until()


def test_espressif_has_4096_bytes_of_sleep_memory(bench: MakeBench) -> None:
    assert "bytes 4096" in bench({"main.py": "import alarm\nprint('bytes', len(alarm.sleep_memory))\n"}, profile="esp32-c3").run_until()


# The next code file, and the console.


def test_a_file_that_boot_py_names_with_all_sticky_options_runs_after_reload_exception_and_end(bench: MakeBench) -> None:
    guard = COUNT + (
        "import sys, supervisor\nprint('guard', n, supervisor.runtime.run_reason)\n"
        "if n == 1: supervisor.reload()\nif n == 2: raise ValueError('two')\nif n == 3: sys.exit(3)\nif n == 5:\n    while True: pass\n"
    )
    make = bench({"boot.py": STICKY, "own/g.py": guard, "main.py": "print('the usual')"})
    done, board = "Code done running.", make.board
    text = live(
        make,
        (done, 1, board.press_ctrl_d),
        (done, 2, board.press_ctrl_d),
        (done, 3, board.press_ctrl_d),
        ("guard 5", 1, board.press_ctrl_c),
        (done, 4, board.press_ctrl_d),
        ("guard 6 supervisor.RunReason.REPL_RELOAD", 1, nothing),
    )
    assert text.count("booted") == 1 and "the usual" not in text
    assert "guard 2 supervisor.RunReason.SUPERVISOR_RELOAD" in text


def test_ctrl_c_stops_a_program_that_sleeps_and_one_that_computes(bench: MakeBench) -> None:
    for program in (FOREVER, "print('awake')\nwhile True:\n    pass\n"):
        make = bench({"main.py": program})
        make.board.volume.write({"main.py": program.encode()})
        text = live(make, ("awake", 1, make.board.press_ctrl_c), ("Code done running.", 1, nothing))
        assert "KeyboardInterrupt" in text


def test_ctrl_c_passes_except_exception_and_the_board_waits_whatever_the_options(bench: MakeBench) -> None:
    boot = "import supervisor\nsupervisor.set_next_code_file('g.py', reload_on_error=True, reload_on_success=True, sticky_on_error=True)\n"
    guard = "import time\nprint('awake')\ntry:\n    while True: time.sleep(0.1)\nexcept Exception:\n    print('swallowed')\n"
    make = bench({"boot.py": boot, "g.py": guard})
    text = live(make, ("awake", 1, make.board.press_ctrl_c), ("Code done running.", 1, nothing))
    assert "swallowed" not in text and text.splitlines().count("awake") == 1


def test_ctrl_c_and_ctrl_d_do_nothing_to_a_board_that_is_off_or_waits(bench: MakeBench) -> None:
    make = bench({"main.py": "print('awake')"})
    make.board.press_ctrl_c()
    make.board.press_ctrl_d()
    make.board.hard_fault()
    text = live(make, ("Code done running.", 1, make.board.press_ctrl_c), ("Code done running.", 1, make.board.hard_fault))
    assert text.count("awake") == 1


# Faults.


def test_after_a_hard_fault_safemode_py_sees_it_may_wait_write_and_reset(bench: MakeBench) -> None:
    safemode = """
import alarm, microcontroller, supervisor, time
print(supervisor.runtime.safe_mode_reason, alarm.sleep_memory[3])
alarm.sleep_memory[3] += 1
with open('/fault.txt', 'w') as f: f.write('seen')
before = time.monotonic()
time.sleep(30)
print('waited', 30 <= time.monotonic() - before < 60)
microcontroller.reset()
"""
    main = "import alarm\nprint('memory', alarm.sleep_memory[3])\nif alarm.sleep_memory[3] == 0: alarm.sleep_memory[3] = 5\n" + FOREVER
    make = bench({"boot.py": "print('booted')", "main.py": main, "safemode.py": safemode}, options=BoardOptions(speed=60))
    text = live(make, ("awake", 1, make.board.hard_fault), ("awake", 2, nothing))
    assert "supervisor.SafeModeReason.HARD_FAULT 5" in text
    assert "waited True" in text
    assert "memory 6" in text
    assert text.count("booted") == 2
    assert make.board.read("fault.txt") == b"seen"


def test_in_safe_mode_neither_ctrl_d_nor_anything_but_the_button_runs_the_program(bench: MakeBench) -> None:
    make = bench({"main.py": FOREVER, "safemode.py": "print('safe')"})

    async def go() -> None:
        make.board.start()
        await make.until("awake")
        make.board.hard_fault()
        await make.until("safe", times=2)  # the console's own line says it too
        while make.board.phase != "wait":
            await asyncio.sleep(0.02)
        make.board.press_ctrl_d()
        await asyncio.sleep(0.2)
        assert make.text.count("awake") == 1
        make.board.press_reset()
        await make.until("awake", times=2)
        await make.board.stop()

    asyncio.run(asyncio.wait_for(go(), 30))


def test_python_may_write_in_safemode_py_and_boot_py_and_not_in_the_program(bench: MakeBench) -> None:
    attempt = "\ntry:\n    open('/{0}.txt', 'w').close()\n    print('{0} wrote')\nexcept OSError as e:\n    print('{0} refused', e.errno)\n"
    files = {name: attempt.format(name.partition(".")[0]) for name in ("safemode.py", "boot.py")}
    make = bench({**files, "main.py": attempt.format("main") + FOREVER})
    text = live(make, ("awake", 1, make.board.hard_fault), ("safemode wrote", 1, nothing))
    assert "boot wrote" in text and "main refused 30" in text
