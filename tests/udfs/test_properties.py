from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from udfs.config.properties import (
    Group,
    Parser,
    boolean,
    check_groups,
    choice,
    date,
    duration,
    integer,
    path,
    pattern,
    pattern_list,
    setting,
    text,
    text_list,
    word,
    word_list,
)
from udfs.errors import ConfigurationError

type OnFailure = Literal["continue", "stop"]


@dataclass(frozen=True, slots=True)
class Example(Group, name="example"):
    cache_size: int = setting(integer(1, 100), "10", "How many.")
    wait: timedelta = setting(duration("1 s", "1 h"), "5 min", "How long.")
    salt_secret: str = setting(text(minimum_length=4), "none", "What with.")
    on_failure: OnFailure = choice("continue", "What a failure does.")


def test_defaults_are_parsed_like_given_values() -> None:
    assert Example.load({}) == Example(10, timedelta(minutes=5), "none", "continue")
    assert Example() == Example.load({"example": {}})


def test_given_values_replace_defaults() -> None:
    loaded = Example.load({"example": {"wait": "90 s", "cache.size": " 7 "}, "other": {"x": "y"}})
    assert loaded == Example(7, timedelta(seconds=90), "none", "continue")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"cache.size": "0"}, "cache.size = '0': expected a whole number from 1 to 100"),
        ({"cache.size": "many"}, "cache.size = 'many': expected a whole number from 1 to 100"),
        ({"cache.size": ""}, "cache.size = '': expected a whole number from 1 to 100"),
        ({"wait": "10 ms"}, "wait = '10 ms': expected a duration such as '500 ms', '60 s', "),
        ({"cache.sise": "1"}, "cache.sise: expected a known key (did you mean 'cache.size'?)"),
        (
            {"zzz": "1"},
            "zzz: expected a known key: one of cache.size, on.failure, salt.secret, wait",
        ),
        ({"on.failure": "Stop"}, "on.failure = 'Stop': expected one of continue, stop"),
        ({"salt.secret": "abc"}, "salt.secret: expected text of at least 4 characters"),
    ],
)
def test_bad_settings_name_group_key_value_and_expectation(
    given: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Example.load({"example": given})
    assert str(caught.value).startswith(f"example: {message}")


def test_a_misspelt_key_may_hold_a_secret() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Example.load({"example": {"slat": "s3cret-value"}})
    assert "s3cret" not in str(caught.value)
    assert caught.value.value is None


def test_a_number_instead_of_text_is_an_error() -> None:
    properties: Any = {"example": {"cache.size": 7}}
    with pytest.raises(ConfigurationError, match="written as text in quotes"):
        Example.load(properties)


def test_a_group_lists_its_settings() -> None:
    listed = Example.settings()
    assert [(one.group, one.key, one.default) for one in listed] == [
        ("example", "cache.size", "10"),
        ("example", "wait", "5 min"),
        ("example", "salt.secret", "none"),
        ("example", "on.failure", "continue"),
    ]
    assert listed[0].expectation == "a whole number from 1 to 100"
    assert listed[0].description == "How many."
    assert listed[-1].expectation == "one of continue, stop"
    assert len(listed) == len(fields(Example))


def test_a_default_that_its_parser_rejects_cannot_be_declared() -> None:
    with pytest.raises(ValueError, match="soon"):
        setting(duration("0 s", "3650 d"), "soon", "Never.")


def test_a_group_can_report_on_several_settings_together() -> None:
    error = Example.error("wait", "1 s", "more than the slide")
    assert str(error) == "example: wait = '1 s': expected more than the slide"


def test_unknown_groups_are_rejected_others_ignored() -> None:
    check_groups({"example": {}, "kinesis.analytics.x": {}}, ["example"], ignored_prefixes=("kin",))
    with pytest.raises(ConfigurationError, match=r"exampel: expected a known group .*'example'"):
        check_groups({"exampel": {}}, ["example"])


@pytest.mark.parametrize(
    ("parser", "given", "value"),
    [
        (text(), "", ""),
        (text(), "any thing", "any thing"),
        (pattern("[a-z]+", "letters"), "abc", "abc"),
        (text_list(), "", ()),
        (text_list(), " a, B ,,c ", ("a", "B", "c")),
        (text_list(lower=True), "A.example,b", ("a.example", "b")),
        (boolean(), "true", True),
        (boolean(), "False", False),
        (word("a", "b"), "b", "b"),
        (integer(-99, 99), "-12", -12),
        (integer(1, 3), "3", 3),
        (duration("0 s", "3650 d"), "500 ms", timedelta(milliseconds=500)),
        (duration("0 s", "3650 d"), "60s", timedelta(seconds=60)),
        (duration("0 s", "3650 d"), "2 h", timedelta(hours=2)),
        (duration("1 d", "1 d"), "24 h", timedelta(days=1)),
        (path(), "", None),
        (pattern_list("[a-z]+", "words"), "a, b,", ("a", "b")),
        (pattern_list("[a-z]+", "words"), "", ()),
        (word_list(["a.b", "c"]), "c,a.b", ("c", "a.b")),
        (date(), "2024-02-29", datetime(2024, 2, 29, tzinfo=UTC)),
        (path(), "data/city.mmdb", Path("data/city.mmdb")),
    ],
)
def test_parsers_accept(parser: Parser[Any], given: str, value: object) -> None:
    assert parser.read(given) == value


@pytest.mark.parametrize(
    ("parser", "given"),
    [
        (pattern("[a-z]+", "letters"), "abc1"),
        (boolean(), "yes"),
        (boolean(), ""),
        (word("a", "b"), "A"),
        (integer(-99, 99), "1.0"),
        (integer(-99, 99), "1_000"),
        (integer(-99, 99), "\u0663"),
        (integer(-99, 99), "9" * 5000),
        (integer(1, 3), "4"),
        (duration("0 s", "3650 d"), "60"),
        (duration("0 s", "3650 d"), "-5 s"),
        (duration("0 s", "3650 d"), "5 minutes"),
        (duration("0 s", "3650 d"), "999999999999 d"),
        (duration("1 s", "1 min"), "2 min"),
        (path(), "a\0b"),
        (path(), "~nosuchuser/x"),
        (pattern_list("[a-z]+", "words"), "a, b1"),
        (word_list(["a.b", "c"]), "axb"),
        (date(), "20240229"),
        (date(), "2023-02-29"),
        (date(), "2024-02-29T10:00"),
    ],
)
def test_parsers_reject(parser: Parser[Any], given: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - parsers need not word it
        parser.read(given)


@pytest.mark.parametrize(
    ("parser", "expectation"),
    [
        (integer(0, 9), "a whole number from 0 to 9"),
        (text(minimum_length=2), "text of at least 2 characters"),
        (word("a", "b"), "one of a, b"),
    ],
)
def test_expectations_state_the_bounds(parser: Parser[Any], expectation: str) -> None:
    assert parser.expectation == expectation
