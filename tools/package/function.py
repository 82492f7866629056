"""`./build.sh package-lambda`: the zip that AWS Lambda runs.

Usage: ./build.sh package-lambda [--out DIR] [--arm64] [--geoip FILE] [--asn FILE]
                                 [--reference FILE] [--properties FILE]

Writes DIR/<name>-lambda-<version>-<architecture>.zip (DIR is dist) for the runtime python3.12:
the core, the two functions and their third-party packages, without Flink. boto3 is not in it:
the runtime has it. The same input, Python included, gives the same bytes.

Inside, everything lies where Lambda looks for it:

    lambda_app/firehose_handler.py      handler lambda_app.firehose_handler.handle
    lambda_app/kinesis_handler.py       handler lambda_app.kinesis_handler.handle
    conf/application_properties.json    settings, if there are any; environment variables win
    data/<name>.mmdb                    the GeoIP database, if one was added
    data/<name>.csv or .json            the reference data, if a file was added
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lambda_app.settings import Settings
from tools.package import contents, wheels
from tools.package.archive import complete_or_absent, verified_names, write_zip
from tools.package.contents import megabytes
from tools.package.layout import DATA_SETTINGS
from tools.shell import CommandError
from udfs.config.core import GeoIpSettings
from udfs.config.file import DEFAULT_FILE, dump_properties, load_properties
from udfs.config.location import Location
from udfs.config.root import ROOT
from udfs.enrich.reference import ReferenceFile, ReferenceSettings

HANDLERS = {
    "Firehose transformation": "lambda_app.firehose_handler.handle",
    "Kinesis consumer": "lambda_app.kinesis_handler.handle",
}
MAXIMUM_BYTES = 250 * 1024 * 1024
"""Lambda's limit for the unpacked code."""
DIRECT_UPLOAD_BYTES = 50 * 1024 * 1024
"""Lambda's limit for a zip that does not come from S3."""

_CODE = ("aws", "lambda_app", "udfs")
_NOT_THE_FUNCTIONS = ("udfs/flink",)
_PROPERTIES = DEFAULT_FILE.relative_to(ROOT).as_posix()
_REFERENCE_KEY = "file"


@dataclass(frozen=True, slots=True)
class FunctionPackageOptions(contents.PackageOptions):
    """What goes into the zip.

    Attributes:
        platform: The function's processor.
        properties: A property file to add, or None.
    """

    platform: wheels.Platform = wheels.X86_64
    properties: Path | None = None


def run(options: argparse.Namespace) -> int:
    """Makes the zip and prints what is in it."""
    wanted = FunctionPackageOptions(**vars(options))
    print("\n".join(describe(build(wanted), wanted)))
    return 0


def build(options: FunctionPackageOptions) -> Path:
    """Makes the zip and returns its path.

    Raises:
        WebLogError: A part is missing or wrong. There is no zip then, not even one of an
            earlier run.
    """
    name, version = contents.name_and_version()
    target = options.out / f"{name}-lambda-{version}-{options.platform.machine}.zip"
    with complete_or_absent(target) as temporary, tempfile.TemporaryDirectory() as work:
        root = Path(work) / "root"
        lock = ROOT / "conf" / "requirements" / "lambda.lock"
        wheels.install(lock, root, options.platform)
        own = (
            *contents.notices(),
            *contents.code(_CODE, _NOT_THE_FUNCTIONS),
            *contents.data_files(options),
        )
        for path, content in own:
            placed = root / path
            placed.parent.mkdir(parents=True, exist_ok=True)
            placed.write_bytes(content.read_bytes())
        _write_properties(options, root)
        _compile(root)
        entries = dict(contents.below(root))
        _check_size(entries)
        write_zip(temporary, entries)
        verified_names(temporary)
    return target


def describe(path: Path, options: FunctionPackageOptions) -> Iterator[str]:
    """Yields the lines that tell what is in a zip and how to use it."""
    yield from contents.listing(path, lambda name: name.split("/")[0])
    yield f"Runtime python3.12, {options.platform.words}. Handlers:"
    for use, handler in HANDLERS.items():
        yield f"  {use:<24} {handler}"
    if options.geoip is None:
        yield contents.WITHOUT_DATABASE
    if path.stat().st_size > DIRECT_UPLOAD_BYTES:
        yield (
            f"Larger than {megabytes(DIRECT_UPLOAD_BYTES)}: Lambda takes it from S3 only, not by "
            "direct upload"
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    contents.add_options(parser, "and use it")
    parser.add_argument(
        "--arm64",
        dest="platform",
        action="store_const",
        default=wheels.X86_64,
        const=wheels.ARM64,
        help="for arm64 instead of x86-64",
    )
    parser.add_argument(
        "--properties",
        type=Path,
        metavar="FILE",
        help="add settings, in the form of conf/application_properties.json",
    )


def _write_properties(options: FunctionPackageOptions, root: Path) -> None:
    """Puts the settings into the package, checked.

    Raises:
        ConfigurationError: One is not acceptable, or names a file that is not in the package.
    """
    groups = {} if options.properties is None else load_properties(options.properties)
    for option, path in contents.data_paths(options).items():
        group, key = DATA_SETTINGS[option]
        groups.setdefault(group, {})[key] = path
    if not groups:
        return
    settings = Settings.load(groups)
    # An absolute path may lie in a layer or on a file system of the function.
    geoip = settings.core.geoip
    _check_database("geoip", geoip.database_path, root)
    _check_database("asn", geoip.asn_database_path, root)
    reference = settings.reference.file
    if reference is not None and not reference.is_absolute():
        if not (root / reference).exists():
            raise ReferenceSettings.error(
                _REFERENCE_KEY, str(reference), "an absolute path, or a file that --reference adds"
            )
        # A mistake in it is shown now, not by the function's first start.
        ReferenceFile.open(replace(settings.reference, file=(root / reference).resolve()))
    target = root / _PROPERTIES
    target.parent.mkdir(exist_ok=True)
    dump_properties(groups, target)


def _check_database(option: str, location: Location | None, root: Path) -> None:
    if not isinstance(location, Path) or location.is_absolute() or (root / location).exists():
        return
    expected = f"an absolute path or s3://bucket/key, or a database that --{option} adds"
    raise GeoIpSettings.error(DATA_SETTINGS[option][1], str(location), expected)


def _compile(root: Path) -> None:
    """Adds byte code, without which each cold start compiles again: Lambda's folder is read-only.

    It is a process of its own with a fixed hash seed so that the bytes are always the same,
    and never compared with the source, whose time of change means nothing in a zip. Measured:
    45 ms less of 360 ms with a whole processor, and a small function has a fraction of one.
    """
    finished = subprocess.run(
        [
            sys.executable, "-S", "-s", "-P", "-m", "compileall", "-q",
            "-s", str(root), "-p", "/var/task",
            "--invalidation-mode", "unchecked-hash",
            str(root),
        ],
        env={"PYTHONHASHSEED": "0"},
        check=False,
        capture_output=True,
        text=True,
    )  # fmt: skip
    if finished.returncode != 0:
        raise CommandError(f"the code cannot be compiled: {finished.stdout.strip()[:300]}")


def _check_size(entries: Mapping[str, Path]) -> None:
    size = sum(path.stat().st_size for path in entries.values())
    if size > MAXIMUM_BYTES:
        raise CommandError(
            f"unpacked it has {megabytes(size)}, and Lambda takes {megabytes(MAXIMUM_BYTES)}: put "
            "the GeoIP database on a file system (EFS) and name it by an absolute path in "
            "weblog.geoip: database.path"
        )
