import gzip
import hmac
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.core import (
    CITY_DATABASE,
    FIREFOX,
    SALT,
    SAMPLE,
    combined,
    dead,
    enriched,
    enricher,
    filtered,
    grows_linearly,
    unpack,
)
from tests.support.personal import FORMATS, FUTURE, damaged, personal_lines
from udfs.enrichment import Enricher, event_id
from udfs.errors import ConfigurationError
from udfs.flink.progress import StreamProgress
from udfs.flink.wire import pack
from udfs.outcomes import Enriched, Filtered
from udfs.parse.encodings import decoded
from udfs.privacy.rules import MINIMUM_SALT_BYTES, PROFILES

EZOOMS = "Mozilla/5.0 (compatible; Ezooms/1.0; help@moz.com)"


def private(**settings: str) -> Enricher:
    """An enricher with settings of weblog.privacy, `_` for `.` in their keys."""
    properties = {key.replace("_", "."): value for key, value in settings.items()}
    return enricher({"weblog.privacy": properties})


def record(using: Enricher, **fields: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(enriched(using, combined(**fields)).json)
    return body


# --- the client --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("203.0.113.42", "203.0.113.0"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ("::ffff:203.0.113.42", "203.0.113.0"),
        ("fe80::1:2:3%eth0", "fe80::"),
        ("dsl-7.city.Example.net", "example.net"),
        ("203.0.113.42.dyn.example.net.", "example.net"),
        ("1.2.3.4.5", "***"),
        ("localhost", "***"),
        (f"{'a.' * 120}example.net.", "example.net"),
    ],
)
def test_truncated_clients(host: str, shown: str) -> None:
    assert record(private(client_address="truncate"), host=host)["host"] == shown


@pytest.mark.parametrize("end", ["", "_", ".x"])
def test_hosts_are_truncated_in_linear_time(end: str) -> None:
    privacy = private(client_address="truncate")._privacy
    assert grows_linearly(privacy.shown_client, lambda size: f"a.{'a' * size}{end}", 4096)


def test_long_hosts_are_no_clients_and_not_kept() -> None:
    using = private(profile="standard", client_address="mask")
    for number in range(3):
        host = f"{'a' * 30_000}.h{number}.example"
        letter = dead(using, combined(host=host, request=f"GET /{host} HTTP/1.1"))
        assert letter.letter.reason == "bad_client"
        assert host not in letter.json
    assert using._privacy._identity_of.cache_info().currsize == 0
    record(using)
    assert using._privacy._identity_of.cache_info().currsize == 1


def test_other_ways_to_hide_a_client() -> None:
    hidden = private(client_address="drop"), private(client_address="mask")
    assert [record(one)["host"] for one in hidden] == [None, "***"]
    assert enriched(hidden[0], combined()).host is None
    assert record(private(client_address="keep", emails="mask"))["host"] == "81.2.69.142"


def test_hashed_clients() -> None:
    hashing = private(client_address="hash")
    first = record(hashing, host="2001:db8::1")["host"]
    digest = hmac.digest(SALT, b"client\0" + b"2001:db8::1", "sha256").hex()
    assert first == digest[:32]
    assert record(hashing, host="2001:DB8:0::1")["host"] == first
    assert record(hashing, host="2001:db8::2")["host"] != first
    name = record(hashing, host="DSL-7.example.net")["host"]
    assert record(hashing, host="dsl-7.Example.net")["host"] == name != first
    other = enricher({"weblog.privacy": {"client.address": "hash"}}, salt=b"another salt of bytes")
    assert record(other, host="2001:db8::1")["host"] not in {first, "2001:db8::1"}


def test_the_place_is_looked_up_before_the_address_is_hidden() -> None:
    using = enricher(
        {
            "weblog.geoip": {"database.path": str(CITY_DATABASE)},
            "weblog.privacy": {"profile": "strict"},
        }
    )
    body = record(using)
    assert body["city"] == "London"
    assert "81.2.69" not in json.dumps(body)
    assert record(using, host="10.0.0.1")["quality"]["issues"] == ["private_address"]


