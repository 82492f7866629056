"""The errors of this project: one root, and classes by what the caller should do about them."""

from __future__ import annotations

from typing import ClassVar

MAX_SHOWN_VALUE = 120
"""Characters of a rejected value that a message shows."""


class WebLogError(Exception):
    """Root of every error this project raises on purpose."""


class ConfigurationError(WebLogError):
    """A setting is unknown, of the wrong type, out of range or names something unusable.

    Attributes:
        group: Property group, for example `weblog.geoip`.
        key: Key in the group; None when the group itself is the problem.
        value: The text that was given; None when it must not be shown or there is none.
        expected: What would have been right, as a phrase.
    """

    def __init__(self, group: str, key: str | None, value: str | None, expected: str) -> None:
        self.group = group
        self.key = key
        self.value = value
        self.expected = expected
        super().__init__(self._text())

    def _text(self) -> str:
        where = self.group if self.key is None else f"{self.group}: {self.key}"
        if self.value is not None:
            shown = self.value
            if len(shown) > MAX_SHOWN_VALUE:
                shown = shown[:MAX_SHOWN_VALUE] + "..."
            # repr() keeps line breaks and control characters of a bad value on one line.
            where += f" = {shown!r}"
        return f"{where}: expected {self.expected}"

    def __reduce__(
        self,
    ) -> tuple[type[ConfigurationError], tuple[str, str | None, str | None, str]]:
        return type(self), (self.group, self.key, self.value, self.expected)


class RecordError(WebLogError):
    """Something went wrong with one record in one step of its way.

    Attributes:
        stage: That step in a dead letter: `decode`, `parse`, `validate`, `enrich` or `sink`.
        reason: Short stable code, for counting.
        message: One sentence for a person; holds no data of the record.
    """

    def __init__(self, stage: str, reason: str, message: str) -> None:
        self.stage = stage
        self.reason = reason
        self.message = message
        super().__init__(f"{stage}/{reason}: {message}")

    def __reduce__(self) -> tuple[type[RecordError], tuple[str, str, str]]:
        return type(self), (self.stage, self.reason, self.message)


class ValidationError(RecordError):
    """The data is bad: the record becomes a dead letter and is never retried."""


class TransientError(RecordError):
    """A dependency failed: the same record may succeed later."""


class DataFileError(WebLogError):
    """A file of data cannot be used.

    Attributes:
        path: The file.
        problem: What is wrong with it, as a phrase.
    """

    title: ClassVar[str]

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"{self.title} {path!r}: {problem}")

    def __reduce__(self) -> tuple[type[DataFileError], tuple[str, str]]:
        return type(self), (self.path, self.problem)


class DatabaseError(DataFileError):
    """A MaxMind DB file cannot be read or is corrupt. The job must stop, not go on with nulls."""

    title = "GeoIP database"
