"""Values of commands' options that are read like settings."""

from __future__ import annotations

from udfs.config.properties import Parser, endpoint
from udfs.errors import ConfigurationError


def read_option[T](option: str, given: str, parser: Parser[T]) -> T:
    """Returns the value of an option.

    Raises:
        ConfigurationError: The parser does not accept the text.
    """
    try:
        return parser.read(given)
    except ValueError:
        raise ConfigurationError(option, None, given, parser.expectation) from None


def endpoint_option(given: str | None) -> str | None:
    """Returns the URL of the option `--endpoint`; None without the option.

    Raises:
        ConfigurationError: It is no URL of an endpoint.
    """
    if given is None:
        return None
    parser = endpoint()
    if not given:  # Says of a setting that it is left out.
        raise ConfigurationError("--endpoint", None, given, parser.expectation)
    return read_option("--endpoint", given, parser)
