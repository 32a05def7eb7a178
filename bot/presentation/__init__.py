"""What people see: cards, charts and words in two languages."""
