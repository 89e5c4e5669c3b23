"""A small typed client for ThingsBoard's REST API; the lab speaks the same."""

from cota.thingsboard.client import Client
from cota.thingsboard.errors import ThingsBoardError
from cota.thingsboard.fleet import fleet_query
from cota.thingsboard.session import Json, id_of

__all__ = ["Client", "Json", "ThingsBoardError", "fleet_query", "id_of"]
