"""Adds what a line doesn't say itself: location, user agent, referring site, reference data."""
