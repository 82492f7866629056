import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.core import (
    CITY_DATABASE,
    DATA,
    FIREFOX,
    SAMPLE,
    combined,
    dead,
    enriched,
    enricher,
    filtered,
)
from udfs.config.properties import Properties
from udfs.enrichment import Enricher
from udfs.flink.progress import StreamProgress
from udfs.flink.wire import pack
from udfs.outcomes import Enriched
from udfs.record.basic import SCHEMA

BOT = "Googlebot/2.1 (+http://www.google.com/bot.html)"


class Stages:
    """An enricher of all stages and two of one stage each, with the same settings."""

    def __init__(self, properties: Properties | None = None) -> None:
        given = {
            "weblog.geoip": {"database.path": str(CITY_DATABASE)},
            "weblog.site": {"internal.hosts": "example.com"},
            **(properties or {}),
        }
        self.all, self.basic, self.advanced = (
            enricher({**given, "weblog.pipeline": {"stage": stage}})
            for stage in ("all", "basic", "advanced")
        )

    def check(self, data: bytes) -> None:
        """Checks that both ways have the same outcome for every line."""
        for once, first in zip(self.all.process(data), self.basic.process(data), strict=True):
            if not isinstance(first, Enriched):
                assert once == first
                continue
            assert isinstance(once, Enriched), (once, first)
            (second,) = self.advanced.process(first.json.encode())
            # SQL gets the same events, and the record is the same. Filters and checks belong to the
            # first stage.
            assert isinstance(second, Enriched)
            assert second.json == once.json
            assert pack([second], StreamProgress(1)) == pack([once], StreamProgress(1))


SETTINGS: dict[str, Properties] = {
    "default": {},
    "standard": {"weblog.privacy": {"profile": "standard"}},
    "strict": {
        "weblog.privacy": {"profile": "strict"},
        "weblog.filters": {"exclude.bots": "true", "debug.query.parameters": "x-debug"},
    },
    "hashing": {
        "weblog.privacy": {
            "client.address": "truncate",
            "auth.user": "hash",
            "query.values": "hash",
            "emails": "hash",
            "referer": "hash",
            "agent": "truncate",
        },
        "weblog.validation": {"reject": "size_impossible", "ignore": "probe_xss"},
    },
}
STAGES = {name: Stages(properties) for name, properties in SETTINGS.items()}


@pytest.mark.parametrize("name", SETTINGS)
def test_two_stages_give_what_one_gives_on_the_sample(name: str) -> None:
    with gzip.open(SAMPLE) as file:
        STAGES[name].check(file.read())


@pytest.mark.parametrize("name", SETTINGS)
def test_and_on_odd_lines(name: str) -> None:
    STAGES[name].check((DATA / "golden" / "lines.txt").read_bytes())


texts = st.lists(
    st.sampled_from(
        ["/a", "?token=", "bob@example.com", "81.2.69.142", "alice", "%40", "%3D", "..", "/", "&x=",
         "<script>", r"\x1b", r"\"", "é", "\\", " ", "x-debug", "***", "http://", "example.com"]
    ),
    max_size=6,
).map("".join)  # fmt: skip


@given(
    st.sampled_from(sorted(SETTINGS)),
    st.builds(
        combined,
        host=st.sampled_from(["81.2.69.142", "10.0.0.1", "2001:218::1", "h.example", "-", "a\x01"]),
        user=st.sampled_from(["-", "alice", "bob", "token", "example", "get"]),
        timestamp=st.sampled_from(
            [
                "28/Oct/2025:10:15:30 +0200",
                "28/Oct/1990:10:15:30 +0000",
                "01/Jan/2099:00:00:00 +0000",
            ]
        ),
        request=st.builds("GET {} HTTP/1.1".format, texts) | texts,
        status=st.sampled_from(["200", "304", "500", "999"]),
        size=st.sampled_from(["-", "0", "00012", "9" * 18]),
        referer=texts,
        agent=st.builds(f"{FIREFOX} {{}}".format, texts)
        | st.builds(f"{BOT} {{}}".format, texts)
        | texts,
    ),
)
def test_two_stages_give_what_one_gives(name: str, line: str) -> None:
    STAGES[name].check(line.encode())


