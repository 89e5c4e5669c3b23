"""The trial of a new release, as far as the program's own calls show how it goes; the guard sees the rest. No clock, no file.

It ends well when this boot ran the recovery's hook, the server answered the new `ota`, and the program ran COTA_TRIAL_SECONDS after that;
with COTA_CONFIRM = "app" the program must also have said `confirm()`.
"""

from .journal import SILENT, TRIAL

DEFAULT_SECONDS = 60
SILENCE_SECONDS = 900  # with Wi-Fi joined and no contact, or no confirm(): the guard is asked for a verdict
DEFAULT_HOURS = 24  # of uptime without any contact
_FIRST_SAVE = 600  # seconds of a run's uptime that are worth a write; the next one comes at twice as much, and again: seven in a day
# When the server first answered in this run, as a list of one or none; the guard looks here when a program goes to deep sleep.
contacts = []


def whole(text, default):
    """A setting that is a whole number below a million, or its default."""
    text = str(text or "")
    return int(text) if text.isdigit() and len(text) < 7 else default


class Trial:
    """One run of a program, seen from the trial.

    Attributes:
        approved: Whether the program has said confirm(), where it must.
    """

    def __init__(self, getenv, now):
        self._started = now
        self._seconds = whole(getenv("COTA_TRIAL_SECONDS"), DEFAULT_SECONDS)
        self._hours = whole(getenv("COTA_TRIAL_HOURS"), 0) or DEFAULT_HOURS
        self.approved = getenv("COTA_CONFIRM") != "app"

    def contact(self, now):
        """The server answered."""
        if not contacts:
            contacts.append(now)

    def ends_well(self, journal, now, hooked):
        """Whether the release is to be confirmed now. `hooked`: boot.py carries the recovery's hook, which must then have run."""
        proven = journal["p"] == TRIAL and contacts and self.approved and (journal["b"] or not hooked)
        return proven and now - contacts[0] >= self._seconds

    def verdict(self, journal, now, joined):
        """What the guard is to be asked: the server does not answer, or the program does not confirm. None: nothing is to be written.

        0: nothing is asked, but the journal, with the uptime so far, is to be written, because a power cut would begin the hours anew.
        """
        if journal["p"] != TRIAL or (contacts and self.approved):
            return None
        late = journal["M"] and not contacts and journal["u"] + now > self._hours * 3600
        if late or (now - self._started >= SILENCE_SECONDS and (contacts or joined)):
            return SILENT
        if now < 2 * journal.get("i", 0) + _FIRST_SAVE:
            return None
        journal["i"] = now
        return 0
