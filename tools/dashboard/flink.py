"""What Flink says of a run that goes, through its REST interface."""

from __future__ import annotations

import re
import time
from http.client import HTTPException
from typing import Any

from tools.dashboard.runs import Run
from tools.local.progress import RestClient, open_here

_TIMEOUT_S = 1.0
# Whatever the file says that names it, no other machine is asked.
_LOOPBACK = re.compile(r"127(\.\d{1,3}){3}:\d{1,5}")
_SECONDS_BETWEEN_UI_CHECKS = 5.0


class FlinkView:
    """Follows the run's REST interface, which is another one for each run."""

    def __init__(self) -> None:
        self._address: str | None = None
        self._client: RestClient | None = None
        self._ui: str | None = None
        self._ui_checked = float("-inf")

    def look(self, run: Run) -> dict[str, Any] | None:
        """Returns state and lines read, and the address of Flink's own page if it has one.

        Returns:
            None while no job is to be seen.
        """
        address = run.journal.get("rest_address") if run.live else None
        if address != self._address:
            self._address = address
            self._client = None
            if address is not None and _LOOPBACK.fullmatch(address):
                self._client = RestClient(address)
            self._ui, self._ui_checked = None, float("-inf")
        if self._client is None:
            return None
        progress = self._client.job_progress()
        if progress is None:
            return None
        return {"state": progress.state, "lines": progress.lines, "ui": self._web_ui()}

    def _web_ui(self) -> str | None:
        # The REST interface has pages only with the jar flink-runtime-web.
        now = time.monotonic()
        if self._ui is None and now - self._ui_checked >= _SECONDS_BETWEEN_UI_CHECKS:
            self._ui_checked = now
            url = f"http://{self._address}/"
            try:
                with open_here(url, _TIMEOUT_S) as answer:
                    if answer.headers.get_content_type() == "text/html":
                        self._ui = url
            except (OSError, HTTPException):
                pass
        return self._ui
