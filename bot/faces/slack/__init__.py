"""The Slack face; its entry is :mod:`bot.faces.slack.face`."""