def test_a_client_is_hidden_wherever_the_line_repeats_it() -> None:
    body = record(
        private(client_address="truncate"),
        host="203.0.113.42",
        request="GET /whois/203.0.113.42?x=203%2E0.113.42 HTTP/1.1",
        referer="http://dsl-203-0-113-42.example.net/",
        agent="probe from 203.0.113.42",
    )
    assert body["request"] == "GET /whois/***?x=*** HTTP/1.1"
    assert body["path"] == "/whois/***?x=***"
    assert body["webpage"] == "***"
    assert body["referer"] == "http://dsl-***.example.net/"
    assert body["agent"] == "probe from ***"


@pytest.mark.parametrize("field", ["request", "referer", "agent"])
def test_it_is_enough_that_one_field_repeats_the_client(field: str) -> None:
    body = record(private(client_address="drop"), **{field: "to 81.2.69.142 and on"})
    assert body[field] == "to *** and on"


def test_addresses_of_others_and_versions_stay() -> None:
    agent = f"{FIREFOX} Chrome/120.0.0.0"
    body = record(private(profile="standard"), request="GET /1.2.3.4/ HTTP/1.1", agent=agent)
    assert (body["webpage"], body["agent"]) == ("1.2.3.4", agent)


def test_look_ups_get_the_address_when_they_want_it() -> None:
    settings = enricher({"weblog.privacy": {"profile": "strict"}})
    assert enriched(settings, combined()).client_address is None
    from udfs.config.core import CoreSettings

    wanting = Enricher.create(
        CoreSettings.load({"weblog.privacy": {"profile": "strict"}}), salt=SALT, client_address=True
    )
    outcome = enriched(wanting, combined())
    assert outcome.client_address == "81.2.69.142"
    assert "81.2.69" not in outcome.json
    (event,) = unpack(pack([outcome], StreamProgress(1)))
    assert "81.2.69.142" not in event.values()


# --- texts -------------------------------------------------------------------------------------


def test_query_values_and_emails_are_hidden_everywhere() -> None:
    body = record(
        private(profile="standard"),
        request="GET /reset/bob@example.com?Token=s3cret&page=2 HTTP/1.1",
        referer="http://example.com/login?email=ann%40example.com&x=1#access_token=abc",
    )
    assert body["request"] == "GET /reset/***?Token=***&page=2 HTTP/1.1"
    assert body["path"] == "/reset/***?Token=***&page=2"
    assert body["webpage"] == "***"
    assert body["referer"] == "http://example.com/login?email=***&x=1#access_token=***"
    assert (body["refering_page"], body["protocol"]) == ("login", "HTTP/1.1")


def test_values_with_blanks_and_requests_that_are_none() -> None:
    using = private(profile="standard")
    assert record(using, request="GET /a?token=my secret HTTP/1.1")["path"] == "/a?token=***"
    assert record(using, request="GET /a?token=my secret")["request"] == "GET /a?token=***"
    assert record(using, request="token=my secret")["request"] == "token=***"


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/a.jsp;jsessionid=1F.node?id=3", "/a.jsp;jsessionid=***?id=3"),
        ("/a.php?PHPSESSID=abc", "/a.php?PHPSESSID=***"),
    ],
)
def test_sessions_of_java_and_php_are_hidden_by_default(path: str, shown: str) -> None:
    body = record(private(profile="standard"), request=f"GET {path} HTTP/1.1")
    assert (body["path"], body["webpage"]) == (shown, "a")


@pytest.mark.parametrize(
    ("action", "shown"),
    [("drop", "/a?token=&x=1"), ("mask", "/a?token=***&x=1"), ("keep", "/a?token=s3cret&x=1")],
)
def test_ways_to_hide_values(action: str, shown: str) -> None:
    using = private(query_values=action, emails="mask")
    assert record(using, request="GET /a?token=s3cret&x=1 HTTP/1.1")["path"] == shown


def test_hashed_values_can_be_compared() -> None:
    using = private(query_values="hash", emails="hash")
    one = record(using, request="GET /a?token=s3cret HTTP/1.1")["path"]
    two = record(using, request="GET /b?token=s3c%72et HTTP/1.1")["path"]
    assert one.partition("=")[2] == two.partition("=")[2] != "s3cret"
    mail = record(using, request="GET /bob@example.com HTTP/1.1")["webpage"]
    assert len(mail) == 32


def test_parameters_are_a_setting() -> None:
    using = private(profile="standard", query_parameters="Kunde")
    assert record(using, request="GET /a?kunde=1&token=2 HTTP/1.1")["path"] == (
        "/a?kunde=***&token=2"
    )


