"""Rules on the market: what is watched, when it fires and resolves, and why."""
