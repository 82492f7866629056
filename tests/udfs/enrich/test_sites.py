import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.core import grows_linearly
from udfs.enrich.referrer import describe_referrer
from udfs.enrich.sites import _LISTS, kind_of_app, kind_of_site


@pytest.mark.parametrize(
    ("site", "kind"),
    [
        # Search engines, and other services on their domains
        ("google.com", "search"),
        ("www.google.co.uk", "search"),
        ("www.google.com.br", "search"),
        ("google.de", "search"),
        ("www.google.cat", "search"),
        ("images.google.fr", "search"),
        ("scholar.google.com", "search"),
        ("news.google.com", None),
        ("maps.google.de", None),
        ("docs.google.com", None),
        ("groups.google.com", None),
        ("accounts.google.com", None),
        ("www.bing.com", "search"),
        ("cn.bing.com", "search"),
        ("duckduckgo.com", "search"),
        ("html.duckduckgo.com", "search"),
        ("www.baidu.com", "search"),
        ("m.baidu.com", "search"),
        ("tieba.baidu.com", None),
        ("news.baidu.com", None),
        ("yandex.ru", "search"),
        ("www.yandex.com.tr", "search"),
        ("search.yahoo.com", "search"),
        ("uk.search.yahoo.com", "search"),
        ("r.search.yahoo.com", "search"),
        ("www.yahoo.com", None),
        ("news.yahoo.com", None),
        ("search.naver.com", "search"),
        ("www.ecosia.org", "search"),
        ("search.brave.com", "search"),
        ("go.mail.ru", "search"),
        # Social networks, with any host name of theirs
        ("facebook.com", "social"),
        ("l.facebook.com", "social"),
        ("lm.facebook.com", "social"),
        ("t.co", "social"),
        ("old.reddit.com", "social"),
        ("out.reddit.com", "social"),
        ("news.ycombinator.com", "social"),
        ("mastodon.social", "social"),
        ("bsky.app", "social"),
        ("my.mail.ru", "social"),
        ("plus.google.com", "social"),
        ("login.live.com", None),
        # E-mail
        ("mail.google.com", "email"),
        ("mail.yahoo.com", "email"),
        ("us-mg6.mail.yahoo.com", "email"),
        ("mail.yahoo.co.jp", "email"),
        ("outlook.live.com", "email"),
        ("e.mail.ru", "email"),
        ("mail.yandex.ru", "email"),
        ("webmail.example.org", "email"),
        ("mail.python.org", None),
        # AI assistants
        ("chatgpt.com", "ai"),
        ("chat.openai.com", "ai"),
        ("www.perplexity.ai", "ai"),
        ("gemini.google.com", "ai"),
        ("claude.ai", "ai"),
        ("copilot.microsoft.com", "ai"),
        ("chat.deepseek.com", "ai"),
        # Other sites with similar names
        ("google.evil.com", None),
        ("www.google.evil.com", None),
        ("google.com.evil.net", None),
        ("google.co.evil.uk", None),
        ("google.xyz", None),
        ("notgoogle.com", None),
        ("evil.google.com", None),
        ("mail.google.evil.com", None),
        ("xt.co", None),
        ("t.co.uk", None),
        ("facebook.com.evil.ru", None),
        ("notfacebook.com", None),
        ("chatgpt.com.evil.ru", None),
        ("com", None),
        ("google", None),
        ("", None),
        (".", None),
        ("..google.com", None),
        ("com.google.android.gm", None),
    ],
)
def test_sites(site: str, kind: str | None) -> None:
    assert kind_of_site(site) == kind


@pytest.mark.parametrize(
    ("referrer", "kind"),
    [
        ("android-app://com.google.android.gm/", "email"),
        ("android-app://com.google.android.googlequicksearchbox/https/www.google.com", "search"),
        ("android-app://com.reddit.frontpage", "social"),
        ("android-app://com.Slack/", "social"),
        ("android-app://com.openai.chatgpt/", "ai"),
        ("Android-App://org.telegram.messenger/", "social"),
        ("android-app://com.example/", "other"),
        ("android-app://www.google.com/", "other"),
        ("https://com.reddit.frontpage/", "other"),
    ],
)
def test_apps(referrer: str, kind: str) -> None:
    found = describe_referrer(referrer, frozenset())
    assert found.type == kind
    assert found.site is not None


def test_own_hosts_come_first() -> None:
    internal = frozenset({"mail.google.com"})
    assert describe_referrer("https://mail.google.com/", internal).type == "internal"


def test_all_of_the_lists_is_used() -> None:
    # Entries with a path are left out, as a host does not show it, and so are services of portals.
    lists = json.loads(_LISTS.read_bytes())
    hosts = [url.replace("{}", "de") for urls in lists.values() for url in urls if "/" not in url]
    unknown = [host for host in hosts if kind_of_site(host) is None and kind_of_app(host) is None]
    assert len(hosts) > 850
    assert len(unknown) < 20, unknown


@given(st.text() | st.text("abegloc.", max_size=60))
def test_any_text_gives_an_answer(text: str) -> None:
    assert kind_of_site(text) in {None, "search", "social", "email", "ai"}
    assert kind_of_app(text) in {None, "search", "social", "email", "ai"}


@pytest.mark.parametrize("unit", ["a.", ".", "google.", "webmail.", "www.", "x"])
def test_time_grows_with_length(unit: str) -> None:
    assert grows_linearly(kind_of_site, lambda n: (unit * n)[:n], 131_072)
