"""A figure that cannot be measured here, and why; not a failure."""

from __future__ import annotations

from udfs.errors import WebLogError

EXIT_SKIPPED = 4
"""Exit status of the process that was to measure it."""


class SkippedError(WebLogError):
    """What the figure needs is not there."""
