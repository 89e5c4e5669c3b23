"""`cota lab --mqtt-port` as a process: where it listens, and that a kill loses nothing acknowledged."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from lab_operator import PASSWORD, Operator
from mqtt_board import MqttBoard

COMMAND = [sys.executable, "-W", "error", "-c", "from cota.cli import main; main()", "lab", "--port", "0", "--json"]


def _start(*arguments: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    process = subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"COTA_LAB_PASSWORD": PASSWORD}
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline() or "{}")


def test_what_was_acknowledged_survives_a_kill_and_ctrl_c_ends_open_sessions(tmp_path: Path) -> None:
    database = str(tmp_path / "lab.db")
    process, facts = _start("--db", database, "--mqtt-port", "0")
    operator = Operator(facts["url"], facts["username"], PASSWORD)
    device, token = operator.device()
    with MqttBoard(facts["mqtt_port"]).login(token) as board:
        board.publish("v1/devices/me/telemetry", {"n": 1})
        process.kill()
        process.communicate(timeout=60)
        assert board.packet() is None
    process, facts = _start("--db", database, "--mqtt-port", "0")
    again = Operator(facts["url"], facts["username"], PASSWORD)
    assert again.latest(device, "n") == {"n": 1}
    with MqttBoard(facts["mqtt_port"], 5).login(token) as board:
        process.send_signal(signal.SIGINT)
        assert board.ended() == 0x8B
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, ""), errors
    for one in (operator, again):
        one.http.close()


def test_without_the_option_there_is_no_mqtt() -> None:
    process, facts = _start("--memory")
    try:
        assert "mqtt_port" not in facts
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_the_start_says_where_mqtt_is() -> None:
    command = [part for part in COMMAND if part != "--json"]
    process = subprocess.Popen([*command, "--memory", "--mqtt-port", "0"], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        lines = [process.stderr.readline() for _ in range(4)]
        assert any(line.startswith("  mqtt      port ") for line in lines), lines
    finally:
        process.terminate()
        process.communicate(timeout=60)
