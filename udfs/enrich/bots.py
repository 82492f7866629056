"""Bots: which user agents are programs of their own, of what kind, and by what name.

Known names come first (`data/bots.txt`), then words that names of bots are made of, then addresses:
a crawler says where to complain, a browser does not. HTTP libraries and health checkers are bots
too, apps of people are not. docs/who.md has how often this is right.

The time is linear in the agent's length.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple, cast

type BotKind = Literal[
    "search", "ai", "seo", "monitor", "preview", "feed", "tool", "scanner", "other"
]


class Bot(NamedTuple):
    """A bot's kind and name."""

    kind: BotKind
    name: str | None
    version: str | None


class _KnownBot(NamedTuple):
    """A line of the table of names."""

    name: str
    kind: BotKind
    leads: bool
    """Counts only where an agent says what it is."""


_TABLE = Path(__file__).with_name("data") / "bots.txt"
_MAX_NAME = 64
"""Characters of a name."""

_WORD = re.compile(r"[a-z0-9]++")

# The name of a phone's model may hold anything: `CUBOT`, `Spider 8`, `Expanse`.
_MODEL = re.compile(r"(?i)android(?: [0-9.]++)?; (?:[a-z]{2}[-_][a-z]{2}; )?[^;()]*+")
# Neither does an e-mail address tell anything: it may be a person's, and is masked in what is no
# bot.
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]++(?:@|\uff20|%40|%u0040)[\w.-]++")
# Words that look like a part below and are none: browsers, parts of browsers and of apps.
_HARMLESS = re.compile(
    r"cubot|tweetbot|mozacfetch|safarifetcher|camscanner|qbittorrent"
    r"|proxyparser|preview 4|https?://(?:www\.)?bsalsa\.com"
)

# Parts of bots' names by the kind that they tell, the special before the general.
_PARTS: tuple[tuple[BotKind, str], ...] = (
    ("ai", "gptbot,aibot,ai-bot,aicrawler,ai-crawler,llmbot"),
    ("seo", "seobot,seo-bot,seocrawl,seospider,seo-crawl,seoscan,seoaudit,backlink,rankbot"),
    ("monitor", "uptime,monitor,healthcheck,health-check,health_check,synthetic,pingdom,pinger"),
    ("monitor", "lighthouse,pagespeed,heartbeat,watchdog"),
    ("preview", "preview,thumbnail,screenshot,unfurl,webshot,opengraph,oembed,imageproxy,imgproxy"),
    ("feed", "feedfetch,feed-fetch,feed fetch,feedparser,feed parser,feedreader,feed reader"),
    ("feed", "rssbot,rssreader,rss reader,feedbot"),
    ("scanner", "securitybot,securityscan,vulnerab,pentest,scanner,scanning,probe,whois"),
    ("tool", "headless,phantomjs,selenium,puppeteer,playwright,webdriver"),
    ("search", "searchbot,search-bot,searchengine,indexer"),
    ("other", "crawl,spider,robot,slurp,scrap,fetch,harvest,extractor,archiver,sniff,research"),
    ("other", "validat,verif,checker,linkcheck,analyz,analys,inspector,sitemap,parser,import"),
    ("other", "collector,aggregator,survey,audit,downloader,transcri"),
    ("tool", "curl,wget,python,perl,httpclient,http-client,http_client,libwww-perl,urllib,guzzle"),
)
_KIND_OF_PART: dict[str, BotKind] = {
    part: kind for kind, parts in _PARTS for part in parts.split(",")
}
_BOT = re.compile(r"bot(?:s|[0-9]{1,3})?(?![a-z0-9])")

# Apps on devices of Apple's and on desktops, and WhatsApp where it says what it runs on.
_APP = re.compile("cfnetwork/|electron/| device/")

_ADDRESS = re.compile(r"https?:|www\.")
# Apps and browsers that name their site all the same.
_SHOWN_TO_PEOPLE = re.compile(
    "pod|cast|player|browser|radio|music|fm/|fm |app;|ecosia|ios|iphone|ipad|android|midp|opera"
    "|msie"
)
_PLUS_ADDRESS = re.compile(r"\+ ?https?:|compatible; *+(?!msie)[^()]{0,200}https?:")
_BARE = re.compile(r"\(?mozilla/[0-9.]++\)?(?: \(compatible;?\))?\.{0,3}")
_OWN_FORM = re.compile(
    r"mozilla/[0-9.]++ ?\(compatible[;,] *+(?!ms[ -]|aol|[a-z]{1,2}[-;])[a-z0-9]"
)
_BROWSER = re.compile(
    "gecko|webkit|khtml|msie|trident|presto|opera|netscape|icab|windows|linux|mac|amiga|ibrowse"
    "|netpositive|beos|brew|teleca|polaris|mid[op]"
)

