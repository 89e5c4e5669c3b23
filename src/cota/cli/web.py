"""`cota web`: the fleet's page for a ThingsBoard server somewhere else."""

import click

from cota.cli.common import connected, json_option, say, server_option, tell_json
from cota.page import DEFAULT_PORT, serve, serve_remote

DEFAULT_HOST = "127.0.0.1"


@click.command(
    epilog="""\b
Examples:
  cota web                              the page on this machine, as who you are signed in
  cota web --server home --port 0       for another server, on any free port
  cota web --log-in --host 0.0.0.0      for others too, each with a user name of his own
"""
)
@server_option
@click.option("--host", default=DEFAULT_HOST, show_default=True, help="Address to listen on; 0.0.0.0 lets the network in.")
@click.option("--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(0, 65535), help="TCP port; 0 takes a free one.")
@click.option("--log-in", "by_name", is_flag=True, help="Ask for a user name and password of the server, and not for the key shown here.")
@json_option
def command(server: str | None, host: str, port: int, by_name: bool, as_json: bool) -> None:
    """Serve the page of the fleet until Ctrl-C: live states, errors explained, packages, assign and retry.

    The address that is shown holds a key; who has it acts as you. With --log-in each operator uses an account of his own.

    `cota watch --web` is the same without a choice of the address. A lab has its page already: `cota lab` shows where.
    """
    serve_page(server, host, port, by_name=by_name, as_json=as_json)


def serve_page(server: str | None, host: str = DEFAULT_HOST, port: int = DEFAULT_PORT, *, by_name: bool = False, as_json: bool) -> None:
    """Serve the page until Ctrl-C, for `cota web` and for `cota watch --web`.

    Raises:
        CotaError: It is not known which server is meant, the sign-in does not work, or the address is taken.
    """
    from cota.config import find_access
    from cota.thingsboard.address import is_loopback

    def tell(url: str) -> None:
        if as_json:
            tell_json({"url": url})
            return
        say(f"cota web on {url} (Ctrl-C stops it)")
        if not is_loopback(host):
            say("Nothing is encrypted on its way there; put a proxy with TLS before it on a network that you do not trust.")

    try:
        if by_name:
            serve_remote(find_access(server).url, host, port, tell)
            return
        with connected(server) as client:
            client.user()  # a sign-in that has run out is told here and not on the page
            serve(client.session, host, port, tell)
    except KeyboardInterrupt:
        if not as_json:
            say("stopped")
