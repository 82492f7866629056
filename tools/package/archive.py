"""Zip files that are the same, byte for byte, whenever they are made of the same files."""

from __future__ import annotations

import os
import stat
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tools.shell import CommandError

# The earliest time a zip can hold. Times of files would differ from checkout to checkout.
_TIME = (1980, 1, 1, 0, 0, 0)
_MODE = stat.S_IFREG | 0o644
_UNIX = 3
# Packed already: packing again costs time and gains nothing.
_STORED_SUFFIXES = (".jar", ".gz", ".zip")

type Content = bytes | Path


@contextmanager
def replaced_when_complete(target: Path) -> Iterator[Path]:
    """Gives a temporary path beside `target`, renamed to it when the block ends well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".incomplete-", dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def complete_or_absent(target: Path) -> Iterator[Path]:
    """Yields the same, but a file already there is removed first.

    One of an earlier run must not be taken for the result of a run that failed.
    """
    target.unlink(missing_ok=True)
    with replaced_when_complete(target) as temporary:
        yield temporary


def write_zip(target: Path, contents: Mapping[str, Content]) -> None:
    """Writes a zip with entries in sorted order and fixed times and modes.

    Args:
        target: The file to write.
        contents: Bytes, or the file that holds them, by name in the zip.
    """
    with zipfile.ZipFile(target, "w") as archive:
        for name in sorted(contents):
            content = contents[name]
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system = _UNIX
            entry.external_attr = _MODE << 16
            stored = name.endswith(_STORED_SUFFIXES)
            entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            data = content if isinstance(content, bytes) else content.read_bytes()
            archive.writestr(entry, data, compresslevel=9)


def verified_names(path: Path) -> frozenset[str]:
    """Returns the names in a finished zip, every entry of which has been read back.

    Raises:
        CommandError: It is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
        if damaged is not None:
            raise CommandError(f"the zip came out damaged: {damaged}")
        return frozenset(archive.namelist())
