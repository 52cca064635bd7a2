"""The Procfile under honcho, against a real Valkey and the simulator."""

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest
import redis

from shared.bus import valkey_server
from simulator import DEFAULT_KEY, DEFAULT_SECRET
from tests.limits import LIMIT_SECONDS
from tests.ports import free_port
from tests.repository.tree import ROOT

pytestmark = pytest.mark.slow

WEB_PORT_OFFSET = 100  # honcho gives the second process type the base port and a hundred


def test_the_procfile_starts_both_processes_and_ends_them(
    redis_url: str, simulator_urls: dict[str, str], tmp_path: Path
) -> None:
    base = free_port() - WEB_PORT_OFFSET
    environment = {
        **os.environ,
        **simulator_urls,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "ALPACA_PAPER_API_KEY": DEFAULT_KEY,
        "ALPACA_PAPER_SECRET_KEY": DEFAULT_SECRET,
        "REDIS_URL": redis_url,
        "HOST": "127.0.0.1",
        "LAME_DUCK_SECONDS": "0",  # honcho kills what has not ended after five seconds
    }
    log = tmp_path / "honcho.log"
    command = [sys.executable, "-m", "honcho", "start", "-e", os.devnull, "-p", str(base)]
    with _process(command, log, environment) as honcho, redis.Redis.from_url(redis_url) as store:
        ready = f"http://127.0.0.1:{base + WEB_PORT_OFFSET}/readyz"
        _wait_until(lambda: _answers(ready), LIMIT_SECONDS, honcho, log)
        _wait_until(lambda: bool(store.get("ingest:lease")), LIMIT_SECONDS, honcho, log)
        family = psutil.Process(honcho.pid).children(recursive=True)
        honcho.terminate()
        honcho.wait(LIMIT_SECONDS)
        _, alive = psutil.wait_procs(family, timeout=LIMIT_SECONDS)

        assert len(family) >= 2
        assert alive == []
        assert store.get("ingest:lease") is None
    story = log.read_text()
    assert sorted(re.findall(r"(\w+)\.1 stopped", story)) == ["ingest", "web"], story
    assert "sending SIGKILL" not in story


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    log = tmp_path / "valkey.log"
    command = [str(valkey_server.server_binary()), "--port", str(port), "--bind", "127.0.0.1"]
    command += ["--save", "", "--dir", str(tmp_path), "--maxmemory-policy", "noeviction"]
    with _process(command, log) as valkey:
        _wait_until(lambda: "Ready to accept" in log.read_text(), LIMIT_SECONDS, valkey, log)
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture
def simulator_urls(tmp_path: Path) -> Iterator[dict[str, str]]:
    log = tmp_path / "simulator.log"
    command = [sys.executable, "-m", "simulator", "--port", "0"]
    with _process(command, log) as simulator:
        _wait_until(lambda: "\n" in log.read_text(), LIMIT_SECONDS, simulator, log)
        stream, rest = re.findall(r"(?:ws|http)://127\.0\.0\.1:\d+", log.read_text())[:2]
        yield {
            "ALPACA_STREAM_URL": stream,
            "ALPACA_DATA_URL": rest,
            "ALPACA_TRADING_URL": rest,
        }


@contextlib.contextmanager
def _process(
    command: list[str], log: Path, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A child that writes to a log, and is killed with all its children at the end."""
    with log.open("wb") as output:
        child = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield child
    finally:
        if child.poll() is None:
            parent = psutil.Process(child.pid)
            for process in [*parent.children(recursive=True), parent]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        child.wait(LIMIT_SECONDS)


def _wait_until(
    condition: Callable[[], bool], limit_seconds: float, child: subprocess.Popen[bytes], log: Path
) -> None:
    deadline = time.monotonic() + limit_seconds
    while not condition():
        if child.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"{child.args!r} ended or did not get ready:\n{log.read_text()}")
        time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=LIMIT_SECONDS, trust_env=False).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
