"""A package that was made, unpacked where it is to run, and what it finds there."""

from __future__ import annotations

import hashlib
import importlib.metadata
import zipfile
from collections.abc import Iterable
from pathlib import Path


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks a zip as AWS does and takes all rights to write away."""
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)


def contents_of(folder: Path) -> dict[str, str]:
    """Digest by path of all files below a folder.

    Tests may run as root, who may write whatever the rights say: this shows that nobody did.
    Python's own cache of byte code, which it does without, is no matter.
    """
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def link_distributions(names: Iterable[str], folder: Path) -> None:
    """Puts distributions that are installed here into a folder, as links."""
    for name in names:
        distribution = importlib.metadata.distribution(name)
        tops = {Path(str(file)).parts[0] for file in distribution.files or []}
        for top in tops - {"..", "__pycache__", "/"}:
            origin = Path(str(distribution.locate_file(top)))
            if origin.exists() and not (folder / top).exists():
                (folder / top).symlink_to(origin)
