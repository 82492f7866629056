"""A record that the sink splits for its key is written as the very same bytes."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from udfs.config.root import ROOT
from udfs.privacy.text import MASK
from udfs.record.keys import MAX_KEY_LENGTH, key

EXAMPLES = 2000

hostile_text = st.text("\"\\,;{}:'\n\r\t\0\x1f\u2028\x85éß日🎉 ab", max_size=12) | st.text()
hosts = st.one_of(
    st.none(),
    st.just(MASK),
    st.ip_addresses().map(str),
    st.sampled_from(["h" * MAX_KEY_LENGTH, "h" * (MAX_KEY_LENGTH + 1), "a\\", "é.example", ""]),
    hostile_text,
)


@dataclass(frozen=True, slots=True)
class Record:
    """The first and the last field of a record, and text between them."""

    host: str | None
    agent: str
    event_id: str

    @property
    def json(self) -> bytes:
        return orjson.dumps({"host": self.host, "agent": self.agent, "event_id": self.event_id})

    @property
    def key(self) -> str:
        """Returns the client, or the id where the client is hidden, too long or has escapes."""
        host = self.host or MASK
        is_plain = orjson.dumps(host) == f'"{host}"'.encode() and key(host) == host
        return host if is_plain and host != MASK else self.event_id


records = st.builds(
    Record, hosts, hostile_text, st.text("0123456789abcdef", min_size=32, max_size=32)
)


def drawn(count: int) -> list[Record]:
    """Returns examples for one job: a job for each would take seconds."""
    collected: list[Record] = []

    @settings(max_examples=count, phases=[Phase.generate], database=None)
    @given(records)
    def collect(record: Record) -> None:
        collected.append(record)

    collect()
    return collected


@pytest.mark.minicluster
def test_the_three_columns_are_the_record_again(tmp_path: Path) -> None:
    examples = drawn(EXAMPLES)
    events = [
        {"host": key(one.host) or None, "body": base64.b64encode(one.json).decode()}
        for one in examples
    ]
    (tmp_path / "events").write_text("".join(json.dumps(one) + "\n" for one in events), "utf-8")
    command = [sys.executable, "-m", "tests.support.keyed_bodies", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)

    def lines(name: str) -> list[bytes]:
        (file,) = (tmp_path / name).iterdir()
        return file.read_bytes().removesuffix(b"\n").split(b"\n")

    keys = [json.loads(line)["record_key"] for line in lines("columns")]
    came = zip(lines("written"), keys, examples, strict=True)
    # The comparison is of a few: pytest takes a minute to compare thousands.
    wrong = [(row, key, one) for row, key, one in came if (row, key) != (one.json, one.key)][:3]
    assert not wrong
