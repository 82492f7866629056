"""Typed settings out of property groups (`{group: {key: text}}`, the form Managed Flink uses).

A group is a frozen dataclass, a setting is a field of it:

    @dataclass(frozen=True, slots=True)
    class TimeSettings(Group, name="weblog.time"):
        '''How event time is judged.'''

        future_tolerance: timedelta = setting(
            duration("0 s", "1 d"), "5 min", "How far ahead an event may lie."
        )
        on_failure: Literal["continue", "stop"] = choice("continue", "What a failure does.")


    TimeSettings.load({"weblog.time": {"future.tolerance": "10 min"}})

The key is the field's name with dots. The default is written as a user would write it and goes
through the same parser.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Self, cast, get_args, get_type_hints
from urllib.parse import urlsplit

from udfs.errors import ConfigurationError

type Properties = Mapping[str, Mapping[str, str]]
"""Property groups as they are read from a file or from the service."""


@dataclass(frozen=True, slots=True)
class Parser[T]:
    """Turns the text of a setting into a value.

    Attributes:
        read: Raises ValueError when the text is not acceptable.
        expectation: Phrase that completes "expected ...".
    """

    read: Callable[[str], T]
    expectation: str


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a group."""

    group: str
    key: str
    parser: Parser[Any]
    default: str
    description: str

    @property
    def field(self) -> str:
        """Returns the name of the setting's field in the group's class."""
        return self.key.replace(".", "_")

    @property
    def expectation(self) -> str:
        """Returns the phrase that completes "expected ..."."""
        return self.parser.expectation

    def read(self, text: object) -> Any:
        """Returns the value that a text stands for.

        Raises:
            ConfigurationError: The parser rejects it.
        """
        # Where the name of the salt belongs, the salt itself may have been put.
        shown = None if "salt" in self.key.split(".") else str(text)
        # A file may hold numbers where the service would only take text.
        if not isinstance(text, str):
            expected = f"{self.expectation}, written as text in quotes"
            raise ConfigurationError(self.group, self.key, shown, expected)
        try:
            return self.parser.read(text.strip())
        except ValueError:
            raise ConfigurationError(self.group, self.key, shown, self.expectation) from None


def setting[T](parser: Parser[T], default: str, description: str) -> T:
    """Declares a field of a `Group`.

    Args:
        parser: Gives the field's type.
        default: Text used when the key is absent.
        description: One sentence for the table of settings.

    Raises:
        ValueError: The default itself is not acceptable.
    """
    return _declare(parser, default, description, parser.read(default))


def choice[T: str](default: T, description: str) -> T:
    """Declares a field of a `Group` whose type is a `Literal`: one of its words, exactly."""
    return _declare(None, default, description, default)


def _declare[T](parser: Parser[T] | None, default: str, description: str, value: T) -> T:
    declared: T = field(default=value, metadata={"setting": (parser, default, description)})
    return declared


class Group:
    """Base of a settings dataclass; `name` is its property group."""

    __slots__ = ()

    group: ClassVar[str]

    def __init_subclass__(cls, *, name: str | None = None) -> None:
        # dataclass(slots=True) makes the class again, without the keyword; it inherits the name.
        if name is not None:
            cls.group = name

    @classmethod
    def load(cls, properties: Properties) -> Self:
        """Reads this group; absent keys take their defaults.

        Raises:
            ConfigurationError: An unknown key, or a value that its parser rejects.
        """
        configured = properties.get(cls.group)
        if not configured:
            return cls()
        settings = {setting.key: setting for setting in cls.settings()}
        for key in configured:
            if key not in settings:
                # An unknown key may be a misspelt secret: its value stays hidden.
                raise ConfigurationError(cls.group, key, None, _one_of("key", key, settings))
        return cls(
            **{
                setting.field: setting.read(configured[key])
                for key, setting in settings.items()
                if key in configured
            }
        )

    @classmethod
    def settings(cls) -> tuple[Setting, ...]:
        """Returns all settings of the group in declared order."""
        declared = {field.name: field.metadata["setting"] for field in fields(cast("Any", cls))}
        # Types are looked up where they matter only: it takes time at the start of a function.
        has_words = any(parser is None for parser, *_ in declared.values())
        types = get_type_hints(cls) if has_words else {}
        return tuple(
            Setting(cls.group, name.replace("_", "."), parser or _word_of(types[name]), *others)
            for name, (parser, *others) in declared.items()
        )

    @classmethod
    def error(cls, key: str, value: str | None, expected: str) -> ConfigurationError:
        """Returns an error about one key, for checks that span several settings."""
        return ConfigurationError(cls.group, key, value, expected)


def _word_of(literal: Any) -> Parser[str]:
    # An alias `type X = Literal[...]` has the Literal as its value.
    return word(*get_args(getattr(literal, "__value__", literal)))


def check_groups(
    properties: Properties, known: Iterable[str], *, ignored_prefixes: tuple[str, ...] = ()
) -> None:
    """Rejects groups that nobody reads: a misspelt group would silently be without effect.

    Args:
        properties: All groups.
        known: Names of the groups that are read.
        ignored_prefixes: Groups that start so belong to somebody else.

    Raises:
        ConfigurationError: About the first unknown group.
    """
    names = set(known)
    for group in properties:
        if group not in names and not group.startswith(ignored_prefixes):
            raise ConfigurationError(group, None, None, _one_of("group", group, names))


