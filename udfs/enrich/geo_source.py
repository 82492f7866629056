"""Where a GeoIP database comes from, and noticing that another one has taken its place."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from udfs.config.location import Location, S3Object
from udfs.enrich.file_version import FileVersion, file_version
from udfs.enrich.geo import GeoDatabase, other_half
from udfs.enrich.geo_schema import Contents
from udfs.errors import DatabaseError

type Versions = Mapping[str, FileVersion | str]
"""Versions of files by name; None when there is no file."""


class ObjectStore(Protocol):
    """Reads objects in S3; the core itself knows no AWS."""

    def version(self, item: S3Object) -> str | None:
        """Returns what changes when the object does; None when there is none.

        Raises:
            DatabaseError: It cannot be looked at.
        """

    def download(self, item: S3Object, version: str, target: Path) -> None:
        """Puts this version of an object into a file, whole.

        Raises:
            DatabaseError: It cannot be read, or is another version by now.
            OSError: The file cannot be written.
        """


class _Folder:
    """A database in the file system.

    A new file must take the old file's place at once (rename it there). The old one stays mapped
    into memory, so a file that is written over would change, or end, under the feet of its reader.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._folder = path.parent

    def versions(self) -> Versions:
        names = {self.name, other_half(self.name)}
        return {name: file_version(self._folder / name) for name in names}

    @contextmanager
    def folder(self, _: Versions) -> Iterator[Path]:
        yield self._folder

    def label(self, name: str) -> str:
        return str(self._folder / name)


class _Bucket:
    """A database in S3, which is copied to the machine to be opened."""

    def __init__(self, item: S3Object, store: ObjectStore) -> None:
        self.name = item.name
        self._item = item
        self._store = store

    def versions(self) -> Versions:
        names = {self.name, other_half(self.name)}
        return {name: self._store.version(self._item.beside(name)) for name in names}

    @contextmanager
    def folder(self, versions: Versions) -> Iterator[Path]:
        """Gives a folder with the files for as long as the block runs.

        An open file stays readable without its name, and a process that is killed leaves none.
        """
        if versions[self.name] is None:
            raise DatabaseError(str(self._item), "no such object")
        try:
            with tempfile.TemporaryDirectory(prefix="weblog-geoip-") as name:
                for file, version in versions.items():
                    if isinstance(version, str):
                        self._store.download(self._item.beside(file), version, Path(name, file))
                yield Path(name)
        except OSError as error:
            problem = f"cannot be copied to this machine ({error.strerror or error})"
            raise DatabaseError(str(self._item), problem) from error

    def label(self, name: str) -> str:
        return str(self._item.beside(name))


class GeoDatabaseFile[T]:
    """Opens a database, and opens it again once it has been replaced.

    Args:
        location: Where it is; of a pair, where either file is.
        contents: What is wanted of it.
        store: Reads objects in S3.
        records: As of `GeoFile.open`.
    """

    def __init__(
        self,
        location: Location,
        contents: Contents[T],
        store: ObjectStore | None,
        *,
        records: int,
    ) -> None:
        if isinstance(location, Path):
            self._source: _Folder | _Bucket = _Folder(location)
        elif store is not None:
            self._source = _Bucket(location, store)
        else:
            raise DatabaseError(str(location), "nothing here reads S3")
        self._contents = contents
        self._records = records
        self._versions: Versions = {}
        self._names: frozenset[str] = frozenset()

    def open(self) -> GeoDatabase[T]:
        """Opens the database.

        Raises:
            DatabaseError: The database cannot be used.
        """
        # Looked at before it is opened: a file replaced in between is then noticed.
        return self._open(self._source.versions())

    def replaced(self) -> GeoDatabase[T] | None:
        """Returns the new database, if there is another one than at the last look.

        Raises:
            DatabaseError: There is, and it cannot be used: a file is corrupt, or is gone of which
                the database in use consists. It is looked at only once, unless it cannot be
                fetched.
        """
        versions = self._source.versions()
        return None if versions == self._versions else self._open(versions)

    def _open(self, versions: Versions) -> GeoDatabase[T]:
        source = self._source
        with source.folder(versions) as folder:
            self._versions = versions
            for name in self._names - {source.name}:
                if versions[name] is None:
                    raise DatabaseError(source.label(source.name), f"{name}: no such file")
            database = GeoDatabase.open(
                folder / source.name,
                self._contents,
                records=self._records,
                label_of=lambda path: source.label(path.name),
            )
        self._names = frozenset(path.name for path in database.files)
        return database
