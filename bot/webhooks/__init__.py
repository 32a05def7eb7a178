"""Outbound webhooks: endpoints of other people, signed events, and what keeps our own network out of reach."""
