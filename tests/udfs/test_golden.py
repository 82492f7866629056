"""Outcomes of chosen lines, byte for byte.

`tests/data/golden/lines.txt` holds lines of the sample and made ones, `outcomes.jsonl` what
must come of each. After a change that is meant, write the outcomes again and read the difference::

    python -m tests.udfs.test_golden
"""

from tests.support.core import CITY_DATABASE, DATA, enricher
from udfs.enrichment import Enricher

LINES = DATA / "golden" / "lines.txt"
OUTCOMES = DATA / "golden" / "outcomes.jsonl"


def golden_enricher() -> Enricher:
    return enricher(
        {
            "weblog.geoip": {"database.path": str(CITY_DATABASE)},
            "weblog.site": {"internal.hosts": "semicomplete.com"},
        }
    )


def outcomes_now() -> list[str]:
    return [outcome.json for outcome in golden_enricher().process(LINES.read_bytes())]


def test_outcomes_are_byte_for_byte_the_same() -> None:
    expected = OUTCOMES.read_text("utf-8").removesuffix("\n").split("\n")
    assert len(expected) >= 60
    assert outcomes_now() == expected


def test_a_second_pass_over_warm_caches_gives_the_same() -> None:
    using = golden_enricher()
    data = LINES.read_bytes()
    cold = [outcome.json for outcome in using.process(data)]
    assert [outcome.json for outcome in using.process(data)] == cold


if __name__ == "__main__":
    OUTCOMES.write_bytes("".join(f"{line}\n" for line in outcomes_now()).encode())
