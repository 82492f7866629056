"""Kinds of sites that links are on: search engines, social networks, AI assistants, e-mail.

`data/referrers.json` holds Matomo's lists as they are (NOTICE says how they were made); what they
lack is added here. A host's kind is looked up by its name and the domains above it: a few look-ups
whatever its length.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

type SiteKind = Literal["search", "social", "email", "ai"]

_LISTS = Path(__file__).with_name("data") / "referrers.json"
_MAX_LABELS = 6

_SOCIAL = """
    delicious.com digg.com fb.com ok.ru plus.url.google.com quora.com mastodon.gamedev.place
    warpcast.com nextdoor.com kakao.com line.me whatsapp.com wa.me t.me messenger.com
    teams.microsoft.com slack.com
"""
_AI = """
    chat.com poe.com pi.ai you.com phind.com character.ai huggingface.co kimi.com
    kimi.moonshot.cn doubao.com chat.z.ai copilot.com aistudio.google.com deepseek.com mistral.ai
"""
# Web mail. With `{}` for what a country has in place of `com`.
_EMAIL = """
    mail.google.{} mail.yahoo.{} mail.live.com outlook.live.com outlook.office.com
    outlook.office365.com outlook.com hotmail.com e.mail.ru light.mail.ru touch.mail.ru
    mail.yandex.{} mail.qq.com mail.163.com mail.126.com mail.sina.com.cn mail.aol.com
    mail.proton.me mail.protonmail.com app.fastmail.com mail.zoho.com mail.com navigator-bs.gmx.net
    navigator-bs.gmx.com bap.navigator.gmx.net 3c.gmx.net 3c.web.de navigator.web.de
    email.t-online.de mail.naver.com mail.daum.net mail.nate.com email.seznam.cz poczta.onet.pl
    poczta.wp.pl poczta.o2.pl mail.rambler.ru mail.libero.it mail.virgilio.it mail.tiscali.it
    webmail.orange.fr messagerie.orange.fr webmail.laposte.net webmail.free.fr mail.comcast.net
    connect.xfinity.com webmail.earthlink.net mail.aliyun.com qiye.163.com app.hey.com
    mail.tutanota.com app.tuta.com mail.missiveapp.com mail.superhuman.com mail.ukr.net
    mail.bg mail.bigpond.com deref-gmx.net deref-web.de deref-mail.com
"""
# A host with one of these labels in front is web mail, whosever it is.
_WEBMAIL = frozenset({"webmail", "owa", "roundcube", "squirrelmail"})
# Parts of portals that the list of search engines has and that are no search: news, maps.
_NO_SEARCH = frozenset(
    {"news", "maps", "translate", "tieba", "zhidao", "dizionario", "enciclopedia", "ricercanews"}
)
# Start pages that are more than a search, and a page to log in that is no network.
_OTHERS = """
    cnn.com msnbc.msn.com charter.net fastweb.it skynet.be talktalk.co.uk login.live.com
"""
_LEFT_OUT = frozenset(_OTHERS.split())
_SEARCH = "google.cat"
# Labels in front of a search engine's name that are the engine too; any other is another service.
_PARTS = """
    www www2 m mobile wap html lite start safe search images image video videos cse r l encrypted
