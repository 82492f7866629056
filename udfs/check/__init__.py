"""Judges records: filters, anomalies, and the schema of what is written."""
