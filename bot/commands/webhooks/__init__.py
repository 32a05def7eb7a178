"""``webhook``: endpoints of programs that are told of events."""
