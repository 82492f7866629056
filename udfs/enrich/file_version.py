"""Noticing that a file was replaced."""

from __future__ import annotations

from pathlib import Path

type FileVersion = tuple[int, int, int] | None
"""What changes when a file does: time, size and inode; None when there is no file."""


def file_version(path: Path) -> FileVersion:
    """The version of a file now. Why one cannot be looked at is for who opens it to say."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
