"""The log of `deploy/haproxy.cfg`: no ticket and no token, wherever a client has put it."""

import re
import subprocess
from pathlib import Path

import httpx
import pytest

from gateway.http.operations import OPERATIONS
from tests.limits import LIMIT_SECONDS
from tests.ports import free_port
from tests.proxies import haproxy_binary, wait_until_it_listens

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "haproxy.cfg"
SERVED = sorted({each.path for each in OPERATIONS if "{" not in each.path})
SECRET = (
    "/?ticket=hush",
    "/api/stream/prices?symbols=SPY&tick%65t=hush",
    "/api/prices/hush",
    "/hush",
    "/api/stream/hush-0123456789abcdef01234567",
    "/assets/hush",
    "/api/prices;hush",
)


def configured(port: int) -> str:
    """Return the configuration with our port, and with a gateway that is not there.

    The names of gateways are those of Docker's DNS, which is not here either.
    """
    text = CONFIGURATION.read_text().replace("bind :8001", f"bind 127.0.0.1:{port}")
    text = text.replace("maxconn 20000", "maxconn 100").replace("retries 2", "retries 0")
    text = re.sub(r"resolvers docker\n( .*\n)+", "", text)
    return re.sub(r"server-template .*", f"server gateway 127.0.0.1:{free_port()}", text)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return HAProxy's log of a request for each path."""
    folder, port = tmp_path_factory.mktemp("haproxy"), free_port()
    configuration, output = folder / "haproxy.cfg", folder / "log"
    configuration.write_text(configured(port))
    with output.open("wb") as file:
        process = subprocess.Popen(
            [haproxy_binary(), "-db", "-f", str(configuration)],
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_it_listens(process, port, output)
        for path in (*SERVED, *SECRET):
            httpx.get(f"http://127.0.0.1:{port}{path}", timeout=LIMIT_SECONDS)
    finally:
        process.terminate()  # HAProxy has written every line before it ends
        process.wait(LIMIT_SECONDS)
    return output.read_text()


def test_no_secret_is_in_it(log: str) -> None:
    assert "hush" not in log
    assert log.count(" GET [hidden]") == len(SECRET) - 2  # two of these paths are served
    assert " GET /api/stream/prices\n" in log


@pytest.mark.parametrize("path", SERVED)
def test_the_paths_that_gateways_serve_are_in_it(log: str, path: str) -> None:
    assert f" GET {path}\n" in log
