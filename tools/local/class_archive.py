"""How Java starts quickly: for jobs of seconds, and with an archive of classes.

Java maps the classes that it finds in the archive (class data sharing) instead of loading and
verifying them one by one. A run of the job makes the archive, with the planner unpacked.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ARCHIVE = Path(sys.prefix) / "classes.jsa"
"""It stands in the environment whose jars it is made from. Java refuses it for others."""

SHORT_JOB = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""A job of seconds is over before Java's second compiler and its threads of the collector pay."""

SHORT_JOB_SETTINGS = {"table.generated-code.max-length": "64000"}
"""So is the work to split generated methods, which Java's second compiler wants short."""

_OPTIONS_VARIABLE = "JAVA_TOOL_OPTIONS"


def archive_options() -> tuple[str, ...]:
    """Returns Java's options that map the archive; none where there is no archive."""
    if not ARCHIVE.exists():
        return ()
    # A program with other jars goes without it, and is not to print that.
    return (f"-XX:SharedArchiveFile={ARCHIVE}", "-Xlog:cds=off", "-Xlog:cds+dynamic=off")


def make_archive() -> bool:
    """Makes the archive if it isn't there, and returns whether it is there then."""
    with ARCHIVE.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ARCHIVE.exists():
            _make()
    return ARCHIVE.exists()


def make_in_background() -> None:
    """Has another process make the archive for the next start, where nobody else tunes Java."""
    if ARCHIVE.exists() or _OPTIONS_VARIABLE in os.environ:
        return
    nice = shutil.which("nice")
    command = [sys.executable, "-P", "-m", "tools.local.class_archive"]
    subprocess.Popen(
        command if nice is None else [nice, *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _make() -> None:
    # Needs PyFlink, which tools/develop.py starts without.
    from tools.local.cluster import unpack_planner  # noqa: PLC0415

    unpack_planner()
    with tempfile.TemporaryDirectory(dir=ARCHIVE.parent) as name:
        made = Path(name) / "classes"
        ran = subprocess.run(
            [sys.executable, "-P", "-m", "tools.cli", "run", "--out", str(Path(name) / "out")],
            env=os.environ | {_OPTIONS_VARIABLE: f"-XX:ArchiveClassesAtExit={made}"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if ran.returncode == 0 and made.exists():
            made.replace(ARCHIVE)


if __name__ == "__main__":
    make_archive()
