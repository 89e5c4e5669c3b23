"""What the client does when the server refuses, lies, hangs up or is not there."""

import contextlib
import socket
import ssl
import subprocess
import sys
import threading

import pytest
import trustme
from scripted_server import LOGIN, answer, scripted

from cota.errors import CotaError
from cota.thingsboard import Client, ThingsBoardError

SECRET = "pa55-word"


def client(url: str, timeout: float = 10.0) -> Client:
    return Client(url, username="tenant@x", password=SECRET, timeout=timeout)


def error_body(status: int, message: str, code: int) -> bytes:
    return answer(status, {"status": status, "message": message, "errorCode": code, "timestamp": 1})


def test_the_first_call_signs_in_and_the_next_does_not() -> None:
    with scripted([LOGIN, answer(200, {"name": "t"}), answer(200, {"name": "t"})]) as server, client(server.url) as tb:
        tb.user()
        assert tb.user() == {"name": "t"}
        assert server.lines == ["POST /api/auth/login", "GET /api/auth/user", "GET /api/auth/user"]
        assert b"X-Authorization: Bearer tok-one" in server.seen[1]


def test_an_expired_token_is_refreshed_and_the_call_repeated() -> None:
    expired = error_body(401, "Token has expired", 11)
    fresh = answer(200, {"token": "tok-two", "refreshToken": "ref-two"})
    with scripted([LOGIN, expired, fresh, answer(200, {"name": "t"})]) as server, client(server.url) as tb:
        assert tb.user() == {"name": "t"}
        assert server.lines[2] == "POST /api/auth/token"
        assert b"ref-one" in server.seen[2]
        assert b"Bearer tok-two" in server.seen[3]


def test_where_the_refresh_fails_too_it_signs_in_again() -> None:
    expired = error_body(401, "Token has expired", 11)
    with scripted([LOGIN, expired, expired, LOGIN, answer(200, {"name": "t"})]) as server, client(server.url) as tb:
        assert tb.user() == {"name": "t"}
        assert server.lines[2:] == ["POST /api/auth/token", "POST /api/auth/login", "GET /api/auth/user"]


def test_a_server_that_never_takes_the_token_ends_the_call() -> None:
    refused = error_body(401, "Authentication failed", 10)
    with scripted([LOGIN, refused, LOGIN, refused]) as server, client(server.url) as tb:
        with pytest.raises(ThingsBoardError) as caught:
            tb.user()
        assert (caught.value.status, caught.value.error_code) == (401, 10)
        assert len(server.seen) == 4


def test_a_wrong_password_says_so_once() -> None:
    with scripted([error_body(401, "Invalid username or password", 10)]) as server, client(server.url) as tb:
        with pytest.raises(ThingsBoardError, match="Invalid username or password") as caught:
            tb.user()
        assert caught.value.hint is not None
        assert "password" in caught.value.hint
        assert SECRET not in str(caught.value)
        assert len(server.seen) == 1


def test_an_api_key_is_sent_and_never_signs_in() -> None:
    with scripted([error_body(401, "API key is expired", 10)]) as server, Client(server.url, api_key="tb_key") as tb:
        with pytest.raises(ThingsBoardError, match="API key is expired"):
            tb.user()
        assert server.lines == ["GET /api/auth/user"]
        assert b"X-Authorization: ApiKey tb_key" in server.seen[0]


def test_a_second_factor_is_named() -> None:
    login = answer(200, {"token": "t", "scope": "PRE_VERIFICATION_TOKEN"})
    with scripted([login]) as server, client(server.url) as tb, pytest.raises(ThingsBoardError, match="second factor"):
        tb.user()


@pytest.mark.parametrize(
    ("status", "body", "said", "hint"),
    [
        (403, {"message": "You don't have permission", "errorCode": 20}, "permission", "tenant administrator"),
        (404, {"message": "Requested item wasn't found!", "errorCode": 32}, "wasn't found", "Check the name or id"),
        (404, "Device with requested id wasn't found!", "wasn't found", "Check the name or id"),
        (404, None, "answered 404", "not how ThingsBoard answers"),
        (413, "Maximum upload size exceeded", "Maximum upload size", "16 MiB"),
        (429, {"message": "Too many requests for current tenant!", "errorCode": 33}, "Too many requests", "wait a minute"),
        (500, {"message": "x" * 5000, "errorCode": 2}, "xxx", "log"),
        (503, None, "answered 503", "starting"),
    ],
)
def test_each_refusal_has_its_message_and_what_to_do(status: int, body: object, said: str, hint: str) -> None:
    with scripted([LOGIN, answer(status, body)]) as server, client(server.url) as tb, pytest.raises(ThingsBoardError) as caught:
        tb.user()
    assert said in caught.value.message
    assert caught.value.hint is not None
    assert hint in caught.value.hint
    assert caught.value.status == status
    assert len(caught.value.message) < 500


