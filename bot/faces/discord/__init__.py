"""The Discord face; its entry is :mod:`bot.faces.discord.face`."""
