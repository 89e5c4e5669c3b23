"""`cota lab` as a process: what it says, how it ends, and that a kill loses nothing acknowledged."""

import contextlib
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner
from lab_operator import PASSWORD, Operator, unique, until
from lab_process import SECONDS

from cota.cli.lab import command, read_repositories
from cota.errors import CotaError
from cota.git.make import commit_tree, create_repository
from cota.lab.server import Lab, LabConfig, running_lab


def test_the_password_is_made_once_and_kept(start: Any, tmp_path: Path) -> None:
    first = start("--db", str(tmp_path / "new" / "lab.db"))
    assert set(first.facts) == {"url", "username", "password"}
    Operator(first.facts["url"], first.facts["username"], first.facts["password"]).http.close()
    first.process.send_signal(signal.SIGINT)
    assert first.end()[0] == 0
    second = start("--db", str(tmp_path / "new" / "lab.db"))
    assert set(second.facts) == {"url", "username"}
    Operator(second.facts["url"], second.facts["username"], first.facts["password"]).http.close()


def test_the_environment_sets_the_password_and_it_is_not_shown(start: Any) -> None:
    lab = start("--memory", COTA_LAB_PASSWORD="from outside")
    assert set(lab.facts) == {"url", "username"}
    Operator(lab.facts["url"], lab.facts["username"], "from outside").http.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_also_with_open_polls(start: Any, number: signal.Signals) -> None:
    lab = start("--memory", COTA_LAB_PASSWORD=PASSWORD)
    operator = Operator(lab.facts["url"], lab.facts["username"], PASSWORD)
    device, token = operator.device()
    poll = f"GET /api/v1/{token}/attributes/updates?timeout=25000 HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    body = b'{"method": "x", "timeout": 25000}'
    call = f"POST /api/rpc/twoway/{device['id']['id']} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n".encode()
    call += f"X-Authorization: {operator.http.headers['X-Authorization']}\r\n\r\n".encode() + body
    half = b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
    with contextlib.ExitStack() as stack:
        address = ("127.0.0.1", httpx2.URL(lab.facts["url"]).port or 0)
        waiting = []
        for request in (poll, poll, call, half):
            waiting.append(stack.enter_context(socket.create_connection(address, SECONDS)))
            waiting[-1].sendall(request)
        until(lambda: operator.attributes(device, "SERVER_SCOPE").get("active") is True)
        operator.device()  # the lab answers in turn: by now it holds the requests that came before
        lab.process.send_signal(number)
        code, _ = lab.end()
        answers = [connection.recv(12) for connection in waiting[:3]]
    assert code == (0 if number == signal.SIGINT else -signal.SIGTERM)
    assert answers == [b"HTTP/1.1 503"] * 3
    operator.http.close()


def _acknowledge(operator: Operator, device: dict[str, Any], tokens: list[str], done: list[tuple[str, str, int]]) -> None:
    """Write until the lab is gone; record only what it said yes to."""

    def work(kind: str) -> None:
        with httpx2.Client(base_url=operator.url, headers=operator.http.headers, timeout=SECONDS) as client:
            for number in range(100_000):
                key = f"{kind}{number}"
                try:
                    if kind == "telemetry":
                        answer = client.post(f"/api/v1/{tokens[0]}/telemetry", json={key: number})
                    elif kind == "client":
                        answer = client.post(f"/api/v1/{tokens[0]}/attributes", json={key: number})
                    elif kind == "shared":
                        answer = client.post(f"/api/plugins/telemetry/DEVICE/{device['id']['id']}/SHARED_SCOPE", json={key: number})
                    else:
                        answer = client.post("/api/device", json={"name": key, "label": str(number)})
                except httpx2.HTTPError:
                    return
                assert answer.status_code == 200
                done.append((kind, key, number))

    threads = [threading.Thread(target=work, args=(kind,)) for kind in ("telemetry", "client", "shared", "device")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)


