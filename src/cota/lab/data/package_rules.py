"""What an OTA package may be, pure: ThingsBoard's validations with its words.

Source: OtaPackageController, BaseOtaPackageService and the validators beside it, ThingsBoard 4.3.
"""

import re
from collections.abc import Mapping
from typing import Any

from cota.lab.data.checksums import ALGORITHMS
from cota.lab.errors import ApiError, invalid

TYPES = ("FIRMWARE", "SOFTWARE")
# Field -> (its name in messages, the longest that the database takes).
_LENGTHS = {
    "title": ("title", 255),
    "version": ("version", 255),
    "tag": ("tag", 255),
    "url": ("url", 255),
    "fileName": ("file name", 255),
    "contentType": ("contentType", 255),
    "checksum": ("checksum", 1020),
}
_MARKUP_FREE = ("title", "version", "tag", "url", "fileName", "contentType")
# What ThingsBoard's filter takes for markup: a tag, a comment, or a template expression.
_MARKUP = re.compile(r"<[a-zA-Z/!?]|\{\{.*\}\}", re.DOTALL)
# In the order in which ThingsBoard looks; the wrong word for the checksum is ThingsBoard's own.
_FIXED = (("type", "type"), ("title", "otaPackage title"), ("version", "otaPackage version"), ("tag", "otaPackage tag"))
_FIXED_ONCE_SET = (
    ("fileName", "otaPackage file name"),
    ("contentType", "otaPackage content type"),
    ("checksumAlgorithm", "otaPackage content type"),
    ("checksum", "otaPackage content type"),
    ("dataSize", "otaPackage data size"),
    ("url", "otaPackage URL"),
)


def check_fields(fields: Mapping[str, Any]) -> None:
    """Check the fields of a package for themselves.

    Raises:
        ApiError: ThingsBoard's message for the first rule that is broken.
    """
    broken = set()
    for field, (name, longest) in _LENGTHS.items():
        value = fields.get(field)
        if value is None:
            continue
        if not isinstance(value, str):
            raise invalid(f"{field} should be text!")
        if len(value) > longest:
            broken.add(f"{name} length must be equal or less than {longest}")
        if field in _MARKUP_FREE and _MARKUP.search(value):
            broken.add(f"{name} is malformed")
    if broken:
        raise invalid(f"Validation error: {', '.join(sorted(broken))}")
    if not (fields.get("title") or "").strip():
        raise invalid("OtaPackage title should be specified!")


def check_kind(fields: Mapping[str, Any]) -> None:
    """Check type and version, which ThingsBoard does after it has looked up the profile.

    Raises:
        ApiError: One is missing or unknown.
    """
    kind = fields.get("type")
    if kind is None:
        raise invalid("Type should be specified!")
    if kind not in TYPES:
        raise invalid(f"No enum constant org.thingsboard.server.common.data.ota.OtaPackageType.{kind}")
    if not fields.get("version"):
        raise invalid("OtaPackage version should be specified!")
    size = fields.get("dataSize")
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 2**63):
        raise invalid("dataSize should be a number of bytes!")
    algorithm = fields.get("checksumAlgorithm")
    if algorithm is not None:
        check_algorithm(algorithm)


def check_algorithm(name: Any) -> None:
    """Check the name of a checksum.

    Raises:
        ApiError: ThingsBoard does not know it.
    """
    if not isinstance(name, str) or name not in ALGORITHMS:
        raise invalid(f"No enum constant org.thingsboard.server.common.data.ota.ChecksumAlgorithm.{name}")


def check_unchanged(old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Check that an update changes nothing but `additionalInfo`: a package is immutable.

    Raises:
        ApiError: Which field it would change.
    """
    for field, name in _FIXED:
        if old[field] != new.get(field):
            raise _prohibited(name)
    if old["profileId"] != new.get("profileId"):
        raise _prohibited("otaPackage deviceProfile")
    for field, name in _FIXED_ONCE_SET:
        if old[field] is not None and old[field] != new.get(field):
            raise _prohibited(name)


def _prohibited(name: str) -> ApiError:
    return invalid(f"Updating {name} is prohibited!")
