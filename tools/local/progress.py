"""What a running job says about itself through Flink's REST interface."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any

RESTARTING = "RESTARTING"
# The job graph names a chained vertex after its operators; the first is the source. A connector may
# name it otherwise than the table.
_SOURCE_PREFIX = "Source: "
_TIMEOUT_S = 2.0
_BROKEN = ("FAILING", "FAILED", RESTARTING)
# Flink is gone, and another program may answer at its port: the process's end tells the outcome.
_NO_ANSWER = (OSError, HTTPException, ValueError, KeyError)
# Whatever proxy the environment names: it would look for the address on its own machine.
_WITHOUT_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def open_here(request: str | urllib.request.Request, seconds: float) -> HTTPResponse:
    """Opens a URL of this machine; raises what `urllib.request.urlopen` does."""
    answer: HTTPResponse = _WITHOUT_PROXY.open(request, timeout=seconds)
    return answer


@dataclass(frozen=True, slots=True)
class JobProgress:
    """One look at the job.

    Attributes:
        state: Flink's job state: CREATED, RUNNING, FINISHED, FAILED, ...
        lines: Records read from the source so far; None while that is not known.
        failure: Java's account of the last failure, when the job has failed or is restarted.
    """

    state: str
    lines: int | None
    failure: str | None


class RestClient:
    """Reads the only job of a mini-cluster.

    Args:
        address: The REST interface's `address:port`.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._base = f"http://{address}"
        self._job: str | None = None
        self._source_metric: str | None = None

    def job_progress(self) -> JobProgress | None:
        """Returns the job's state, or None while there is no job (or no longer one)."""
        try:
            if self._job is None:
                jobs = self._get("/jobs")["jobs"]
                if not jobs:
                    return None
                self._job = jobs[0]["id"]
            details = self._get(f"/jobs/{self._job}")
            return JobProgress(
                state=details["state"],
                lines=self._lines_read(details["vertices"]),
                failure=self._failure() if details["state"] in _BROKEN else None,
            )
        except _NO_ANSWER:
            return None

    def cancel(self) -> bool:
        """Asks Flink to cancel the job.

        Returns:
            Whether it was asked: there need not be a job yet, or Flink any more.
        """
        return self._ask("PATCH", "?mode=cancel")

    def drain(self, folder: Path) -> bool:
        """Asks Flink to end the job as if its input had ended: open windows close and come out.

        Args:
            folder: Where Flink puts the savepoint that it takes for it.

        Returns:
            Whether it was asked.
        """
        wish = {"drain": True, "targetDirectory": folder.resolve().as_uri()}
        return self._ask("POST", "/stop", json.dumps(wish).encode())

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bool:
        if self._job is None:
            return False
        request = urllib.request.Request(  # noqa: S310 - loopback http only
            f"{self._base}/jobs/{self._job}{path}",
            body,
            {"Content-Type": "application/json"},
            method=method,
        )
        try:
            open_here(request, _TIMEOUT_S).close()
        except _NO_ANSWER:
            return False
        return True

    def _lines_read(self, vertices: list[dict[str, Any]]) -> int | None:
        source = next((v for v in vertices if v["name"].startswith(_SOURCE_PREFIX)), None)
        if source is None:
            return None
        path = f"/jobs/{self._job}/vertices/{source['id']}/subtasks/metrics"
        if self._source_metric is None:
            # The chain's own numRecordsOut counts its last operator; the source's is
            # found under the operator's name.
            names = [item["id"] for item in self._get(path)]
            self._source_metric = next(
                (n for n in names if n.startswith("Source") and n.endswith(".numRecordsOut")),
                None,
            )
            if self._source_metric is None:
                return None
        values = self._get(f"{path}?get={self._source_metric}&agg=sum")
        return int(values[0]["sum"]) if values else None

    def _failure(self) -> str | None:
        history = self._get(f"/jobs/{self._job}/exceptions").get("exceptionHistory", {})
        entries = history.get("entries") or []
        return entries[0]["stacktrace"] if entries else None

    def _get(self, path: str) -> Any:
        with open_here(self._base + path, _TIMEOUT_S) as answer:
            return json.load(answer)
