"""Your program, with cOTA's update loop in it. Replace `work` by what your board is for."""

import os
import time

import wifi

import ota

PAUSE = 0.5  # seconds between two rounds of the loop
shown = [-1]  # the percentage printed last


def join_wifi():
    """Join Wi-Fi again after it was lost; CircuitPython joins it at power-on where settings.toml has CIRCUITPY_WIFI_SSID."""
    name = os.getenv("CIRCUITPY_WIFI_SSID") or os.getenv("WIFI_SSID")
    if name and not wifi.radio.connected:
        try:
            wifi.radio.connect(name, os.getenv("CIRCUITPY_WIFI_PASSWORD") or os.getenv("WIFI_PASSWORD") or "")
        except ConnectionError:
            pass  # the updater tells, and knows how long it lasts


def show(phase, done, total):
    """Called after each step of an update."""
    if phase == "fetch" and total and shown[0] != done * 100 // total:
        shown[0] = done * 100 // total
        print("update:", shown[0], "%")


def work():
    """What the board is for. It goes on while an update is downloaded."""


print("cOTA", ota.__version__, "looks for a release now and then; this is the place for your program")
updater = ota.OverTheAirUpdate(progress=show)
updating = False
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
    work()
    if not updating:
        time.sleep(PAUSE)