def test_plain_text_of_a_server_is_passed_on_and_a_page_is_not() -> None:
    answers = [LOGIN, answer(400, b"Invalid JSON", kind="text/plain"), answer(502, b"<html>x", kind="text/html")]
    with scripted(answers) as server, client(server.url) as tb:
        with pytest.raises(ThingsBoardError, match="Invalid JSON"):
            tb.user()
        with pytest.raises(ThingsBoardError) as caught:
            tb.user()
    assert "html" not in str(caught.value)


def test_a_server_that_repeats_a_secret_does_not_make_us_print_it() -> None:
    with scripted([LOGIN, error_body(400, f"bad {SECRET} and tok-one", 31)]) as server, client(server.url) as tb:
        with pytest.raises(ThingsBoardError) as caught:
            tb.user()
        shown = f"{caught.value} {caught.value!r} {caught.value.server_message} {tb!r} {tb.devices!r} {vars(tb)}"
    assert SECRET not in shown
    assert "tok-one" not in shown
    assert "bad *** and ***" in shown


def test_something_that_is_not_thingsboard_is_named_so() -> None:
    page = answer(200, b"<html>welcome", kind="text/html")
    with scripted([page]) as server, client(server.url) as tb, pytest.raises(ThingsBoardError, match="not as ThingsBoard does"):
        tb.user()
    with (
        scripted([answer(200, ["x"])]) as server,
        client(server.url) as tb,
        pytest.raises(ThingsBoardError, match="not as ThingsBoard does"),
    ):
        tb.user()
    for strange in (["x"], None, {"no": "data"}):
        with (
            scripted([LOGIN, answer(200, strange)]) as server,
            client(server.url) as tb,
            pytest.raises(ThingsBoardError, match="not as ThingsBoard"),
        ):
            list(tb.packages.list())
    moved = answer(301, None, "Location: https://elsewhere.example/api\r\n")
    with scripted([moved]) as server, client(server.url) as tb, pytest.raises(ThingsBoardError, match=r"on to https://elsewhere\.example"):
        tb.user()


def test_a_get_is_tried_once_more_after_a_dropped_connection() -> None:
    with scripted([LOGIN, b"", answer(200, {"name": "t"})]) as server, client(server.url) as tb:
        assert tb.user() == {"name": "t"}
        assert server.lines[1:] == ["GET /api/auth/user"] * 2
    with scripted([LOGIN, b"", b""]) as server, client(server.url) as tb:
        with pytest.raises(ThingsBoardError, match="broke during GET"):
            tb.user()
        assert len(server.seen) == 3


def test_a_post_that_makes_something_is_not_repeated() -> None:
    with scripted([LOGIN, b"", answer(200, {})]) as server, client(server.url) as tb:
        with pytest.raises(ThingsBoardError, match="broke during POST /api/device"):
            tb.devices.create("d")
        assert len(server.seen) == 2


def test_an_upload_is_repeated_with_the_same_bytes() -> None:
    with scripted([LOGIN, b"", answer(200, {"id": 1})]) as server, client(server.url) as tb:
        tb.packages.upload("p1", "app.bin", b"\0\1payload")
        first, second = server.seen[1:]
        assert b"\0\1payload" in first
        assert b"\0\1payload" in second
        assert b"checksum=" in first.split(b"\r\n")[0]


def test_a_save_that_lost_a_race_is_done_anew_with_the_newer_object() -> None:
    conflict = error_body(409, "Entity was changed", 35)
    old, new = answer(200, {"version": 1, "odd": None, "firmwareId": None}), answer(200, {"version": 2, "odd": "x", "firmwareId": None})
    with scripted([LOGIN, old, conflict, new, answer(200, {"version": 3})]) as server, client(server.url) as tb:
        assert tb.devices.assign("d1", "p1") == {"version": 3}
        assert b'"version":2,"odd":"x","firmwareId":{"entityType":"OTA_PACKAGE","id":"p1"}' in server.seen[4]


