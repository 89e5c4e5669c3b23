"""A fleet dashboard of our own for ThingsBoard."""
