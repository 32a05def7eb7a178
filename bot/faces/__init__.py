"""Where people and programs ask: each face renders the same answers in its own way."""
