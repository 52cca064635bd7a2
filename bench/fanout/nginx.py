"""nginx with nchan as Debian ships them, on a port of loopback and in a separate folder."""

import asyncio
import os
import re
import resource
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

INSTALL = "apt-get install -y --no-install-recommends nginx libnginx-mod-nchan"
START_SECONDS = 10.0
END_SECONDS = 10.0
MODULE = "ngx_nchan_module.so"

PUBLISH_PATH, SUBSCRIBE_PATH = "/publish", "/subscribe"

_CONFIGURATION = """
load_module {module};
{user}
daemon off;
worker_processes 1;
worker_rlimit_nofile {files};
pid {folder}/nginx.pid;
error_log {folder}/error.log error;
events {{
    worker_connections {connections};
    multi_accept on;
}}
http {{
    access_log off;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    nchan_shared_memory_size 512m;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location = {publish} {{
            nchan_publisher http;
            nchan_channel_id $arg_symbol;
            nchan_message_buffer_length 1;
        }}
        location = {subscribe} {{
            nchan_subscriber eventsource;
            nchan_channel_id $arg_symbols;
            nchan_channel_id_split_delimiter ",";
            nchan_subscriber_first_message oldest;
        }}
    }}
}}
"""


def binary() -> str | None:
    """Return the path of nginx, if it is installed."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def _built_with(nginx: str) -> str:
    told = subprocess.run([nginx, "-V"], capture_output=True, text=True, check=True, timeout=10)
    return told.stderr


def nchan_module() -> Path | None:
    """Return the path of nginx's nchan module, if both are installed."""
    nginx = binary()
    if nginx is None:
        return None
    found = re.search(r"--modules-path=(\S+)", _built_with(nginx))
    module = Path(found.group(1) if found else "/usr/lib/nginx/modules", MODULE)
    return module if module.is_file() else None


def missing() -> str | None:
    """Return the missing packages as a sentence, or None if all are installed."""
    if nchan_module() is not None:
        return None
    what = "nginx is not" if binary() is None else "nginx's nchan module is not"
    return f"{what} installed; on Debian: {INSTALL} (and stop the service if it starts one)"


def configuration(folder: Path, port: int, module: Path) -> str:
    """Return an nginx.conf: one worker, with all its files in ``folder``."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return _CONFIGURATION.format(
        module=module,
        user="user root;" if os.geteuid() == 0 else "",  # the folder is ours alone
        files=files,
        folder=folder,
        connections=files - 100,
        port=port,
        publish=PUBLISH_PATH,
        subscribe=SUBSCRIBE_PATH,
    )


@asynccontextmanager
async def running_nginx(port: int) -> AsyncIterator[psutil.Process]:
    """Run nginx; yield its worker."""
    nginx, module = binary(), nchan_module()
    assert nginx is not None
    assert module is not None
    with TemporaryDirectory(prefix="tapecast-nginx-") as name:
        folder = Path(name)
        (folder / "nginx.conf").write_text(configuration(folder, port, module))
        master = await asyncio.create_subprocess_exec(
            nginx, "-p", name, "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")
        )
        try:
            yield await _worker(master)
        finally:
            with suppress(ProcessLookupError):
                master.terminate()
            try:
                async with asyncio.timeout(END_SECONDS):
                    await master.wait()
            except TimeoutError:
                for worker in psutil.Process(master.pid).children():
                    worker.kill()
                master.kill()
                await master.wait()


async def _worker(master: asyncio.subprocess.Process) -> psutil.Process:
    """Wait for the worker process."""
    async with asyncio.timeout(START_SECONDS):
        while master.returncode is None:
            for worker in psutil.Process(master.pid).children():
                return worker
            await asyncio.sleep(0.02)
    raise AssertionError("nginx ended at once; its output is above")
