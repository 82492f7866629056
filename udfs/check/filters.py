"""Rules that leave lines out on purpose.

Rules look at one field each, so that their answer is kept with the field's part. The order of
`FilterRule` decides which reason is given to a line that several rules leave out.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator
from enum import IntEnum
from urllib.parse import unquote_plus

from udfs.config.core import FilterSettings
from udfs.parse.request import Page, Request, path_of


class FilterRule(IntEnum):
    """Reasons to leave a line out; the lowest counts. A reason's code is its name in lower case."""

    DEBUG_PATH = 0
    DEBUG_PARAMETER = 1
    DEBUG_AGENT = 2
    METHOD_NOT_INCLUDED = 3
    METHOD_EXCLUDED = 4
    STATUS_NOT_INCLUDED = 5
    STATUS_EXCLUDED = 6
    PATH_NOT_INCLUDED = 7
    PATH_EXCLUDED = 8
    STATIC_ASSET = 9
    BOT = 10
    KEEP = 99

    @property
    def reason(self) -> str:
        """Returns the code of a filtered record."""
        return self.name.lower()


class Filters:
    """The rules in force.

    Attributes:
        active: There is any rule.
        needs_bots: Rules ask whether a user agent is a crawler.
    """

    def __init__(self, settings: FilterSettings) -> None:
        self.active = settings != FilterSettings()
        self.needs_bots = settings.exclude_bots
        self._settings = settings
        self._debug_paths = frozenset(settings.debug_path_prefixes)
        self._below_debug_paths = tuple(_below(settings.debug_path_prefixes))
        self._parameters = frozenset(settings.debug_query_parameters)
        self._include_paths = _globs(settings.include_paths)
        self._exclude_paths = _globs(settings.exclude_paths)

    def request_rule(self, request: Request, page: Page) -> FilterRule:
        """Returns the rule about a request line; without a path only an include matches."""
        if not self.active:
            return FilterRule.KEEP
        target = request.path or ""
        path = path_of(target)
        return min(
            self._debug_rule(target, path),
            self._method_rule(request.method or ""),
            self._path_rule(path),
            FilterRule.STATIC_ASSET
            if self._settings.exclude_static and page.is_static
            else FilterRule.KEEP,
        )

    def status_rule(self, status: str) -> FilterRule:
        """Returns the rule about a status of three digits."""
        names = {status, f"{status[0]}xx"}
        if self._settings.include_statuses and names.isdisjoint(self._settings.include_statuses):
            return FilterRule.STATUS_NOT_INCLUDED
        if not names.isdisjoint(self._settings.exclude_statuses):
            return FilterRule.STATUS_EXCLUDED
        return FilterRule.KEEP

    def agent_rule(self, agent: str, *, is_bot: bool) -> FilterRule:
        """Returns the rule about an unescaped user agent."""
        if self._settings.debug_agents:
            lower = agent.lower()
            if any(marker in lower for marker in self._settings.debug_agents):
                return FilterRule.DEBUG_AGENT
        return FilterRule.BOT if is_bot and self._settings.exclude_bots else FilterRule.KEEP

    def _debug_rule(self, target: str, path: str) -> FilterRule:
        if path in self._debug_paths or path.startswith(self._below_debug_paths):
            return FilterRule.DEBUG_PATH
        if self._parameters and self._has_debug_parameter(target):
            return FilterRule.DEBUG_PARAMETER
        return FilterRule.KEEP

    def _method_rule(self, method: str) -> FilterRule:
        if self._settings.include_methods and method not in self._settings.include_methods:
            return FilterRule.METHOD_NOT_INCLUDED
        if method in self._settings.exclude_methods:
            return FilterRule.METHOD_EXCLUDED
        return FilterRule.KEEP

    def _path_rule(self, path: str) -> FilterRule:
        if self._include_paths is not None and self._include_paths.match(path) is None:
            return FilterRule.PATH_NOT_INCLUDED
        if self._exclude_paths is not None and self._exclude_paths.match(path) is not None:
            return FilterRule.PATH_EXCLUDED
        return FilterRule.KEEP

    def _has_debug_parameter(self, target: str) -> bool:
        query = target.partition("?")[2].partition("#")[0]
        names = (pair.partition("=")[0] for pair in query.replace(";", "&").split("&"))
        return any(unquote_plus(name).lower() in self._parameters for name in names)


def _below(paths: Iterable[str]) -> Iterator[str]:
    """Yields how paths below the given ones begin; `/debugging` is not below `/debug`."""
    for path in paths:
        if path.endswith("/"):
            yield path
        else:
            yield from (f"{path}/", f"{path};")


def _globs(patterns: tuple[str, ...]) -> re.Pattern[str] | None:
    """Returns one expression for all patterns.

    `fnmatch` makes each star atomic, so that no path makes the match backtrack.
    """
    if not patterns:
        return None
    return re.compile("|".join(map(fnmatch.translate, patterns)))
