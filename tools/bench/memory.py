"""Memory and CPU time of a job's processes, from Linux's /proc."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_WORKER = b"pyflink.fn_execution.beam.beam_boot"
_KILOBYTE = 1024


@dataclass(frozen=True, slots=True)
class MemoryReading:
    """Bytes at one time.

    Attributes:
        jvm_rss: Resident memory of the JVM.
        worker_rss: Resident memory of the largest Python worker.
        worker_pss: Its proportional share: pages that n processes map count 1/n.
    """

    jvm_rss: int
    worker_rss: int
    worker_pss: int


def process_group_memory(leader: int) -> MemoryReading:
    """Reads the memory of a JVM, leader of its process group, and of its Python workers."""
    workers = [pid for pid in _group(leader) if _WORKER in _command(pid)]
    sizes = [_rollup(pid) for pid in workers]
    return MemoryReading(
        jvm_rss=_rollup(leader)[0],
        worker_rss=max((rss for rss, _ in sizes), default=0),
        worker_pss=max((pss for _, pss in sizes), default=0),
    )


@dataclass(frozen=True, slots=True)
class CpuReading:
    """Seconds of CPU time since their start, of all JVMs and of all Python workers."""

    jvm: float
    workers: float


def process_group_cpu(leader: int) -> CpuReading:
    """Reads the CPU time of the JVMs and of the Python workers of a process group."""
    commands = {pid: _command(pid) for pid in _group(leader)}
    workers = [pid for pid, command in commands.items() if _WORKER in command]
    jvms = [pid for pid, command in commands.items() if command.split(b"\0")[0].endswith(b"java")]
    return CpuReading(sum(map(_cpu_seconds, jvms)), sum(map(_cpu_seconds, workers)))


def _cpu_seconds(pid: int) -> float:
    try:
        # The name in brackets may hold anything; what follows it are numbers.
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _group(leader: int) -> list[int]:
    found = []
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                if os.getpgid(int(entry.name)) == leader:
                    found.append(int(entry.name))
            except OSError:
                continue  # it has ended meanwhile
    return found


def _command(pid: int) -> bytes:
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return b""


def _rollup(pid: int) -> tuple[int, int]:
    """Resident and proportional bytes; zeros for a process that has ended."""
    try:
        text = (_PROC / str(pid) / "smaps_rollup").read_text()
    except OSError:
        return 0, 0
    values = {
        name: int(value.split()[0]) * _KILOBYTE
        for name, _, value in (line.partition(":") for line in text.splitlines())
        if name in {"Rss", "Pss"}
    }
    return values.get("Rss", 0), values.get("Pss", 0)
