"""What others measured and published, as tables; how ours compares is printed by ``benchmarks.published_values``."""
