"""An exponentially weighted mean: one number of memory in place of a list."""


class Ewma:
    def __init__(self, weight):
        self._weight = weight
        self._value = None

    def add(self, value):
        self._value = value if self._value is None else self._value + self._weight * (value - self._value)
        return self._value
