"""Small records that unpack to many bytes, in a process as small as the function's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from udfs.config.root import ROOT

MEGABYTES = 300
"""The limit for the peak of the whole process; the template gives the function 512 MB."""

PROGRAM = """
import gzip, sys
from lambda_app.deadline import Deadline
from lambda_app.tally import Tally
from tests.support.functions import *

LINES = b"\\n".join(map(good, range(2**24 // (len(good(100_000)) + 1))))
RECORDS = {
    "lines": LINES,
    "JSON": b'{"a":[' + b'{"b":1},' * 2_000_000 + b"0]}",
}
record = gzip.compress(RECORDS[sys.argv[2]])
del RECORDS, LINES
of = processor(gzip_maximum=2**24)
events = [record] * 3
if sys.argv[1] == "firehose":
    function, event = transformation(FakeDestination(), of=of), firehose_event(events)
else:
    function, event = consumer(FakeDestination(), FakeDestination(), of=of), kinesis_event(events)
try:
    function.run(event, Deadline(FakeContext()), Tally())
except Exception as error:
    print(type(error).__name__, end=" ")
# ru_maxrss would include the process that started this one.
(peak,) = (line for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print(int(peak.split()[1]) // 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize("kind", ["lines", "JSON"])
@pytest.mark.parametrize("function", ["firehose", "kinesis"])
def test_a_record_of_16_mib_fits_the_function(function: str, kind: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, function, kind],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    *_, megabytes = ended.stdout.split()
    assert int(megabytes) < MEGABYTES, ended.stdout
