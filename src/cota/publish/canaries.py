"""The first stage of a rollout: the canaries have the release themselves, until all of them run it."""

from cota.publish.course import Course, EndedError, Outcome
from cota.publish.target import Target, assign
from cota.publish.wave import Wave, look_at
from cota.thingsboard import id_of
from cota.thingsboard.telemetry import new_retry_mark
from cota.thingsboard.users import package_of


def try_on_canaries(course: Course, retry: bool) -> None:
    """Give the canaries the release, and wait until all of them run it.

    Args:
        course: The rollout.
        retry: Whether canaries that gave this release up are told to try it again.

    Raises:
        EndedError: One gave it up, is gone or was given something else, or time is up.
    """
    canaries = course.target.devices or ()
    given = tuple(one for one in canaries if (package_of(one) or course.before) != id_of(course.package))
    if given:
        outcomes = assign(course.client, course.package, Target(course.target.profile, given))
        course.tell.assigned(outcomes)
        problems = [f"{one['device']}: {one['problem']}" for one in outcomes if one.get("problem")]
        if problems:
            reason = f"A canary could not be given the release. {'; '.join(problems)}"
            raise EndedError(Outcome("canary", reason, "Name another canary."))
    ids = [id_of(one) for one in canaries]
    old = _tell_to_retry(course, ids) if retry else {}
    shown: dict[str, tuple[str, str]] = {}

    def look() -> Wave:
        boards = course.boards(None, ids)
        _check(course, {board.id for board in boards})
        for board in boards:
            if shown.get(board.id) != (board.state, board.error):
                shown[board.id] = (board.state, board.error)
                course.tell.board(board)
        return look_at(boards, course.name, 100, old)

    wave = course.wait(look, course.pace.canary_seconds)
    if wave.verdict == "lost":
        hint = "The profile was not touched. Mend the release and give it a new version; or try the same one again with --retry."
        raise EndedError(Outcome("canary", f"The canary gave the release up. {wave.why()}", hint, wave))
    if wave.verdict == "open":
        hint = "The profile was not touched. Look at the board, and run this again: it goes on where it was."
        raise EndedError(Outcome("canary", f"Time is up: {wave.where()}", hint, wave))


def _check(course: Course, seen: set[str]) -> None:
    """End where a canary is gone, or was given something else: no wait would help."""
    for canary in course.target.devices or ():
        now = course.client.devices.find(str(canary["name"])) if id_of(canary) in seen else None
        if now is None or id_of(now) != id_of(canary):
            raise EndedError(Outcome("canary", f"The canary {canary['name']} was deleted meanwhile.", "Name another canary."))
        own = package_of(now)
        if own != id_of(course.package) and (own or course.profile_now()) != id_of(course.package):
            reason = f"Somebody gave the canary {canary['name']} something else meanwhile."
            raise EndedError(Outcome("canary", reason, "Ask who did; run this again to go on with this release."))


def _tell_to_retry(course: Course, ids: list[str]) -> dict[str, int | None]:
    """Tell the canaries that gave this release up to try again; gives their failures, which do not count any more."""
    failed = look_at(course.boards(None, ids), course.name, 100).failed
    mark = new_retry_mark()
    for board in failed:
        course.client.telemetry.tell_to_retry(board.id, mark)
    return {board.id: board.changed for board in failed}
