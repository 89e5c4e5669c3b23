"""What the page's package form accepts, pure: what ThingsBoard or a board would refuse later is told at once, by field.

The rules are those of `cota publish` (titles and versions) and of `cota doctor` (addresses that a board can read).
"""

from collections.abc import Mapping
from typing import Any

import httpx2

from cota.doctor.chain import WrongError
from cota.doctor.source_checks import read_source
from cota.errors import CotaError
from cota.publish.version import check_name

# ThingsBoard's columns (schema-entities.sql).
_LONGEST = 255


def check_package(given: Mapping[str, Any]) -> dict[str, str]:
    """Return field -> what is wrong with a URL package; nothing where all is well.

    Args:
        given: title, version, url and profile, as the form sent them.
    """
    wrong = _check_names(given)
    url = given.get("url")
    if problem := _url_problem(url.strip() if isinstance(url, str) else ""):
        wrong["url"] = problem
    return wrong


def check_file(given: Mapping[str, Any], name: str, data: bytes) -> dict[str, str]:
    """Return field -> what is wrong with a package whose file is uploaded; nothing where all is well.

    Args:
        given: title, version and profile, as the form sent them.
        name: The file's name.
        data: Its bytes.
    """
    wrong = _check_names(given)
    if not name.strip():
        wrong["file"] = "Choose a file."
    elif len(name) > _LONGEST:
        wrong["file"] = f"The file's name has {len(name)} characters, and ThingsBoard takes {_LONGEST}."
    elif not data:
        wrong["file"] = "This file is empty."
    return wrong


def _check_names(given: Mapping[str, Any]) -> dict[str, str]:
    wrong: dict[str, str] = {}
    for field in ("title", "version"):
        value = given.get(field)
        try:
            if not isinstance(value, str) or not value.strip():
                raise CotaError("This is needed.")
            check_name(field, value.strip())
        except CotaError as error:
            wrong[field] = " ".join(filter(None, (error.message, error.hint)))
    if not isinstance(given.get("profile"), str) or not given["profile"]:
        wrong["profile"] = "Choose the device profile whose boards may have this package."
    return wrong


def _url_problem(url: str) -> str | None:
    if not url:
        return "This is needed."
    if len(url) > _LONGEST:
        return f"The URL has {len(url)} characters, and ThingsBoard takes {_LONGEST}."
    if any(character.isspace() for character in url):
        return "A URL has no spaces; write %20."
    try:
        # Which Git hosts are allowed is in each board's settings, and not known here.
        read_source(url, None)
    except WrongError as error:
        return f"{error.text} {error.hint}"
    except (httpx2.InvalidURL, UnicodeError):
        return "This is not a URL."
    return None
