"""Where the market comes from: the service, files, or a simulation. Each hands on ``Fetch``, never its own format."""
