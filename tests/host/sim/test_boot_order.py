"""Boot order, reload and reset, the next code file: CircuitPython's supervisor."""

from .conftest import MakeBench

COUNT = """
import microcontroller
n = microcontroller.nvm[0]
n = 1 if n == 255 else n + 1
microcontroller.nvm[0] = n
"""


def test_boot_py_runs_before_the_program_and_each_has_a_fresh_interpreter(bench: MakeBench) -> None:
    text = bench(
        {
            "boot.py": "import lib_a\nprint('boot', lib_a.x)\nlib_a.x = 2\nleft = 1\n",
            "main.py": "import lib_a\nprint('main', lib_a.x, 'left' in globals())\n",
            "lib/lib_a.py": "x = 1\n",
        }
    ).run_until()
    assert "boot 1\nmain.py output:\nmain 1 False\nCode done running." in text


def test_code_py_outranks_main_py_and_code_txt_outranks_both(bench: MakeBench) -> None:
    make = bench({"code.txt": "print('txt')", "code.py": "print('code')", "main.py": "print('main')"})
    assert "txt" in make.run_until()
    make.board.volume.remove("code.txt")
    assert "code\n" in make.run_until(times=2).split("Code done running.")[1] + "\n"


def test_reload_runs_the_program_again_and_not_boot_py(bench: MakeBench) -> None:
    program = COUNT + "print('run', n)\nimport supervisor\nprint(supervisor.runtime.run_reason)\nif n < 3: supervisor.reload()\n"
    text = bench({"boot.py": "print('booted')", "main.py": program}).run_until()
    assert text.count("booted") == 1
    assert [line for line in text.splitlines() if line.startswith("run")] == ["run 1", "run 2", "run 3"]
    assert "supervisor.RunReason.STARTUP" in text and "supervisor.RunReason.SUPERVISOR_RELOAD" in text


def test_reload_passes_except_exception_and_runs_finally(bench: MakeBench) -> None:
    program = (
        COUNT
        + """
import supervisor
if n == 1:
    try:
        supervisor.reload()
    except Exception:
        print('swallowed')
    finally:
        print('cleaned')
print('second')
"""
    )
    text = bench({"main.py": program}).run_until()
    assert "cleaned" in text and "second" in text and "swallowed" not in text


def test_reset_boots_anew_at_once_without_finally(bench: MakeBench) -> None:
    program = (
        COUNT
        + """
import microcontroller
print(microcontroller.cpu.reset_reason)
if n == 1:
    try:
        microcontroller.reset()
    finally:
        print('never')
"""
    )
    text = bench({"boot.py": "print('booted')", "main.py": program}).run_until()
    assert text.count("booted") == 2
    assert "never" not in text
    assert text.index("ResetReason.POWER_ON") < text.index("ResetReason.SOFTWARE")


def test_an_exception_ends_the_program_and_the_board_waits(bench: MakeBench) -> None:
    make = bench({"main.py": "import helper\nhelper.fail()\n", "lib/helper.py": "def fail():\n    raise ValueError('broken')\n"})
    text = make.run_until()
    assert "Traceback (most recent call last):" in text
    assert 'File "main.py", line 2' in text and "ValueError: broken" in text
    assert "runner.py" not in text and "start.py" not in text
    assert make.board.runs == 2


def test_the_next_code_file_named_in_boot_py_restarts_after_each_exception(bench: MakeBench) -> None:
    boot = (
        "import supervisor\nsupervisor.set_next_code_file('guard.py', reload_on_error=True, sticky_on_error=True, sticky_on_reload=True)\n"
    )
    guard = (
        COUNT + "import supervisor\nprint('guard', n, repr(supervisor.get_previous_traceback()))\nif n < 3: raise ValueError('no %d' % n)\n"
    )
    text = bench({"boot.py": boot, "guard.py": guard, "main.py": "print('main')"}).run_until("guard 3")
    assert "guard 1 None" in text
    assert "ValueError: no 1" in text.split("guard 2")[1].splitlines()[0]
    assert "main" not in text.replace("main.py", "")


def test_a_named_file_without_sticky_options_runs_once(bench: MakeBench) -> None:
    once = "import supervisor\nprint('once')\nsupervisor.reload()\n"
    text = bench(
        {"boot.py": "import supervisor\nsupervisor.set_next_code_file('once.py')\n", "once.py": once, "main.py": "print('then main')"}
    ).run_until()
    assert text.splitlines().count("once") == 1 and "then main" in text


