"""Reads input: log formats, time stamps, request lines, and text with its encodings undone."""