@pytest.mark.parametrize(
    ("action", "referer", "agent"),
    [
        ("keep", "http://a.example/b?c=1#d", "Firefox/128.0.1 (X11; rv:1.9)"),
        ("truncate", "http://a.example/b", "Firefox/128 (X11; rv:1)"),
        ("mask", "***", "***"),
        ("drop", None, None),
    ],
)
def test_whole_fields(action: str, referer: str | None, agent: str | None) -> None:
    using = private(referer=action, agent=action, emails="mask")
    given = {"referer": "http://a.example/b?c=1#d", "agent": "Firefox/128.0.1 (X11; rv:1.9)"}
    body = record(using, **given)
    assert (body["referer"], body["agent"]) == (referer, agent)
    # Derived fields stay, but for the page of a dropped referrer.
    page = None if action == "drop" else "b"
    assert (body["refering_page"], body["browser"]) == (page, "Firefox")
    assert body["browser_version"] == ("128.0.1" if action == "keep" else "128")
    absent = record(using, referer="-", agent="-")
    assert (absent["referer"], absent["agent"]) == ("-", "-")


def test_versions_of_the_system_are_cut_with_those_of_the_agent() -> None:
    agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1_2 like Mac OS X) Version/17.1 Safari/604.1"
    for action, version in (("keep", "17.1.2"), ("truncate", "17"), ("drop", "17")):
        body = record(private(agent=action, emails="mask"), agent=agent)
        assert (body["os"], body["os_version"]) == ("iOS", version)


def test_hashed_fields() -> None:
    body = record(private(referer="hash", agent="hash"))
    assert len(body["referer"]) == len(body["agent"]) == 32
    assert body["browser"] == "Firefox"


def test_a_crawlers_contact_stays_and_a_persons_address_does_not() -> None:
    strict = private(profile="strict")
    assert record(strict, agent=EZOOMS)["agent"].endswith("help@moz.com)")
    person = FIREFOX.replace("rv:128.0", "bob@example.com")
    assert record(strict, agent=person)["agent"] == FIREFOX.replace("rv:128.0", "***").replace(
        ".0", ""
    )


@pytest.mark.parametrize(
    ("agent", "shown"),
    [
        # The user agent of any program but a bot may hold a person's address.
        ("Exemplar/1.0 (bob@example.com)", "Exemplar/1.0 (***)"),
        ("bob@example.com", "***"),
        # An address does not make a bot of its owner.
        ("Exemplar/1.0 (crawler.bot@example.com)", "Exemplar/1.0 (***)"),
        ("ExampleBot/1.0 (bob@example.com)", "ExampleBot/1.0 (bob@example.com)"),
        ("curl/8.5.0 (bob@example.com)", "curl/8.5.0 (bob@example.com)"),
    ],
)
def test_addresses_are_hidden_in_all_that_is_no_bot(agent: str, shown: str) -> None:
    assert record(private(emails="mask"), agent=agent)["agent"] == shown


def test_an_address_in_place_of_a_browsers_name_is_hidden_in_both_places() -> None:
    agent = "bob@example.com/1.0 CFNetwork/1240.0.4 Darwin/20.6.0"
    body = record(private(emails="mask"), agent=agent)
    assert (body["agent"], body["browser"]) == (agent.replace("bob@example.com", "***"), "***")


def test_contacts_of_crawlers_in_the_sample_all_stay() -> None:
    with gzip.open(SAMPLE) as file:
        outcomes = private(profile="strict").process(file.read())
    records = [json.loads(one.json) for one in outcomes if isinstance(one, Enriched)]
    assert len(records) == 9_999
    assert sum("@" in one["agent"] for one in records) == 198


def test_the_user_is_hidden_wherever_the_line_repeats_it() -> None:
    body = record(
        private(auth_user="drop"),
        user="alice",
        request="GET /~alice/malice?u=%41lice HTTP/1.1",
        referer="http://h/alice",
    )
    assert body["path"] == "/~***/malice?u=***"
    assert body["referer"] == "http://h/***"
    assert "alice" not in json.dumps(body).replace("malice", "")


