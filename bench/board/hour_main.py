"""The program of a measured board that has nothing to do for an hour, and notes when it asks."""

import os
import time

import probe
import wifi

import ota

HOUR = 3600  # seconds
CALL = 5  # seconds between two looks of the program's loop

wifi.radio.connect(os.getenv("WIFI_SSID"), os.getenv("WIFI_PASSWORD"))
updater = ota.OverTheAirUpdate()
updater.is_new_firmware_available()
probe.mark("hour")
begun = time.monotonic()
asked = []
while time.monotonic() - begun < HOUR:
    before = probe.dials()
    updater.is_new_firmware_available()
    if probe.dials() != before:
        asked.append(round(time.monotonic() - begun))
    probe.skip(CALL)
probe.facts["asked"] = asked
probe.mark("hour over")
probe.mark("end")
