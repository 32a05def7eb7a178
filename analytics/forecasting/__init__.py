"""Forecasts of prices and how they fared."""
