"""The guard's own question: does the server answer this board, and what does it assign?

It stands alone, because it must work where the release's `ota` does not.
"""

import hashlib
import json
import os
from binascii import hexlify

_SECONDS = 10
_JOIN_SECONDS = 15
_ANSWER = 4096  # bytes, with the header


def _setting(key):
    return str(os.getenv(key) or "")


def join():
    """Join Wi-Fi by settings.toml, where it is not joined; a ConnectionError (an OSError) where that fails."""
    import wifi

    if not wifi.radio.connected:
        name = _setting("CIRCUITPY_WIFI_SSID") or _setting("WIFI_SSID")
        wifi.radio.connect(name, _setting("CIRCUITPY_WIFI_PASSWORD") or _setting("WIFI_PASSWORD"), timeout=_JOIN_SECONDS)


def answered():
    """Ask ThingsBoard's device API what is assigned; gives its key, as client.py's `_assigned` makes it, or that of four empty texts.

    None where the answer is not its own, 200 with JSON: a captive portal's page is none.
    """
    import socketpool
    import wifi

    join()
    scheme, _, host = _setting("THINGSBOARD_URL").rpartition("://")
    host = host.partition("/")[0]
    host, _, port = host.partition(":")
    secure = scheme == "https"
    port = int(_setting("THINGSBOARD_PORT") or port or (443 if secure else 80))
    pool = socketpool.SocketPool(wifi.radio)
    info = pool.getaddrinfo(host, port, 0, pool.SOCK_STREAM)[0]
    sock = pool.socket(info[0], info[1])  # type: ignore[index]
    address = info[4]  # type: ignore[index]
    try:
        if secure:
            import ssl

            sock = ssl.create_default_context().wrap_socket(sock, server_hostname=host)  # type: ignore[arg-type]
            address = (host, port)
        sock.settimeout(_SECONDS)
        sock.connect(address)
        path = "/api/v1/" + _setting("THINGSBOARD_DEVICE_TOKEN") + "/attributes?sharedKeys=fw_title,fw_version,fw_url,fw_checksum"
        request = ("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n").encode()
        while request:
            request = request[sock.send(request) :]
        head = bytearray(_ANSWER)
        view = memoryview(head)
        count = 0
        while count < len(head):
            try:
                got = sock.recv_into(view[count:], len(head) - count)
            except OSError:  # a proxy that keeps the connection open has said all
                break
            if not got:
                break
            count += got
    finally:
        sock.close()
    text = bytes(head[:count])
    head = text.lower()
    if head[:6] != b"http/1" or head[8:12] != b" 200" or b"application/json" not in head:
        return None
    shared = json.loads(text[text.find(b"{", text.find(b"\r\n\r\n")) : text.rfind(b"}") + 1]).get("shared", {})  # it may be in a chunk
    hasher = hashlib.new("sha1") if hasattr(hashlib, "new") else hashlib.sha1()
    for name in ("title", "version", "url", "checksum"):
        hasher.update(str(shared.get("fw_" + name) or "").encode() + b"\0")
    return hexlify(hasher.digest()).decode()
