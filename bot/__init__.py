"""The command line, the collector, the store and the faces."""
