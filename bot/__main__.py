"""``python -m bot`` is ``spotbot``."""

from bot.cli.main import main

if __name__ == "__main__":
    main()
