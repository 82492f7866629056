"""What is where inside the zip of the application, and how the service learns it.

The service unpacks the zip and starts Flink with what the property group
`kinesis.analytics.flink.run.options` names, all relative to the zip:

    manifest.json                    what this zip is; read by `./build.sh deploy`
    app/                             pyFiles: on PYTHONPATH of the job and of its workers
    app/flink_app/main.py            python: the entry point
    app/udfs/, app/sql/              the rest of the code
    app/data/                        GeoIP databases and reference data, if they were added
    app/geoip2/, app/orjson/, ...    third-party packages
    lib/pyflink-dependencies.jar     jarfile: the connectors

One folder holds all that Python reads, for two reasons. Flink ships `pyFiles` to every
task manager as a folder, not as a zip, so extension modules (.so) in it can be loaded.
And what lies elsewhere in the zip is only known to exist where the job is submitted.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from tools.shell import CommandError
from udfs.config.core import GeoIpSettings
from udfs.enrich.reference import ReferenceSettings

RUN_OPTIONS_GROUP = "kinesis.analytics.flink.run.options"

APPLICATION_DIRECTORY = "app"
ENTRY_POINT = f"{APPLICATION_DIRECTORY}/flink_app/main.py"
DATA_DIRECTORY = "data"
JAR = "lib/pyflink-dependencies.jar"
MANIFEST = "manifest.json"

DATA_SETTINGS = {
    "geoip": (GeoIpSettings.group, "database.path"),
    "asn": (GeoIpSettings.group, "asn.database.path"),
    "reference": (ReferenceSettings.group, "file"),
}
"""Data files that a package may hold, each with the group and key of the setting that names it."""

MAXIMUM_ZIP_BYTES = 512 * 1024 * 1024
"""The service's limit for the code of an application."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a zip of the application is.

    Attributes:
        name: The project's name.
        version: The project's version.
        connectors: Whether the AWS connectors are in it.
        packages: Third-party packages in it, by name, with their versions.
        geoip: Path of the GeoIP database of cities for its setting (`DATA_SETTINGS`), or None.
        asn: The same of a database of autonomous systems.
        reference: The same of reference data.
    """

    name: str
    version: str
    connectors: bool
    packages: dict[str, str] = field(default_factory=dict)
    geoip: str | None = None
    asn: str | None = None
    reference: str | None = None

    def run_options(self) -> dict[str, str]:
        """Returns the property group that tells the service how to start the job."""
        options = {"python": ENTRY_POINT, "pyFiles": f"{APPLICATION_DIRECTORY}/"}
        if self.connectors:
            options["jarfile"] = JAR
        return options

    def to_json(self) -> str:
        """Returns the text of `manifest.json`."""
        return json.dumps(asdict(self) | {"run_options": self.run_options()}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Reads the text of a `manifest.json`.

        Raises:
            ValueError: It is not one.
        """
        document = json.loads(text)
        match document:
            case {
                "name": str(name),
                "version": str(version),
                "connectors": bool(connectors),
                "packages": dict(packages),
                "geoip": str() | None as geoip,
                "reference": str() | None as reference,
            } if isinstance(asn := document.get("asn"), str | None):  # Older zips have none.
                return cls(name, version, connectors, packages, geoip, asn, reference)
            case _:
                raise ValueError(_shortened(document))


def read_manifest(path: Path) -> Manifest:
    """Returns the manifest of a zip.

    Raises:
        CommandError: The file is missing, unreadable, or not a zip of this project.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return Manifest.from_json(archive.read(MANIFEST))
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror or error}") from error
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise CommandError(f"{path} was not made by ./build.sh package") from error


def _shortened(value: Any) -> str:
    return str(value)[:80]
