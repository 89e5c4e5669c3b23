"""`cota demo`: a whole update on one machine, from a commit to a proven drive."""
