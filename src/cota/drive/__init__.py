"""What goes on a CIRCUITPY drive."""
