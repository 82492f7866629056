"""A real node of OpenSearch for the test process, started as docs/opensearch.md shows."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from opensearchpy import OpenSearch

from tests.support.running import Run
from tests.support.waiting import wait_until
from tools.local import with_parent
from udfs.config.root import ROOT

PAGE = (ROOT / "docs" / "opensearch.md").read_text("utf-8")
JARS = ROOT / ".tools" / "opensearch"
LISTENS = re.compile(r"HttpServerTransport *\] publish_address \{(\S+?)\}")
# The node ignores other nodes of the machine, and the system chooses its ports. It doesn't watch
# the disk: on a full disk it would block indices, and on another it would undo a test's blocks.
SETTINGS = """
discovery.type: single-node
transport.port: 0
cluster.routing.allocation.disk.threshold_enabled: false
"""
# With these options Java starts sooner, and leaves more of the machine to other work.
JAVA = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xms256m")


def shown_command(start: str) -> list[str]:
    """Returns the words of the only command in the documentation that starts so."""
    (command,) = {*re.findall(rf"^{re.escape(start)}(?:.*\\\n)*.*", PAGE, re.MULTILINE)}
    return shlex.split(command.replace("\\\n", " "))


def fetch_jars() -> None:
    if JARS.is_dir():
        return
    if shutil.which("mvn") is None:
        pytest.skip("needs Maven (mvn), or the jars of a node in .tools/opensearch")
    fetched = subprocess.run(
        shown_command("mvn"), cwd=ROOT, capture_output=True, text=True, check=False
    )
    if fetched.returncode:
        shutil.rmtree(JARS, ignore_errors=True)
        pytest.skip(f"Maven has no OpenSearch: {fetched.stdout.strip()[:300]}")


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Starts the node, and yields its address."""
    fetch_jars()
    base = tmp_path_factory.mktemp("opensearch")
    settings = base / "node_1" / "config" / "opensearch.yml"
    settings.parent.mkdir(parents=True)
    settings.write_text(SETTINGS, "utf-8")
    java, *arguments = shown_command("java")
    arguments[arguments.index("-basePath") + 1] = str(base)
    # The port is this number plus one: with 0 the system chooses a port.
    arguments[arguments.index("-baseHttpPort") + 1] = "-1"
    log = base / "printed"
    home = os.environ.get("JAVA_HOME")
    command = [str(Path(home, "bin", java)) if home else java, *JAVA, *arguments]
    if sys.platform == "linux":
        command = [sys.executable, "-IS", with_parent.__file__, str(os.getpid()), *command]
    # The node can't use the archive of Flink's classes.
    environment = {name: value for name, value in os.environ.items() if name != "JAVA_TOOL_OPTIONS"}
    with (
        log.open("wb") as printed,
        subprocess.Popen(
            command, cwd=ROOT, stdout=printed, stderr=subprocess.STDOUT, env=environment
        ) as node,
    ):
        try:
            wait_until(
                lambda: LISTENS.search(log.read_text("utf-8", "replace")),
                "a node that listens",
                lambda: node.poll() is None,
                lambda: log.read_text("utf-8", "replace")[-3000:],
            )
            (address,) = {*LISTENS.findall(log.read_text("utf-8", "replace"))}
            yield f"http://{address}"
        finally:
            node.terminate()


@pytest.fixture(scope="session")
def client(url: str) -> OpenSearch:
    # By default the client uses no proxy.
    return OpenSearch(url, timeout=60)


def index(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs `./build.sh index`'s module as a user's shell would, with a proxy."""
    return subprocess.run(
        [sys.executable, "-m", "tools.cli", "index", *arguments],
        cwd=ROOT,
        env=os.environ | {"http_proxy": "http://192.0.2.1:9", "no_proxy": "", "NO_PROXY": ""},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture(scope="session")
def loaded(url: str, sample_run: Run) -> subprocess.CompletedProcess[str]:
    """Loads the bundled log's results into the node."""
    ended = index(str(sample_run.folder), "--to", url)
    assert ended.returncode == 0, ended.stderr
    return ended
