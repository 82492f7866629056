"""One file in MaxMind's format."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, Self

import maxminddb
from geoip2.database import Reader
from maxminddb.reader import Metadata

from udfs.enrich.file_version import FileVersion, file_version
from udfs.enrich.geo_check import check_file, read_metadata
from udfs.enrich.geo_schema import Contents, Schema
from udfs.errors import DatabaseError


class _RawReader(Reader):
    """geoip2's reader with plain records: its `city()` makes many objects of each (hot path)."""

    def get(self, address: str | IPv4Address | IPv6Address) -> object:
        return self._db_reader.get(address)


class GeoFile[T]:
    """An open file. It is memory-mapped, so processes share its pages.

    Attributes:
        path: Where the file is.
        label: How errors call it.
        kind: The type that the file names; of half a database its own name, which says more.
        build_date: When the file was built.
        families: The versions of IP whose addresses the file knows.
        is_half: Whether it knows one family only, and the other may have a file beside it.
    """

    def __init__(
        self, path: Path, label: str, reader: _RawReader, metadata: Metadata, schema: Schema[T]
    ) -> None:
        self.path = path
        self.label = label
        self.is_half = metadata.database_type.endswith((" ipv4", " ipv6"))
        self.kind = path.stem if self.is_half else metadata.database_type
        self.build_date = datetime.fromtimestamp(metadata.build_epoch, UTC)
        both = metadata.ip_version == 6 and not self.is_half
        self.families = (4, 6) if both else (metadata.ip_version,)
        self._schema = schema
        self._get = reader.get
        self._read = schema.read
        self.close = reader.close

    @classmethod
    def open(
        cls, path: Path, contents: Contents[T], *, records: int = 0, label: str | None = None
    ) -> Self:
        """Opens a file.

        Args:
            path: Where it is.
            contents: What is wanted of it.
            records: How many of its records are read first, and the whole tree with them; 0: the
                file is taken for sound.
            label: How errors call it; without one, its path.

        Raises:
            DatabaseError: There is no such file, it is no MaxMind DB, of no schema for these
                contents, or corrupt.
        """
        label = label or str(path)
        with _translated(label, "not a MaxMind DB file, or a corrupt one"):
            metadata = read_metadata(path)
        schema = contents.schema_of(metadata.database_type)
        if schema is None:
            expected = f"not {contents.with_article} database"
            raise DatabaseError(label, f"of type {metadata.database_type!r}, {expected}")
        if records:
            _check_once(path, file_version(path), label, schema, records)
        with _translated(label, "corrupt"):
            return cls(path, label, _RawReader(path), metadata, schema)

    def lookup(self, address: str | IPv4Address | IPv6Address) -> T | None:
        """Returns what is known of an address of the file's families; None without an entry.

        Raises:
            DatabaseError: The file is corrupt.
        """
        try:
            record = self._get(address)
            return None if record is None else self._read(record)
        except (maxminddb.InvalidDatabaseError, UnicodeDecodeError, SystemError) as error:
            raise DatabaseError(self.label, "corrupt") from error
        except (TypeError, AttributeError, LookupError) as error:
            raise _wrong_schema(self.label, self._schema) from error


@lru_cache(maxsize=16)
def _check_once(path: Path, _: FileVersion, label: str, schema: Schema[Any], records: int) -> None:
    """Checks a version of a file; a process that opens it again need not."""
    with _translated(label, "corrupt"):
        try:
            check_file(path, read_metadata(path), schema.read, records)
        except (TypeError, AttributeError, LookupError) as error:
            raise _wrong_schema(label, schema) from error


@contextmanager
def _translated(label: str, corrupt: str) -> Iterator[None]:
    """Makes of what the readers raise what is wrong with the file."""
    try:
        yield
    except FileNotFoundError:
        raise DatabaseError(label, "no such file") from None
    except OSError as error:
        raise DatabaseError(label, error.strerror or "cannot be read") from error
    except (maxminddb.InvalidDatabaseError, SystemError) as error:
        raise DatabaseError(label, corrupt) from error


def _wrong_schema(label: str, schema: Schema[Any]) -> DatabaseError:
    return DatabaseError(label, f"a record is not of the {schema.name} schema")