def _one_of(kind: str, name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"a known {kind} (did you mean {close[0]!r}?)"
    return f"a known {kind}: one of {', '.join(names)}"


# --- parsers -----------------------------------------------------------------------------------


def text(*, minimum_length: int = 0) -> Parser[str]:
    """Reads any text; with a minimum length, at least so many characters."""

    def read(value: str) -> str:
        if len(value) < minimum_length:
            raise ValueError
        return value

    wanted = "text" if minimum_length == 0 else f"text of at least {minimum_length} characters"
    return Parser(read, wanted)


def pattern(regex: str, expectation: str) -> Parser[str]:
    """Reads text that matches a regular expression as a whole."""
    compiled = re.compile(regex)

    def read(value: str) -> str:
        if compiled.fullmatch(value) is None:
            raise ValueError
        return value

    return Parser(read, expectation)


def text_list(*, lower: bool = False) -> Parser[tuple[str, ...]]:
    """Reads comma-separated texts; blanks around them and empty ones are dropped."""
    return pattern_list("(?s:.*)", "a comma-separated list", lower=lower)


def pattern_list(regex: str, expectation: str, *, lower: bool = False) -> Parser[tuple[str, ...]]:
    """Reads comma-separated texts that each match a regular expression as a whole."""
    compiled = re.compile(regex)

    def read(value: str) -> tuple[str, ...]:
        text = value.lower() if lower else value
        items = tuple(item.strip() for item in text.split(",") if item.strip())
        if not all(map(compiled.fullmatch, items)):
            raise ValueError
        return items

    return Parser(read, expectation)


def word_list(words: Iterable[str]) -> Parser[tuple[str, ...]]:
    """Reads comma-separated words out of these."""
    known = tuple(words)
    return pattern_list(
        "|".join(map(re.escape, known)), f"a comma-separated list out of {', '.join(known)}"
    )


def date() -> Parser[datetime]:
    """Reads a day such as `2015-05-17`, as its first instant in UTC."""

    def read(value: str) -> datetime:
        # fromisoformat() also takes other forms of ISO 8601.
        if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", value) is None:
            raise ValueError
        return datetime.fromisoformat(value).replace(tzinfo=UTC)

    return Parser(read, "a day such as 2015-05-17")


def boolean() -> Parser[bool]:
    """Reads `true` or `false`."""

    def read(value: str) -> bool:
        if value.lower() not in {"true", "false"}:
            raise ValueError
        return value.lower() == "true"

    return Parser(read, "true or false")


def word(*options: str) -> Parser[str]:
    """Reads one of these words, exactly."""

    def read(value: str) -> str:
        if value not in options:
            raise ValueError
        return value

    return Parser(read, f"one of {', '.join(options)}")


def integer(minimum: int, maximum: int) -> Parser[int]:
    """Reads a whole number within inclusive bounds."""

    def read(value: str) -> int:
        # int() also takes '1_000', other scripts' digits and endless strings of digits.
        if re.fullmatch(r"[+-]?[0-9]{1,18}", value) is None:
            raise ValueError
        return _within(int(value), minimum, maximum)

    return Parser(read, f"a whole number from {minimum} to {maximum}")


_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_DURATION = re.compile(r"([0-9]{1,12}) ?(ms|s|min|h|d)")


def read_duration(value: str) -> timedelta:
    """Returns what `500 ms`, `60 s`, `5 min`, `1 h` or `2 d` means.

    Raises:
        ValueError: The text is none of these.
    """
    match = _DURATION.fullmatch(value)
    if match is None:
        raise ValueError(value)
    try:
        return int(match[1]) * _UNITS[match[2]]
    except OverflowError as error:
        raise ValueError(value) from error


def duration(minimum: str, maximum: str) -> Parser[timedelta]:
    """Reads a time span within inclusive bounds, all written like `5 min`."""
    low, high = read_duration(minimum), read_duration(maximum)

    def read(value: str) -> timedelta:
        return _within(read_duration(value), low, high)

    wanted = "a duration such as '500 ms', '60 s', '5 min', '1 h' or '2 d'"
    return Parser(read, f"{wanted} from {minimum} to {maximum}")


def path() -> Parser[Path | None]:
    """Reads a path, be the file there or not; empty text is None."""

    def read(value: str) -> Path | None:
        if "\0" in value:
            raise ValueError
        try:
            return Path(value).expanduser() if value else None
        except RuntimeError as error:
            # There is no such user.
            raise ValueError(value) from error

    return Parser(read, "a file path")


def endpoint() -> Parser[str]:
    """Reads a setting that is the URL of a service's endpoint, or empty for the region's own."""

    def read(value: str) -> str:
        # urlsplit() and its port raise ValueError themselves.
        url = urlsplit(value)
        if value and (
            url.scheme not in {"http", "https"}
            or not url.hostname
            or (url.port is not None and url.port == 0)
            or url.path not in {"", "/"}
            or url.query
        ):
            raise ValueError
        return value.rstrip("/")

    return Parser(read, "a URL such as https://kinesis.eu-west-1.amazonaws.com")


def _within[T: (int, timedelta)](value: T, low: T, high: T) -> T:
    if not low <= value <= high:
        raise ValueError
    return value