def test_two_stages_in_every_format() -> None:
    lines = {
        "common": combined().rsplit(' "', 2)[0],
        "vhost_combined": "www.example.com:80 " + combined(),
        "combined_xff": combined() + ' "10.1.1.1"',
    }
    for log_format, line in lines.items():
        Stages({"weblog.parser": {"format": log_format}}).check(line.encode())


def test_the_longest_line_passes_both_stages() -> None:
    stages = Stages({"weblog.parser": {"max.line.bytes": "1000"}})
    line = combined(request="GET /" + "\x01" * 700)
    stages.check(line.encode())
    assert isinstance(stages.all.process(line.encode())[0], Enriched)


def basic(**fields: str) -> Enriched:
    return enriched(STAGES["default"].basic, combined(**fields))


def test_a_basic_record() -> None:
    body = json.loads(basic(user="alice").json)
    assert (body["schema"], body["method"], body["path"]) == (SCHEMA, "GET", "/product.php")
    assert body["quality"] == {"status": "ok", "issues": []}
    assert "alice" not in json.dumps(body)
    outcome = basic()
    assert outcome.client.keys == "81.2.69.142\x1f"
    assert outcome.request.keys == "product\x1f0"
    assert outcome.referrer.keys == "internal\x1fexample.com\x1fsearch"
    assert outcome.agent.keys == "other\x1f\x1f\x1f"


def test_the_basic_record_hides_what_the_second_stage_does_not_need() -> None:
    line = combined(
        user="alice",
        request="GET /~alice/bob@example.com?token=s3cret&ip=81.2.69.142 HTTP/1.1",
        agent=FIREFOX.replace("rv:128.0", "bob@example.com"),
    )
    text = enriched(STAGES["strict"].basic, line).json
    for secret in ("alice", "bob@", "s3cret"):
        assert secret not in text
    # The second stage still needs the address for the place.
    assert json.loads(text)["host"] == "81.2.69.142"
    assert "81.2.69.142" not in enriched(STAGES["strict"].advanced, text).json


def first_stage(group: str, **settings: str) -> Enricher:
    properties = {key.replace("_", "."): value for key, value in settings.items()}
    return enricher({"weblog.pipeline": {"stage": "basic"}, group: properties})


def test_the_first_stage_reads_user_agents_where_it_must() -> None:
    without_bots = first_stage("weblog.filters", exclude_bots="true")
    assert filtered(without_bots, combined(agent=BOT)).reason == "bot"
    enriched(without_bots, combined())
    # A crawler's contact address stays; a person's address is hidden.
    masking = first_stage("weblog.privacy", emails="mask")
    agents = [f"{agent} bob@example.com" for agent in (BOT, FIREFOX)]
    shown = [json.loads(enriched(masking, combined(agent=one)).json)["agent"] for one in agents]
    assert shown == [agents[0], f"{FIREFOX} ***"]


def test_the_second_stage_masks_what_the_first_did_not() -> None:
    line = combined(request="GET /bob@example.com?token=s3cret HTTP/1.1")
    text = enriched(STAGES["default"].basic, line).json
    assert "s3cret" in text
    second = enriched(STAGES["strict"].advanced, text).json
    assert json.loads(second)["path"] == "/***?token=***"


@pytest.mark.parametrize("profile", ["standard", "strict"])
def test_what_only_some_formats_have_is_masked_in_both_stages(profile: str) -> None:
    pattern = '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %v "%{X-Note}i"'
    stages = Stages(
        {
            "weblog.privacy": {"profile": profile},
            "weblog.parser": {"pattern": pattern, "extra.fields": "X-Note"},
        }
    )
    notes = {
        "alice at 81.2.69.142": "*** at ***",
        "bob@example.com?token=s3cret": "***?token=***",
        "-": None,
    }
    for note, shown in notes.items():
        line = f'{combined(user="alice")} alice.example.com "{note}"'
        stages.check(line.encode())
        # The second stage never sees the user.
        first = json.loads(enriched(stages.basic, line).json)
        for secret in ("alice", "bob", "s3cret"):
            assert secret not in json.dumps(first)
        second = json.loads(enriched(stages.advanced, json.dumps(first)).json)
        assert (second["vhost"], second["extra"]) == ("***.example.com", {"X-Note": shown})