@pytest.mark.parametrize(
    ("user", "request_line", "shown"),
    [
        ("get", "GET /get/a.php HTTP/1.1", "GET /***/a.php HTTP/1.1"),
        ("http", "POST /a.php?HTTP HTTP/2.0", "POST /a.php?*** HTTP/2.0"),
        ("GET HTTP/1.1", "GET /http/1.1/a.php HTTP/1.1", "GET /***/a.php HTTP/1.1"),
        ("get", "GET /get/a.php", "GET /***/a.php"),
    ],
)
def test_a_user_may_be_named_like_what_every_request_holds(
    user: str, request_line: str, shown: str
) -> None:
    body = record(private(auth_user="drop"), user=user, request=request_line)
    method, path, *protocol = shown.split()
    assert (body["request"], body["webpage"]) == (shown, "a")
    assert [body["method"], body["path"]] == [method, path]
    assert body["protocol"] == (protocol[0] if protocol else None)
    failed = letter(combined(timestamp=FUTURE, user=user, request=request_line))
    assert f'"{shown}"' in failed["raw"]


def test_the_name_that_identd_gives_is_hidden_as_well() -> None:
    line = combined(request="GET /~alice/ HTTP/1.1").replace(" - - [", " alice - [")
    shown = combined(request="GET /~***/ HTTP/1.1")
    body = json.loads(enriched(private(auth_user="drop"), line).json)
    assert body["request"] == json.loads(enriched(enricher(), shown).json)["request"]
    late = "28/Oct/2025:10:15:30 +0000", FUTURE
    failed = letter(line.replace(*late))
    assert failed["raw"] == shown.replace(*late).replace("81.2.69.142", "81.2.69.0")


@pytest.mark.parametrize("request_line", ["Alice /x HTTP/1.1", "GET /x HTTP/alice", "alice", "GET"])
def test_a_user_is_hidden_in_requests_of_another_form(request_line: str) -> None:
    body = record(private(auth_user="drop"), user="alice", request=request_line)
    assert body["request"] == re.sub("(?i)alice", "***", request_line)


# --- profiles and the salt ---------------------------------------------------------------------


def test_by_default_nothing_is_hidden_and_no_salt_is_needed() -> None:
    plain = enricher(salt=None)
    line = combined(request="GET /bob@example.com?token=x HTTP/1.1", user="bob")
    outcome = enriched(plain, line)
    assert outcome.client.host == "81.2.69.142"
    assert json.loads(outcome.json)["request"] == "GET /bob@example.com?token=x HTTP/1.1"
    assert json.loads(outcome.json)["event_id"] == event_id(line.encode(), 0)


@pytest.mark.parametrize("salt", [None, b"", b"x" * (MINIMUM_SALT_BYTES - 1)])
@pytest.mark.parametrize(
    "settings", [{"profile": "standard"}, {"profile": "strict"}, {"auth.user": "drop"}]
)
def test_hiding_anything_needs_a_salt(settings: dict[str, str], salt: bytes | None) -> None:
    with pytest.raises(ConfigurationError, match="a salt of at least 16 bytes") as caught:
        enricher({"weblog.privacy": settings}, salt)
    assert caught.value.key == "salt.variable"
    assert "xxx" not in str(caught.value)
    enriched(enricher({"weblog.privacy": settings}, b"x" * MINIMUM_SALT_BYTES), combined())