"""
_SAME_ENGINE = frozenset(_PARTS.split())
# Labels that a country's registry puts in front of its own.
_SECOND_LEVEL = frozenset({"co", "com"})

_APPS: dict[SiteKind, str] = {
    "search": """
        com.google.android.googlequicksearchbox com.google.android.gms.nexus com.microsoft.bing
        com.duckduckgo.mobile.android com.baidu.searchbox com.ecosia.android com.nhn.android.search
        ru.yandex.searchplugin com.yandex.searchapp com.brave.search com.qwant.liberty
        cz.seznam.sbrowser
    """,
    "social": """
        com.google.android.apps.plus com.reddit.frontpage com.snapchat.android
        org.joinmastodon.android org.telegram.messenger org.telegram.messenger.web
        org.thunderdog.challegram com.linkedin.android com.facebook.katana com.facebook.lite
        com.facebook.orca com.instagram.android com.instagram.barcelona com.twitter.android
        com.pinterest com.zhiliaoapp.musically com.ss.android.ugc.trill com.tumblr
        com.vkontakte.android com.google.android.youtube com.whatsapp com.discord com.slack
        com.quora.android com.stumbleupon.android.app com.laurencedawson.reddit_sync
        com.andrewshu.android.reddit xyz.blueskyweb.app jp.naver.line.android com.kakao.talk
        com.tencent.mm com.weibo.xs com.sina.weibo com.microsoft.teams com.xing.android
        io.syncapps.lemmy_sync ru.ok.android tv.twitch.android.app
    """,
    "email": """
        com.google.android.gm com.google.android.gm.lite com.google.android.email
        com.microsoft.office.outlook com.yahoo.mobile.client.android.mail com.aol.mobile.aolapp
        com.samsung.android.email.provider com.android.email ru.mail.mailapp ru.yandex.mail
        com.fsck.k9 net.thunderbird.android ch.protonmail.android com.fastmail.app
        com.readdle.spark me.bluemail.mail com.zoho.mail de.gmx.mobile.android.mail
        de.web.mobile.android.mail com.tencent.androidqqmail com.netease.mail com.easilydo.mail
        eu.faircode.email de.tutao.tutanota
    """,
    "ai": """
        com.openai.chatgpt com.anthropic.claude ai.perplexity.app.android ai.x.grok
        com.google.android.apps.bard com.microsoft.copilot com.deepseek.chat com.poe.android
        ai.character.app ai.mistral.chat com.larus.nova
    """,
}


class _Sites(NamedTuple):
    """Hosts by kind.

    A search engine's are whole names: portals have search, mail and news below one domain. Of the
    others everything below counts too.
    """

    engines: frozenset[str]
    engine_stems: frozenset[str]
    """Engines with a domain in every country, without what stands for it."""
    domains: dict[str, SiteKind]
    domain_stems: dict[str, SiteKind]


def kind_of_site(host: str) -> SiteKind | None:
    """Returns the kind of a host, given in lower case; None for any other site."""
    labels = host.split(".")
    if len(labels) < 2:
        return None
    sites = _sites()
    # Listed names are short, so that a long one needs no more labels.
    low = labels[-_MAX_LABELS:]
    for start in range(len(low) - 1):
        name = low[start:]
        kind = sites.domains.get(".".join(name)) or sites.domain_stems.get(_stem(name))
        if kind is not None:
            return kind
    if _WEBMAIL.intersection(labels[:-2][-_MAX_LABELS:]):
        return "email"
    return "search" if _is_engine(labels, sites) else None


def kind_of_app(package: str) -> SiteKind | None:
    """Returns the kind of an Android app, given in lower case; None for any other app."""
    return _apps().get(package)


def _is_engine(labels: list[str], sites: _Sites) -> bool:
    if len(labels) > _MAX_LABELS:
        return False
    names = [labels]
    # `uk.search.yahoo.com`, `m.baidu.com`: one label of the engine's, or a country.
    if labels[0] in _SAME_ENGINE or len(labels[0]) == 2:
        names.append(labels[1:])
    return any(
        ".".join(name) in sites.engines or _stem(name) in sites.engine_stems for name in names
    )


def _stem(labels: list[str]) -> str:
    """Returns a name without the domain of a country, `google` of `google.co.uk`; else nothing.

    What is registered below another name (`google.evil.com`) has none: only `com` and the two
    letters of countries count, with `co` or `com` in front of them.
    """
    *stem, last = labels
    if last != "com":
        if len(last) != 2:
            return ""
        if len(stem) > 1 and stem[-1] in _SECOND_LEVEL:
            stem.pop()
    return ".".join(stem)


@cache
def _sites() -> _Sites:
    """Returns the lists, read on first use."""
    lists: dict[str, list[str]] = json.loads(_LISTS.read_bytes())
    engines: set[str] = set()
    engine_stems: set[str] = set()
    for url in (*lists["search"], *_SEARCH.split()):
        name = url.removeprefix("{}.").removeprefix("www.")
        if "/" in name or name in _LEFT_OUT or name.partition(".")[0] in _NO_SEARCH:
            continue
        if name.endswith(".{}"):
            engine_stems.add(name.removesuffix(".{}"))
        else:
            engines.add(name.replace("{}.", ""))
    domains: dict[str, SiteKind] = {}
    domain_stems: dict[str, SiteKind] = {}
    kinds: tuple[tuple[SiteKind, list[str]], ...] = (
        ("social", lists["social"] + _SOCIAL.split()),
        ("ai", lists["ai"] + _AI.split()),
        ("email", _EMAIL.split()),
    )
    for kind, names in kinds:
        for name in names:
            if name.endswith(".{}"):
                domain_stems[name.removesuffix(".{}")] = kind
            elif "/" not in name and name not in _LEFT_OUT and name not in _apps():
                domains[name.removeprefix("www.")] = kind
    return _Sites(frozenset(engines), frozenset(engine_stems), domains, domain_stems)


@cache
def _apps() -> dict[str, SiteKind]:
    return {name: kind for kind, names in _APPS.items() for name in names.split()}
