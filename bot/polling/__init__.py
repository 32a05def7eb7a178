"""The market is read: whose turn it is, within which budget, and what one round becomes."""
