"""The folder that holds the code."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""Relative paths of settings start here. It is for the process that opens a file to look
this up: a worker on another machine has its own copy of the code elsewhere."""
