"""The proxies that stand before gateways, as Debian ships them, each in a separate folder."""

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from tests import installed
from tests.limits import LIMIT_SECONDS

_SBIN = "/usr/sbin"

_NGINX = """
daemon off;
master_process off;
pid nginx.pid;
error_log stderr warn;
events {{
    worker_connections 64;
}}
http {{
    access_log off;
    client_body_temp_path client_body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{port};
        {server}
    }}
}}
"""

_HAPROXY = """
defaults
    mode http
    timeout connect 60s
    timeout check 60s
    timeout client {idle}
    timeout server {idle}
    timeout http-request 60s
    {defaults}
frontend public
    bind 127.0.0.1:{port}
    default_backend gateways
backend gateways
    {backend}
"""

_CADDY = """
{{
    admin off
    auto_https off
}}
http://127.0.0.1:{port} {{
    {site}
}}
"""


def haproxy_binary() -> str:
    """Return HAProxy's path; skip the test if it is not installed."""
    return _binary("haproxy")


@contextmanager
def nginx(port: int, server: str) -> Iterator[str]:
    """Run nginx with the lines of a ``server``; yield its URL."""
    with _running(
        lambda folder: [_binary("nginx"), "-p", folder, "-e", "stderr", "-c", "proxy.conf"],
        port,
        _NGINX.format(port=port, server=server),
    ) as url:
        yield url


@contextmanager
def haproxy(port: int, backend: str, *, defaults: str = "", idle: str = "60s") -> Iterator[str]:
    """Run HAProxy with the lines of a backend; ``idle``: its time-outs of both sides."""
    text = _HAPROXY.format(port=port, backend=backend, defaults=defaults, idle=idle)
    with _running(
        lambda folder: [haproxy_binary(), "-q", "-db", "-f", f"{folder}/proxy.conf"], port, text
    ) as url:
        yield url


@contextmanager
def caddy(port: int, site: str) -> Iterator[str]:
    """Run Caddy with the lines of a site; yield its URL."""
    with _running(
        lambda folder: [
            *(_binary("caddy"), "run", "--adapter", "caddyfile"),
            *("--config", f"{folder}/proxy.conf"),
        ],
        port,
        _CADDY.format(port=port, site=site),
    ) as url:
        yield url


def _binary(name: str) -> str:
    # Debian keeps servers where a user's PATH does not look.
    found = Path(_SBIN, name)
    return str(found) if found.exists() else installed.program(name)


@contextmanager
def _running(command: Callable[[str], list[str]], port: int, configuration: str) -> Iterator[str]:
    with TemporaryDirectory(prefix="tapecast-proxy-") as folder:
        Path(folder, "proxy.conf").write_text(configuration)
        log = Path(folder, "proxy.log")
        # Caddy stores its state in the home of its user.
        environment = {**os.environ, "HOME": folder, "XDG_DATA_HOME": folder}
        with log.open("wb") as output:
            process = subprocess.Popen(
                command(folder), env=environment, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            wait_until_it_listens(process, port, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(LIMIT_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until_it_listens(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.02)
    raise AssertionError(f"no proxy listens: {log.read_text()}")
