"""A greenhouse watch: reads the temperature, smooths it, says how the plants fare, and keeps itself up to date."""

import os
import time

import ota
import wifi
from app import alarm, ewma, report, sensor

READ_SECONDS = 2


def join_wifi():
    name = os.getenv("CIRCUITPY_WIFI_SSID") or os.getenv("WIFI_SSID")
    if name and not wifi.radio.connected:
        wifi.radio.connect(name, os.getenv("CIRCUITPY_WIFI_PASSWORD") or os.getenv("WIFI_PASSWORD") or "")


def show(phase, done, total):
    if phase == "fetch" and total:
        print("update:", done * 100 // total, "%")


updater = ota.OverTheAirUpdate(progress=show)
updating = False
smooth = ewma.Ewma(0.25)
bell = alarm.Alarm(report.COLD, report.HOT, 0.5)
next_reading = 0
print("greenhouse watch 2")
while True:
    try:
        join_wifi()
        if updating:
            if updater.step() == "done":
                updater.restart()
        elif updater.is_new_firmware_available():
            updater.begin()
            updating = True
    except (ConnectionError, ota.OverTheAirUpdateError) as problem:
        print("update:", problem)
        updating = False
    if time.monotonic() >= next_reading:
        next_reading = time.monotonic() + READ_SECONDS
        celsius = smooth.add(sensor.celsius())
        print(report.line(celsius), bell.look(celsius))
    if not updating:
        time.sleep(0.1)
