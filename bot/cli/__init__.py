"""The commands of the program, one module a group; :mod:`bot.cli.main` declares them."""
