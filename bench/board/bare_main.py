"""A program that does nothing: what it holds is what any program holds."""

import probe
import wifi

wifi.radio.connected  # noqa: B018
probe.rest()
probe.mark("rest")
probe.mark("end")
