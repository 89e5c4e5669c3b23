"""What the page's package form accepts, pure: what ThingsBoard or a board would refuse later is told at once, by field."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

# ThingsBoard's columns (schema-entities.sql).
_LONGEST = 255
# ThingsBoard stores such text from a board as a number, and then "1.10" is 1.1 (JsonConverter, JSON_TYPE_CAST_ENABLED).
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)")
_CHECKSUM = re.compile(r"[0-9a-f]{64}")


def check_package(given: Mapping[str, Any]) -> dict[str, str]:
    """Return field -> what is wrong with it; nothing where all is well.

    Args:
        given: title, version, url, profile and checksum, as the form sent them.
    """
    wrong: dict[str, str] = {}
    for field in ("title", "version", "url"):
        value = given.get(field)
        if not isinstance(value, str) or not value.strip():
            wrong[field] = "This is needed."
        elif len(value) > _LONGEST:
            wrong[field] = f"At most {_LONGEST} characters; these are {len(value)}."
        elif any(ord(character) < 32 or ord(character) == 127 for character in value):
            wrong[field] = "Control characters cannot stand here."
    if "version" not in wrong and _NUMBER.fullmatch(given["version"].strip()):
        wrong["version"] = "ThingsBoard would take this for a number and change it. Put a v before it, or use three parts: v1.2 or 1.2.0."
    if "url" not in wrong and (problem := _url_problem(given["url"].strip())):
        wrong["url"] = problem
    if not isinstance(given.get("profile"), str) or not given["profile"]:
        wrong["profile"] = "Choose the device profile whose boards may have this package."
    checksum = given.get("checksum") or ""
    if checksum and (not isinstance(checksum, str) or not _CHECKSUM.fullmatch(checksum.strip().lower())):
        wrong["checksum"] = "A SHA-256 has 64 characters, digits and the letters a to f. Leave it empty if there is none."
    return wrong


def _url_problem(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "This is not a URL."
    if parts.scheme not in ("http", "https") or not host:
        return "Begin with https:// or http:// and a host, such as https://github.com/you/weather/tree/v1.2.0."
    if "@" in parts.netloc:
        return "Leave the user name or token out: everyone who sees the package would see it too."
    if any(character.isspace() for character in url):
        return "A URL has no spaces; write %20."
    return None
