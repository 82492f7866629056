"""What `package` and `package-lambda` have in common: their options, contents and listing."""

from __future__ import annotations

import argparse
import hashlib
import tomllib
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.package.layout import DATA_DIRECTORY, DATA_SETTINGS
from tools.shell import CommandError
from udfs.config.root import ROOT
from udfs.enrich.geo import GeoDatabase
from udfs.enrich.geo_check import ALL_RECORDS
from udfs.enrich.geo_schema import ASN, CITY, Contents
from udfs.errors import DatabaseError

WITHOUT_DATABASE = "WITHOUT a GeoIP database: city, country and location are null (see --geoip)"

_CODE_SUFFIXES = (".json", ".py", ".sql", ".txt")
_NOTICES = ("LICENSE", "NOTICE")


@dataclass(frozen=True, slots=True)
class PackageOptions:
    """What goes into either package.

    Attributes:
        out: Folder to write to.
        geoip: A GeoIP database of cities to add, or None.
        asn: One of autonomous systems to add, or None.
        reference: A file of reference data to add, or None.
    """

    out: Path = Path("dist")
    geoip: Path | None = None
    asn: Path | None = None
    reference: Path | None = None


def data_path(path: Path) -> str:
    """Returns the path of a data file in a package, from the folder of the code."""
    return f"{DATA_DIRECTORY}/{path.name}"


def data_paths(options: PackageOptions) -> dict[str, str]:
    """Returns the paths of a package's data files, from the folder of the code, by option."""
    files = {name: getattr(options, name) for name in DATA_SETTINGS}
    return {name: data_path(path) for name, path in files.items() if path is not None}


def data_files(options: PackageOptions) -> Iterator[tuple[str, Path]]:
    """Yields the data files of a package, with their paths from the folder of the code.

    What is in reference data can be checked only where the settings are known, which name its
    key.

    Raises:
        CommandError: A database cannot be read or is of another kind, two have one name, or there
            is no file of reference data.
    """
    databases = (
        *_database_files("--geoip", options.geoip, CITY),
        *_database_files("--asn", options.asn, ASN),
    )
    if len({file.name for file in databases}) < len(databases):
        raise CommandError("--geoip, --asn: two files of one name")
    for file in databases:
        yield data_path(file), file
    if options.reference is not None:
        if not options.reference.is_file():
            raise CommandError(f"--reference: {options.reference}: no such file")
        yield data_path(options.reference), options.reference


def _database_files[T](option: str, path: Path | None, kind: Contents[T]) -> Iterator[Path]:
    if path is None:
        return
    try:
        geo = GeoDatabase.open(path, kind, records=ALL_RECORDS)
    except DatabaseError as error:
        raise CommandError(f"{option}: {error}") from error
    geo.close()
    yield path
    # The flat schema has a second file beside the named one.
    yield from geo.files - {path}


def add_options(parser: argparse.ArgumentParser, use: str) -> None:
    """Adds the arguments of `PackageOptions`.

    Args:
        parser: The command's parser.
        use: What the package does with a data file.
    """
    parser.add_argument(
        "--out", metavar="DIR", type=Path, default=Path("dist"), help="folder (default: dist)"
    )
    # The demo's database is never taken by itself: it knows only the sample's addresses, so
    # that in production nearly every place would be null without a word.
    parser.add_argument(
        "--geoip", type=Path, metavar="FILE", help=f"add a GeoIP City database (.mmdb) {use}"
    )
    parser.add_argument(
        "--asn", type=Path, metavar="FILE", help=f"add a GeoIP ASN database (.mmdb) {use}"
    )
    parser.add_argument(
        "--reference", type=Path, metavar="FILE",
        help=f"add reference data (weblog.reference: .csv or .json) {use}",
    )  # fmt: skip


def name_and_version() -> tuple[str, str]:
    """Returns the project's name and version."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    return project["name"], project["version"]


def code(directories: Sequence[str], left_out: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Yields the code in folders of the project, with its paths from the root.

    Args:
        directories: The folders.
        left_out: Folders in them to leave out.
    """
    for directory in directories:
        for path in sorted((ROOT / directory).rglob("*")):
            relative = path.relative_to(ROOT)
            if path.suffix in _CODE_SUFFIXES and not any(map(relative.is_relative_to, left_out)):
                yield relative.as_posix(), path


def notices() -> Iterator[tuple[str, Path]]:
    """Yields the licence and attributions, which every package holds."""
    for name in _NOTICES:
        if (ROOT / name).exists():
            yield name, ROOT / name


def below(directory: Path) -> Iterator[tuple[str, Path]]:
    """Yields all files below a folder, with their paths from there."""
    for path in directory.rglob("*"):
        if path.is_file():
            yield path.relative_to(directory).as_posix(), path


def listing(path: Path, part_of: Callable[[str], str]) -> Iterator[str]:
    """Yields the lines that tell what is in a zip and how large it is.

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
    """Returns the bytes as people read them."""
    return f"{size / 1_000_000:.1f} MB"
