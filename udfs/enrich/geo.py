"""Where a client address is, from a database in MaxMind's format.

Three outcomes are kept apart: an address the database does not know (None), an address that can be
in no database because it is private or reserved (`is_reserved`), and a database that cannot be
read (`DatabaseError`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from udfs.enrich.geo_file import GeoFile
from udfs.enrich.geo_schema import Contents
from udfs.errors import DatabaseError
from udfs.parse.client import IPV4, parse_address

_FAMILY = re.compile("ipv[46]")
_OTHER_FAMILY = {"ipv4": "ipv6", "ipv6": "ipv4"}


class GeoDatabase[T]:
    """An open database: a file for all addresses, or one or both files of a pair.

    Attributes:
        files: Where its files are.
        database_type: What it is, in words for people.
        build_date: When it was built; of two files the earlier date.
    """

    def __init__(self, files: Sequence[GeoFile[T]]) -> None:
        look_up = {family: file.lookup for file in files for family in file.families}
        self._ipv4, self._ipv6 = (look_up.get(family, _nowhere) for family in (4, 6))
        self._close = [file.close for file in files]
        self.files = frozenset(file.path for file in files)
        self.database_type = ", ".join(sorted(file.kind for file in files))
        self.build_date = min(file.build_date for file in files)

    @classmethod
    def open(
        cls,
        path: str | Path,
        contents: Contents[T],
        *,
        records: int = 0,
        label_of: Callable[[Path], str] = str,
    ) -> Self:
        """Opens a database.

        Args:
            path: A file for all addresses, or either file of a pair. The other file of the pair
                is taken too if it is there: beside the named file, with `ipv6` in its name for
                `ipv4` or the reverse.
            contents: What is wanted of it.
            records: As of `GeoFile.open`, of each file.
            label_of: How errors call a file.

        Raises:
            DatabaseError: A file is missing, not a MaxMind DB, corrupt, or has other contents.
        """
        path = Path(path)

        def opened(file: Path) -> GeoFile[T]:
            return GeoFile.open(file, contents, records=records, label=label_of(file))

        with ExitStack() as stack:
            files = [stack.enter_context(closing(opened(path)))]
            other = path.with_name(other_half(path.name))
            if files[0].is_half and other != path and other.exists():
                files.append(stack.enter_context(closing(_open_other(other, files[0], opened))))
            database = cls(files)
            stack.pop_all()
        return database

    def __str__(self) -> str:
        """Returns its type and date, for logs."""
        return f"{self.database_type} of {self.build_date:%Y-%m-%d}"

    def age(self, now: datetime) -> timedelta:
        """Returns the time since the database was built."""
        return now - self.build_date

    def lookup(self, host: str) -> T | None:
        """Returns what is known of an address; None of host names and without an entry.

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


def other_half(name: str) -> str:
    """Returns the name of the other file of a pair; the name itself if it is of none."""
    return _FAMILY.sub(lambda family: _OTHER_FAMILY[family[0]], name)


def _open_other[T](
    path: Path, half: GeoFile[T], opened: Callable[[Path], GeoFile[T]]
) -> GeoFile[T]:
    """Opens the other half of a pair.

    Raises:
        DatabaseError: Of the half: what lies there is unreadable or not its other half.
    """
    try:
        other = opened(path)
    except DatabaseError as error:
        raise DatabaseError(half.label, f"{path.name}: {error.problem}") from error
    if not other.is_half or other.families == half.families:
        other.close()
        raise DatabaseError(half.label, f"{path.name}: not the file of the other IP version")
    return other


def _nowhere(_: object) -> None:
    """Returns what a database without a file of a family knows of its addresses."""


def is_reserved(host: str) -> bool:
    """Returns whether an address is private, loopback, link-local, multicast or else reserved."""
    address = parse_address(host)
    return address is not None and (not address.is_global or address.is_multicast)
