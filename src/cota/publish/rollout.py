"""A release goes to canaries, and to their profile when it has proved itself there.

Everything can be done again: what is so already is left alone, so a rollout that was stopped goes on where it was.
"""

from cota.publish.canaries import try_on_canaries
from cota.publish.course import Course, EndedError, Listener, Outcome, Pace
from cota.publish.package import make_package
from cota.publish.release import Release
from cota.publish.target import Target, assign
from cota.publish.wave import Wave, look_at
from cota.thingsboard import Client, id_of
from cota.thingsboard.users import package_of


def roll_out(client: Client, release: Release, target: Target, share: int, pace: Pace, tell: Listener, *, retry: bool = False) -> Outcome:
    """Publish a release, give it to canaries, and give it to their profile once all of them run it.

    A canary has the package itself until then; afterwards it follows its profile again. If a canary gives the release up, it keeps it
    assigned, so that its state and error stay to be seen, and the profile is not touched.

    Args:
        client: The server.
        release: What is rolled out; no board may refuse it.
        target: The profile, and the canaries.
        share: How many of a hundred of the profile's boards must run it before this ends; 0 does not wait.
        pace: How long to wait.
        tell: Who hears of it.
        retry: Whether canaries that gave this release up are told to try it again.

    Raises:
        CotaError: Title and version are taken by another release, or the server refuses, or could not be asked to the end.
    """
    package, made = make_package(client, release, target.profile)
    tell.published(package, made)
    course = Course(client, package, target, pace, tell)
    try:
        try_on_canaries(course, retry)
        _give_to_profile(course)
        return _wait_for_fleet(course, share) if share else Outcome("done")
    except EndedError as end:
        return end.outcome


def _give_to_profile(course: Course) -> None:
    now = course.profile_now()
    if now not in (course.before, id_of(course.package)):
        raise EndedError(
            Outcome(
                "profile",
                f"Somebody gave the profile {course.target.profile['name']} another release meanwhile.",
                "It was left so. Ask who did; run this again to give it this release.",
            )
        )
    course.tell.assigned(assign(course.client, course.package, Target(course.client.profiles.get(id_of(course.target.profile)), None)))
    for canary in course.target.devices or ():
        device = course.client.devices.find(str(canary["name"]))
        if device is not None and package_of(device) == id_of(course.package):
            course.client.devices.assign(id_of(device), None)


def _wait_for_fleet(course: Course, share: int) -> Outcome:
    profile_id, name = id_of(course.target.profile), str(course.target.profile["name"])
    own = (None, id_of(course.package))
    members = {id_of(info) for info in course.client.devices.infos(profile_id=profile_id) if package_of(info) in own}
    shown: tuple[int, int] | None = None

    def look() -> Wave:
        nonlocal shown
        if course.profile_now() != id_of(course.package):
            raise EndedError(Outcome("fleet", f"Somebody gave the profile {name} another release meanwhile.", "Ask who did."))
        wave = look_at((board for board in course.boards([name], None) if board.id in members), course.name, share)
        if shown != (len(wave.updated), len(wave.failed)):
            shown = (len(wave.updated), len(wave.failed))
            course.tell.wave(wave)
        return wave

    wave = course.wait(look, course.pace.fleet_seconds)
    hint = "The profile keeps the release, and boards that were off take it later. `cota status` says why boards failed; "
    hint += "`cota assign` gives the profile an older release."
    if wave.verdict == "lost":
        return Outcome("fleet", f"{len(wave.failed)} of {wave.total} boards gave the release up: {wave.why()}", hint, wave)
    if wave.verdict == "open":
        return Outcome("fleet", f"Time is up: {wave.where()}", hint, wave)
    return Outcome("done", wave=wave)
