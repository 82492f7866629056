"""The inputs of the benchmark: the made log, the repeated log and the made database."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pytest

from tools.bench.inputs import Setup, make_city_database, repeated
from tools.bench.made_log import SITE, made_log
from tools.run.command import SAMPLE_LOG
from udfs.enrich.geo import GeoDatabase, is_reserved
from udfs.enrich.geo_schema import CITY
from udfs.errors import ValidationError, WebLogError
from udfs.parse.access_log import LogLine, parser_for
from udfs.parse.timestamps import read_timestamp

RECORDS = 20_000
MINUTES = len("01/Mar/2025:00:00")


@pytest.fixture(scope="module")
def made() -> list[bytes]:
    return list(made_log(RECORDS))


@pytest.fixture(scope="module")
def parsed(made: list[bytes]) -> list[LogLine]:
    return _parsed(made)


@pytest.fixture(scope="module")
def bundled() -> list[LogLine]:
    with gzip.open(SAMPLE_LOG) as stream:
        return _parsed(stream)


def _parsed(log: Iterable[bytes]) -> list[LogLine]:
    parse = parser_for("combined")
    lines = []
    for raw in log:
        try:
            lines.append(parse(raw.decode().removesuffix("\n")))
        except ValidationError:
            continue
    return lines


def test_a_seed_gives_the_same_lines_and_a_shorter_log_is_the_start_of_a_longer_one(
    made: list[bytes],
) -> None:
    assert list(made_log(10_001)) == made[:10_001]
    assert list(made_log(100, seed=8)) != made[:100]


def test_only_a_few_lines_are_malformed(made: list[bytes], parsed: list[LogLine]) -> None:
    assert 0 < len(made) - len(parsed) < RECORDS / 1000


@pytest.mark.parametrize(
    ("field", "most_frequent"),
    # The most frequent tenth of a field's values has at least this share.
    [("host", 0.3), ("agent", 0.4), ("request", 0.4), ("referer", 0.4)],
)
def test_values_are_as_varied_as_those_of_a_real_log_or_more(
    parsed: list[LogLine], bundled: list[LogLine], field: str, most_frequent: float
) -> None:
    made, real = ([getattr(line, field) for line in log[:10_000]] for log in (parsed, bundled))
    assert len(set(real)) <= len(set(made)) < 2 * len(set(real))
    # Few values are frequent and many are rare, also at the end of the log.
    counts = Counter(getattr(line, field) for line in parsed)
    top = sum(count for _, count in counts.most_common(len(counts) // 10))
    assert top / len(parsed) > most_frequent
    assert sum(count == 1 for count in counts.values()) > len(counts) / 5


def test_a_client_asks_as_often_in_a_minute_as_in_a_real_log_and_keeps_its_agent(
    parsed: list[LogLine], bundled: list[LogLine]
) -> None:
    made, real = (
        len(lines) / len({(line.host, line.timestamp[:MINUTES]) for line in lines})
        for lines in (parsed[:10_000], bundled)
    )
    assert 0.8 < made / real < 1.25
    for lines in (parsed, bundled):
        agents = len({(line.host, line.agent) for line in lines})
        assert 1 < agents / len({line.host for line in lines}) < 1.1


def test_assets_are_found_on_pages_that_were_asked_for(parsed: list[LogLine]) -> None:
    pages = {line.request.split()[1] for line in parsed if " " in line.request}
    found_on = [line.referer for line in parsed if "/assets/" in line.request]
    assert len(found_on) > len(parsed) / 4
    known = sum((one or "").removeprefix(SITE) in pages for one in found_on)
    assert known / len(found_on) > 0.99


def test_lines_are_in_order_but_for_short_delays_and_a_few_late_ones(parsed: list[LogLine]) -> None:
    latest, behind = 0, []
    for line in parsed:
        time = read_timestamp(line.timestamp).ms
        latest = max(latest, time)
        behind.append(latest - time)
    assert 0 < sum(one > 60_000 for one in behind) < RECORDS / 1000
    assert sum(0 < one <= 60_000 for one in behind) > 0


def test_a_repeated_log_goes_on_in_time_but_not_into_the_future() -> None:
    with gzip.open(SAMPLE_LOG) as stream:
        original = stream.readlines()
    lines = list(repeated(SAMPLE_LOG, 25_000))
    assert len(lines) == 25_000
    assert lines[:10_000] == original
    starts = [_time(lines[number]) for number in (0, 10_000, 20_000)]
    assert all(later - earlier > 3 * 86_400_000 for earlier, later in pairwise(starts))
    assert max(map(_time, lines[:10_000])) < min(map(_time, lines[10_000:20_000]))
    # Only the time moves.
    assert lines[10_000].split(b"]")[1] == lines[0].split(b"]")[1]
    with pytest.raises(WebLogError, match="beyond the present"):
        next(repeated(SAMPLE_LOG, 1_000_000_000))


def _time(line: bytes) -> int:
    return read_timestamp(line.partition(b"[")[2].partition(b"]")[0].decode()).ms


def test_logs_hold_the_same_lines_whole_and_in_halves(setup: Setup) -> None:
    whole, even, odd, sample = (
        gzip.decompress(path.read_bytes()).splitlines(keepends=True)
        for path in (setup.log(), *sorted(setup.halves.iterdir()), setup.log("sample"))
    )
    assert whole == list(made_log(400))
    assert (whole[0::2], whole[1::2]) == (even, odd)
    assert sample == list(repeated(SAMPLE_LOG, 400))


def test_the_made_database_knows_most_public_addresses(
    tmp_path: Path, parsed: list[LogLine]
) -> None:
    paths = [tmp_path / "city.mmdb", tmp_path / "same.mmdb"]
    for path in paths:
        make_city_database(path, depth=14)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    geo = GeoDatabase.open(paths[0], CITY)
    public = {line.host for line in parsed if line.host[0].isdigit() and ":" not in line.host}
    found = [geo.lookup(host) for host in public if not is_reserved(host)]
    known = [one for one in found if one is not None]
    assert 0.9 < len(known) / len(found) < 1
    assert len({one.city for one in known}) > 100
    assert all(one.country and one.latitude is not None for one in known)
    assert geo.lookup("10.1.2.3") is None
    geo.close()