@pytest.mark.parametrize("round_number", range(3))
def test_a_kill_loses_nothing_that_was_acknowledged(start: Any, tmp_path: Path, round_number: int) -> None:
    lab = start("--db", str(tmp_path / "lab.db"), COTA_LAB_PASSWORD=PASSWORD)
    operator = Operator(lab.facts["url"], lab.facts["username"], PASSWORD)
    profile = operator.profile()
    device, token = operator.device(profile)
    package = operator.package(profile, b"data" * 50_000)
    done: list[tuple[str, str, int]] = []
    writer = threading.Thread(target=_acknowledge, args=(operator, device, [token], done))
    writer.start()
    until(lambda: len(done) >= 150 * (round_number + 1), seconds=SECONDS)
    lab.process.send_signal(signal.SIGKILL)
    lab.end()
    writer.join(SECONDS)
    operator.http.close()
    with running_lab(LabConfig(db=tmp_path / "lab.db", password=PASSWORD)) as again:
        operator = Operator(again.url, again.username, PASSWORD)
        found = {
            "telemetry": operator.latest(device),
            "client": operator.attributes(device, "CLIENT_SCOPE"),
            "shared": operator.attributes(device, "SHARED_SCOPE"),
            "device": {one["name"]: int(one["label"] or 0) for one in operator.get("/api/tenant/devices", pageSize=10_000, page=0)["data"]},
        }
        lost = [(kind, key) for kind, key, number in done if found[kind].get(key) != number]
        assert lost == []
        assert {kind for kind, _, _ in done} == set(found)
        assert operator.http.get(f"/api/otaPackage/{package['id']['id']}/download").content == b"data" * 50_000
        operator.http.close()