def test_a_save_that_always_loses_gives_up() -> None:
    conflict = error_body(409, "Entity was changed", 35)
    with scripted([LOGIN, *[answer(200, {"version": 1}), conflict] * 3]) as server, client(server.url) as tb:
        with pytest.raises(ThingsBoardError, match="Entity was changed") as caught:
            tb.profiles.assign("p1", None)
        assert caught.value.status == 409
        assert len(server.seen) == 7


def test_a_closed_port_says_how_to_start_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with client(f"http://127.0.0.1:{port}") as tb, pytest.raises(ThingsBoardError, match="cannot be reached") as caught:
        tb.user()
    assert caught.value.status is None
    assert "cota lab" in str(caught.value)


def test_a_silent_server_ends_by_its_timeout() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        client(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.2) as tb,
        pytest.raises(ThingsBoardError, match=r"did not answer POST /api/auth/login within 0\.2 s"),
    ):
        tb.user()


def test_a_certificate_that_nobody_vouches_for_is_named() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with (
        scripted([b"", b""], tls=context) as server,
        client(f"https://127.0.0.1:{server.port}") as tb,
        pytest.raises(ThingsBoardError, match="no TLS certificate that this machine trusts") as caught,
    ):
        tb.user()
    assert "SSL_CERT_FILE" in str(caught.value)


def test_a_sign_in_that_is_not_there_is_no_name_that_is_wrong() -> None:
    with scripted([error_body(404, "Not Found", 32)]) as server, client(server.url) as tb:
        with pytest.raises(ThingsBoardError, match="Not Found") as caught:
            tb.user()
        assert "not how ThingsBoard answers" in str(caught.value)


def test_what_is_not_thingsboard_is_an_environment_and_what_it_lacks_is_an_answer() -> None:
    for body, code in (
        (None, 2),
        ("Device with requested id wasn't found!", 1),
        ({"message": "Requested item wasn't found!", "errorCode": 32}, 1),
    ):
        with scripted([LOGIN, answer(404, body)]) as server, client(server.url) as tb, pytest.raises(ThingsBoardError) as caught:
            tb.user()
        assert caught.value.exit_code == code


def test_https_to_a_server_that_speaks_http_is_named_and_no_certificate_is_blamed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer_in_plain() -> None:
            with contextlib.suppress(OSError):
                while True:
                    with listener.accept()[0] as connection:
                        connection.recv(65536)
                        connection.sendall(answer(400, "Client sent an HTTP request to an HTTPS server."))

        threading.Thread(target=answer_in_plain, daemon=True).start()
        with (
            client(f"https://127.0.0.1:{listener.getsockname()[1]}") as tb,
            pytest.raises(ThingsBoardError, match="does not speak https") as caught,
        ):
            tb.user()
        listener.shutdown(socket.SHUT_RDWR)
    assert "Write http://" in str(caught.value)
    assert "certificate" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8080",
        "ftp://x",
        "http://",
        "",
        "http://x?y=1",
        "http://[",
        "http://a b",
        "http://[::1",
        "http://x:99999",
        f"https://me:{SECRET}@host",
        f"me:{SECRET}@host",
        f"http://me:{SECRET}@[",
    ],
)
def test_an_address_that_is_none_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(CotaError) as caught:
        client(url)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://localhost:8080", "https://thingsboard.cloud/", "http://[::1]:80", "http://10.0.0.1/tb", "https://bücher.example"]
)
def test_an_address_in_any_usual_form_is_taken(url: str) -> None:
    with client(url) as tb:
        assert not tb.url.endswith("/")


def test_credentials_must_be_given() -> None:
    for given in ({}, {"username": "u"}, {"password": "p"}, {"api_key": ""}):
        with pytest.raises(CotaError, match="Neither an API key"):
            Client("http://127.0.0.1:1", **given)


def test_a_path_before_api_is_kept() -> None:
    with scripted([LOGIN]) as server, client(server.url + "/tb/") as tb:
        tb.login()
        assert server.lines == ["POST /tb/api/auth/login"]


def test_a_closed_client_leaves_nothing_behind() -> None:
    script = "from cota.thingsboard import Client\nClient('http://127.0.0.1:1', api_key='k').close()\nprint('done')"
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], check=False, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("done\n", "")
