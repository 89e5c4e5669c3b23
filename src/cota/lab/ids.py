"""Ids as ThingsBoard writes them: {"entityType": ..., "id": <uuid>}."""

import uuid
from typing import Any

from cota.lab.errors import invalid

# ThingsBoard's NULL_UUID: the customer of everything that no customer owns.
NULL_UUID = "13814000-1dd2-11b2-8080-808080808080"


def new_id() -> str:
    """Return a fresh id."""
    return str(uuid.uuid4())


def ref(kind: str, entity_id: str | None) -> dict[str, str] | None:
    """Return an id object, or None for no id."""
    return None if entity_id is None else {"entityType": kind, "id": entity_id}


def check_uuid(text: str) -> str:
    """Return an id in its one spelling.

    Raises:
        ApiError: It is no UUID.
    """
    try:
        return str(uuid.UUID(text))
    except (ValueError, AttributeError, TypeError):
        raise invalid(f"Invalid UUID string: {str(text)[:64]}") from None


def ref_id(value: Any) -> str | None:
    """Return the UUID inside an id object, None for null; a bare UUID is taken too.

    Raises:
        ApiError: It is neither.
    """
    if value is None:
        return None
    inner = value.get("id") if isinstance(value, dict) else value
    return None if inner is None else check_uuid(inner)
