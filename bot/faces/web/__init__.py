"""The pages for browsers; their entry is :mod:`bot.faces.web.site`."""
