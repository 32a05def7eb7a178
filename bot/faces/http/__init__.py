"""The HTTP face; its entry is :mod:`bot.faces.http.api`."""
