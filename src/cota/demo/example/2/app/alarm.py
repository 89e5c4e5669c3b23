"""An alarm that does not flutter: it goes off at a limit, and out only when the temperature is well inside again."""


class Alarm:
    def __init__(self, low, high, margin):
        self._low, self._high, self._margin = low, high, margin
        self._rings = False

    def look(self, celsius):
        margin = self._margin if self._rings else 0
        self._rings = not self._low + margin <= celsius <= self._high - margin
        return "ALARM" if self._rings else ""
