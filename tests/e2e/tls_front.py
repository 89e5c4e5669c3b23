"""Public servers played on this machine: TLS listeners under their names, which pass every request on to a lab."""

import contextlib
import http.client
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import trustme

# Where a public server's paths are in the lab, which has them all on one port as GitHub Enterprise does.
GITHUB = {"github.com": "", "api.github.com": "/api/v3", "raw.githubusercontent.com": "/raw"}
CLOUD = "cloud.example"
# A connection that its peer has closed is known to be closed after this, however busy the machine is.
_NOTICE_SECONDS = 1.0
_SECONDS = 30
_NOT_PASSED_ON = ("connection", "content-length", "transfer-encoding", "keep-alive", "host")


class Tally:
    """What the listeners of a front saw.

    Attributes:
        handshakes: Completed TLS handshakes by name.
        refused: Handshakes that the client broke off, by name.
        asked: (name, method, target) of each request.
        most_open: The most TLS connections that were open at once, at any of the listeners.
    """

    def __init__(self) -> None:
        self.handshakes: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.asked: list[tuple[str, str, str]] = []
        self.most_open = 0
        self._open = 0
        self._changed = threading.Condition()

    def before_handshake(self) -> None:
        """Give the threads of closed connections the time to see that they are closed."""
        end = time.monotonic() + _NOTICE_SECONDS
        with self._changed:
            while self._open and (left := end - time.monotonic()) > 0:
                self._changed.wait(left)

    def opened(self, name: str) -> None:
        """A handshake is complete."""
        with self._changed:
            self.handshakes[name] += 1
            self._open += 1
            self.most_open = max(self.most_open, self._open)

    def closed(self) -> None:
        """A connection that was opened is no more."""
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    def count(self, name: str, part: str = "") -> int:
        """How many requests came to a name, with this text in their target."""
        return sum(asked[0] == name and part in asked[2] for asked in list(self.asked))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _SECONDS
    server: "_Listener"

    def handle(self) -> None:
        listener = self.server
        listener.tally.before_handshake()
        plain = self.connection
        try:
            secure = listener.context.wrap_socket(plain, server_side=True)
        except OSError:
            listener.tally.refused[listener.name] += 1
            return
        listener.tally.opened(listener.name)
        self.rfile, self.wfile = secure.makefile("rb"), secure.makefile("wb")
        try:
            super().handle()
        except OSError:
            pass  # the board went away
        finally:
            listener.tally.closed()
            for one in (self.wfile, self.rfile, secure):
                with contextlib.suppress(OSError):
                    one.close()

    def do_GET(self) -> None:
        listener = self.server
        listener.tally.asked.append((listener.name, self.command, self.path))
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _NOT_PASSED_ON}
        lab = http.client.HTTPConnection(listener.upstream, timeout=_SECONDS)
        try:
            lab.request(self.command, listener.prefix + self.path, body or None, headers)
            answer = lab.getresponse()
            data = answer.read()
        finally:
            lab.close()
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in _NOT_PASSED_ON:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    do_POST = do_GET  # noqa: N815

    def log_message(self, *unused: object) -> None:
        pass


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, name: str, prefix: str, upstream: str, context: ssl.SSLContext, tally: Tally) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.name, self.prefix, self.upstream, self.context, self.tally = name, prefix, upstream, context, tally


class Front:
    """The names that are played, and what came to them.

    Attributes:
        hosts: Name -> `address:port`, for BoardOptions.
        tally: What the listeners saw.
    """

    def __init__(self, hosts: Mapping[str, str], tally: Tally) -> None:
        self.hosts = hosts
        self.tally = tally


@contextlib.contextmanager
def front(upstream: str, authority: trustme.CA, certificates: Mapping[str, str] | None = None) -> Iterator[Front]:
    """Play github.com's three names and a ThingsBoard.

    Args:
        upstream: `host:port` of the lab.
        authority: Who signs the certificates.
        certificates: Name -> the name that its certificate is for, where that is another one.
    """
    tally = Tally()
    listeners = []
    for name, prefix in {**GITHUB, CLOUD: ""}.items():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert((certificates or {}).get(name, name)).configure_cert(context)
        listeners.append(_Listener(name, prefix, upstream, context, tally))
    threads = [threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True) for listener in listeners]
    for thread in threads:
        thread.start()
    try:
        yield Front({listener.name: f"127.0.0.1:{listener.server_address[1]}" for listener in listeners}, tally)
    finally:
        for listener, thread in zip(listeners, threads, strict=True):
            listener.shutdown()
            thread.join()
            listener.server_close()


def bundle(folder: Path, *authorities: trustme.CA) -> Path:
    """Write what a board trusts; `folder` is made."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "authorities.pem"
    path.write_bytes(b"\n".join(one.cert_pem.bytes() for one in authorities))
    return path
