"""Values of commands' options that are read like settings."""

from __future__ import annotations

from udfs.config.properties import endpoint
from udfs.errors import ConfigurationError


def endpoint_option(given: str | None) -> str | None:
    """The URL of the option `--endpoint`; None without the option.

    Raises:
        ConfigurationError: It is no URL of an endpoint.
    """
    if given is None:
        return None
    parser = endpoint()
    try:
        if url := parser.read(given):
            return url
    except ValueError:
        pass
    raise ConfigurationError("--endpoint", None, given, parser.expectation)
