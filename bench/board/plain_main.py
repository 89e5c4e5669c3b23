"""The same program around the plain updater."""

import os

import plain_updater
import probe
import wifi

wifi.radio.connect(os.getenv("WIFI_SSID"), os.getenv("WIFI_PASSWORD"))
updater = plain_updater.PlainUpdater(os.getenv("THINGSBOARD_URL"), os.getenv("THINGSBOARD_PORT"), os.getenv("THINGSBOARD_DEVICE_TOKEN"))
updater.check()
probe.mark("contact")
for _ in range(probe.options["polls"]):
    updater.check()
probe.mark("polled")
probe.rest()
updater.check()
if probe.mark("assign"):
    probe.rest()
    if not updater.check():
        raise RuntimeError("the release was not seen")
    updater.update()
probe.mark("end")
