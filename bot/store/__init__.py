"""The memory: everything that survives a restart, in SQLite or PostgreSQL. Only this package speaks SQL."""
