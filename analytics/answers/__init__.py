"""One module a question: stored values in, the answer's dataclass out."""