_SITE = re.compile(r"(?:https?:|www\.)[^\s;,()]*+")
_PRODUCT = re.compile(r"(?<![A-Za-z0-9_.!&-])[A-Za-z0-9_][\w.!&-]*+")
_VERSION = re.compile(r"[/ ]?[vV]?([0-9]++(?:\.[0-9]++){0,5})(?![A-Za-z0-9])")
_NO_NAMES = """
    mozilla compatible gecko applewebkit khtml like safari mobile version chrome firefox opera msie
    windows nt linux x11 macintosh intel mac os x u rv wow64 win64 x64 x86_64 i686 android build
    ubuntu en us the a an by of for and http https www com agent user-agent crios edg
"""
_NAMELESS = frozenset(_NO_NAMES.split())
# Words that need the one in front of them.
_COMMON = frozenset({"bot", "bots", "robot", "crawler", "spider", "fetcher", "scanner", "monitor"})


def find_bot(agent: str) -> Bot | None:  # noqa: PLR0911 - a list of rules
    """Returns what bot an agent is; None for people, and for bots that pretend to be people."""
    agent = _EMAIL.sub(" ", _MODEL.sub("Android", agent))
    text = agent.lower()
    if _APP.search(text):
        return None
    known = _known(text)
    if known is not None and known.kind != "tool":
        return _named(agent, known)
    cleaned = _HARMLESS.sub("", text)
    part = next((part for part in _KIND_OF_PART if part in cleaned), None)
    if part is not None and _KIND_OF_PART[part] != "tool":
        return _found(agent, _KIND_OF_PART[part], part)
    if _BOT.search(cleaned):
        return _found(agent, "other", "bot")
    if known is not None:
        return _named(agent, known)
    if part is not None:
        return _found(agent, "tool", part)
    return _found(agent, "other", None) if _has_the_form(cleaned) else None


def may_be_a_persons(agent: str) -> bool:
    """Returns whether an agent is an app's, or holds an e-mail address that may be a person's."""
    return _APP.search(agent.lower()) is not None or _EMAIL.search(agent) is not None


def _has_the_form(text: str) -> bool:
    """Returns whether an agent that names no bot looks like one's."""
    return _has_address(text) or _BARE.fullmatch(text) is not None or _is_own_form(text)


def _has_address(text: str) -> bool:
    if _ADDRESS.search(text) is None:
        return False
    shown = _SHOWN_TO_PEOPLE.search(text)
    return shown is None or (text.startswith("mozilla/") and bool(_PLUS_ADDRESS.search(text)))


def _is_own_form(text: str) -> bool:
    return bool(_OWN_FORM.match(text)) and _BROWSER.search(text) is None


def _known(text: str) -> _KnownBot | None:
    """Returns the first known name in an agent; one of a tool only if there is no other."""
    table = _table()
    words = _WORD.findall(text)
    tool = None
    for index, word in enumerate(words):
        for count in range(table.longest(word), 0, -1):
            known = table.names.get(" ".join(words[index : index + count]))
            if known is None or (known.leads and not _leads(words, index, known.kind)):
                continue
            if known.kind != "tool":
                return known
            tool = tool or known
            break
    return tool


def _leads(words: list[str], index: int, kind: BotKind) -> bool:
    """Returns whether an agent names itself here: `Name/1.0`, `Mozilla/5.0 (compatible; Name`."""
    if index == 0:
        return True
    # Libraries do not pretend, and `Mozilla/5.0 (Java; ...` are phones.
    return kind != "tool" and (
        words[index - 1] == "compatible" or words[:index] == ["mozilla", "5", "0"]
    )


class _Table(NamedTuple):
    names: dict[str, _KnownBot]
    longest_of: dict[str, int]

    def longest(self, word: str) -> int:
        """Returns the words of the longest name that begins with a word; 0 if none does."""
        return self.longest_of.get(word, 0)


@cache
def _table() -> _Table:
    """Returns the table of names, read on first use."""
    names: dict[str, _KnownBot] = {}
    longest: dict[str, int] = {}
    kind: BotKind = "other"
    for line in _TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            kind = cast("BotKind", line.strip("[]"))
        elif line and not line.startswith("#"):
            name = line.removeprefix("^")
            words = _WORD.findall(name.lower())
            names[" ".join(words)] = _KnownBot(name, kind, leads=name != line)
            longest[words[0]] = max(len(words), longest.get(words[0], 0))
    return _Table(names, longest)


# --- names -------------------------------------------------------------------------------------


def _named(agent: str, known: _KnownBot) -> Bot:
    start = agent.lower().find(known.name.lower())
    version = None if start < 0 else _version(agent, start + len(known.name))
    return Bot(known.kind, known.name, version)


def _found(agent: str, kind: BotKind, part: str | None) -> Bot:
    """Returns a bot that is on no list, by the product that a part of it is in."""
    shown = _SITE.sub(" ", agent)
    products = [match for match in _PRODUCT.finditer(shown) if match[0][0].isalpha()]
    for before, match in zip([None, *products], products, strict=False):
        if part is None or part not in match[0].lower():
            continue
        name = match[0]
        if name.lower() in _COMMON and before is not None and before.end() + 1 == match.start():
            name = shown[before.start() : match.end()]
        return Bot(kind, name[:_MAX_NAME], _version(shown, match.end()))
    names = [match for match in products if match[0].lower() not in _NAMELESS]
    if not names:
        return Bot(kind, None, None)
    return Bot(kind, names[0][0][:_MAX_NAME], _version(shown, names[0].end()))


def _version(text: str, end: int) -> str | None:
    match = _VERSION.match(text, end)
    return None if match is None else match[1]
