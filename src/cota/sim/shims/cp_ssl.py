"""`ssl`: the VM's own TLS under CircuitPython's names. The handshake is part of connect()."""

import binascii as _binascii

import cp_socketpool as _pool
import simboard as _board

_CPYTHON = _board.VM == "cpython"
if _CPYTHON:
    import ssl as _ssl
else:
    import tls as _tls

# mbedTLS: MBEDTLS_ERR_X509_CERT_VERIFY_FAILED and MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE.
_UNTRUSTED = -9984
_FATAL_ALERT = -30592
# The VM's own record of a connection takes about this much of its heap; the rest of the board's cost is held beside it.
_VM_BYTES = 3600

_live = []
# mbedTLS's buffers for a record that comes in and one that goes out, with their headers, larger as the whole heap is (profiles.py);
# contexts and certificates are in small pieces.
_PIECES = ((16384 + 333) * 4 // 3, (4096 + 333) * 4 // 3)
_SMALL_PIECE = 512


def _hold(count):
    pieces = []
    for size in _PIECES:
        if count >= size:
            pieces.append(bytearray(size))
            count -= size
    while count > 0:
        pieces.append(bytearray(min(count, _SMALL_PIECE)))
        count -= _SMALL_PIECE
    return pieces


def _ders(pem):
    """The certificates of a PEM text, one by one, in DER."""
    at = 0
    while True:
        begin = pem.find("-----BEGIN CERTIFICATE-----", at)
        if begin < 0:
            return
        end = pem.find("-----END CERTIFICATE-----", begin)
        if end < 0:
            raise ValueError("invalid cert")
        yield _binascii.a2b_base64(pem[begin + 27 : end])
        at = end


class SSLSocket(_pool.Socket):
    """A socket that speaks TLS once it is connected. It takes over the plain one."""

    def __init__(self, context, sock, server_hostname):
        self._context = context
        self._hostname = server_hostname
        self._plain = sock
        self._held = None
        self.type = sock.type
        self._native = sock._native
        self._timeout = sock._timeout
        self._counter = None
        self._tls = None
        _pool._open[_pool._open.index(sock)] = self
        sock._native = None

    def connect(self, address):
        self._dial(address)
        if len(_live) >= _board.profile["tls_connections"]:
            raise MemoryError("the board cannot hold another TLS connection")
        self._held = _hold(_board.profile["tls_bytes"] - _VM_BYTES)
        _live.append(self)
        try:
            self._tls = self._context._handshake(self._native, self._hostname or address[0])
        except Exception:
            self._release()
            raise

    def _release(self):
        self._held = None
        if self in _live:
            _live.remove(self)

    def close(self):
        self._release()
        super().close()


class SSLContext:
    def __init__(self):
        self.check_hostname = True
        self._pem = None

    def load_verify_locations(self, cafile=None, cadata=None):
        if cafile is not None:
            with open(cafile) as f:
                cadata = f.read()
        if not isinstance(cadata, str):
            cadata = bytes(cadata).decode()
        count = 0
        for _ in _ders(cadata):
            count += 1
        if not count:
            raise ValueError("invalid cert")
        self._pem = cadata

    def set_default_verify_paths(self):
        self._pem = None

    def _trusted(self):
        """The certificates in force, one by one, as DER."""
        if self._pem is not None:
            yield from _ders(self._pem)
            return
        bundle = _board.files.get("ca")
        if bundle is None:
            return
        bundle.seek(0)
        lines = None
        while True:
            line = bundle.readline()
            if not line:
                return
            if line.startswith("-----BEGIN CERTIFICATE"):
                lines = []
            elif line.startswith("-----END CERTIFICATE") and lines is not None:
                yield _binascii.a2b_base64("".join(lines))
                lines = None
            elif lines is not None:
                lines.append(line.strip())

    def wrap_socket(self, sock, *, server_side=False, server_hostname=None):
        if server_side:
            # Nothing of an update is a TLS server. A program that is one hears it here, and not as a handshake that fails without a reason.
            raise NotImplementedError("a simulated board is a TLS client only; try a TLS server on a real board")
        return SSLSocket(self, sock, server_hostname)

    def _handshake(self, native, hostname):
        if _CPYTHON:
            return self._handshake_cpython(native, hostname)
        context = _tls.SSLContext(_tls.PROTOCOL_TLS_CLIENT)
        context.verify_mode = _tls.CERT_REQUIRED
        found = False
        for der in self._trusted():
            try:
                context.load_verify_locations(der)
                found = True
            except ValueError:
                continue  # a bundle may hold a certificate that this mbedTLS cannot read
        if not found:
            raise _board.os_error(_UNTRUSTED, "MBEDTLS_ERR_X509_CERT_VERIFY_FAILED")
        try:
            return context.wrap_socket(native, server_hostname=hostname)
        except ValueError:
            raise _board.os_error(_UNTRUSTED, "MBEDTLS_ERR_X509_CERT_VERIFY_FAILED")
        except OSError as error:
            raise _pool.translate(error)

    def _handshake_cpython(self, native, hostname):
        context = _ssl.SSLContext(_ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = self.check_hostname
        for der in self._trusted():
            try:
                context.load_verify_locations(cadata=der)
            except _ssl.SSLError:
                continue
        try:
            return context.wrap_socket(native, server_hostname=hostname, suppress_ragged_eofs=False)
        except _ssl.SSLCertVerificationError:
            raise _board.os_error(_UNTRUSTED, "MBEDTLS_ERR_X509_CERT_VERIFY_FAILED")
        except _ssl.SSLError as error:
            raise _board.os_error(_FATAL_ALERT, str(error))
        except OSError as error:
            raise _pool.translate(error)


def create_default_context():
    return SSLContext()
