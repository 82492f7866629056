"""Reads property groups in the form that Managed Flink delivers them.

The service writes `/etc/flink/application_properties.json`: a list of
`{"PropertyGroupId": ..., "PropertyMap": {...}}`. A local run uses the same form.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from udfs.config.root import ROOT
from udfs.errors import ConfigurationError

MANAGED_FLINK_FILE = Path("/etc/flink/application_properties.json")
# Names another file; for local runs and tests.
FILE_VARIABLE = "WEBLOG_APPLICATION_PROPERTIES"
DEFAULT_FILE = ROOT / "conf" / "application_properties.json"

PropertyGroups = dict[str, dict[str, str]]

_EXPECTED_FORM = 'a JSON list of {"PropertyGroupId": "...", "PropertyMap": {"key": "value"}}'


def properties_file() -> Path:
    """Returns the file in force: the environment's, the service's, or the default."""
    named = os.environ.get(FILE_VARIABLE)
    if named:
        return Path(named)
    return MANAGED_FLINK_FILE if MANAGED_FLINK_FILE.exists() else DEFAULT_FILE


class _Object(dict[str, Any]):
    """A JSON object that knows the names of which it keeps the last of several values."""

    repeated: tuple[str, ...]

    @classmethod
    def of(cls, pairs: list[tuple[str, Any]]) -> _Object:
        made = cls(pairs)
        counts = Counter(name for name, _ in pairs)
        made.repeated = tuple(name for name, count in counts.items() if count > 1)
        return made


def load_properties(path: Path) -> PropertyGroups:
    """Reads the groups of a properties file.

    Raises:
        ConfigurationError: The file is missing, not of the expected form, or names a group or
            a key of it twice.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_Object.of)
    except OSError as error:
        raise _unusable(path, f"a readable file ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise _unusable(path, f"{_EXPECTED_FORM} ({error})") from error
    groups: PropertyGroups = {}
    for entry in document if isinstance(document, list) else [document]:
        name, properties = _group(path, entry)
        if name in groups:
            raise ConfigurationError(name, "PropertyGroupId", name, "each group once")
        groups[name] = properties
    return groups


def dump_properties(groups: PropertyGroups, path: Path) -> None:
    """Writes groups in the service's form."""
    document = [
        {"PropertyGroupId": name, "PropertyMap": properties} for name, properties in groups.items()
    ]
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _group(path: Path, entry: Any) -> tuple[str, dict[str, str]]:
    match entry:
        case _Object(repeated=(name, *_)):
            raise ConfigurationError("application properties", name, None, "each key once")
        case {"PropertyGroupId": str(name), "PropertyMap": _Object(repeated=(key, *_))}:
            raise ConfigurationError(name, key, None, "each key once")
        case {"PropertyGroupId": str(name), "PropertyMap": dict(properties)} if all(
            isinstance(value, str) for value in properties.values()
        ):
            return name, properties
    raise _unusable(path, _EXPECTED_FORM)


def _unusable(path: Path, expected: str) -> ConfigurationError:
    return ConfigurationError("application properties", "file", str(path), expected)
