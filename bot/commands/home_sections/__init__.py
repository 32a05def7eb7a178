"""The parts of the screen that ``home`` shows, one file each."""
