"""`wifi`: one radio and one network, the one that the rack was told of."""

import binascii as _binascii

import simboard as _board


class AuthMode:
    OPEN = "OPEN"
    WPA2 = "WPA2"
    PSK = "PSK"


class _Address:
    version = 4

    def __init__(self, text):
        self._text = text

    def __str__(self):
        return self._text

    def __repr__(self):
        return self._text

    @property
    def packed(self):
        return bytes([int(part) for part in self._text.split(".")])


class Network:
    def __init__(self):
        self.ssid = _board.config["wifi_ssid"]
        self.bssid = b"\x02\x00\x00\x00\x00\x01"
        self.rssi = -58
        self.channel = 6
        self.country = "XX"
        self.authmode = [AuthMode.WPA2, AuthMode.PSK]


def _bytes(value, name):
    if isinstance(value, str):
        return value.encode()
    if value is None or isinstance(value, int):
        raise TypeError("object with buffer protocol required")
    return bytes(value)


class Radio:
    def __init__(self):
        self._joined = False
        self._enabled = True
        self.hostname = "cpy-" + _board.config["uid"][:6]
        self.tx_power = 20.0

    @property
    def enabled(self):
        return self._enabled

    @enabled.setter
    def enabled(self, on):
        self._enabled = bool(on)
        if not on:
            self._joined = False

    @property
    def connected(self):
        return self._joined and _board.radio_up()

    @property
    def mac_address(self):
        return _binascii.unhexlify(_board.config["mac"])

    @property
    def ipv4_address(self):
        return _Address("192.168.4.%d" % (2 + int(_board.config["mac"][-2:], 16) % 250)) if self.connected else None

    @property
    def ipv4_gateway(self):
        return _Address("192.168.4.1") if self.connected else None

    @property
    def ipv4_subnet(self):
        return _Address("255.255.255.0") if self.connected else None

    @property
    def ipv4_dns(self):
        return self.ipv4_gateway

    @property
    def addresses(self):
        return (str(self.ipv4_address),) if self.connected else ()

    @property
    def ap_info(self):
        return Network() if self.connected else None

    def start_station(self):
        self._enabled = True

    def stop_station(self):
        self._joined = False

    def connect(self, ssid, password=b"", *, channel=0, bssid=None, timeout=None):
        name = _bytes(ssid, "ssid")
        secret = _bytes(password, "password")
        if not 1 <= len(name) <= 32:
            raise ValueError("ssid length must be 1-32")
        if secret and not 8 <= len(secret) <= 64:
            raise ValueError("password length must be 8-64")
        if bssid and len(bssid) != 6:
            raise ValueError("Invalid BSSID")
        if not self._enabled:
            raise RuntimeError("wifi is not enabled")
        if not _board.radio_up():
            self._joined = False
            raise ConnectionError("No network with that ssid")
        if name != _board.config["wifi_ssid"].encode():
            raise ConnectionError("No network with that ssid")
        if secret != _board.config["wifi_password"].encode():
            raise ConnectionError("Authentication failure")
        self._joined = True


radio = Radio()
