"""The machine that figures were measured on."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

# Less than half a core in use by others.
_BUSY_LOAD = 0.5


@dataclass(frozen=True, slots=True)
class Machine:
    """What figures depend on.

    Attributes:
        cpu: Model name.
        cores: Cores that this process may use.
        memory_gb: Memory of the machine.
        system: Kernel.
        python: Python's version.
        java: Java's version.
        flink: Flink's version.
        load: Processes that wanted a core in the minute before the start.
    """

    cpu: str
    cores: int
    memory_gb: float
    system: str
    python: str
    java: str
    flink: str
    load: float

    @property
    def busy(self) -> bool:
        """Whether others were using the machine at the start."""
        return self.load > _BUSY_LOAD


def describe_machine() -> Machine:
    """Looks at the machine as it is now."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(
        cpu=_cpu(),
        cores=_cores(),
        memory_gb=round(pages / 1e9, 1),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        java=_java(),
        flink=version("apache-flink"),
        load=round(os.getloadavg()[0], 2),
    )


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=str(Path(home) / "bin")) if home else shutil.which("java")
    if java is None:
        return "none"
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    # It may begin with options that it picked up from the environment.
    lines = [line for line in told.splitlines() if " version " in line]
    return lines[0].replace('"', "") if lines else "unknown"
