"""Values of commands' options that are read like settings."""

from __future__ import annotations

from dataclasses import replace

from udfs.config.properties import Parser, endpoint
from udfs.errors import ConfigurationError


def read_option[T](option: str, value: str, parser: Parser[T]) -> T:
    """Returns the value of an option.

    Raises:
        ConfigurationError: The parser does not accept the text.
    """
    try:
        return parser.read(value)
    except ValueError:
        raise ConfigurationError(option, None, value, parser.expectation) from None


def endpoint_option(value: str | None) -> str | None:
    """Returns the URL of the option `--endpoint`; None without the option.

    Raises:
        ConfigurationError: It is no URL of an endpoint.
    """
    return None if value is None else url_option("--endpoint", value, endpoint().expectation)


def url_option(option: str, value: str, expected: str) -> str:
    """Returns the URL of an option that names an endpoint.

    Raises:
        ConfigurationError: It is no URL of an endpoint.
    """
    if not value:  # Says of a setting that it is left out.
        raise ConfigurationError(option, None, value, expected)
    return read_option(option, value, replace(endpoint(), expectation=expected))
