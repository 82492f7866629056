import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.core import SAMPLE, grows_linearly
from udfs.enrich.bots import _TABLE, Bot, _table, find_bot
from udfs.enrich.user_agent import MAX_LENGTH

CHROME = "(KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"
KINDS = {"search", "ai", "seo", "monitor", "preview", "feed", "tool", "scanner", "other"}


@pytest.mark.parametrize(
    ("agent", "kind", "name", "version"),
    [
        # Bots known by name
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
         "search", "Googlebot", "2.1"),
        (("Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, "
         "like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36 (compatible; Googlebot/2.1; "
         "+http://www.google.com/bot.html)"), "search", "Googlebot", "2.1"),
        ("Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
         "search", "bingbot", "2.0"),
        ("Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)",
         "search", "Baiduspider", "2.0"),
        ((f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_5) AppleWebKit/605.1.15 {CHROME} "
         "(Applebot/0.1; +http://www.apple.com/go/applebot)"), "search", "Applebot", "0.1"),
        (("Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; "
         "+https://openai.com/gptbot)"), "ai", "GPTBot", "1.2"),
        (("Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ClaudeBot/1.0; "
         "+claudebot@anthropic.com)"), "ai", "ClaudeBot", "1.0"),
        ("CCBot/2.0 (https://commoncrawl.org/faq/)", "ai", "CCBot", "2.0"),
        ("meta-externalagent/1.1 (+https://developers.facebook.com/docs/sharing/webmasters/)",
         "ai", "Meta-ExternalAgent", "1.1"),
        (("Mozilla/5.0 (Linux; Android 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Mobile "
         "Safari/537.36 (compatible; Bytespider; spider-feedback@bytedance.com)"),
         "ai", "Bytespider", None),
        ("Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
         "seo", "AhrefsBot", "7.0"),
        ("Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)",
         "seo", "SemrushBot", "7"),
        ("Mozilla/5.0 (compatible; MJ12bot/v1.4.8; http://mj12bot.com/)",
         "seo", "MJ12bot", "1.4.8"),
        ("Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
         "monitor", "UptimeRobot", "2.0"),
        ("Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)", "monitor", "Pingdom.com_bot",
         None),
        ("ELB-HealthChecker/2.0", "monitor", "ELB-HealthChecker", "2.0"),
        ("kube-probe/1.27", "monitor", "kube-probe", "1.27"),
        ("GoogleHC/1.0", "monitor", "GoogleHC", "1.0"),
        ("Amazon-Route53-Health-Check-Service (ref b0eb04d5; report http://amzn.to/1vsZADi)",
         "monitor", "Amazon-Route53-Health-Check-Service", None),
        ("facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
         "preview", "facebookexternalhit", "1.1"),
        ("Twitterbot/1.0", "preview", "Twitterbot", "1.0"),
        ("Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
         "preview", "Slackbot-LinkExpanding", "1.0"),
        ("WhatsApp/2.19.81 A", "preview", "WhatsApp", "2.19.81"),
        ("TelegramBot (like TwitterBot)", "preview", "TelegramBot", None),
        ("Feedly/1.0 (+http://www.feedly.com/fetcher.html; 4 subscribers)",
         "feed", "Feedly", "1.0"),
        ("Tiny Tiny RSS/1.11 (http://tt-rss.org/)", "feed", "Tiny Tiny RSS", "1.11"),
        ("UniversalFeedParser/4.2-pre-314-svn +http://feedparser.org/",
         "feed", "UniversalFeedParser", "4.2"),
        ("Mozilla/5.0 zgrab/0.x", "scanner", "zgrab", "0"),
        ("masscan/1.3 (https://github.com/robertdavidgraham/masscan)", "scanner", "masscan", "1.3"),
        ("sqlmap/1.7#stable (https://sqlmap.org)", "scanner", "sqlmap", "1.7"),
        ("Mozilla/5.00 (Nikto/2.1.6) (Evasions:None) (Test:000001)", "scanner", "Nikto", "2.1.6"),
        ("Mozilla/5.0 (compatible; CensysInspect/1.1; +https://about.censys.io/)",
         "scanner", "CensysInspect", "1.1"),
        ("curl/8.5.0", "tool", "curl", "8.5.0"),
        ("Wget/1.21.3", "tool", "Wget", "1.21.3"),
        ("python-requests/2.31.0", "tool", "python-requests", "2.31.0"),
        ("Go-http-client/1.1", "tool", "Go-http-client", "1.1"),
        ("okhttp/4.9.0", "tool", "okhttp", "4.9.0"),
        ("Java/1.8.0_211", "tool", "Java", "1.8.0"),
        ("libwww-perl/6.05", "tool", "libwww-perl", "6.05"),
        ("axios/1.6.0", "tool", "axios", "1.6.0"),
        ("HTTPie/3.2.1", "tool", "HTTPie", "3.2.1"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/120.0.0.0 Safari",
         "tool", "HeadlessChrome", "120.0.0.0"),
        # Bots known by parts of their names
        ("ExampleBot/1.0", "other", "ExampleBot", "1.0"),
        ("Mozilla/5.0 (compatible; ExampleBot/1.0; +http://example.com/bot.html)",
         "other", "ExampleBot", "1.0"),
        ("Example Corp crawler/3", "other", "Corp crawler", "3"),
        ("example-link-checker/1.2", "other", "example-link-checker", "1.2"),
        ("ExampleUptimeMonitor", "monitor", "ExampleUptimeMonitor", None),
        ("ExamplePreview/2.0", "preview", "ExamplePreview", "2.0"),
        ("ExampleSearchBot/0.1", "search", "ExampleSearchBot", "0.1"),
        ("example-seo-bot/1.0", "seo", "example-seo-bot", "1.0"),
        ("ExampleBot/1.0 python-requests/2.31.0", "other", "ExampleBot", "1.0"),
        # Bots known by an address, or by a form that no browser has
        ("Mozilla/5.0 (compatible; Exemplar/1.0; +https://example.com/)",
         "other", "Exemplar", "1.0"),
        ("Exemplar (https://example.com/about)", "other", "Exemplar", None),
        (f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 {CHROME} (+https://example.com)",
         "other", None, None),
        ("Mozilla/5.0 (compatible; Exemplar/1.0)", "other", "Exemplar", "1.0"),
        ("Mozilla/5.0", "other", None, None),
        ("Mozilla/4.0 (compatible;)", "other", None, None),
    ],
)  # fmt: skip
def test_bots(agent: str, kind: str, name: str | None, version: str | None) -> None:
    found = find_bot(agent)
    assert found is not None
    assert (found.kind, found.name, found.version) == (kind, name, version)


