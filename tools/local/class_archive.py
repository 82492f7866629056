"""An archive of Java's classes, made by a run of the job (class data sharing).

Java maps the classes that it finds in it instead of loading and verifying them one by one: an
eighth of the CPU of a job in a test.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ARCHIVE = Path(sys.prefix) / "classes.jsa"
"""It stands in the environment whose jars it is made from. Java refuses it for others."""


def make_archive(java_options: str) -> bool:
    """Makes the archive if it isn't there, and returns whether it is there then."""
    if not ARCHIVE.exists():
        with tempfile.TemporaryDirectory(dir=ARCHIVE.parent) as name:
            made = Path(name) / "classes"
            options = f"{java_options} -XX:ArchiveClassesAtExit={made}"
            ran = subprocess.run(
                [sys.executable, "-m", "tools.cli", "run", "--out", str(Path(name) / "out")],
                env=os.environ | {"JAVA_TOOL_OPTIONS": options},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
            if ran.returncode == 0 and made.exists():
                made.replace(ARCHIVE)
    return ARCHIVE.exists()
