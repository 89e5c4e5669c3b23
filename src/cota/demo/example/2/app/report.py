"""What the watch says of a temperature."""

COLD, HOT = 12, 30


def line(celsius):
    mood = "freezing" if celsius < 0 else "too cold" if celsius < COLD else "too hot" if celsius > HOT else "fine"
    return "%.1f C: %s" % (celsius, mood)
