import gzip
import subprocess
import sys

import pytest

from tests.support.core import SAMPLE, grows_linearly
from udfs.config.root import ROOT
from udfs.enrich.user_agent import MAX_LENGTH, UNKNOWN, UserAgent, parse_user_agent

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/120.0.0.0 Safari/537.36"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/17.1 Mobile/15E148 Safari/604.1"
)
IPAD = (
    "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/16.6 Mobile/15E148 Safari/604.1"
)
PIXEL = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/120.0.6099.43 Mobile Safari/537.36"
)
MAC = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_1) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/32.0.1700.77 Safari/537.36"
)
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        (CHROME, UserAgent("Chrome", "120.0.0", "Windows", "10", "desktop")),
        (MAC, UserAgent("Chrome", "32.0.1700", "Mac OS X", "10.9.1", "desktop")),
        (IPHONE, UserAgent("Mobile Safari", "17.1", "iOS", "17.1", "mobile")),
        (IPAD, UserAgent("Mobile Safari", "16.6", "iOS", "16.6", "tablet")),
        (PIXEL, UserAgent("Chrome Mobile", "120.0.6099", "Android", "14", "mobile")),
        (GOOGLEBOT, UserAgent("Googlebot", "2.1", None, None, "bot", "search")),
        ("curl/8.5.0", UserAgent("curl", "8.5.0", None, None, "bot", "tool")),
        ("gibberish", UNKNOWN),
        ("-", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_user_agents(agent: str, expected: UserAgent) -> None:
    assert parse_user_agent(agent) == expected
    assert parse_user_agent(agent).is_bot == (expected.bot_kind is not None)


@pytest.mark.parametrize(
    ("agent", "name", "version"),
    [
        # ua-parser's name, where it has one
        (GOOGLEBOT, "Googlebot", "2.1"),
        ("python-requests/2.31", "Python Requests", "2.31"),
        # Our name, where ua-parser has none, or that of the browser that the bot imitates
        ("Mozilla/5.0 (compatible; ExampleBot/1.0; +http://example.com)", "ExampleBot", "1.0"),
        (f"{CHROME} (compatible; ExampleBot/2.1; +https://example.com)", "ExampleBot", "2.1"),
        ("Example-crawler/3.0", "Example-crawler", "3.0"),
        # No name of ours
        (f"{CHROME} (+https://example.com/)", "Chrome", "120.0.0"),
        ("Mozilla/5.0", None, None),
    ],
)
def test_the_name_of_a_bot(agent: str, name: str | None, version: str | None) -> None:
    found = parse_user_agent(agent)
    assert found.is_bot
    assert (found.browser, found.browser_version) == (name, version)


def sample_agents() -> set[str]:
    with gzip.open(SAMPLE, "rt", encoding="utf-8") as lines:
        return {line.rsplit('"', 2)[1] for line in lines}


def test_agreement_with_the_packages_own_slow_way() -> None:
    # The two agree on people, but for the kind of device. Some rules of the package read only the
    # beginning of a user agent. The compiled rules read all of it, and so find a few crawlers named
    # at its end.
    from user_agents import parse

    agents = sorted(sample_agents() - {"-"})
    assert len(agents) > 500
    lost = 0
    for agent in agents:
        ours, theirs = parse_user_agent(agent), parse(agent)
        lost += theirs.is_bot and not ours.is_bot
        if not ours.is_bot:
            assert ours.browser == {"Other": None}.get(theirs.browser.family, theirs.browser.family)
            assert (ours.browser_version or "") == theirs.browser.version_string
        assert ours.os == {"Other": None}.get(theirs.os.family, theirs.os.family)
        assert (ours.os_version or "") == theirs.os.version_string
    assert lost == 0


def test_only_the_start_of_an_endless_agent_is_looked_at() -> None:
    assert parse_user_agent(CHROME + " x" * MAX_LENGTH) == parse_user_agent(CHROME)
    assert parse_user_agent("x" * MAX_LENGTH + GOOGLEBOT) == UNKNOWN


@pytest.mark.parametrize("unit", ["Mozilla/5.0 (", "compatible; bot ( ", "1.", "Android ;", '"'])
def test_time_does_not_explode_with_length(unit: str) -> None:
    assert grows_linearly(parse_user_agent, lambda n: (unit * n)[:n], MAX_LENGTH // 4)


def test_the_rules_are_loaded_on_first_use_and_not_on_import() -> None:
    code = (
        "import sys, udfs.enrichment\n"
        "assert 'user_agents' not in sys.modules and 'ua_parser' not in sys.modules\n"
        "from udfs.enrich.user_agent import parse_user_agent\n"
        f"assert parse_user_agent({GOOGLEBOT!r}).is_bot\n"
        "assert 'user_agents' in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
