"""Adds what a line doesn't say itself: place, user agent, referring site, reference data."""
