"""What ThingsBoard is told, and what it must still be told after a network failure."""

from . import __version__
from .errors import NetworkError, OverTheAirUpdateError, error, sentence
from .journal import IDLE, TRIAL

_MAX_ERROR = 255  # characters of fw_error; titles and versions have no more (ThingsBoard)


class Reporter:
    """Sends states and facts. A report that fails never stops an update: the last one waits for the next contact.

    Attributes:
        greeted: The assigned release's key, as of the last contact that told what this device runs; "" lets the next one tell it again.
    """

    def __init__(self, cloud, drive, board, settings):
        self._cloud = cloud
        self._drive = drive
        self._board = board
        self._settings = settings
        self.greeted = None
        self._waiting = {}

    def contact(self, assigned, record, journal):
        """The server answered a poll: tell it once per start who this is, and what could not be sent before.

        A new release that has reached the server with this is confirmed by the caller, which then calls `updated`.

        Args:
            assigned: The assigned release's key, or "".
            record: The current release's record.
            journal: The journal.
        """
        if assigned != self.greeted:
            if self.greeted is None:
                self.attributes(self._facts(record, journal))
            if record and journal["p"] != TRIAL:
                self._runs(record)
                # The server never compares: a device that runs what is assigned must say so itself.
                if assigned == record["key"]:
                    self._waiting["fw_state"] = "UPDATED"
            if assigned and assigned == journal.get("x"):
                self._waiting["fw_state"] = "FAILED"
                why = journal.get("w")
                done = "undone " if journal["p"] == IDLE else "not undone yet: "
                self._waiting["fw_error"] = (done + why if why else "refused " + sentence(error("refused")))[:_MAX_ERROR]
            self.greeted = assigned
        self.send({})

    def updated(self, record):
        """The new release confirmed itself: UPDATED, with its own title and version."""
        facts = {"cota_commit": record["commit"], "cota_trial": "confirmed", "cota_refused": False, "cota_last_error": ""}
        for name in ("title", "version", "url"):
            facts["fw_" + name] = record[name]
        self.attributes(facts)  # first, so that whoever sees UPDATED finds them
        self._runs(record)
        self.send({"fw_state": "UPDATED", "fw_error": ""})
        self.greeted = record["key"]

    def failed(self, exc, seconds):
        """Tell what failed: a failure that is tried again in `seconds`, or (None) the end of the release."""
        text = exc.code + " " + sentence(exc)
        if seconds is None:
            self.send({"fw_state": "FAILED", "fw_error": text})
        else:
            text = "later: " + text + ", next try in " + str(seconds) + " s"
            self.send({"fw_error": text})
        self.attributes({"cota_last_error": text[:_MAX_ERROR]})

    def send(self, values):
        """Send telemetry, with what still waits; keep it for the next contact where the network fails.

        A fw_state goes alone but for its error, because all values of one post have one time.
        """
        for key in values:
            self._waiting[key] = values[key][:_MAX_ERROR]
        if not self._waiting:
            return
        try:
            self._cloud.post("telemetry", self._waiting)
            self._waiting = {}
        except (NetworkError, OverTheAirUpdateError, MemoryError):
            pass

    def attributes(self, values):
        """Send client attributes; they are sent again at the next start."""
        try:
            self._cloud.post("attributes", values)
        except (NetworkError, OverTheAirUpdateError, MemoryError):
            pass

    def _runs(self, record):
        for name in ("title", "version"):
            self._waiting["current_fw_" + name] = record[name]

    def _facts(self, record, journal):
        facts = self._board.facts()
        facts["free_bytes"] = self._drive.space()[0]
        facts["cota_version"] = __version__
        if record:
            facts["cota_commit"] = record["commit"]
        facts["cota_refused"] = bool(journal.get("x"))
        facts["cota_settings"] = "; ".join(self._settings.problems)
        return facts
