"""Settings as environment variables: `weblog.geoip: database.path` is WEBLOG_GEOIP__DATABASE_PATH.

Group and key are joined by two underscores; what is not a letter or digit becomes one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping

from udfs.config.properties import Setting
from udfs.errors import ConfigurationError

_PREFIX = "WEBLOG_"
_SEPARATOR = re.compile(r"[^A-Z0-9]+")


def variable_name(group: str, key: str) -> str:
    """Returns the environment variable of a setting."""
    return "__".join(_SEPARATOR.sub("_", part.upper()) for part in (group, key))


def read_environment(
    environ: Mapping[str, str], declared: Iterable[Setting]
) -> dict[str, dict[str, str]]:
    """Returns the property groups that environment variables give.

    Args:
        environ: The variables.
        declared: The settings there are.
    """
    groups: dict[str, dict[str, str]] = {}
    for setting in declared:
        value = environ.get(variable_name(setting.group, setting.key))
        if value is not None:
            groups.setdefault(setting.group, {})[setting.key] = value
    return groups


def check_environment(
    environ: Mapping[str, str], declared: Iterable[Setting], others: Iterable[str]
) -> None:
    """Rejects variables that look like settings and are none, so that none is without effect.

    Args:
        environ: The variables; those that do not start with WEBLOG_ are not looked at.
        declared: The settings there are.
        others: Variables of other meanings.

    Raises:
        ConfigurationError: About the first one.
    """
    names = {variable_name(setting.group, setting.key) for setting in declared}
    known = names | set(others)
    for variable in environ:
        if variable.startswith(_PREFIX) and variable not in known:
            close = difflib.get_close_matches(variable, known, n=1)
            expected = f"did you mean {close[0]}?" if close else "such as WEBLOG_PARSER__FORMAT"
            expected = f"the variable of a setting ({expected})"
            raise ConfigurationError("environment", variable, None, expected)