@pytest.mark.parametrize(
    "agent",
    [
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 {CHROME}",
        "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        "Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2; Trident/6.0)",
        "Mozilla/5.0 (compatible; Konqueror/3.5; Linux) KHTML/3.5.5 (like Gecko)",
        "Opera/9.80 (X11; Linux x86_64) Presto/2.12.388 Version/12.16",
        # Models with names like bots
        (
            "Mozilla/5.0 (Linux; Android 7.0; CUBOT NOTE Plus Build/NRD90M) AppleWebKit/537.36 "
            "(KHTML, like Gecko) Chrome/61.0.3163.98 Mobile Safari/537.36"
        ),
        (
            "Mozilla/5.0 (Linux; Android 13; Spider 8) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/124.0.0.0 Mobile Safari/537.36"
        ),
        "Mozilla/5.0 (Linux; U; Android 4.4.2; en-us; reeder A7iC Build/KOT49H) AppleWebKit/534.30",
        # Apps
        "Spotify/8.8.96 Android/33 (SM-G991B)",
        "Instagram 302.0.0.23.114 Android (33/13; 420dpi; 1080x2177; samsung; SM-A546B)",
        "Tweetbot/53300 CFNetwork/1335.0.3 Darwin/21.6.0",
        "feedly/81.0.1 CFNetwork/1206 Darwin/20.1.0",
        "ExampleApp/2.0 (iPhone; iOS 17.1; Scale/3.00)",
        "ExampleApp/5.1 (Linux; Android 13; SM-G960F) okhttp/4.9.0",
        "PodcastAddict/v5 (+https://podcastaddict.com/; Android podcast app)",
        "WhatsApp/2.11.110 Android/4.1.1 Device/HTC-HTC_One_S",
        "VLC/3.0.18 LibVLC/3.0.18",
        # Browsers that name their site
        (
            "Mozilla/5.0 (Windows; U; Windows NT 5.1; en-US) AppleWebKit/527+ (KHTML, like Gecko)  "
            "QtWeb Internet Browser/1.7 http://www.QtWeb.net"
        ),
        (
            "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.0; EmbeddedWB 14.52 from: "
            "http://www.bsalsa.com/ EmbeddedWB 14.52; SLCC1)"
        ),
        "Lynx/2.8.9rel.1 libwww-FM/2.14 SSL-MM/1.4.1 GNUTLS/3.6.5",
        # Any e-mail address may be a person's
        "ExampleApp/1.0 (crawler.bot@mail.example)",
        "gibberish",
        "",
    ],
)
def test_people(agent: str) -> None:
    assert find_bot(agent) is None


def test_a_name_counts_as_a_whole_word_only() -> None:
    assert find_bot("Mozilla/5.0 (X11; Linux) curlyquotes/1.0 Firefox/12") is not None
    assert find_bot("GPTBotanica") == Bot("ai", "GPTBotanica", None)
    assert find_bot("Mozilla/5.0 (Windows NT 6.1) Javanese/1.0 Gecko Firefox/4") is None


def test_the_table_is_well_formed() -> None:
    lines = _TABLE.read_text(encoding="utf-8").splitlines()
    headers = [line.strip("[]") for line in lines if line.startswith("[")]
    assert set(headers) == KINDS
    assert len(headers) == len(KINDS)
    names = [line for line in lines if line and not line.startswith(("[", "#"))]
    table = _table()
    assert len(names) == len(table.names), "a name is there twice"
    assert all(known.kind in KINDS for known in table.names.values())
    assert all(name == name.strip() and len(name) <= 64 for name in names)


def test_the_bundled_log_has_a_quarter_of_bots() -> None:
    with gzip.open(SAMPLE, "rt", encoding="utf-8") as lines:
        agents = [line.rsplit('"', 2)[1] for line in lines]
    share = sum(find_bot(agent) is not None for agent in agents) / len(agents)
    assert 0.25 <= share <= 0.28


@given(st.text() | st.text("Mozilla/5.0 (compatible; bot+http:@.)-_", max_size=120))
def test_any_text_gives_an_answer(text: str) -> None:
    found = find_bot(text)
    if found is not None:
        assert found.kind in KINDS
        assert found.name is None or 0 < len(found.name) <= 64
        assert found.version is None or found.version.replace(".", "").isdigit()


@pytest.mark.parametrize(
    "unit",
    ["bot ", "compatible; ", "a@", "a.", "+", "http:", "1.", "google ", "Mozilla/5.0 (", "_"],
)
def test_time_grows_with_length(unit: str) -> None:
    assert grows_linearly(find_bot, lambda n: (unit * n)[:n], 4 * MAX_LENGTH)
