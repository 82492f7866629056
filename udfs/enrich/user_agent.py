"""Browser, operating system, kind of device, or kind of bot behind a user agent string."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from udfs.enrich.bots import Bot, BotKind, find_bot, may_be_a_persons
from udfs.enrich.devices import DeviceType, device_type

MAX_LENGTH = 1024
"""Characters of a user agent that are looked at; real ones are far shorter."""


@dataclass(frozen=True, slots=True)
class UserAgent:
    """Families and versions as ua-parser names them; None where it knows none.

    A bot's browser is the bot's name.
    """

    browser: str | None
    browser_version: str | None
    os: str | None
    os_version: str | None
    device_type: DeviceType
    bot_kind: BotKind | None = None
    """None for people."""

    @property
    def is_bot(self) -> bool:
        """Returns whether it is a program of its own."""
        return self.bot_kind is not None


UNKNOWN = UserAgent(None, None, None, None, "other")
"""The result of an absent or unrecognised user agent."""


def parse_user_agent(agent: str) -> UserAgent:
    """Parses an unescaped user agent; `-` or nothing is unknown.

    The first call loads the rules, which takes about a third of a second. Later calls still take
    longer than all other work on a line, so results are worth keeping.
    """
    if agent in {"", "-"}:
        return UNKNOWN
    agent = agent[:MAX_LENGTH]
    parsed = _parser()(agent)
    browser, version = _known(parsed.browser.family), parsed.browser.version_string or None
    kind: BotKind | None = None
    bot = find_bot(agent)
    if bot is not None:
        kind = bot.kind
        browser, version = _name(bot, browser, version)
    elif parsed.is_bot and not may_be_a_persons(agent):
        kind = "other"
    return UserAgent(
        browser=browser,
        browser_version=version,
        os=_known(parsed.os.family),
        os_version=parsed.os.version_string or None,
        device_type="bot" if kind is not None else device_type(agent, _device_type(parsed)),
        bot_kind=kind,
    )


def without_minor_versions(agent: UserAgent) -> UserAgent:
    """Returns the same with versions cut at their first dot."""
    return replace(
        agent,
        browser_version=_major(agent.browser_version),
        os_version=_major(agent.os_version),
    )


def _major(version: str | None) -> str | None:
    return None if version is None else version.partition(".")[0] or None


def _known(family: str) -> str | None:
    return None if family in {"", "Other"} else family


# Names that ua-parser finds in a bot that pretends to be a browser, and words that name no bot.
_NO_NAMES = re.compile(
    "(?:Android|Apple Mail|BlackBerry|Chrom(?:e|ium)|Edge|Firefox|IE|Iceweasel|Konqueror"
    "|Mobile Safari|Mozilla|Opera|Qt |Safari|Samsung|Thunderbird|UC ).*"
    "|archiver|bot|crawler|robot|spider|.*/.*"
)


def _name(bot: Bot, family: str | None, version: str | None) -> tuple[str | None, str | None]:
    """Returns a bot's name and version: ua-parser's, if it has one."""
    if bot.name is None or (family is not None and _NO_NAMES.fullmatch(family) is None):
        return family, version
    return bot.name, bot.version


def _device_type(parsed: Any) -> DeviceType:
    if parsed.is_tablet:
        return "tablet"
    if parsed.is_mobile:
        return "mobile"
    if parsed.is_pc:
        return "desktop"
    return "other"


@cache
def _parser() -> Callable[[str], Any]:
    """Loads the rules, on first use: importing this module stays cheap."""
    # ruff: noqa: PLC0415
    from ua_parser import Domain, load_lazy_builtins
    from ua_parser.regex import Resolver
    from user_agents import parsers

    resolve = Resolver(load_lazy_builtins())

    class FastUserAgent(parsers.UserAgent):  # type: ignore[misc]
        """The package's classification over ua-parser's compiled rules.

        Its own constructor goes through ua-parser's old interface, which tries the rules one by
        one in Python and takes 35 times as long.
        """

        def __init__(self, agent: str) -> None:
            parsed = resolve(agent, Domain.ALL).complete().with_defaults()
            browser, os, device = parsed.user_agent, parsed.os, parsed.device
            self.ua_string = agent
            self.browser = parsers.parse_browser(
                browser.family, browser.major, browser.minor, browser.patch
            )
            self.os = parsers.parse_operating_system(os.family, os.major, os.minor, os.patch)
            self.device = parsers.parse_device(device.family, device.brand, device.model)

    return FastUserAgent
