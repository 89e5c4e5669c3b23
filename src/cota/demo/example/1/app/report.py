"""What the watch says of a temperature."""

COLD, HOT = 12, 30


def line(celsius):
    mood = "too cold" if celsius < COLD else "too hot" if celsius > HOT else "fine"
    return "%.1f C: %s" % (celsius, mood)
