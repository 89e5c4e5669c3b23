"""`cota lab --mqtt-port` as a process: where it listens, and that a kill loses nothing acknowledged."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from lab_operator import PASSWORD, Operator
from mqtt_board import MqttBoard

COMMAND = [sys.executable, "-W", "error", "-c", "from cota.cli import main; main()", "lab", "--port", "0"]


def test_what_was_acknowledged_survives_a_kill_and_ctrl_c_ends_open_sessions(start: Any, tmp_path: Path) -> None:
    arguments = ("--db", str(tmp_path / "lab.db"), "--mqtt-port", "0")
    lab = start(*arguments, COTA_LAB_PASSWORD=PASSWORD)
    operator = Operator(lab.facts["url"], lab.facts["username"], PASSWORD)
    device, token = operator.device()
    with MqttBoard(lab.facts["mqtt_port"]).login(token) as board:
        board.publish("v1/devices/me/telemetry", {"n": 1})
        lab.process.kill()
        lab.end()
        assert board.packet() is None
    lab = start(*arguments, COTA_LAB_PASSWORD=PASSWORD)
    again = Operator(lab.facts["url"], lab.facts["username"], PASSWORD)
    assert again.latest(device, "n") == {"n": 1}
    with MqttBoard(lab.facts["mqtt_port"], 5).login(token) as board:
        lab.process.send_signal(signal.SIGINT)
        assert board.ended() == 0x8B
    code, errors = lab.end()
    assert (code, errors) == (0, ""), errors
    for one in (operator, again):
        one.http.close()


def test_without_the_option_there_is_no_mqtt(start: Any) -> None:
    assert "mqtt_port" not in start("--memory", COTA_LAB_PASSWORD=PASSWORD).facts


def test_the_start_says_where_mqtt_is() -> None:
    process = subprocess.Popen([*COMMAND, "--memory", "--mqtt-port", "0"], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        lines = [process.stderr.readline() for _ in range(4)]
        assert any(line.startswith("  mqtt      port ") for line in lines), lines
    finally:
        process.terminate()
        process.communicate(timeout=60)
