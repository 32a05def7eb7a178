"""Answers for people: cards, charts and words in two languages."""
