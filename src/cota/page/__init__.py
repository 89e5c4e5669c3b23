"""The fleet's page: one small web application over ThingsBoard's REST API, so that it serves the lab and a remote ThingsBoard alike."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cota.thingsboard.session import Session

DEFAULT_PORT = 8081  # beside the lab's 8080


def serve(session: "Session", host: str = "127.0.0.1", port: int = DEFAULT_PORT, ready: "Callable[[str], None] | None" = None) -> None:
    """Serve the page for the server of a signed-in session until Ctrl-C.

    Whoever opens the page needs the key in the address that `ready` gets; he then acts as the session's user. The session is not closed.

    Args:
        session: The connection to ThingsBoard.
        host: The address to listen on.
        port: The TCP port; 0 takes a free one.
        ready: Called with the page's address, with its key, once it answers.

    Raises:
        CotaError: It cannot listen there.
    """
    # Imported here, so that a command that names this function starts without the web server.
    from cota.page.doors import KeyDoor
    from cota.page.server import PageServer

    door = KeyDoor(session)
    page = PageServer(door, host, port)
    page.serve(lambda: None if ready is None else ready(f"{page.url}#key={door.key}"))


def serve_remote(server: str, host: str = "127.0.0.1", port: int = DEFAULT_PORT, ready: "Callable[[str], None] | None" = None) -> None:
    """Serve the page for a remote ThingsBoard until Ctrl-C; operators log in with their own user names and passwords.

    Args:
        server: ThingsBoard's address.
        host: The address to listen on.
        port: The TCP port; 0 takes a free one.
        ready: Called with the page's address once it answers.

    Raises:
        CotaError: The address is none, or the page cannot listen there.
    """
    from cota.page.doors import PasswordDoor
    from cota.page.server import PageServer
    from cota.thingsboard.address import checked_url

    page = PageServer(PasswordDoor(str(checked_url(server))), host, port)
    page.serve(lambda: None if ready is None else ready(page.url))
