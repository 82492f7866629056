"""`./build.sh package`: the zip that Amazon Managed Service for Apache Flink runs.

Usage: ./build.sh package [--out DIR] [--jar FILE] [--geoip FILE] [--asn FILE]
           [--reference FILE]

Writes DIR/<name>-<version>.zip (DIR is dist): the code, the SQL, the connector jar and
the third-party Python packages for the service's platform. The same input gives the same
bytes. There is no zip unless everything is in it.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.package import connectors, contents, wheels
from tools.package.archive import Content, complete_or_absent, verified_names, write_zip
from tools.package.contents import megabytes
from tools.package.layout import (
    APPLICATION_DIRECTORY,
    DATA_SETTINGS,
    ENTRY_POINT,
    JAR,
    MANIFEST,
    MAXIMUM_ZIP_BYTES,
    Manifest,
    read_manifest,
)
from tools.shell import CommandError
from udfs.config.root import ROOT

# Folders of the project that the job consists of, and what of them it does without.
_CODE = ("aws", "flink_app", "sql", "udfs")
_NOT_THE_JOB = ("sql/athena", "sql/client")

WITHOUT_CONNECTORS = "-without-connectors"


@dataclass(frozen=True, slots=True)
class JobPackageOptions(contents.PackageOptions):
    """What goes into the zip.

    Attributes:
        jar: A finished connector jar; None to make it.
        with_connectors: False leaves the jar out, which the file's name then tells.
        maven_settings: A Maven settings file instead of the user's own.
    """

    jar: Path | None = None
    with_connectors: bool = True
    maven_settings: Path | None = None


def run(options: argparse.Namespace) -> int:
    """Makes the zip and prints what is in it."""
    print("\n".join(describe(build(JobPackageOptions(**vars(options))))))
    return 0


def build(options: JobPackageOptions) -> Path:
    """Makes the zip and returns its path.

    Raises:
        WebLogError: A part is missing or wrong. There is no zip then, not even one of an
            earlier run.
    """
    name, version = contents.name_and_version()
    suffix = "" if options.with_connectors else WITHOUT_CONNECTORS
    target = options.out / f"{name}-{version}{suffix}.zip"
    with complete_or_absent(target) as temporary, tempfile.TemporaryDirectory() as work:
        entries: dict[str, Content] = dict(contents.notices())
        entries |= _application(contents.code(_CODE, _NOT_THE_JOB))
        entries |= _application(contents.data_files(options))
        if options.with_connectors:
            entries[JAR] = _jar(options)
        lock, installed = ROOT / "conf" / "requirements" / "package.lock", Path(work) / "packages"
        packages = wheels.install(lock, installed)
        entries |= _application(contents.below(installed))
        manifest = Manifest(
            name=name,
            version=version,
            connectors=options.with_connectors,
            packages=packages,
            **contents.data_paths(options),
        )
        entries[MANIFEST] = manifest.to_json().encode()
        write_zip(temporary, entries)
        verify(temporary, manifest)
    return target


def verify(path: Path, manifest: Manifest) -> None:
    """Reads a finished zip back and checks that the service can take it.

    Raises:
        CommandError: It is damaged, too large or lacks a part.
    """
    size = path.stat().st_size
    if size > MAXIMUM_ZIP_BYTES:
        raise CommandError(
            f"the zip has {megabytes(size)}; the service takes {megabytes(MAXIMUM_ZIP_BYTES)}"
        )
    names = verified_names(path)
    needed = {MANIFEST, ENTRY_POINT, f"{APPLICATION_DIRECTORY}/udfs/enrichment.py"}
    if manifest.connectors:
        needed.add(JAR)
    if missing := sorted(needed - names):
        raise CommandError(f"the zip came out without {', '.join(missing)}")


def describe(path: Path) -> Iterator[str]:
    """Yields the lines that tell what is in a zip and how large it is."""
    yield from contents.listing(path, _part)
    manifest = read_manifest(path)
    packages = ", ".join(f"{name} {version}" for name, version in manifest.packages.items())
    yield f"Python packages ({wheels.PLATFORM}, Python {wheels.PYTHON_VERSION}): {packages}"
    for option, (group, key) in DATA_SETTINGS.items():
        if data := getattr(manifest, option):
            yield f"From --{option}: set {group}: {key} = {data}"
    if manifest.geoip is None:
        yield contents.WITHOUT_DATABASE
    if not manifest.connectors:
        yield "WITHOUT the AWS connectors: Kinesis and Firehose do not work with this zip"
    yield "Run options of the application (./build.sh deploy sets them):"
    for key, value in manifest.run_options().items():
        yield f"  {key:<8} {value}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    contents.add_options(parser, "as data/<file name>")
    parser.add_argument(
        "--jar", metavar="FILE", type=Path, help="a finished connector jar, instead of making it"
    )
    parser.add_argument(
        "--maven-settings", type=Path, metavar="FILE", help="settings.xml for Maven"
    )
    parser.add_argument(
        "--without-connectors",
        dest="with_connectors",
        action="store_false",
        help=f"leave the jar out; the zip's name then ends with {WITHOUT_CONNECTORS}",
    )


def _jar(options: JobPackageOptions) -> Path:
    if options.jar is not None:
        connectors.check_jar(options.jar)
        return options.jar
    jar = ROOT / JAR
    connectors.build_jar(ROOT / "conf" / "pom.xml", jar, options.maven_settings)
    return jar


def _application(files: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    """Files under their names in the folder of the application."""
    return {f"{APPLICATION_DIRECTORY}/{name}": path for name, path in files}


def _part(name: str) -> str:
    """Returns the line of the listing that an entry belongs to."""
    first, *rest = name.split("/")
    if first != APPLICATION_DIRECTORY:
        return name
    return f"{first}/{rest[0]}"
