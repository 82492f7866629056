"""A job without an end, to which a test hands lines at any time."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.cluster import SharedCluster, SubmittedJob
from tests.support.jobs import RECORDS, between_files
from tests.support.rows import Row
from udfs.config.properties import Properties

_SAMPLE = re.compile(r"^(?P<name>\w+)\{(?P<labels>.*)\} (?P<value>\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


class Metrics:
    """An answer of the Prometheus reporter: the metrics of a job and of its cluster."""

    def __init__(self, text: str, job: str) -> None:
        samples = (
            (found["name"], dict(_LABEL.findall(found["labels"])), float(found["value"]))
            for found in _SAMPLE.finditer(text)
        )
        self._samples = [one for one in samples if one[1].get("job_id", job) == job]

    def total(self, ending: str, **labels: str) -> float:
        """Returns the sum of the metrics with this ending of the name and these labels."""
        return sum(
            value
            for name, found, value in self._samples
            if name.endswith(ending) and labels.items() <= found.items()
        )

    def names(self) -> set[str]:
        return {name for name, _, _ in self._samples}


class LiveJob:
    """A running job with its input folder and its results."""

    def __init__(self, cluster: SharedCluster, job: SubmittedJob, log_start: int) -> None:
        self.cluster = cluster
        self.job = job
        self.wait_until = job.wait_until
        self._log_start = log_start
        self._given = 0
        self._read: dict[Path, list[Row]] = {}
        self.lines: list[bytes] = []

    def give(self, lines: Sequence[bytes]) -> None:
        """Puts a file of lines into the source's folder, at once."""
        self._given += 1
        folder = self.job.work / "input"
        hidden = folder / f".{self._given:04}"
        hidden.write_bytes(b"".join(line + b"\n" for line in lines))
        hidden.rename(folder / f"{self._given:04}.log")
        self.lines += lines

    def rows(self, output: str) -> list[Row]:
        """Returns the rows in closed files in order: those that a checkpoint has made final."""
        rows: list[Row] = []
        # The name ends with the file's number, which goes on counting after a restart.
        closed = (self.job.work / "results" / output).glob("[!.]*")
        for path in sorted(closed, key=lambda path: int(path.name.rpartition("-")[2])):
            if path not in self._read:
                self._read[path] = [json.loads(line) for line in path.read_text().splitlines()]
            rows += self._read[path]
        return rows

    def accounted(self) -> int:
        return sum(len(self.rows(name)) for name in ("enriched", "filtered", "dead_letters"))

    def wait_until_accounted(self) -> None:
        """Waits until every line given has an outcome."""
        self.wait_until(lambda: self.accounted() >= len(self.lines), "all lines' outcomes")
        assert self.accounted() == len(self.lines)

    def event_ids(self) -> Counter[str]:
        return Counter(row["event_id"] for row in self.rows("enriched"))

    def metrics(self) -> Metrics:
        return Metrics(self.cluster.metrics(), self.job.id)

    def workers(self) -> list[int]:
        """Returns the process ids of the Python workers."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
                command = stat.with_name("cmdline").read_bytes()
            except OSError:
                continue  # The process has just ended.
            of_cluster = int(fields[2]) == self.cluster.pid
            if of_cluster and b"pyflink.fn_execution.beam.beam_boot" in command:
                found.append(int(stat.parent.name))
        return sorted(found)

    def log(self) -> str:
        """Returns the cluster's log since the start of the job."""
        return self.cluster.log_file.read_text("utf-8", "replace")[self._log_start :]

    def log_lines(self) -> list[Row]:
        """The structured lines in Flink's log."""
        return [
            json.loads(line[line.index('{"timestamp"') :])
            for line in self.log().splitlines()
            if '{"timestamp"' in line
        ]

    def intervals(self) -> list[Row]:
        """Returns the log lines with the counts of an interval."""
        return [one for one in self.log_lines() if one["event_type"] == "interval"]

    def interval_total(self, name: str) -> int:
        """Returns a count over all intervals: one may end amid the lines of a test."""
        return sum(one.get(name, 0) for one in self.intervals())


@contextmanager
def live_job(
    cluster: SharedCluster,
    work: Path,
    settings: Properties | None = None,
    *,
    outputs: Sequence[str] = (),
    topology: str = "watched_folder",
    restart_attempts: int = 0,
) -> Iterator[LiveJob]:
    """Starts a job over an empty folder; `outputs` are those beside the records."""
    (work / "input").mkdir(parents=True)
    properties = between_files(work / "input", work / "results", *RECORDS, *outputs)
    log_start = len(cluster.log_file.read_text("utf-8", "replace"))
    with cluster.job(
        work,
        properties | {group: dict(values) for group, values in (settings or {}).items()},
        topology=topology,
        checkpoint_interval_ms=200,
        restart_attempts=restart_attempts,
    ) as job:
        yield LiveJob(cluster, job, log_start)
