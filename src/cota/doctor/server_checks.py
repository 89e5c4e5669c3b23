"""The links to the server: its address, the way there, its certificate, the device's token, what it is told to run."""

import socket
import ssl
from typing import Any

import httpx2

from cota.doctor.chain import Said, UncheckedError, WrongError
from cota.doctor.facts import SHARED_KEYS, Facts
from cota.doctor.net import TIMEOUT_SECONDS
from cota.drive import answers
from cota.thingsboard import Client, ThingsBoardError, id_of
from cota.thingsboard.address import checked_url, is_loopback

_PORTS = {"http": 80, "https": 443}
_CLIENT_KEYS = ("cota_version", "cota_commit", "cota_last_error", "cota_refused", "cota_trial", "cota_settings", "fw_title", "fw_version")
_URL_PACKAGES_SINCE = "4.2.1.1"
_NOBODY = "no-device-has-this-token"
_NEWEST = 50  # devices whose tokens are compared with the board's, a request each: a board that is looked at was mostly prepared lately


def check_address(facts: Facts) -> Said:
    """The board knows its server."""
    if facts.settings is None:
        if facts.server is None:
            raise UncheckedError("the board's settings were not read")
        return Said(f"{facts.server}, the operator's; the board's own is in its settings.toml")
    server = answers.server_of(facts.settings)
    if server is None:
        raise WrongError(f"{answers.URL} is not set in settings.toml.", "Set it, or run `cota install --url URL`.")
    facts.server = server
    facts.token = facts.token or facts.settings.get(answers.TOKEN, "").strip()
    port = facts.settings.get(answers.PORT, "").strip()
    if port and not (port.isdigit() and 0 < int(port) < 65536):
        raise WrongError(f"{answers.PORT} is not a port's number.", "Give the HTTP port, such as 8080, or leave it out.")
    if port in ("1883", "8883"):
        raise WrongError(f"{answers.PORT} is {port}, which is MQTT's port.", "Give the HTTP port: 8080 on a server of your own, else none.")
    notes = [f"{server} means the board itself to a board; only a simulated one reaches it so."] if answers.only_here(server) else []
    return Said(server, notes)


def check_reachable(facts: Facts) -> Said:
    """Somebody listens there, and has a certificate that is good."""
    url = checked_url(_server(facts))
    port = url.port or _PORTS[url.scheme]
    try:
        with socket.create_connection((url.host.strip("[]"), port), TIMEOUT_SECONDS) as plain:
            if url.scheme == "http":
                return Said("it answers", [] if is_loopback(url.host) else ["Without https the token and everything else travel readably."])
            return _certificate(plain, url.host)
    except socket.gaierror:
        raise WrongError(f"The name {url.host} is not known here.", f"Check {answers.URL}, and this computer's network.") from None
    except ssl.SSLCertVerificationError as error:
        raise WrongError(
            f"{url.host} has no certificate that this computer trusts: {error.verify_message}.",
            "Boards trust public authorities only: use a certificate of one, or http in a network that you trust. "
            "SSL_CERT_FILE names the file of an authority of your own.",
        ) from None
    except ssl.SSLError as error:
        raise WrongError(
            f"{url.host}:{port} does not speak TLS 1.2: {error.reason or error}.",
            "Check the address and the port; a Pico W knows no other TLS, so the server must allow it.",
        ) from None
    except TimeoutError:
        raise WrongError(
            f"{url.host}:{port} does not answer within {TIMEOUT_SECONDS:g} s.", "Check the address, and a firewall on the way."
        ) from None
    except OSError as error:
        raise WrongError(f"{url.host}:{port} cannot be reached: {error.strerror or error}.", "Check that the server runs.") from None


def _certificate(plain: socket.socket, host: str) -> Said:
    """Shake hands as the most limited board does: TLS 1.2 at most."""
    context = ssl.create_default_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with context.wrap_socket(plain, server_hostname=host.strip("[]")) as secure:
        ends = (secure.getpeercert() or {}).get("notAfter", "")
    return Said(f"it answers, with a certificate that is good until {ends}")


