"""Play cases in the VM that runs this; tests/device/runner.py says how it is started. The seventh argument names a file of cases.

Each result is a line "@case" with JSON. Stops at the first case that the VM itself breaks down in.
"""

import gc
import json
import sys

import board_side
import socketpool
import wifi


def module(name):
    return getattr(__import__("ota." + name), name)


def test_cases():
    wifi.radio.connect("test", "test-password")
    pool = socketpool.SocketPool(wifi.radio)
    with open(sys.argv[7]) as file:
        for line in file:
            case = json.loads(line)
            gc.collect()
            print("@case", json.dumps(board_side.run(module, case, pool, case["cloud"], case["git"])))
