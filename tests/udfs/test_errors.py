import pickle

import pytest

from udfs.errors import (
    ConfigurationError,
    DatabaseError,
    TransientError,
    ValidationError,
    WebLogError,
)


def test_configuration_error_says_group_key_value_and_expectation_on_one_line() -> None:
    error = ConfigurationError("weblog.geoip", "database.path", "x.mmdb", "a readable file")
    assert str(error) == "weblog.geoip: database.path = 'x.mmdb': expected a readable file"


@pytest.mark.parametrize("value", ["two\nlines", "tab\tand\x1b[31mcolour", "\u2028"])
def test_configuration_error_stays_on_one_line_whatever_the_value(value: str) -> None:
    text = str(ConfigurationError("g", "k", value, "something else"))
    assert text.isprintable()


def test_configuration_error_shortens_a_long_value() -> None:
    assert len(str(ConfigurationError("g", "k", "x" * 5000, "less"))) < 200


def test_configuration_error_without_value_shows_none() -> None:
    assert str(ConfigurationError("g", "salt", None, "16 bytes")) == "g: salt: expected 16 bytes"
    assert str(ConfigurationError("g", None, None, "a known group")) == "g: expected a known group"


@pytest.mark.parametrize(
    "error",
    [
        ConfigurationError("g", "k", "v", "e"),
        ValidationError("parse", "bad_status", "no status"),
        TransientError("sink", "throttled", "try later"),
        DatabaseError("x.mmdb", "corrupt"),
    ],
)
def test_errors_share_the_root_and_survive_pickling(error: WebLogError) -> None:
    # Workers send their errors pickled to the process that started them.
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - made by this very test
    assert isinstance(copy, WebLogError)
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


def test_validation_and_transient_errors_differ() -> None:
    assert not issubclass(ValidationError, TransientError)
    assert not issubclass(TransientError, ValidationError)
