"""A Git host that looks like GitHub Enterprise, for local repositories."""

from cota.lab.githost.access import RateLimit
from cota.lab.githost.routes import routes

__all__ = ["RateLimit", "routes"]
