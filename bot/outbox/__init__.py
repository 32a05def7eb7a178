"""What the bot says without being asked: queued with the change that caused it, sent outside of any transaction."""
