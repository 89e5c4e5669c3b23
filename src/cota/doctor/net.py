"""Plain requests of the checks: one TLS context and at most two clients for all of them, because a context takes long to make."""

import ssl

import httpx2

from cota.thingsboard.address import is_loopback

TIMEOUT_SECONDS = 15.0


class Net:
    """GETs to servers and Git hosts. Close it."""

    def __init__(self) -> None:
        self._context: ssl.SSLContext | None = None
        self._clients: dict[bool, httpx2.Client] = {}

    def context(self) -> ssl.SSLContext:
        """Give the authorities that this machine trusts; SSL_CERT_FILE names others."""
        self._context = self._context or ssl.create_default_context()
        return self._context

    def get(
        self, url: str, *, params: dict[str, str] | None = None, headers: dict[str, str] | None = None, follow: bool = False
    ) -> httpx2.Response:
        """GET; raises httpx2.HTTPError where no answer comes."""
        outside = not is_loopback(httpx2.URL(url).host)  # no proxy of the environment stands between this machine and itself
        if outside not in self._clients:
            self._clients[outside] = httpx2.Client(timeout=TIMEOUT_SECONDS, trust_env=outside, verify=self.context())
        return self._clients[outside].get(url, params=params, headers=headers, follow_redirects=follow)

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            client.close()
