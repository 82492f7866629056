"""Notices that a file was replaced."""

from __future__ import annotations

from pathlib import Path

type FileVersion = tuple[int, int, int] | None
"""A file's time, size and inode, which change with it; None when there is no file."""


def file_version(path: Path) -> FileVersion:
    """Returns the version of a file now. The caller that opens the file reports why it cannot."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
