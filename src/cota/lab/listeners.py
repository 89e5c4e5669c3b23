"""Who wants to know when something of a device was written."""

from collections.abc import Callable


class Listeners:
    """Calls everybody who listens; nothing is kept of what happened before."""

    def __init__(self) -> None:
        self._listeners: set[Callable[[str], None]] = set()

    def __len__(self) -> int:
        return len(self._listeners)

    def add(self, listener: Callable[[str], None]) -> None:
        """Call this one from now on, with the id of each device that something is written of."""
        self._listeners.add(listener)

    def remove(self, listener: Callable[[str], None]) -> None:
        """Do not call this one any more."""
        self._listeners.discard(listener)

    def changed(self, entity_id: str) -> None:
        """Tell them."""
        for listener in self._listeners:
            listener(entity_id)
