"""Where a client address is, from a database in MaxMind's format.

Three outcomes are kept apart: an address the database does not know (None), an address that can be
in no database because it is private or reserved (`is_reserved`), and a database that cannot be
read (`DatabaseError`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from udfs.enrich.file_version import FileVersion, file_version
from udfs.enrich.geo_file import GeoFile, GeoLocation
from udfs.errors import DatabaseError
from udfs.parse.client import IPV4, parse_address

_FAMILY = re.compile("ipv[46]")
_OTHER_FAMILY = {"ipv4": "ipv6", "ipv6": "ipv4"}


class GeoDatabase:
    """An open database: a file of the City schema, or one or both files of the flat schema.

    Attributes:
        files: Where its files are.
        database_type: What it is, in words for people.
        build_date: When it was built; of two files the earlier date.
    """

    def __init__(self, files: Sequence[GeoFile]) -> None:
        look_up = {family: file.lookup for file in files for family in file.families}
        self._ipv4, self._ipv6 = (look_up.get(family, _nowhere) for family in (4, 6))
        self._close = [file.close for file in files]
        self.files = frozenset(file.path for file in files)
        self.database_type = ", ".join(sorted(file.kind for file in files))
        self.build_date = min(file.build_date for file in files)

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Opens a database.

        Args:
            path: A file of the City schema, or either file of the flat schema. The other file of
                the flat schema is taken too if it is there: beside the named file, with `ipv6` in
                its name for `ipv4` or the reverse.

        Raises:
            DatabaseError: A file is missing, not a MaxMind DB, or of neither schema.
        """
        path = Path(path)
        with ExitStack() as opened:
            files = [opened.enter_context(closing(GeoFile.open(path)))]
            other = _other_half(path)
            if files[0].flat and other != path and other.exists():
                files.append(opened.enter_context(closing(_open_other(other, files[0]))))
            database = cls(files)
            opened.pop_all()
        return database

    def try_out(self) -> None:
        """Looks up addresses from all over the address space.

        Raises:
            DatabaseError: The database is corrupt.
        """
        for network in range(1, 224):
            self.lookup(f"{network}.0.0.1")
            self.lookup(f"2{network:03x}::1")

    def age(self, now: datetime) -> timedelta:
        """Returns the time since the database was built."""
        return now - self.build_date

    def lookup(self, host: str) -> GeoLocation | None:
        """Returns the location of an address; None for host names and addresses without an entry.

        Raises:
            DatabaseError: The database is corrupt.
        """
        # The reader parses text itself. A plain IPv4 address needs no look of ours first, which
        # would take as long as the look-up (hot path).
        if IPV4.fullmatch(host):
            return self._ipv4(host)
        address = parse_address(host)
        if address is None:
            return None
        return self._ipv4(address) if address.version == 4 else self._ipv6(address)

    def close(self) -> None:
        """Closes the files."""
        for close in self._close:
            close()


class GeoDatabaseFile:
    """Opens a database, and opens it again once it has been replaced.

    A new file must take the old file's place at once (rename it there). The old one stays mapped
    into memory, so a file that is written over would change, or end, under the feet of its reader.

    Args:
        path: As of `GeoDatabase.open`.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._versions: dict[Path, FileVersion] = {}
        self._files: frozenset[Path] = frozenset()

    def open(self) -> GeoDatabase:
        """Opens the database.

        Raises:
            DatabaseError: The database cannot be used.
        """
        # Looked at before it is opened: a file replaced in between is then noticed.
        self._versions = self._look()
        database = GeoDatabase.open(self._path)
        self._files = database.files
        return database

    def replaced(self) -> GeoDatabase | None:
        """Returns the new database, if there is another one than at the last look.

        Raises:
            DatabaseError: There is, and it cannot be used: a file is corrupt, or is gone of which
                the database in use consists. It is looked at only once.
        """
        versions = self._look()
        if versions == self._versions:
            return None
        self._versions = versions
        for path in self._files - {self._path}:
            if versions[path] is None:
                raise DatabaseError(str(self._path), f"{path.name}: no such file")
        database = GeoDatabase.open(self._path)
        try:
            database.try_out()
        except DatabaseError:
            database.close()
            raise
        self._files = database.files
        return database

    def _look(self) -> dict[Path, FileVersion]:
        return {path: file_version(path) for path in (self._path, _other_half(self._path))}


def _other_half(path: Path) -> Path:
    """Returns where the other file of a flat pair lies; the path itself for any other name."""
    return path.parent / _FAMILY.sub(lambda family: _OTHER_FAMILY[family[0]], path.name)


def _open_other(path: Path, half: GeoFile) -> GeoFile:
    """Opens the other half of a flat pair.

    Raises:
        DatabaseError: Of the half: what lies there is unreadable or not its other half.
    """
    try:
        other = GeoFile.open(path)
    except DatabaseError as error:
        raise DatabaseError(str(half.path), f"{path.name}: {error.problem}") from error
    if not other.flat or other.families == half.families:
        other.close()
        raise DatabaseError(str(half.path), f"{path.name}: not the file of the other IP version")
    return other


def _nowhere(_: object) -> None:
    """Returns what a database without a file of a family knows of its addresses."""


def is_reserved(host: str) -> bool:
    """True for private, loopback, link-local, multicast and otherwise reserved addresses."""
    address = parse_address(host)
    return address is not None and (not address.is_global or address.is_multicast)
