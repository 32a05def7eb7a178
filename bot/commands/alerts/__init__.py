"""``alert``: rules on the market, one file a verb."""
