"""The verbs of ``digest``: what happened in a period, at once or on a rhythm."""
