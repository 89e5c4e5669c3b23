"""The trial of a new release, as far as the program's own calls show how it goes; the guard sees the rest. No clock, no file.

It ends well when this boot ran the recovery's hook, the server answered the new `ota`, and the program ran COTA_TRIAL_SECONDS after that;
with COTA_CONFIRM = "app" the program must also have said `confirm()`.
"""

from .journal import GIVE_UP, SILENT, TRIAL

DEFAULT_SECONDS = 60
SILENCE_SECONDS = 900  # with Wi-Fi joined and no contact, or no confirm(): the guard is asked for a verdict
DEFAULT_HOURS = 24  # of uptime without any contact
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
        """What the guard is to be asked, or 0: the server does not answer, or the program does not confirm."""
        if journal["p"] != TRIAL:
            return 0
        if journal["M"] and not contacts and journal["u"] + now > self._hours * 3600:
            return GIVE_UP
        if now - self._started < SILENCE_SECONDS or (not contacts and not joined):
            return 0
        return 0 if contacts and self.approved else SILENT
