"""Secrets, pure: passwords by scrypt, sessions as HS512 tokens, random keys. No storage, no HTTP."""

import base64
import hashlib
import hmac
import json
import secrets
import string
from typing import Any

# 16 MiB and about 50 ms a guess: the figures that RFC 7914 names for interactive logins.
_SCRYPT = {"n": 2**14, "r": 8, "p": 1}
_HEADER = {"alg": "HS512"}
_ALPHABET = string.ascii_letters + string.digits
_MAX_TOKEN_LENGTH = 4096  # ours have about 700 characters

ACCESS_SECONDS = 9000
REFRESH_SECONDS = 604800


class TokenError(Exception):
    """The token is not one of ours."""


class TokenExpiredError(TokenError):
    """The token was ours, once."""


def hash_password(password: str) -> str:
    """Return what may be stored of a password."""
    salt = secrets.token_bytes(16)
    return f"scrypt${salt.hex()}${hashlib.scrypt(password.encode(), salt=salt, **_SCRYPT).hex()}"


def password_matches(password: str, stored: str) -> bool:
    """Tell whether a password is the one that was hashed; takes the same time either way."""
    _, salt, digest = stored.split("$")
    return hmac.compare_digest(hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), **_SCRYPT).hex(), digest)


def random_name(length: int = 20) -> str:
    """Return random letters and digits, as ThingsBoard makes device tokens and names."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def new_password() -> str:
    """Return a password that a person can type: about 95 bits."""
    return random_name(16)


def new_api_key() -> str:
    """Return an API key."""
    return "tb_" + secrets.token_urlsafe(48)


def digest(secret: str) -> str:
    """Return what is stored of a random secret; it needs no salt, because nobody can guess it."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _signature(signed: str, key: bytes) -> str:
    return _encode(hmac.digest(key, signed.encode(), "sha512"))


def sign(claims: dict[str, Any], key: bytes) -> str:
    """Return a JSON web token with these claims."""
    signed = f"{_encode(json.dumps(_HEADER).encode())}.{_encode(json.dumps(claims).encode())}"
    return f"{signed}.{_signature(signed, key)}"


def verify(token: str, key: bytes, now: float) -> dict[str, Any]:
    """Return the claims of a token.

    Args:
        token: What the client sent.
        key: The installation's key.
        now: Seconds since 1970.

    Raises:
        TokenExpiredError: Its time is over.
        TokenError: It was not signed here, or is no token at all.
    """
    signed, _, signature = token.rpartition(".")
    if len(token) > _MAX_TOKEN_LENGTH or not hmac.compare_digest(_signature(signed, key).encode(), signature.encode("utf-8", "replace")):
        raise TokenError("signature")
    try:
        header, claims = (json.loads(_decode(part)) for part in signed.split("."))
    except ValueError as error:
        raise TokenError("encoding") from error
    if header != _HEADER:
        raise TokenError("algorithm")
    if claims["exp"] <= now:
        raise TokenExpiredError("expired")
    return dict(claims)