def test_the_first_stage_needs_no_database() -> None:
    first = enricher(
        {
            "weblog.pipeline": {"stage": "basic"},
            "weblog.geoip": {"database.path": "/nowhere.mmdb"},
        }
    )
    assert first.geo is None


GOOD = json.loads(basic().json)


@pytest.mark.parametrize(
    ("change", "stage", "reason"),
    [
        ({"schema": "weblog.basic/2"}, "parse", "not_a_basic_record"),
        ({"host": None}, "parse", "not_a_basic_record"),
        ({"host": "a b"}, "parse", "not_a_basic_record"),
        ({"request": 5}, "parse", "not_a_basic_record"),
        ({"response": "999"}, "parse", "not_a_basic_record"),
        ({"bytes": 12}, "parse", "not_a_basic_record"),
        ({"bytes": "9" * 19}, "parse", "not_a_basic_record"),
        ({"agent": ["x"]}, "parse", "not_a_basic_record"),
        ({"quality": None}, "parse", "not_a_basic_record"),
        ({"quality": {"issues": ["unheard_of"]}}, "parse", "not_a_basic_record"),
        ({"quality": {"issues": [{}]}}, "parse", "not_a_basic_record"),
        ({"event_id": "x"}, "parse", "not_a_basic_record"),
        ({"masked": "yes"}, "parse", "not_a_basic_record"),
        ({"datetime": "yesterday"}, "parse", "bad_timestamp"),
        ({"datetime": "01/Jan/2099:00:00:00 +0000"}, "validate", "timestamp_in_future"),
    ],
)
def test_bad_basic_records(change: dict[str, Any], stage: str, reason: str) -> None:
    letter = dead(STAGES["default"].advanced, json.dumps(GOOD | change)).letter
    assert (letter.stage, letter.reason) == (stage, reason)


@pytest.mark.parametrize(
    ("text", "stage", "reason"),
    [
        ("{", "decode", "not_json"),
        (combined(), "decode", "not_json"),
        ('{"host":"\\ud800"}', "decode", "not_json"),
        ("[]", "parse", "not_a_basic_record"),
        ("null", "parse", "not_a_basic_record"),
        ('{"schema":"weblog.basic/1"}', "parse", "not_a_basic_record"),
        ("[" * 5000, "decode", "not_json"),
    ],
)
def test_what_is_no_basic_record(text: str, stage: str, reason: str) -> None:
    letter = dead(STAGES["default"].advanced, text).letter
    assert (letter.stage, letter.reason) == (stage, reason)


def test_basic_records_in_dead_letters_are_masked() -> None:
    strict: Enricher = STAGES["strict"].advanced
    text = json.dumps(GOOD | {"datetime": "01/Jan/2099:00:00:00 +0000"})
    letter = dead(strict, text).letter
    assert letter.raw is not None
    assert b"81.2.69.142" not in letter.raw
    shown = json.loads(letter.raw)
    assert shown["event_id"] == GOOD["event_id"]
    # The rest of the letter can be sent again.
    again = json.dumps(shown | {"datetime": GOOD["datetime"]})
    assert enriched(strict, again).webpage == "product"
    assert dead(strict, "garbage of 81.2.69.142").letter.raw == b"***"


def test_what_only_some_formats_have_is_masked_in_dead_letters() -> None:
    more = {
        "datetime": "01/Jan/2099:00:00:00 +0000",
        "proxy": "198.51.100.7",
        "vhost": "198-51-100-7.example.com",
        "extra": {"a": "for 81.2.69.142 by 198.51.100.7", "b": "bob@example.com", "c": None},
    }
    raw = dead(STAGES["standard"].advanced, json.dumps(GOOD | more)).letter.raw
    assert raw is not None
    shown = json.loads(raw)
    assert shown["extra"] == {"a": "for *** by ***", "b": "***", "c": None}
    assert (shown["proxy"], shown["vhost"]) == ("198.51.100.0", "***.example.com")


def test_blank_lines_and_several_records() -> None:
    advanced = STAGES["default"].advanced
    text = basic().json
    made = advanced.process(f"{text}\n\n{text}\r\n".encode())
    assert [type(one).__name__ for one in made] == ["Enriched", "Filtered", "Enriched"]
    assert filtered(advanced, b"").reason == "blank_line"
