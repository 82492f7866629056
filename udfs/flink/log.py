"""Where a worker's log lines go, so that Flink's own log has them in both execution modes.

In process mode PyFlink hands what Python logs on to Flink's log. In thread mode nobody does: the
interpreter lives inside the JVM, so its logger is asked directly.
"""

from __future__ import annotations

import logging
from functools import cache
from importlib import import_module
from typing import Protocol

NAME = "weblog.worker"


class _JavaLogger(Protocol):
    """The methods of `org.slf4j.Logger` in use."""

    def info(self, message: str) -> None: ...

    def warn(self, message: str) -> None: ...

    def error(self, message: str) -> None: ...


@cache
def logger_of_worker() -> logging.Logger:
    """Returns the logger of this process."""
    logger = logging.getLogger(NAME)
    logger.setLevel(logging.INFO)
    if not logging.getLogger().handlers:
        logger.addHandler(_handler())
    return logger


def _handler() -> logging.Handler:
    try:
        find_class = import_module("pemja").findClass
    except (ImportError, AttributeError):
        # No JVM around: a test, a shell.
        return logging.StreamHandler()
    return _FlinkHandler(find_class("org.slf4j.LoggerFactory").getLogger(NAME))


class _FlinkHandler(logging.Handler):
    """Hands lines to a logger of Flink's JVM."""

    def __init__(self, java_logger: _JavaLogger) -> None:
        super().__init__()
        self._java = java_logger

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one line."""
        if record.levelno >= logging.ERROR:
            write = self._java.error
        elif record.levelno >= logging.WARNING:
            write = self._java.warn
        else:
            write = self._java.info
        write(record.getMessage())
