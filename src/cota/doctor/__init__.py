"""Finding out why a board does not update: every link from its drive to its last report."""
