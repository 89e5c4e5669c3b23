"""A greenhouse watch: reads the temperature, smooths it, says how the plants fare, and keeps itself up to date."""

import os
import time

import ota
import wifi
from app import mean, report, sensor

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
smooth = mean.Mean(8)
next_reading = 0
print("greenhouse watch 1")
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
        print(report.line(smooth.add(sensor.celsius())))
    if not updating:
        time.sleep(0.1)