def test_a_person_reads_where_it_is_and_gets_the_password_on_stderr(tmp_path: Path) -> None:
    path = create_repository(tmp_path / "app")
    commit_tree(path, {"code.py": b"print(1)\n"})
    arguments = ["lab", "--port", "0", "--memory", "--repo", f"acme/app={path}"]
    process = subprocess.Popen(
        [sys.executable, "-c", "from cota.cli import main; main()", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    lines = [process.stderr.readline() for _ in range(5)]
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=SECONDS)
    assert (out, process.returncode) == ("", 0)
    assert lines[0].startswith("cota lab on http://127.0.0.1:")
    assert re.fullmatch(r"  page      http://127\.0\.0\.1:\d+/page/\n", lines[1])
    assert "tenant@thingsboard.org" in lines[2]
    assert "password" in lines[3]
    assert lines[4].rstrip().endswith("/acme/app")
    assert errors == "stopped\n"


def test_each_trouble_at_the_start_is_one_clear_error(start: Any, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        other_file, folder = tmp_path / "other.db", tmp_path / "folder"
        other_file.write_bytes(b"something else entirely, and long enough to be a header of a file" * 20)
        folder.mkdir()
        (tmp_path / "cert.pem").write_text("no certificate")
        for arguments, text in (
            (["--memory", "--port", str(taken.getsockname()[1])], "is taken"),
            (["--memory", "--host", "no.such.host.invalid"], "cannot listen on"),
            (["--memory", "--host", "203.0.113.1"], "cannot listen on"),
            (["--db", str(other_file)], "cannot use the lab's database"),
            (["--db", str(other_file / "below")], "cannot use the lab's database"),
            (["--memory", "--repo", str(folder)], str(folder)),
            (["--memory", "--repo", f"acme/app={tmp_path / 'missing'}"], "missing"),
            (["--memory", "--certfile", str(tmp_path / "cert.pem"), "--keyfile", str(tmp_path / "cert.pem")], "cannot use the certificate"),
            (["--memory", "--db", str(folder / "x.db")], "exclude each other"),
            (["--memory", "--certfile", str(tmp_path / "cert.pem")], "go together"),
        ):
            lab = start(*arguments)
            code, errors = lab.end()
            assert (code, lab.facts) == (2, {}), arguments
            assert text in errors
            assert "Traceback" not in errors


def test_a_second_lab_on_the_same_database_is_refused(start: Any, tmp_path: Path) -> None:
    with running_lab(LabConfig(db=tmp_path / "lab.db", password=PASSWORD)):
        code, errors = start("--db", str(tmp_path / "lab.db")).end()
    assert code == 2
    assert "Another cota lab is using it" in errors


def test_repositories_are_named_by_owner_and_name_or_by_their_folder(tmp_path: Path) -> None:
    assert read_repositories(("acme/weather=/srv/w", "/srv/other.git", "/srv/plain")) == {
        "acme/weather": Path("/srv/w"),
        "local/other": Path("/srv/other.git"),
        "local/plain": Path("/srv/plain"),
    }
    (tmp_path / "a=b").mkdir()
    assert read_repositories((str(tmp_path / "a=b"),)) == {"local/a=b": tmp_path / "a=b"}
    with pytest.raises(CotaError, match="two repositories are named local/plain"):
        read_repositories(("/srv/plain", "/elsewhere/plain"))


def test_the_help_names_every_option() -> None:
    text = CliRunner().invoke(command, ["--help"]).output
    for option in ("--host", "--port", "--db", "--memory", "--repo", "--ota-pace", "--rate-limit", "--json", "--certfile", "--keyfile"):
        assert option in text


def test_it_counts_requests_and_bytes_by_kind(tmp_path: Path) -> None:
    path = create_repository(tmp_path / "app")
    commit_tree(path, {"code.py": b"print(1)\n"})
    with running_lab(LabConfig(password=PASSWORD, repositories={"acme/app": path})) as lab:
        assert lab.counters() == {kind: {"requests": 0, "bytes_out": 0} for kind in ("thingsboard", "git-api", "git-raw", "git-web")}
        sizes = {}
        for kind, where in (
            ("thingsboard", "/api/auth/user"),
            ("git-api", "/api/v3/repos/acme/app/git/trees/main"),
            ("git-raw", "/raw/acme/app/main/code.py"),
            ("git-web", "/acme/app"),
        ):
            sizes[kind] = len(httpx2.get(lab.url + where, headers={"User-Agent": "test", "Accept-Encoding": "identity"}).content)
        assert lab.counters() == {kind: {"requests": 1, "bytes_out": size} for kind, size in sizes.items()}
        assert sizes["git-raw"] == len(b"print(1)\n")


def test_a_lab_that_cannot_start_leaves_nothing_open(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "lab.db").write_bytes(b"not a database at all, but long enough to look at as one" * 10)
    with pytest.raises(CotaError, match="cannot use the lab's database"):
        Lab(LabConfig(db=tmp_path / "lab.db", port=port))
    with running_lab(LabConfig(port=port)) as lab:
        assert lab.port == port


def test_a_password_is_not_made_by_a_start_that_fails(tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("no certificate")
    with pytest.raises(CotaError, match="cannot use the certificate"):
        Lab(LabConfig(db=tmp_path / "lab.db", certfile=tmp_path / "bad.pem", keyfile=tmp_path / "bad.pem"))
    with running_lab(LabConfig(db=tmp_path / "lab.db")) as lab:
        assert lab.password_is_new


def test_it_serves_tls(tmp_path: Path) -> None:
    import ssl

    import trustme

    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    for part in certificate.cert_chain_pems:
        part.write_to_path(tmp_path / "cert.pem", append=True)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    config = LabConfig(password=PASSWORD, certfile=tmp_path / "cert.pem", keyfile=tmp_path / "key.pem")
    with running_lab(config) as lab, httpx2.Client(base_url=lab.url, verify=context) as client:
        assert lab.url.startswith("https://")
        assert client.get(f"/api/v1/{unique('nobody')}/attributes").status_code == 401
