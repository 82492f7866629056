"""A job that goes on: lines are handed to it when the test wants to, and looked for."""

from __future__ import annotations

import json
import re
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.minicluster import MiniCluster, started
from tools.local.ports import metrics_port

MAIN = Path(__file__).with_name("mains") / "live_main.py"
# Below those that systems give to programs which ask for any.
METRICS_PORTS = "20000-29999"
RECORDS = ("enriched", "filtered", "dead_letters", "late")

type Row = dict[str, Any]

_SAMPLE = re.compile(r"^(?P<name>\w+)\{(?P<labels>.*)\} (?P<value>\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


class Metrics:
    """One answer of the Prometheus reporter."""

    def __init__(self, text: str) -> None:
        self._samples = [
            (found["name"], dict(_LABEL.findall(found["labels"])), float(found["value"]))
            for found in _SAMPLE.finditer(text)
        ]

    def total(self, ending: str, **labels: str) -> float | None:
        """Sum of the metrics whose name ends so and whose labels include these."""
        values = [
            value
            for name, found, value in self._samples
            if name.endswith(ending) and labels.items() <= found.items()
        ]
        return sum(values) if values else None

    def names(self) -> set[str]:
        return {name for name, _, _ in self._samples}


class LiveJob:
    """A running job with its input folder and its results."""

    def __init__(self, cluster: MiniCluster, work: Path) -> None:
        self.cluster = cluster
        self.work = work
        self._input = work / "input"
        self._given = 0
        self._read: dict[Path, list[Row]] = {}
        self.lines: list[bytes] = []

    def give(self, lines: Sequence[bytes]) -> None:
        """Puts a file of lines into the source's folder, at once."""
        self._given += 1
        hidden = self._input / f".{self._given:04}"
        hidden.write_bytes(b"".join(line + b"\n" for line in lines))
        hidden.rename(self._input / f"{self._given:04}.log")
        self.lines += lines

    def rows(self, output: str) -> list[Row]:
        """Rows in files that are closed, in order: what a checkpoint has made final."""
        rows: list[Row] = []
        # The name ends with the number of the file; it goes on after a restart.
        closed = (self.work / "results" / output).glob("[!.]*")
        for path in sorted(closed, key=lambda path: int(path.name.rpartition("-")[2])):
            if path not in self._read:
                # A closed file does not change.
                self._read[path] = [json.loads(line) for line in path.read_text().splitlines()]
            rows += self._read[path]
        return rows

    def accounted(self) -> int:
        return sum(len(self.rows(name)) for name in ("enriched", "filtered", "dead_letters"))

    def wait_until_accounted(self) -> None:
        """Waits until there is an outcome for every line that was given."""
        self.cluster.wait_until(lambda: self.accounted() >= len(self.lines), "all lines' outcomes")
        assert self.accounted() == len(self.lines)

    def event_ids(self) -> Counter[str]:
        return Counter(row["event_id"] for row in self.rows("enriched"))

    def metrics(self) -> Metrics:
        address = f"http://127.0.0.1:{metrics_port(self.cluster.options.log_file)}/metrics"
        with urllib.request.urlopen(address, timeout=5) as answer:
            return Metrics(answer.read().decode())

    def metric(self, ending: str) -> float:
        """One metric's sum, 0 before there is any."""
        return self.metrics().total(ending) or 0

    def workers(self) -> list[int]:
        """Process ids of the Python workers."""
        group = self.cluster.process.pid
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
                command = stat.with_name("cmdline").read_bytes()
            except OSError:
                continue  # It has just ended.
            if int(fields[2]) == group and b"pyflink.fn_execution.beam.beam_boot" in command:
                found.append(int(stat.parent.name))
        return sorted(found)

    def log(self) -> str:
        return self.cluster.options.log_file.read_text("utf-8", "replace")

    def log_lines(self) -> list[Row]:
        """The structured lines in Flink's log."""
        return [
            json.loads(line[line.index('{"timestamp"') :])
            for line in self.log().splitlines()
            if '{"timestamp"' in line
        ]

    def intervals(self) -> list[Row]:
        """The lines that a worker writes of an interval's counts."""
        return [one for one in self.log_lines() if one["event_type"] == "interval"]

    def interval_total(self, name: str) -> int:
        """A count added up: a slow machine's interval may end amid the lines of a test."""
        return sum(one.get(name, 0) for one in self.intervals())


@contextmanager
def live_job(
    work: Path,
    settings: Mapping[str, Mapping[str, str]] | None = None,
    *,
    outputs: Sequence[str] = (),
    restart_attempts: int = 0,
    environment: Mapping[str, str] | None = None,
) -> Iterator[LiveJob]:
    """Starts the job over an empty folder.

    Args:
        work: The test's folder.
        settings: More settings.
        outputs: Outputs beside the records.
        restart_attempts: How often Flink may restart it.
        environment: More environment variables.
    """
    (work / "input").mkdir(parents=True)
    properties = {
        "weblog.source": {"type": "filesystem", "path": str(work / "input")},
        "weblog.sink.files": {
            "type": "filesystem",
            "path": str(work / "results"),
            "rollover.interval": "1 s",
        },
        "weblog.outputs": dict.fromkeys((*RECORDS, *outputs), "files"),
        **(settings or {}),
    }
    with started(
        work,
        properties,
        checkpoint_interval_ms=300,
        restart_attempts=restart_attempts,
        metrics_port=METRICS_PORTS,
        environment=environment,
        main=MAIN,
    ) as cluster:
        yield LiveJob(cluster, work)
