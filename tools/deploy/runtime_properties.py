"""Property groups, checked for the managed service."""

from __future__ import annotations

import re
import tempfile
import zipfile
from pathlib import Path

from flink_app.connector import OBJECT_STORES, TYPE_KEY, Connector
from flink_app.settings import JobSettings
from tools.package.layout import (
    APPLICATION_DIRECTORY,
    DATA_SETTINGS,
    RUN_OPTIONS_GROUP,
    Manifest,
)
from udfs.config.core import CoreSettings, GeoIpSettings
from udfs.config.file import PropertyGroups
from udfs.enrich.reference import ReferenceFile, ReferenceSettings
from udfs.errors import ConfigurationError
from udfs.privacy.rules import privacy_rules

_ENDPOINT_KEY = "endpoint"
# Limits of the service's API.
MOST_GROUPS = 50
MOST_PROPERTIES = 50
LONGEST_GROUP = 50
LONGEST_VALUE = 2048


def with_data(groups: PropertyGroups, manifest: Manifest) -> PropertyGroups:
    """Returns the groups, with the data files of the zip where they name none themselves."""
    known = dict(groups)
    for option, (group, key) in DATA_SETTINGS.items():
        if (path := getattr(manifest, option)) is not None:
            known[group] = {key: path} | known.get(group, {})
    return known


def checked(groups: PropertyGroups, archive: Path, manifest: Manifest) -> JobSettings:
    """Checks property groups for the managed service.

    Args:
        groups: The groups, references resolved.
        archive: The zip of the application.
        manifest: That zip's manifest.

    Raises:
        ConfigurationError: The job would not accept the groups, or what they say cannot
            work on the managed service with this zip.
    """
    if RUN_OPTIONS_GROUP in groups:
        raise ConfigurationError(RUN_OPTIONS_GROUP, None, None, "not to be set: the zip tells it")
    settings = JobSettings.load(groups)
    with zipfile.ZipFile(archive) as opened:
        _check_databases(settings.core.geoip, opened)
        _check_reference(settings.lookups.reference, opened)
    _check_salt(settings.core)
    for group, values in groups.items():
        for key, value in values.items():
            if not value:
                expected = "a value: the service takes no empty one; leave the key out"
                raise ConfigurationError(group, key, value, expected)
            if key == _ENDPOINT_KEY and value.startswith("http://"):
                expected = "an https:// address: http:// is for an emulator"
                raise ConfigurationError(group, key, value, expected)
    for group, connector in settings.connectors().items():
        _check_connector(group, connector, groups, manifest)
    _check_limits(groups)
    return settings


def _check_limits(groups: PropertyGroups) -> None:
    total = len(groups) + 1
    if total > MOST_GROUPS:
        expected = f"at most {MOST_GROUPS} together with {RUN_OPTIONS_GROUP}"
        raise ConfigurationError("property groups", "number", str(total), expected)
    for group, values in groups.items():
        if not re.fullmatch(rf"[a-zA-Z0-9_.-]{{1,{LONGEST_GROUP}}}", group):
            expected = f"a group's name of at most {LONGEST_GROUP} letters, digits and any of _ . -"
            raise ConfigurationError(group, None, None, expected)
        if len(values) > MOST_PROPERTIES:
            number, expected = str(len(values)), f"at most {MOST_PROPERTIES}"
            raise ConfigurationError(group, "number of properties", number, expected)
        for key, value in values.items():
            if len(value) > LONGEST_VALUE:
                shown = f"{value[:20]}... ({len(value)} characters)"
                expected = f"at most {LONGEST_VALUE} characters"
                raise ConfigurationError(group, key, shown, expected)


def _check_databases(settings: GeoIpSettings, archive: zipfile.ZipFile) -> None:
    names = archive.namelist()
    city, asn = settings.database_path, settings.asn_database_path
    if isinstance(city, Path) and _entry(city) not in names:
        expected = (
            "a path in the zip, such as data/city.mmdb (./build.sh package --geoip FILE), or "
            "s3://bucket/key"
        )
        raise settings.error("database.path", str(city), expected)
    if isinstance(asn, Path) and _entry(asn) not in names:
        expected = "a path in the zip (./build.sh package --asn FILE), or s3://bucket/key"
        raise settings.error("asn.database.path", str(asn), expected)


def _check_reference(settings: ReferenceSettings, archive: zipfile.ZipFile) -> None:
    file = settings.file
    if file is None:
        return
    if _entry(file) not in archive.namelist():
        expected = "a path in the zip, such as data/pages.csv (./build.sh package --reference FILE)"
        raise settings.error("file", str(file), expected)
    with tempfile.TemporaryDirectory() as folder:
        archive.extract(_entry(file), folder)
        ReferenceFile.open(settings, Path(folder) / APPLICATION_DIRECTORY)


def _entry(path: Path) -> str:
    """Returns the name in the zip of a file that a setting names."""
    return f"{APPLICATION_DIRECTORY}/{path.as_posix()}"


def _check_salt(core: CoreSettings) -> None:
    hides = privacy_rules(core.privacy, core.dead_letters).hides_anything
    if hides and not core.privacy.salt_secret_arn:
        expected = (
            "the ARN of a secret with the salt: something is hidden, and the service gives a job "
            "no environment variables"
        )
        raise core.privacy.error("salt.secret.arn", None, expected)


def _check_connector(
    group: str, connector: Connector, groups: PropertyGroups, manifest: Manifest
) -> None:
    if connector.needs_jar and not manifest.connectors:
        expected = "a type that needs no connector: this zip has none"
        raise ConfigurationError(group, TYPE_KEY, groups[group][TYPE_KEY], expected)
    if connector.path and not connector.path.startswith(OBJECT_STORES):
        expected = "an s3:// address: the service's machines keep no files"
        raise ConfigurationError(group, "path", connector.path, expected)
