"""A Git host for local repositories that looks like GitHub Enterprise, and like Gitea, GitLab and jsDelivr at their own paths."""

from cota.lab.githost.access import GitToken, RateLimit
from cota.lab.githost.routes import routes

__all__ = ["GitToken", "RateLimit", "routes"]
