"""One file a revision, numbered in order; a new one raises HEAD in bot/store/schema.py."""
