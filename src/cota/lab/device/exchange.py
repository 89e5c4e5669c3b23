"""What a device says and reads, whichever door it comes through: HTTP and MQTT differ in how they wrap this, not in what it does."""

from collections.abc import Sequence
from typing import Any

from cota.lab.clock import now_ms
from cota.lab.data import values
from cota.lab.data.attributes import CLIENT, SHARED, Attributes
from cota.lab.data.store import Store
from cota.lab.data.timeseries import Timeseries
from cota.lab.device.activity import Activity


class Exchange:
    """Telemetry and attributes of devices; every call counts as the device's activity."""

    def __init__(self, store: Store, attributes: Attributes, timeseries: Timeseries, activity: Activity) -> None:
        self._store, self._attributes, self._timeseries, self._activity = store, attributes, timeseries, activity
        self._last_post: dict[str, int] = {}  # device -> time of its last telemetry

    def read(self, device_id: str, client_keys: Sequence[str], shared_keys: Sequence[str]) -> dict[str, Any]:
        """Return the values that exist; a scope without any is absent. No keys at all ask for everything."""
        self._activity.heard(device_id)
        asked = {"client": client_keys, "shared": shared_keys}
        everything = not any(asked.values())
        answer = {}
        for name, scope in (("client", CLIENT), ("shared", SHARED)):
            if everything or asked[name]:
                found = self._attributes.values(device_id, scope, asked[name] or None)
                if found:
                    answer[name] = found
        return answer

    def save_attributes(self, device_id: str, parsed: Any) -> None:
        """Store client attributes; a value that stays the same keeps its time.

        Raises:
            PayloadError: They have another shape.
        """
        pairs = values.attributes(parsed)
        self._activity.heard(device_id)
        with self._store.unit():
            self._attributes.save(device_id, CLIENT, pairs, now_ms(), only_changes=True)

    def save_telemetry(self, device_id: str, parsed: Any) -> None:
        """Store telemetry of any of the three shapes.

        Raises:
            PayloadError: It has another shape.
        """
        # History keeps one value a key and millisecond: on loopback two posts of a device fit in one, and a state would be lost.
        now = max(now_ms(), self._last_post.get(device_id, 0) + 1)
        samples = values.telemetry(parsed, now)
        self._last_post[device_id] = now
        self._activity.heard(device_id)
        with self._store.unit():
            self._timeseries.save(device_id, samples)

    def forget(self, device_id: str) -> None:
        """Drop what is known of a device that was deleted."""
        self._last_post.pop(device_id, None)


def keys_of(texts: Sequence[str]) -> list[str]:
    """Return the keys of comma-separated lists; several lists count as one."""
    return [key for text in texts for key in text.split(",") if key]
