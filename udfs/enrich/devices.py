"""Kind of device behind a user agent, where the rules of `user-agents` (2013 to 2019) are too old.

Each rule is a pattern over the agent in lower case. Repetitions in them are bounded, so that the
time is linear whatever the text. docs/who.md has how often they are right.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Literal

type DeviceType = Literal["desktop", "mobile", "tablet", "bot", "other"]

# Sizes of televisions, which their model names begin with.
_INCHES = "(?:19|2[02348]|3[29]|4[02389]|5[0158]|6[05]|7[057]|8[0256]|98)"

_APPLE = re.compile("ipad|iphone|ipod")

_NO_COMPUTER = r"""
    # Televisions
      (?<![a-z])(?:h|go)?tv(?![a-z0-9]) | (?<![a-z])(?:smart|apple|google|hbb|ip|net)-?\ ?tv
    | netcast | web0s | (?<![a-z])viera | bravia | roku | crkey | vidaa | ce-html | maple20
    | smartcast | shield\ android | nexus\ player | chromecast | youview | brightsign | gw-device
    | (?<![a-z])(?:aft[a-z0-9]{1,10}|ott|i?stb|tivo|tivimate)(?![a-z]) | (?<![a-z])omi/\d
    | \(linux\ (?:mips|sh4|armv[67]l) | westerndigital | kodi/[^(]{1,20}\((?!mac|win)
    # Consoles
    | playstation | xbox | nintendo | (?<![a-z])ps[345](?![a-z0-9]) | ouya | steam\ deck | retroid
    | gamesir | segasaturn
    # Virtual reality, watches, speakers
    | oculus | wolvic | (?<![a-z])vr\ safari | mobile\ vr(?![a-z])
    | watchos | (?<!air)watch(?![a-z]) | (?<![a-z])sm-r\d
    | (?<![a-z])aeo[a-z]{2}(?![a-z]) | alexa(?!\ toolbar) | homepod | audioos | smartspeaker
    | echo_show
    # Cars
    | (?<![a-z])tesla/ | qtcarbrowser | \ byd\ auto | polestar/ | volvo/
"""

# In an Android agent's parentheses: model and build.
_TELEVISION = rf"""
      tv(?![a-z0-9]) | [a-z]tv\d[a-z]?(?![a-z0-9]) | (?<![a-z])[a-z]?tv(?!3[123]|[0-9]00-|m)
    | (?<![0-9])(?<!bb)[48]k(?![a-z0-9]) | uhd | led[ _-]?{_INCHES} | [ _]shell[ _]
    | \dt2[cs]{{0,2}}m?(?![a-z0-9])
    # What their makers build from
    | build/(?:[n-z]t[a-z0-9]\d\. | ppr2\.180905\.006\.a1 | opr5\.170623\.014
        | tp1a\.220905\.004\.a2 | qp1a\.191105\.004 | nhg47[kl] | rd2a\.211001\.002)
    # Sizes in model names
    | ;\ [a-z ]{{0,9}}[-_]?{_INCHES}[a-z]{{1,6}}[-_]?\d{{2}}\d?(?:\d|[a-z])
    | ;\ (?:[a-z]{{2,4}}-)?{_INCHES}[a-z]{{2,6}}-?\d{{2}}
    | ;\ [a-z]{{0,3}}[-_ ]?{_INCHES}(?:u[a-z]{{2,4}}|l(?!ite)[a-z]{{2,3}}|[fh]h?d[a-z]{{0,4}})\d?
    # Boxes and sticks
    | (?<!tur)box(?![a-z]) | stick(?![a-z])
    | (?<![a-z0-9])(?:x9[68]|x88|h96|t95|tx[3-9]|mxq|a95x|hk1)(?![0-9]) | ;\ (?:km[4-9]|kant-|vmp)
    | tanix | mecool | (?<![a-z])rk3\d | ugoos | beelink | zidoo | formuler | vontar | amlogic
    | iconbit\ x | yndx- | dmp1 | nexon | orbsmart | evpad | yundoo | pendoo | amigo7 | gtking
    | (?<![a-z])neo[- ][ux]\d
"""
_TELEVISION_BROWSER = r"(?<![a-z])tv\ safari/ | safari/[0-9.]{1,20}\ tv(?![a-z])"

_TABLET = r"""
      tablet(?!\ pc) | (?<![a-z])(?:tab|pad)(?![a-z]) | /apad | playbook | touchpad | kindle\ fire
    | (?<![a-z])(?:[a-z]{1,3}tab|mediapad|[a-z]{2,4}pad)[ _-]?\d{0,4}(?![a-z])
    | (?<![a-z])(?:sm-[tx]\d|gt-p\d|gt-n[58]\d|sm-p\d|tb-[x\d]|yt\d?-|mid[-_]?\d|pmt\d)
    | (?<![a-z])kf[a-z]{2,4}\  | (?<![a-z])[a-z]{3}\d?-w\d{2} | nexus\ (?:7|9|10)(?!\d)
    | pixel\ (?:c|tablet)(?![a-z])
"""

_PHONE = r"""
      \(iph | windows\ phone | kaios | up\.browser | up\.link | midp | symbian | fban/fb4a
    | (?<![a-z])adr\ \d
"""

_DESKTOP = r"""
      wayland | [a-z]bsd | dragonfly | haiku | beos | inferno | os/2 | mac_powerpc | macintosh
    | mac\ os[ /] | osx/ | macos | macbook | imac | x11; | cros\  | konqueror | links(?:\ \(|/)
    | lynx/ | x86_64 | i686 | chromebook | windows[ /](?:nt|9\d|xp|10|2000) | win(?:10|7|64)
    | darwin/[0-9.]{1,20}\ \((?:x86_64|i386|power)
"""


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Returns the pattern, on first use: importing this module stays cheap."""
    return re.compile(pattern, re.VERBOSE)


def _is(pattern: str, text: str) -> bool:
    return _compiled(pattern).search(text) is not None


def device_type(agent: str, fallback: DeviceType) -> DeviceType:
    """Returns the kind of a person's device.

    Args:
        agent: The user agent.
        fallback: What `user-agents` says, for what no rule here knows.
    """
    text = agent.lower().replace("like iphone", "")
    apple = _APPLE.search(text)
    if apple is not None:
        return "tablet" if apple[0] == "ipad" else "mobile"
    if _is(_NO_COMPUTER, text):
        return "other"
    if "android" in text:
        return _android(text)
    if _is(_TABLET, text):
        return "tablet"
    if _is(_PHONE, text):
        return "mobile"
    # `user-agents` takes apps on Macs for apps on phones.
    is_open = fallback == "other" or "darwin/" in text
    return "desktop" if is_open and _is(_DESKTOP, text) else fallback


def _android(text: str) -> DeviceType:
    _, start, rest = text.partition("android")
    model = start + rest.partition(")")[0]
    if _is(_TELEVISION, model) or _is(_TELEVISION_BROWSER, text):
        return "other"
    if _is(_TABLET, text):
        return "tablet"
    if "chromebook" in model:
        return "desktop"
    # A browser says `Mobile` on phones. Apps say nothing, and most run on phones.
    is_browser = text.startswith("mozilla/") and "safari/" in text
    return "tablet" if is_browser and "mobile" not in text else "mobile"