# The first text could be a variable's name.
@pytest.mark.parametrize("given", ["c0ffee0123456789abcdef", "q+7Zk0/1ve9nGbW3Xw=="])
def test_a_salt_in_the_place_of_its_variable_is_not_shown(given: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        enricher({"weblog.privacy": {"profile": "strict", "salt.variable": given}}, None)
    assert caught.value.key == "salt.variable"
    assert given not in str(caught.value)


def test_the_missing_secret_is_named() -> None:
    arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:salt-AbCdEf"
    with pytest.raises(ConfigurationError) as caught:
        enricher({"weblog.privacy": {"profile": "strict", "salt.secret.arn": arn}}, None)
    assert (caught.value.key, caught.value.value) == ("salt.secret.arn", arn)


def test_the_salt_is_shown_nowhere() -> None:
    using = enricher({"weblog.privacy": {"profile": "strict"}})
    assert SALT.decode() not in repr(using) + repr(using._privacy) + repr(using._letters)


def test_single_settings_override_the_profile() -> None:
    using = enricher(
        {"weblog.privacy": {"profile": "strict", "client.address": "truncate", "agent": "keep"}}
    )
    body = record(using, referer="http://h/a?b")
    assert (body["host"], body["agent"]) == ("81.2.69.0", FIREFOX)
    assert body["referer"] == "http://h/a"


def test_ids_of_hidden_lines_cannot_be_guessed() -> None:
    line = combined()
    keyed = json.loads(enriched(private(profile="standard"), line).json)["event_id"]
    assert keyed != event_id(line.encode(), 0)
    again = json.loads(enriched(private(profile="strict"), line).json)["event_id"]
    assert again == keyed
    other = enricher({"weblog.privacy": {"profile": "standard"}}, salt=b"another salt of bytes")
    assert json.loads(enriched(other, line).json)["event_id"] != keyed
    left_out = enricher(
        {"weblog.privacy": {"profile": "standard"}, "weblog.filters": {"exclude.methods": "GET"}}
    )
    assert json.loads(filtered(left_out, line).json)["event_id"] == keyed


# --- dead letters ------------------------------------------------------------------------------


def letter(line: str | bytes, privacy: str = "profile", **parser: str) -> dict[str, Any]:
    using = enricher(
        {
            "weblog.privacy": {"profile": "standard"},
            "weblog.deadletters": {"privacy": privacy},
            "weblog.parser": parser,
        }
    )
    body: dict[str, Any] = json.loads(dead(using, line).json)
    return body


def test_a_line_that_can_be_split_is_masked_field_by_field() -> None:
    line = combined(
        user="alice",
        timestamp=FUTURE,
        request="GET /~alice/?token=abc HTTP/1.1",
        referer="http://h/81.2.69.142",
    )
    body = letter(line)
    assert body["raw"] == combined(
        host="81.2.69.0",
        timestamp=FUTURE,
        request="GET /~***/?token=*** HTTP/1.1",
        referer="http://h/***",
    )
    assert (body["raw_encoding"], body["raw_privacy"]) == ("utf-8", "masked")


def test_raw_and_omitted_letters() -> None:
    line = combined(timestamp=FUTURE, user="alice")
    raw = letter(line, "raw")
    assert raw["raw"] == line
    assert "raw_privacy" not in raw
    omitted = letter(line, "omitted")
    assert (omitted["raw"], omitted["raw_encoding"]) == (None, None)
    assert omitted["raw_privacy"] == "omitted"


def test_letters_cannot_be_masked_where_nothing_is_hidden() -> None:
    with pytest.raises(ConfigurationError, match="expected raw or omitted") as caught:
        enricher({"weblog.deadletters": {"privacy": "masked"}})
    assert (caught.value.group, caught.value.key) == ("weblog.deadletters", "privacy")
    hiding = {"weblog.deadletters": {"privacy": "masked"}, "weblog.privacy": {"emails": "mask"}}
    line = combined(timestamp=FUTURE, request="GET /bob@example.com HTTP/1.1")
    assert '"GET /*** HTTP/1.1"' in json.loads(dead(enricher(hiding), line).json)["raw"]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            '81.2.69.1 - alice [28/Oct/2025:10:15:30 +0000] "GET /?token=a HTTP/1.1" 200 1 "-" "M',
            '*** [28/Oct/2025:10:15:30 +0000] "GET /?token=***" 200 1 "-" "M',
        ),
        (
            '81.2.69.1 - alice [28/Oct/2025:10:15:30 +0000] "GET /81.2.69.1/alice/1.2.3.4"',
            '*** [28/Oct/2025:10:15:30 +0000] "GET /***/***/***"',
        ),
        (
            'a "GET / HTTP/1.1" 1.2.3.4 - bob [28/Oct/2025:10:15:30 +0000] "GET / HTT',
            '*** [28/Oct/2025:10:15:30 +0000] "GET / HTT',
        ),
        (
            '1.2.3.4 - bob [28/Oct/2025:10:15:30 +0000] "GET / HTTP/1.1" 200 1 "M1.2.3.5 - ann [2',
            '*** [28/Oct/2025:10:15:30 +0000] "GET / HTTP/1.1" 200 1 "M***',
        ),
        (
            r'81.2.69.1 - \xc3\x96zil [28/Oct/2025:10:15:30 +0000] "GET /%C3%96zil"',
            '*** [28/Oct/2025:10:15:30 +0000] "GET /***"',
        ),
        (
            'h7.example - anna m v d leyen [28/Oct/2025:10:15:30 +0000] "GET /h7.example/anna',
            '*** [28/Oct/2025:10:15:30 +0000] "GET /***/***',
        ),
        (
            r'"GET /" "Opera" h7.example - ann von der al\"ice [28/Oct/2025:10:15:30 +0000] "GET /',
            '*** [28/Oct/2025:10:15:30 +0000] "GET /',
        ),
        (
            r'"Opera" h7.example - von der al\"ice [28/Oct/2025:10:15:30 +0000] "/h7.example/Opera',
            '*** [28/Oct/2025:10:15:30 +0000] "/***/Opera',
        ),
        ("alice 81.2.69.1 garbage", "***"),
        ("1.2.3.4 - alice [28/Oct/2025:10:15:30] x", "***"),
    ],
)
def test_other_text_is_masked_by_pattern(line: str, shown: str) -> None:
    assert letter(line)["raw"] == shown


