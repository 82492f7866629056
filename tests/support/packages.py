"""Zips unpacked in the folder where they run, and the packages beside them."""

from __future__ import annotations

import hashlib
import importlib.metadata
import zipfile
from collections.abc import Iterable
from pathlib import Path


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks a zip as AWS does, and removes all rights to write."""
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)


def contents_of(folder: Path) -> dict[str, str]:
    """Returns the digest of each file below a folder by its path.

    Equal digests show that nobody wrote: rights do not stop root, who may run the tests.
    Python's cache of byte code doesn't count.
    """
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def link_distributions(names: Iterable[str], folder: Path) -> None:
    """Links distributions that are installed here into a folder."""
    for name in names:
        distribution = importlib.metadata.distribution(name)
        tops = {Path(str(file)).parts[0] for file in distribution.files or []}
        for top in tops - {"..", "__pycache__", "/"}:
            origin = Path(str(distribution.locate_file(top)))
            if origin.exists() and not (folder / top).exists():
                (folder / top).symlink_to(origin)