def check_token(facts: Facts) -> Said:
    """The server knows the device by the board's token."""
    server = _server(facts)
    if facts.settings is None and not facts.token:
        raise UncheckedError("the device's token is not known")
    if facts.settings is not None and not facts.settings.get(answers.TOKEN, "").strip():
        raise WrongError(f"{answers.TOKEN} is not set in settings.toml.", "`cota install` makes the device and sets it.")
    if problem := answers.check_token(facts.token):
        raise WrongError(problem, f"Copy it anew into {answers.TOKEN}.")
    keys = {"sharedKeys": ",".join(SHARED_KEYS), "clientKeys": ",".join(_CLIENT_KEYS)}
    # The server takes who asks with the board's token for the board, which would then seem alive; so the operator is asked where he knows.
    client = facts.operator() if facts.device is not None else None
    if client is not None and not answers.is_same_server(client.url, server):
        client = None
    try:
        answer = facts.net.get(f"{server}/api/v1/{facts.token if client is None else _NOBODY}/attributes", params=keys)
    except httpx2.HTTPError as error:
        raise UncheckedError(f"the server was not reached: {type(error).__name__}") from None
    if answer.status_code == 401 and client is not None and facts.device is not None:
        facts.token_works = True
        facts.shared = dict(client.telemetry.attributes(id_of(facts.device), "SHARED_SCOPE", SHARED_KEYS))
        facts.client = dict(client.telemetry.attributes(id_of(facts.device), "CLIENT_SCOPE", _CLIENT_KEYS))
        return Said("the server knows the device")
    if answer.status_code == 401:
        facts.token_works = False
        raise WrongError(
            "The server knows no device with this token.",
            f"Copy the device's access token into {answers.TOKEN}, or run `cota install --device NAME`. Was the device deleted?",
        )
    if answer.is_redirect:
        raise WrongError(
            f"{server} sends its callers on to {answer.headers.get('location', '')}.", f"Write that address into {answers.URL}."
        )
    told = _json(answer)
    if not answer.is_success or not isinstance(told, dict):
        raise WrongError(f"{server} answers {answer.status_code}, but not as ThingsBoard does.", f"Check {answers.URL} and {answers.PORT}.")
    facts.token_works = True
    facts.shared, facts.client = told.get("shared", {}), told.get("client", {})
    return Said("the server knows the device")


def check_package(facts: Facts) -> Said:
    """A package is assigned, has reached the device's attributes, and is one that a board takes."""
    notes = []
    wanted: dict[str, Any] | None = None
    profile = ""
    client = facts.operator()
    if client is not None and facts.device_name:
        wanted, profile = _assigned(facts, client)
    if facts.shared is None:
        raise UncheckedError("the device's attributes were not read")
    title, version, url = (str(facts.shared.get(key, "")) for key in ("fw_title", "fw_version", "fw_url"))
    of = f" (profile {profile})" if profile else ""
    if wanted is None and not title:
        raise WrongError(f"No package is assigned to the device{of}.", "Assign one in ThingsBoard, or `cota publish` one.")
    if wanted is not None and (title, version) != (wanted["title"], wanted["version"]):
        raise WrongError(
            f"{wanted['title']} {wanted['version']} is assigned{of}, but the device is not told so yet.",
            "ThingsBoard tells 100 devices a minute. If it stays so, assign it anew; ThingsBoard before "
            f"{_URL_PACKAGES_SINCE} cannot tell packages that have only a URL.",
        )
    if not url:
        raise WrongError(
            f"{title} {version} has no URL: its bytes lie in ThingsBoard, and boards take only packages with the address of a repository.",
            "Make a package with `Use external URL`, or `cota publish`.",
        )
    if _is_number(version):
        notes.append(f"ThingsBoard takes the version {version} for a number and shows it changed; v{version} stays as it is.")
    if wanted is None and facts.access is None:
        notes.append("The profile was not looked at: no credentials of the operator are known.")
    return Said(f"{title} {version}{of}: {url}", notes)


def _assigned(facts: Facts, client: Client) -> tuple[dict[str, Any] | None, str]:
    """The package that counts: the device's own, else its profile's."""
    device = find_device(facts, client)
    if device is None:
        return None, ""
    profile = client.profiles.get(device["deviceProfileId"]["id"])
    firmware = device.get("firmwareId") or profile.get("firmwareId")
    return (client.packages.get(firmware["id"]) if firmware else None), str(profile["name"])


def find_device(facts: Facts, client: Client) -> dict[str, Any] | None:
    """Find the device by its name, and have its token and attributes where they are not known yet; None where it is another board's."""
    if facts.device is None:
        device = client.devices.find(facts.device_name)
        if device is None:
            return None
        try:
            token = client.devices.token(id_of(device))
        except ThingsBoardError:
            token = ""
        if facts.token and token != facts.token:
            return None
        facts.device, facts.token = device, token
    return facts.device


def find_by_token(facts: Facts, client: Client) -> dict[str, Any] | None:
    """Find the device among the newest by the board's token, where its name is not known; None where it is not there."""
    for device in client.devices.newest(_NEWEST) if facts.token else ():
        try:
            token = client.devices.token(id_of(device))
        except ThingsBoardError:
            continue  # deleted meanwhile, or one that signs in with a certificate
        if token == facts.token:
            facts.device, facts.device_name = device, str(device["name"])
            return device
    return None


def _server(facts: Facts) -> str:
    if facts.server is None:
        raise UncheckedError("the server's address is not known")
    return facts.server


def _json(answer: httpx2.Response) -> object:
    try:
        return answer.json()
    except ValueError:
        return None


def _is_number(version: str) -> bool:
    try:
        float(version)
    except ValueError:
        return False
    return True
