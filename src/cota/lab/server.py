"""Running the lab: in the foreground for `cota lab`, on a thread of its own for everything else.

with running_lab(LabConfig(repositories={"acme/weather": path})) as lab:
    print(lab.url, lab.username, lab.password)
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from cota.errors import CotaError
from cota.lab import app
from cota.lab.core import Core, Timing
from cota.lab.counters import Counters
from cota.lab.data.accounts import DEFAULT_USERNAME
from cota.lab.data.store import Store
from cota.lab.ota import DEFAULT_PACE_SECONDS
from cota.lab.rest.live import MAX_MESSAGE_BYTES
from cota.serving import ReadyServer, Serving, listen

if TYPE_CHECKING:
    from cota.lab.githost import GitToken

# Long polls end by themselves when the lab stops; what is still busy after this is cut.
_GRACE_SECONDS = 1
# Boards and browsers keep a connection between two requests of one task, not between polls a minute apart.
_KEEP_ALIVE_SECONDS = 20
_START_SECONDS = 30.0
_BACKLOG = 2048


@dataclass(frozen=True)
class LabConfig:
    """What a lab is made of.

    Attributes:
        db: The SQLite file; None keeps everything in memory.
        host: The address to listen on; the default is reachable from this machine only.
        port: The TCP port; 0 takes a free one.
        repositories: "owner/name" -> path of a Git repository, bare or not. Looked at for each request;
            an empty one starts no Git host at all.
        password: The administrator's; None makes one for a new database and keeps the one of an old.
        ota_pace: Seconds between two devices of the OTA queue.
        rate_limit: API calls in a window that the Git host allows an address; None counts without refusing.
        rate_window: Seconds of such a window, which begins with an address's first call; None is GitHub's hour.
        git_tokens: "owner/name" -> the token that opens that repository, as text or, where it expires, as a `GitToken`; without it the
            repository is not found, as on the real hosts. A repository that is not named here is public.
        certfile: The TLS certificate chain (PEM); None serves plain HTTP.
        keyfile: The certificate's key (PEM).
        timing: All waiting times, for tests; `ota_pace` wins over the one in there.
    """

    db: Path | None = None
    host: str = "127.0.0.1"
    port: int = 0
    repositories: Mapping[str, Path] = field(default_factory=dict)
    password: str | None = None
    ota_pace: float = DEFAULT_PACE_SECONDS
    rate_limit: int | None = None
    rate_window: int | None = None
    git_tokens: "Mapping[str, str | GitToken]" = field(default_factory=dict, repr=False)
    certfile: Path | None = None
    keyfile: Path | None = None
    timing: Timing = field(default_factory=Timing)


class Lab(Serving):
    """A lab that listens; nothing is served before `serve`.

    Attributes:
        url: Where it is, without a slash at the end.
        username: The administrator's name.
        password: His password where this start knows it (given, or made now), else None.
        password_is_new: Whether the password was made now and must be shown.

    Raises:
        CotaError: The port is taken, the database cannot be used, or a repository is none.
    """

    def __init__(self, config: LabConfig) -> None:
        given = (config.repositories, config.rate_limit, config.rate_window, config.git_tokens)
        routes = app.git_routes(*given) if config.repositories else []
        with contextlib.ExitStack() as undo:
            self._socket = undo.enter_context(listen(config.host, config.port, _BACKLOG))
            store = Store(config.db)
            undo.callback(store.close)
            self.core = Core(store, Timing(**{**vars(config.timing), "ota_pace": config.ota_pace}))
            self.port: int = self._socket.getsockname()[1]
            host = f"[{config.host}]" if ":" in config.host else config.host
            self.url = f"{'https' if config.certfile else 'http'}://{host}:{self.port}"
            self._counters = Counters(app.build(self.core, routes))
            self._server = _Server(_settings(config, self._counters), self.core)
            try:
                self._server.config.load()  # reads the certificate
            except (OSError, ValueError) as error:
                raise CotaError(f"cannot use the certificate {config.certfile}: {error}", "Give a PEM chain and its key.") from error
            # Last: a password that is made now must not be lost to a failure above, because it is shown only once.
            made = self.core.accounts.ensure_administrator(config.password)
            store.commit()
            self.username = DEFAULT_USERNAME
            self.password, self.password_is_new = made or config.password, made is not None
            undo.pop_all()

    def counters(self) -> dict[str, dict[str, int]]:
        """Return requests and body bytes so far, by "thingsboard", "git-api", "git-raw" and "git-web"."""
        return self._counters.read()

    def serve(self, ready: Callable[[], None] | None = None) -> None:
        """Serve until stopped, as `Serving.serve`; then close the database."""
        try:
            super().serve(ready)
        finally:
            self.core.store.close()


class _Server(ReadyServer):
    def __init__(self, config: uvicorn.Config, core: Core) -> None:
        super().__init__(config)
        self._core = core

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Without this every open long poll would hold the end back for its whole time.
        self._core.hub.close()
        await super().shutdown(sockets)


def _settings(config: LabConfig, application: Counters) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=MAX_MESSAGE_BYTES,
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        ssl_certfile=config.certfile,
        ssl_keyfile=config.keyfile,
    )


@contextlib.contextmanager
def running_lab(config: LabConfig) -> Iterator[Lab]:
    """Run a lab on a thread of its own and stop it at the end of the block.

    Args:
        config: What it is made of.

    Raises:
        CotaError: It cannot start.
    """
    lab = Lab(config)
    failure: list[BaseException] = []
    up = threading.Event()

    def run() -> None:
        try:
            lab.serve()
        except BaseException as error:  # handed to the thread that waits
            failure.append(error)
        finally:
            up.set()

    thread = threading.Thread(target=run, name="cota-lab", daemon=True)
    thread.start()
    try:
        waited = 0.0
        while not lab.started and not up.wait(0.01) and waited < _START_SECONDS:
            waited += 0.01
        if not lab.started:
            raise CotaError(f"the lab on {lab.url} did not start: {failure[0] if failure else 'no answer'}", "Look at its messages above.")
        yield lab
    finally:
        lab.stop()
        thread.join(_START_SECONDS)
