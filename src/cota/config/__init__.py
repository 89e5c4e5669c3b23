"""Which servers this machine knows, how to sign in to them, and what the environment says instead."""

from cota.config.access import Access, NobodyError, find_access, known_access
from cota.config.secrets import forget, keep, recall
from cota.config.servers import Book, Entry, check_name

__all__ = ["Access", "Book", "Entry", "NobodyError", "check_name", "find_access", "forget", "keep", "known_access", "recall"]
