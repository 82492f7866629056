"""Reference data in a file: what the site's owner knows about a page or a client.

Each worker reads the file again when it changes, while records go on. (Flink's own ways would
cost more and do less: its file source does not notice that a known file changes, a look-up join
needs a connector that reads files by key, and a broadcast sends every record into Python again.)
"""

from __future__ import annotations

import csv
import io
import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Self

import orjson

from udfs.config.properties import Group, choice, duration, path, setting, text
from udfs.config.root import ROOT
from udfs.enrich.file_version import file_version
from udfs.errors import DataFileError

_LOG = logging.getLogger(__name__)

MAX_FILE_BYTES = 64 * 1024 * 1024
"""A larger file is refused: it is kept in memory by every worker."""

MAX_REFERENCE_BYTES = 4096
"""Attributes that are longer as JSON are not copied into every record: a file with such an entry is
refused, the look-up of such an item fails."""

type KeyField = Literal["webpage", "host"]


@dataclass(frozen=True, slots=True)
class ReferenceSettings(Group, name="weblog.reference"):
    """A file with attributes of pages or clients, which records get as `reference`."""

    file: Path | None = setting(
        path(),
        "",
        "CSV with a header line, or JSON (a list of objects, or one object by key); empty: none.",
    )
    key: str = setting(text(minimum_length=1), "webpage", "Column or member that holds the key.")
    field: KeyField = choice("webpage", "Field of the record that is looked up in the file.")
    check_interval: timedelta = setting(
        duration("1 s", "1 h"),
        "10 s",
        "How often the job looks at the file; it reads a changed one again.",
    )


class ReferenceFileError(DataFileError):
    """A reference file cannot be used."""

    title = "reference data"


class ReferenceFile:
    """Attributes by key, as JSON text, always those of the file's last good version."""

    def __init__(
        self,
        file: Path,
        key: str,
        check_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Reads the file.

        Args:
            file: A `.csv` or `.json` file.
            key: Column or member that holds the key.
            check_seconds: How often the file is looked at.
            clock: Seconds from any fixed instant.

        Raises:
            ReferenceFileError: It cannot be used.
        """
        self._file = file
        self._key = key
        self._interval = check_seconds
        self._clock = clock
        self._version = file_version(file)
        self._values = _read(file, key)
        self._next_check = clock() + check_seconds

    @classmethod
    def open(cls, settings: ReferenceSettings, code: Path = ROOT) -> Self | None:
        """Returns the file that the settings name, or None.

        Args:
            settings: What to open.
            code: The folder of the code, from where a relative path is meant.

        Raises:
            ConfigurationError: It cannot be used.
        """
        if settings.file is None:
            return None
        seconds = settings.check_interval.total_seconds()
        try:
            return cls(code / settings.file, settings.key, seconds)
        except ReferenceFileError as error:
            expected = f"a readable CSV or JSON file ({error.problem})"
            raise settings.error("file", str(settings.file), expected) from error

    def refresh(self) -> None:
        """Looks whether the file has changed, if that is due. Called once for each batch."""
        now = self._clock()
        if now < self._next_check:
            return
        self._next_check = now + self._interval
        try:
            version = file_version(self._file)
            if version == self._version:
                return
            # Remembered also if it is bad: it is read, and complained of, once.
            self._version = version
            values = _read(self._file, self._key)
            if file_version(self._file) != version:
                # Written to meanwhile: what was read may be half of it. Next time again.
                self._version = None
                return
        except ReferenceFileError as error:
            _LOG.warning("%s; the version before stays in use", error)
            return
        self._values = values

    def get(self, key: str | None) -> str:
        """Returns the attributes of a key as a JSON object, or `null`."""
        return "null" if key is None else self._values.get(key, "null")


def _read(file: Path, key: str) -> dict[str, str]:
    try:
        with file.open("rb") as opened:
            if os.fstat(opened.fileno()).st_size > MAX_FILE_BYTES:
                raise ReferenceFileError(str(file), f"larger than {MAX_FILE_BYTES} bytes")
            data = opened.read(MAX_FILE_BYTES)
        rows = _json_rows(data, key) if file.suffix.lower() == ".json" else _csv_rows(data)
        return {name: _attributes(row, key) for row in rows if (name := _key_of(row, key))}
    except OSError as error:
        raise ReferenceFileError(str(file), error.strerror or "cannot be read") from error
    except (ValueError, TypeError, csv.Error) as error:
        raise ReferenceFileError(str(file), " ".join(str(error).split())) from error


def _csv_rows(data: bytes) -> Iterable[Mapping[str, Any]]:
    # A byte order mark, as spreadsheets write it, is no part of the first column's name.
    rows = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
    if not rows.fieldnames:
        # As a file is that is being written in place.
        raise ValueError("without a header line")
    for row in rows:
        if None in row or None in row.values():
            raise ValueError("a line has more or fewer fields than the header")
        yield row


def _json_rows(data: bytes, key: str) -> Iterable[Mapping[str, Any]]:
    document = orjson.loads(data)
    if isinstance(document, dict):
        document = [{key: name, **_object(row)} for name, row in document.items()]
    if not isinstance(document, list):
        raise TypeError("neither a list nor an object")
    return map(_object, document)


def _object(row: object) -> Mapping[str, Any]:
    if not isinstance(row, dict):
        raise TypeError("an entry is not an object")
    return row


def _key_of(row: Mapping[str, Any], key: str) -> str:
    if key not in row:
        raise ValueError(f"an entry without {key!r}")
    return str(row[key])


def _attributes(row: Mapping[str, Any], key: str) -> str:
    attributes = orjson.dumps({name: value for name, value in row.items() if name != key})
    if len(attributes) > MAX_REFERENCE_BYTES:
        raise ValueError(f"an entry of more than {MAX_REFERENCE_BYTES} bytes")
    return attributes.decode()