def test_a_named_file_that_is_missing_gives_way_to_the_usual_one(bench: MakeBench) -> None:
    text = bench({"boot.py": "import supervisor\nsupervisor.set_next_code_file('gone.py')\n", "main.py": "print('usual')"}).run_until()
    assert "gone.py not found." in text and "usual" in text


def test_the_program_may_name_the_next_file_and_reload_into_it(bench: MakeBench) -> None:
    main = "import supervisor\nprint('main')\nsupervisor.set_next_code_file('other.py')\nsupervisor.reload()\n"
    text = bench({"main.py": main, "other.py": "print('other')"}).run_until()
    assert text.index("main\n") < text.index("other\n")


def test_system_exit_ends_the_program_and_shows_no_traceback(bench: MakeBench) -> None:
    make = bench({"main.py": "import sys\nprint('bye')\nsys.exit()\n"})
    assert "Traceback" not in make.run_until()


def test_code_that_does_not_compile_is_an_exception_like_any_other(bench: MakeBench) -> None:
    assert "SyntaxError" in bench({"main.py": "def broken(:\n"}).run_until()


def test_the_reset_button_boots_a_board_that_waits(bench: MakeBench) -> None:
    import asyncio

    make = bench({"boot.py": "print('booted')", "main.py": "import microcontroller\nprint(microcontroller.cpu.reset_reason)\n"})

    async def press() -> None:
        make.board.start()
        await make.until("Code done running.")
        make.board.press_reset()
        await make.until("Code done running.", times=2)
        await make.board.stop()

    asyncio.run(press())
    assert make.text.count("booted") == 2 and "ResetReason.RESET_PIN" in make.text


def test_safe_mode_runs_safemode_py_and_nothing_else(bench: MakeBench) -> None:
    main = COUNT + "import microcontroller as m\nprint('main', n)\nif n == 1:\n    m.on_next_reset(m.RunMode.SAFE_MODE)\n    m.reset()\n"
    safemode = "import supervisor, microcontroller\nprint(supervisor.runtime.safe_mode_reason)\nmicrocontroller.reset()\n"
    text = bench({"boot.py": "print('booted')", "main.py": main, "safemode.py": safemode}).run_until("main 2")
    assert "supervisor.SafeModeReason.PROGRAMMATIC" in text
    assert text.count("booted") == 2


def test_a_watchdog_that_is_not_fed_resets_the_board(bench: MakeBench) -> None:
    main = COUNT + (
        "import microcontroller as m, time\nfrom watchdog import WatchDogMode\nprint('run', n, m.cpu.reset_reason)\n"
        "if n == 1:\n    m.watchdog.timeout = 0.4\n    m.watchdog.mode = WatchDogMode.RESET\n"
        "    for _ in range(3):\n        time.sleep(0.2)\n        m.watchdog.feed()\n    print('fed')\n    time.sleep(60)\n"
    )
    text = bench({"main.py": main}).run_until("run 2")
    assert "fed" in text and "run 2 microcontroller.ResetReason.WATCHDOG" in text


def test_the_watchdog_of_an_rp2_has_a_limit_and_cannot_be_stopped(bench: MakeBench) -> None:
    main = """
from watchdog import WatchDogMode
import microcontroller
w = microcontroller.watchdog
try: w.timeout = 9
except ValueError as e: print('limit', e)
w.timeout = 8
try: w.mode = WatchDogMode.RAISE
except NotImplementedError: print('no raise')  # what CircuitPython raises on RP2, whose watchdog can only reset
w.mode = WatchDogMode.RESET
try: w.mode = None
except RuntimeError as e: print('no stop', e)
"""
    text = bench({"main.py": main}).run_until()
    assert "limit" in text and "no raise" in text and "no stop" in text


def test_a_program_that_the_rack_chooses_runs_in_place_of_the_usual_one_after_each_reload(bench: MakeBench) -> None:
    chosen = COUNT + "import supervisor\nprint('chosen', n)\nif n < 2: supervisor.reload()\n"
    make = bench({"chosen.py": chosen, "code.py": "print('usual')"})
    make.board.program = "chosen.py"
    text = make.run_until()
    assert "chosen 1" in text and "chosen 2" in text and "usual" not in text
