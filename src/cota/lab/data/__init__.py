"""What the lab stores, and the rules of what may be stored."""
