"""What `package` and `package-lambda` put into zips, and how they list it."""

from __future__ import annotations

import hashlib
import tomllib
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tools.package.layout import DATA_DIRECTORY
from tools.shell import CommandError
from udfs.config.root import ROOT
from udfs.enrich.geo import GeoDatabase
from udfs.errors import DatabaseError

_NOTICES = ("LICENSE", "NOTICE")


def name_and_version() -> tuple[str, str]:
    """The project's name and version."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    return project["name"], project["version"]


def code(
    directories: Sequence[str], suffixes: Sequence[str], left_out: Sequence[str] = ()
) -> Iterator[tuple[str, Path]]:
    """Files of folders of the project, with their paths from its root.

    Args:
        directories: The folders.
        suffixes: Endings of the files' names.
        left_out: Folders or files in them to leave out.
    """
    for directory in directories:
        for path in sorted((ROOT / directory).rglob("*")):
            relative = path.relative_to(ROOT)
            if path.suffix in suffixes and not any(map(relative.is_relative_to, left_out)):
                yield relative.as_posix(), path


def notices() -> Iterator[tuple[str, Path]]:
    """Licence and attributions, which every package holds."""
    for name in _NOTICES:
        if (ROOT / name).exists():
            yield name, ROOT / name


def below(directory: Path) -> Iterator[tuple[str, Path]]:
    """All files below a folder, with their paths from there."""
    for path in directory.rglob("*"):
        if path.is_file():
            yield path.relative_to(directory).as_posix(), path


def city_database(path: Path) -> dict[str, Path]:
    """Returns the files of a GeoIP database by their paths in a package, from the code's folder.

    The named file is the first. The flat schema has another one beside it.

    Raises:
        CommandError: It cannot be read or is none of cities.
    """
    try:
        geo = GeoDatabase.open(path)
    except DatabaseError as error:
        raise CommandError(f"--geoip: {error}") from error
    return f"{DATA_DIRECTORY}/{path.name}"


def reference_file(path: Path) -> str:
    """The path of reference data in a package, from the folder of the code.

    What is in it can be checked only where the settings are known, which name its key.

    Raises:
        CommandError: There is no such file.
    """
    if not path.is_file():
        raise CommandError(f"--reference: {path}: no such file")
    return f"{DATA_DIRECTORY}/{path.name}"


def listing(path: Path, part_of: Callable[[str], str]) -> Iterator[str]:
    """Lines that tell what is in a zip and how large it is.

    Args:
        path: The zip.
        part_of: Gives the part that an entry is listed under.
    """
    with zipfile.ZipFile(path) as archive:
        entries = [(entry.filename, entry.compress_size) for entry in archive.infolist()]
    parts: dict[str, list[int]] = {}
    for name, size in entries:
        parts.setdefault(part_of(name), []).append(size)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    yield f"{path}: {megabytes(path.stat().st_size)}, {len(entries)} files"
    yield f"sha256 {digest}"
    for part, sizes in sorted(parts.items()):
        files = "1 file" if len(sizes) == 1 else f"{len(sizes)} files"
        yield f"  {part:<32} {files:>10} {sum(sizes) / 1000:>9,.1f} kB"


def megabytes(size: int) -> str:
    """Bytes as people read them."""
    return f"{size / 1_000_000:.1f} MB"
