"""All links, in the order in which an update goes through them."""

from collections.abc import Mapping
from functools import partial

from cota.doctor import drive_checks, report_checks, server_checks, source_checks
from cota.doctor.chain import Said, Step, UncheckedError, WrongError, walk
from cota.doctor.facts import Facts
from cota.drive.answers import is_same_server
from cota.drive.boot_out import BoardInfo
from cota.thingsboard import ThingsBoardError


def examine(facts: Facts, board: BoardInfo | None, tree: Mapping[str, bytes]) -> list[Step]:
    """Look at every link.

    Args:
        facts: What is known at the start; filled in on the way.
        board: The board of the drive; None where no drive was named.
        tree: The device tree as it goes on a drive.
    """
    checks = (
        ("board", partial(drive_checks.check_board, facts, board)),
        ("files", partial(drive_checks.check_files, facts, tree)),
        ("settings", partial(drive_checks.check_settings, facts)),
        ("Wi-Fi", partial(drive_checks.check_wifi, facts)),
        ("address", partial(server_checks.check_address, facts)),
        ("server", partial(server_checks.check_reachable, facts)),
        ("device", partial(_check_device, facts)),
        ("token", partial(server_checks.check_token, facts)),
        ("package", partial(server_checks.check_package, facts)),
        ("repository", partial(source_checks.check_source, facts)),
        ("rate limit", partial(source_checks.check_limit, facts)),
        ("report", partial(report_checks.check_report, facts)),
    )
    try:
        return walk(checks, facts.secrets)
    finally:
        facts.close()


def _check_device(facts: Facts) -> Said:
    """The operator may look at the device, which is this board's."""
    client = facts.operator()
    if client is None:
        raise UncheckedError("no credentials of the operator are known", "Sign in with `cota login`.")
    try:
        there = client.devices.find(facts.device_name) if facts.device_name else None
    except ThingsBoardError as error:
        if error.status == 401 and facts.access is not None and facts.access.api_key:
            raise WrongError(error.message, f"{error.hint} ThingsBoard has API keys since 4.3; an older one refuses every key.") from error
        raise
    device = server_checks.find_device(facts, client) if there is not None else None
    if device is None and not facts.named:
        device = server_checks.find_by_token(facts, client)
        if device is None:
            raise UncheckedError("it is not known which device the board is", "Give its name: `cota doctor --device NAME`.")
    elif there is None:
        raise WrongError(f"{client.url} has no device named {facts.device_name}.", "Check the name; it may have been deleted meanwhile.")
    elif device is None:
        raise WrongError(f"The device {facts.device_name} has another token than the board.", "Run `cota install --device` with its name.")
    elsewhere = facts.server is not None and not is_same_server(client.url, facts.server)
    notes = [f"It was looked for at {client.url}, where you are signed in; the board asks {facts.server}."] if elsewhere else []
    return Said(f"{facts.device_name}, profile {device.get('type')}", notes)
