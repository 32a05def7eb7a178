"""The console face; its entry is :mod:`bot.faces.console.face`."""
