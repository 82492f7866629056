"""Finds and hides personal data."""