REQUEST = '*** [28/Oct/2025:10:15:30 +0000] "GET /product.php HTTP/1.1"'


@pytest.mark.parametrize("hidden", [{"referer": "drop"}, {"agent": "truncate"}])
@pytest.mark.parametrize("client", ["keep", "drop"])
@pytest.mark.parametrize(
    ("change", "shown"),
    [
        (('" 200 ', '" 999 '), f"{REQUEST} 999 1234 ***"),
        ((' 1234 "', ' 12e4 "'), f"{REQUEST} 200 ***"),
        (('"END', "END"), f"{REQUEST} 200 1234 ***"),
        (('" 200 1234 "', ' 200 1234 "'), f'{REQUEST[:-1]} 200 1234 " ***'),
        (('"GET', "GET"), f"{REQUEST.partition(' "')[0]} ***"),
        (('" 200 1234 "http', '" http'), f"{REQUEST} ***"),
        # A timestamp in the referrer does not start a line.
        (("/s?", '/[28/Oct/2025:10:15:30 +0000] \\"'), f"{REQUEST.partition(' "')[0]} ***"),
    ],
)
def test_no_referrer_or_agent_is_left_of_a_line_that_cannot_be_split(
    hidden: dict[str, str], client: str, change: tuple[str, str], shown: str
) -> None:
    settings = {"emails": "mask", "client.address": client, **hidden}
    using = enricher({"weblog.privacy": settings, "weblog.deadletters": {"privacy": "masked"}})
    line = combined(referer="http://search.example/s?q=disease", agent="Odd disease") + "END"
    assert json.loads(dead(using, line.replace(*change)).json)["raw"] == shown
    cut = combined().partition('.php HTTP/1.1"')[0]
    assert json.loads(dead(using, cut).json)["raw"] == f"{REQUEST.partition('.php')[0]}"


@pytest.mark.parametrize("log_format", ["combined_xff", "vhost_combined"])
def test_nor_in_any_other_format(log_format: str) -> None:
    body = letter(f'www.example.com:80 {combined(status="999")} "198.51.100.7"', format=log_format)
    assert FIREFOX in body["raw"]
    using = enricher(
        {"weblog.privacy": {"profile": "strict"}, "weblog.parser": {"format": log_format}}
    )
    line = f'www.example.com:80 {combined(status="999")} "198.51.100.7"'
    assert json.loads(dead(using, line).json)["raw"] == f"{REQUEST} 999 1234 ***"


@pytest.mark.parametrize("unit", ["a ", "%61 ", '" ', "\\\\", '\\"', "[", "é ", "1.2.3.4 "])
def test_letters_of_long_lines_take_linear_time(unit: str) -> None:
    letters = enricher({"weblog.privacy": {"profile": "strict"}})._letters

    def line(size: int) -> str:
        text = unit * (size // len(unit))
        return combined(user=text, request=f"GET /{text}", status="999")

    assert grows_linearly(lambda text: letters.shown(text.encode()), line, 4096)


def test_bytes_that_are_no_text_are_masked_too() -> None:
    line = b"\xff" + combined(user="alice").encode() + b"\xfe"
    body = letter(line)
    assert body["raw_encoding"] == "utf-8"
    assert "alice" not in body["raw"]
    assert "81.2.69.142" not in body["raw"]


def test_letters_are_masked_in_every_format() -> None:
    line = f"www.example.com:80 {combined(timestamp=FUTURE, user='alice')}"
    assert letter(line, format="vhost_combined")["raw"] == line.replace(
        "81.2.69.142 - alice", "81.2.69.0 - -"
    )
    own = line.replace("www.", "alice.")
    assert letter(own, format="vhost_combined")["raw"].startswith("***.example.com:80 81.2.69.0 ")
    line = f'{combined(timestamp=FUTURE)} "81.2.69.142, 10.0.0.1"'
    assert letter(line, format="combined_xff")["raw"].endswith('" "***"')
    line = combined(timestamp=FUTURE).rsplit(' "', 2)[0]
    assert letter(line, format="common")["raw"] == line.replace("81.2.69.142", "81.2.69.0")


# --- the promise -------------------------------------------------------------------------------

STRICT = {"weblog.privacy": {"profile": "strict"}}
LETTERS = {"masked", "omitted"}
ENRICHERS = {
    (log_format, letters): enricher(
        STRICT
        | {
            "weblog.parser": {"format": log_format, "max.line.bytes": "2000"},
            "weblog.deadletters": {"privacy": letters},
            "weblog.filters": {"exclude.methods": "DELETE"},
        }
    )
    for log_format in FORMATS
    for letters in LETTERS
}


@given(personal_lines(), st.sampled_from(sorted(LETTERS)), st.data())
def test_strictly_nothing_personal_is_left_in_any_output(
    made: tuple[bytes, str, list[str]], letters: str, data: st.DataObject
) -> None:
    line, log_format, secrets = made
    line = data.draw(damaged(line))
    outcomes = ENRICHERS[log_format, letters].process(line)
    for outcome in outcomes:
        packed = unpack(pack([outcome], StreamProgress(1)))
        shown = outcome.json + json.dumps(packed, ensure_ascii=False)
        if isinstance(outcome, Filtered):
            assert outcome.reason in {"method_excluded", "blank_line"}
        # JSON writes a backslash twice.
        seen = decoded(shown.replace("\\\\", "\\")).decode(errors="replace").lower()
        for secret in secrets:
            assert secret.lower() not in seen


def test_the_lines_of_that_test_reach_every_output() -> None:
    using = ENRICHERS["combined", "masked"]
    enriched(using, combined())
    filtered(using, combined(request="DELETE / HTTP/1.1"))
    dead(using, combined(timestamp=FUTURE))


def test_profiles_only_get_stricter() -> None:
    order = ["keep", "truncate", "mask", "hash", "drop"]
    standard, strict = PROFILES["standard"], PROFILES["strict"]
    for field in ("client", "user", "referer", "agent", "query_values", "emails"):
        assert order.index(getattr(standard, field)) <= order.index(getattr(strict, field))


@pytest.mark.parametrize(
    ("line", "hidden"),
    [
        ({"request": "GET /a HTTP/1.1&password=hunter2"}, "hunter2"),
        ({"request": "GET /a?X-Amz-Signature=abc123def HTTP/1.1"}, "abc123def"),
        ({"request": "GET /cb?code=4%2F0Adeu5B&state=x HTTP/1.1"}, "0Adeu5B"),
        ({"request": "GET /?from=::ffff:81.2.69.142 HTTP/1.1"}, "81.2.69.142"),
        ({"request": "GET /?from=[::ffff:5102:458e] HTTP/1.1"}, "5102:458e"),
        ({"request": "GET /?from=81.2.69.142:8080 HTTP/1.1"}, "81.2.69.142"),
        ({"user": r"CORP\\robert", "request": "GET /home/robert HTTP/1.1"}, "robert"),
        ({"user": "robert@REALM", "request": "GET /home/robert HTTP/1.1"}, "robert"),
    ],
)
def test_what_is_personal_in_other_dress(line: dict[str, str], hidden: str) -> None:
    assert hidden not in enriched(private(profile="standard"), combined(**line)).json


@pytest.mark.parametrize(
    "line", ["GET /a.php HTTP/1.1 ", "GET  /a.php HTTP/1.1", " GET /a.php HTTP/1.1"]
)
def test_blanks_around_a_request_are_no_part_of_its_page(line: str) -> None:
    body = record(enricher(), request=line)
    assert (body["webpage"], body["path"], body["protocol"]) == ("a", "/a.php", "HTTP/1.1")
